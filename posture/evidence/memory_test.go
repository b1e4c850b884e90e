package evidence

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// disk is a machine with the links that sysfs uses.
func disk() *Memory {
	m := NewMemory(Linux, day)
	m.SetFile("/sys/devices/vda/vda1/partition", "1\n")
	m.SetFile("/sys/devices/vda/size", "4096\n")
	m.SetLink("/sys/dev/block/254:1", "../../devices/vda/vda1")
	m.SetLink("/sys/class/block/vda1", "../../devices/vda/vda1")
	m.SetLink("/bin", "usr/bin")
	m.SetFile("/usr/bin/true", "elf")
	return m
}

func TestMemoryFollowsLinks(t *testing.T) {
	m, ctx := disk(), t.Context()
	tests := map[string]string{
		"/sys/dev/block/254:1/partition": "1\n",
		"/sys/dev/block/254:1/../size":   "4096\n", // above where the link led
		"/bin/true":                      "elf",
		"/usr/./bin//true":               "elf",
	}
	for path, want := range tests {
		if got, err := m.ReadFile(ctx, path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if target, err := m.ReadLink(ctx, "/bin"); err != nil || target != "usr/bin" {
		t.Errorf("link %q, %v", target, err)
	}
	if _, err := m.ReadLink(ctx, "/usr"); ReasonOf(err) != fact.ReasonUnreadable {
		t.Errorf("a folder read as link: %v", err)
	}
	if _, err := m.ReadLink(ctx, "/none"); ReasonOf(err) != fact.ReasonNotFound {
		t.Errorf("a missing link: %v", err)
	}
	names, err := m.ReadDir(ctx, "/sys/devices/vda")
	if err != nil || !reflect.DeepEqual(names, []string{"size", "vda1"}) {
		t.Errorf("list %v, %v", names, err)
	}
	if info, err := m.Stat(ctx, "/sys/devices"); err != nil || !info.Mode.IsDir() {
		t.Errorf("folder %+v, %v", info, err)
	}
	m.SetLink("/loop", "/loop")
	if _, err := m.ReadFile(ctx, "/loop"); err == nil {
		t.Error("a link to itself was read")
	}
}

func TestMemoryFails(t *testing.T) {
	m, ctx := disk(), t.Context()
	m.SetCommand("tool -x", "out")
	m.SetProcesses(Process{PID: 1})
	all := map[string]func() error{
		"/usr/bin/true": func() error { _, err := m.ReadFile(ctx, "/usr/bin/true"); return err },
		"tool -x":       func() error { _, err := m.Run(ctx, "tool", "-x"); return err },
		ProcessList:     func() error { _, err := m.Processes(ctx); return err },
	}
	for target, read := range all {
		if err := read(); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		m.Fail(target, fact.ReasonBusy)
		if err := read(); ReasonOf(err) != fact.ReasonBusy {
			t.Errorf("%s: %v, want busy", target, err)
		}
		m.Fail(target, "")
		if err := read(); err != nil {
			t.Errorf("%s after the failure: %v", target, err)
		}
	}
	if _, err := m.Run(ctx, "tool"); ReasonOf(err) != fact.ReasonToolMissing {
		t.Errorf("a command nobody put: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.ReadFile(ended, "/usr/bin/true"); ReasonOf(err) != fact.ReasonTimeout {
		t.Errorf("after the end: %v", err)
	}
}

func TestMemoryInParallel(t *testing.T) {
	m := disk()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				m.SetFile("/x", "y")
				m.SetProcesses(Process{PID: 2})
				m.Fail("/x", fact.ReasonBusy)
				m.ReadFile(t.Context(), "/x")
				m.Processes(t.Context())
				m.ReadDir(t.Context(), "/")
			}
		})
	}
	wg.Wait()
}

