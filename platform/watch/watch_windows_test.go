package watch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/osexec"
)

const (
	kind = "edr"
	// asChild makes this test binary a process that waits to be ended.
	asChild = "POSTERN_TEST_AS"
)

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

func start(t testing.TB) *Watcher {
	t.Helper()
	t.TempDir() // so that it is removed after the watcher has closed its folders
	w, err := New(clock.System())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// child starts a process and returns it with its executable.
func child(t testing.TB) (*osexec.Child, string) {
	t.Helper()
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c, err := osexec.StartSelf(t.Context(), osexec.Self{Env: []string{asChild + "=child"}, Stdin: in})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hold.Close()
		in.Close()
		<-c.Done()
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return c, self
}

// next waits for an event with the cause; others are passed over.
func next(t testing.TB, w *Watcher, cause string) Event {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.Events():
			if e.Cause == cause {
				return e
			}
		case <-late:
			t.Fatalf("no event %q", cause)
		}
	}
}

// gather returns what is told until a file of another kind is noticed.
func gather(t testing.TB, w *Watcher) []Event {
	t.Helper()
	const last = "last"
	marker := filepath.Join(t.TempDir(), "marker")
	if err := w.SetFiles(last, []string{marker}); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(marker, 0o755); err != nil {
		t.Fatal(err)
	}
	var all []Event
	late := time.After(30 * time.Second)
	for {
		select {
		case e := <-w.Events():
			if e.Kind == last && e.Path == marker {
				return all
			}
			all = append(all, e)
		case <-late:
			t.Fatal("the marker was not told")
		}
	}
}