func TestRecorderDigest(t *testing.T) {
	ctx := t.Context()
	digest := func(change func(*Memory), reads ...func(Machine)) string {
		m := disk()
		change(m)
		r := NewRecorder(m)
		for _, read := range reads {
			read(r)
		}
		return r.Digest()
	}
	none := func(*Memory) {}
	file := func(m Machine) { m.ReadFile(ctx, "/bin/true") }
	size := func(m Machine) { m.ReadFile(ctx, "/sys/devices/vda/size") }
	link := func(m Machine) { m.ReadLink(ctx, "/bin") }
	base := digest(none, file, size)
	if base == "" || digest(none, file, size, file) != base {
		t.Error("reading the same again changed the digest, or there is none")
	}
	if digest(none) != "" {
		t.Error("a digest of nothing")
	}
	different := map[string]string{
		"another order":    digest(none, size, file),
		"one more reading": digest(none, file, size, link),
		"another content":  digest(func(m *Memory) { m.SetFile("/usr/bin/true", "e1f") }, file, size),
		"a failure":        digest(func(m *Memory) { m.Fail("/bin/true", fact.ReasonBusy) }, file, size),
		"another failure":  digest(func(m *Memory) { m.Fail("/bin/true", fact.ReasonTimeout) }, file, size),
	}
	seen := map[string]string{base: "base"}
	for name, d := range different {
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}

func TestRecorderSeesAChangeBetweenTwoReads(t *testing.T) {
	m := disk()
	r := NewRecorder(m)
	r.ReadFile(t.Context(), "/bin/true")
	first := r.Digest()
	m.SetFile("/usr/bin/true", "changed")
	r.ReadFile(t.Context(), "/bin/true")
	if r.Digest() == first {
		t.Error("the second content left no trace")
	}
}

func TestRecorderPassesEverythingOn(t *testing.T) {
	m, ctx := disk(), t.Context()
	m.SetCommand("tool -x", "out")
	m.SetProcesses(Process{PID: 7})
	r := NewRecorder(m)
	if out, err := r.Run(ctx, "tool", "-x"); err != nil || string(out.Stdout) != "out" {
		t.Errorf("run %+v, %v", out, err)
	}
	if list, err := r.Processes(ctx); err != nil || len(list) != 1 {
		t.Errorf("processes %v, %v", list, err)
	}
	if sum, err := r.SHA256(ctx, "/bin/true"); err != nil || len(sum) != 64 {
		t.Errorf("digest %q, %v", sum, err)
	}
	if info, err := r.Stat(ctx, "/bin/true"); err != nil || info.Size != 3 {
		t.Errorf("stat %+v, %v", info, err)
	}
	if _, err := r.ReadDir(ctx, "/none"); ReasonOf(err) != fact.ReasonNotFound {
		t.Errorf("list: %v", err)
	}
	if r.System() != Linux || !r.Now().Equal(day) {
		t.Errorf("system %s, time %v", r.System(), r.Now())
	}
}

func TestReadingLeavesNoFactOut(t *testing.T) {
	m := NewMemory(Linux, day)
	for _, name := range []string{fact.SignalOS, fact.SignalPatch, fact.SignalDisk, fact.SignalFirewall, fact.SignalEDR} {
		for _, state := range []fact.State{fact.Unknown, fact.Absent} {
			s := Begin(name, m).Conclude(state, fact.ReasonNotFound)
			s.Collector = "test"
			if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
				t.Errorf("%s %s: %v", name, state, err)
			}
			for _, d := range fact.Defs() {
				if _, ok := s.Find("", d.Field); d.Signal == name && !d.Keyed && !ok {
					t.Errorf("%s %s leaves out %s", name, state, d.Field)
				}
			}
		}
	}
	r := Begin(fact.SignalFirewall, m)
	r.Observe("enabled", "", fact.Bool(false))
	r.Observe("enabled", "", fact.Bool(true))
	s := r.Signal(fact.ReasonUnsupported)
	if f, _ := s.Find("", "enabled"); s.State != fact.Observed || f.Value != fact.Bool(true) || len(s.Facts) != 5 {
		t.Errorf("signal %+v", s)
	}
	if f, _ := s.Find("", "default_inbound"); f.State != fact.Unknown || f.Reason != fact.ReasonUnsupported {
		t.Errorf("fact %+v", f)
	}
}

func TestWrapKeepsTheCause(t *testing.T) {
	cause := errors.New("cause")
	err := Wrap("read x", &Error{Reason: fact.ReasonBusy, Op: "read y", Err: cause})
	if !errors.Is(err, cause) || ReasonOf(err) != fact.ReasonBusy {
		t.Errorf("%v", err)
	}
}