func TestProcessEnds(t *testing.T) {
	w := start(t)
	c, exe := child(t)
	pids := []int{c.PID()}
	for _, exe := range []string{exe, strings.ToUpper(exe), ""} {
		if err := w.SetProcesses(kind, pids, map[int]string{c.PID(): exe}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetProcesses("another", pids, map[int]string{c.PID(): `C:\other\program.exe`}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, CauseExit); e.Kind != "another" || e.PID != c.PID() {
		t.Errorf("event %+v, want that the number is another program's", e)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if e := next(t, w, CauseExit); e.Kind != kind || e.PID != c.PID() || e.At <= 0 {
		t.Errorf("event %+v", e)
	}
	if err := w.SetProcesses(kind, pids, nil); err != nil {
		t.Fatal(err)
	}
	next(t, w, CauseExit) // it ended before
}

// TestMoreProcessesThanOneWaitHolds watches one process for many kinds, each by
// a handle of its own.
func TestMoreProcessesThanOneWaitHolds(t *testing.T) {
	w := start(t)
	c, exe := child(t)
	const kinds = 3*perGroup + 1
	for i := range kinds {
		if err := w.SetProcesses(fmt.Sprint(i), []int{c.PID()}, map[int]string{c.PID(): exe}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range perGroup { // some are given up
		if err := w.SetProcesses(fmt.Sprint(i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for len(seen) < kinds-perGroup {
		e := next(t, w, CauseExit)
		var i int
		if fmt.Sscan(e.Kind, &i); i < perGroup || seen[e.Kind] {
			t.Fatalf("event %+v", e)
		}
		seen[e.Kind] = true
	}
}

const testKey = `Software\PosternWatchTest`

func removeTestKey() {
	for _, k := range []string{`\a\b\c`, `\a\b`, `\a`, ``} {
		registry.DeleteKey(registry.CURRENT_USER, testKey+k)
	}
}

func TestRegistry(t *testing.T) {
	w := start(t)
	removeTestKey()
	t.Cleanup(removeTestKey)
	key := `HKCU\` + testKey + `\a`
	if err := w.SetRegistry(kind, []string{key}); err != nil {
		t.Fatal(err)
	}
	make := func(name string) func() error {
		return func() error {
			k, _, err := registry.CreateKey(registry.CURRENT_USER, testKey+name, registry.ALL_ACCESS)
			return errors.Join(err, k.Close())
		}
	}
	value := func(name, text string) func() error {
		return func() error {
			k, err := registry.OpenKey(registry.CURRENT_USER, testKey+name, registry.ALL_ACCESS)
			if err != nil {
				return err
			}
			return errors.Join(k.SetStringValue("v", text), k.Close())
		}
	}
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"the key above comes", make("")},
		{"the key comes", make(`\a`)},
		{"a value", value(`\a`, "1")},
		{"another", value(`\a`, "2")},
		{"a key below", make(`\a\b`)},
		{"a value below", value(`\a\b`, "1")},
		{"the key below goes", func() error { return registry.DeleteKey(registry.CURRENT_USER, testKey+`\a\b`) }},
		{"the key goes", func() error { return registry.DeleteKey(registry.CURRENT_USER, testKey+`\a`) }},
		{"it comes again", make(`\a`)},
		{"a value in it", value(`\a`, "1")},
	} {
		gather(t, w)
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if e := next(t, w, CauseRegistry); e.Kind != kind || e.Path != key {
			t.Errorf("%s: event %+v", s.name, e)
		}
	}
	if err := w.SetRegistry(kind, []string{`HKXX\Software`}); err == nil {
		t.Error("a root that is none was not refused")
	}
}

func TestFilesOfWindows(t *testing.T) {
	w := start(t)
	top := t.TempDir()
	dir := filepath.Join(top, "Vendor", "Product")
	f := filepath.Join(dir, "Sensor.conf")
	if err := w.SetFiles(kind, []string{f, dir}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetExecutables("exe", []string{f}); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) func() error {
		return func() error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) }
	}
	for _, s := range []struct {
		name  string
		do    func() error
		tells []string
	}{
		{"folders come", func() error { return os.MkdirAll(dir, 0o755) }, []string{"edr file", "exe replaced"}},
		{"the file comes", put("Sensor.conf", "a"), []string{"edr file", "exe replaced"}},
		{"it is written", put("SENSOR.CONF", "bb"), []string{"edr file", "exe replaced"}},
		{"a neighbour", put("other", "c"), []string{"edr file"}},
		{"it is replaced", func() error { return os.Rename(filepath.Join(dir, "other"), f) }, []string{"edr file", "exe replaced"}},
		{"it goes", func() error { return os.Remove(f) }, []string{"edr file", "exe replaced"}},
	} {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		seen := map[string]bool{}
		for len(seen) < len(s.tells) {
			e := <-w.Events()
			if name := e.Kind + " " + e.Cause; slices.Contains(s.tells, name) {
				seen[name] = true
			}
		}
		gather(t, w)
	}
}

// TestSecurityCenter sees that the Security Center is either listened to or
// refused with what is missing: Wine and servers have none.
func TestSecurityCenter(t *testing.T) {
	w := start(t)
	wine := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
	for range 2 {
		err := w.SetSecurityCenter(kind)
		if wine && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("without wscapi.dll: %v", err)
		}
		if err != nil && !strings.Contains(err.Error(), "security center") {
			t.Error(err)
		}
	}
}

func TestWhatWindowsDoesNotTell(t *testing.T) {
	w := start(t)
	for name, err := range map[string]error{"mounts": w.SetMounts(kind), "devices": w.SetUevents(kind)} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestServicesAndFirewall changes neither: it sees that both are accepted. Wine
// would end a program that subscribes to services, and so is not asked.
func TestServicesAndFirewall(t *testing.T) {
	w := start(t)
	wine := windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
	for range 2 {
		if err := w.SetFirewall(kind); err != nil {
			t.Error(err)
		}
		for _, names := range [][]string{{"EventLog", "no such service"}, nil, {"eventlog"}} {
			err := w.SetServices(kind, names)
			if wine && errors.Is(err, errors.ErrUnsupported) && strings.Contains(err.Error(), "services") {
				continue
			}
			if wine || err != nil {
				t.Error(err)
			}
		}
	}
}

func TestNothingLeaks(t *testing.T) {
	c, exe := child(t)
	one := func() {
		w, err := New(clock.System())
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{
			w.SetProcesses(kind, []int{c.PID()}, map[int]string{c.PID(): exe}),
			w.SetFiles(kind, []string{exe, filepath.Dir(exe), `C:\not\there`}),
			w.SetExecutables(kind, []string{exe}),
			w.SetRegistry(kind, []string{`HKCU\Software`, `HKLM\SOFTWARE\not there\at all`}),
			w.SetFirewall(kind),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for range w.Events() { // ends as the channel is closed
		}
		if err := w.SetFiles(kind, nil); !errors.Is(err, errClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	one()
	before := handles(t)
	for range 20 {
		one()
	}
	if after := handles(t); after > before+10 { // threads of the runtime come and go
		t.Errorf("%d handles before, %d after", before, after)
	}
}

func handles(t *testing.T) (n uint32) {
	t.Helper()
	count := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount")
	if err := count.Find(); err != nil {
		t.Fatal(err)
	}
	if ok, _, err := count.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&n))); ok == 0 {
		t.Fatal(err)
	}
	return n
}
