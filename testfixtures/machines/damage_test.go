package machines

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// asked is a machine that notes what is asked of it, by the names under which
// evidence.Memory lets a reading fail.
type asked struct {
	evidence.Machine
	mu   sync.Mutex
	what map[string]bool
}

func (a *asked) note(target string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.what[target] = true
}

func (a *asked) ReadFile(ctx context.Context, p string) ([]byte, error) {
	a.note(p)
	return a.Machine.ReadFile(ctx, p)
}

func (a *asked) ReadDir(ctx context.Context, p string) ([]string, error) {
	a.note(p)
	return a.Machine.ReadDir(ctx, p)
}

func (a *asked) Distil(ctx context.Context, p, what string, f evidence.Distiller) ([]byte, error) {
	a.note(p)
	return a.Machine.Distil(ctx, p, what, f)
}

func (a *asked) Run(ctx context.Context, name string, args ...string) (evidence.Output, error) {
	a.note(strings.Join(append([]string{name}, args...), " "))
	return a.Machine.Run(ctx, name, args...)
}

func (a *asked) Registry(ctx context.Context, key string) (evidence.Registry, error) {
	a.note(evidence.RegistryKey(key))
	return a.Machine.Registry(ctx, key)
}

func (a *asked) WMI(ctx context.Context, namespace, class string) ([]evidence.Row, error) {
	a.note(strings.ToLower(namespace + ":" + class))
	return a.Machine.WMI(ctx, namespace, class)
}

func (a *asked) Ask(ctx context.Context, q evidence.Question, args ...string) ([]byte, error) {
	a.note(strings.Join(append([]string{string(q)}, args...), " "))
	return a.Machine.Ask(ctx, q, args...)
}

func (a *asked) Processes(ctx context.Context) ([]evidence.Process, error) {
	a.note(evidence.ProcessList)
	return a.Machine.Processes(ctx)
}

func (a *asked) Services(ctx context.Context) ([]evidence.Service, error) {
	a.note(evidence.ServiceList)
	return a.Machine.Services(ctx)
}

// TestRefusalNeverHelps lets each reading of each machine be refused, one at a
// time: nothing that was bad, unknown or absent may look good for it.
func TestRefusalNeverHelps(t *testing.T) {
	rows, err := observe.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := evidence.Open(os.DirFS(name))
			if err != nil {
				t.Fatal(err)
			}
			collector := func(m evidence.Machine) *collect.Collector {
				return collect.New(collect.Config{Machine: m, Catalogue: rows, Clock: clock.NewFake(m.Now()), Version: "test"})
			}
			intact := collector(m).Read(t.Context())
			for target, signals := range targets(t, m, collector) {
				m.Fail(target, fact.ReasonNeedsPrivilege)
				damaged, _ := collector(m).Reread(t.Context(), signals...)
				m.Fail(target, "")
				if err := damaged.Validate(); err != nil {
					t.Errorf("without %s: %v", target, err)
				}
				for _, a := range helped(intact, damaged) {
					if !excused(target, a) {
						t.Errorf("without %s, %s looks good", target, a)
					}
				}
			}
		})
	}
}

// TestTruncationNeverPanics cuts each text of a machine in half, one at a time:
// a text that ends too early never looks better than the whole one.
func TestTruncationNeverPanics(t *testing.T) {
	for _, name := range names(t) {
		if !strings.HasSuffix(name, "-healthy") {
			continue // the others are like these
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := load(t, name)
			intact := read(t, whole)
			for path, file := range whole {
				dir, _, _ := strings.Cut(path, "/")
				if !slices.Contains([]string{"files", "commands", "registry", "wmi"}, dir) || len(file.Data) < 2 {
					continue
				}
				cut := maps.Clone(whole)
				cut[path] = &fstest.MapFile{Data: file.Data[:len(file.Data)/2], Mode: file.Mode, ModTime: file.ModTime}
				if _, err := evidence.Open(cut); err != nil {
					continue // the recording is refused as a whole
				}
				damaged := read(t, cut)
				if err := damaged.Validate(); err != nil {
					t.Errorf("half of %s: %v", path, err)
				}
				for _, a := range helped(intact, damaged) {
					if !excusedHalf(path, a) {
						t.Errorf("with half of %s, %s looks good", path, a)
					}
				}
			}
		})
	}
}

// load reads a machine's folder into memory.
func load(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(name), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(name, filepath.FromSlash(path)))
		out[path] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// targets lists what is asked of the machine, with the signals that ask.
func targets(t *testing.T, m evidence.Machine, collector func(evidence.Machine) *collect.Collector) map[string][]string {
	out := map[string][]string{}
	for _, signal := range collector(m).Signals() {
		a := &asked{Machine: m, what: map[string]bool{}}
		collector(a).Reread(t.Context(), signal)
		for target := range a.what {
			out[target] = append(out[target], signal)
		}
	}
	return out
}

// helped lists the facts that are good after and were not before. A conflict
// that ends because one of the two sources is refused is no help: the other
// source said so all along.
func helped(before, after fact.Report) []string {
	var out []string
	for _, s := range after.Signals {
		was, _ := before.Signal(s.Name)
		for _, f := range s.Facts {
			a := fact.Address(s.Name, f.Key, f.Field)
			if !isGood(s, f, a) {
				continue
			}
			old, there := was.Find(sameEntry(was, s, f.Key), f.Field)
			if there && (isGood(was, old, a) || was.StateOf(old) == fact.Conflict || old.Reason == fact.ReasonDisagree) {
				continue
			}
			out = append(out, a)
		}
	}
	return out
}

// sameEntry is the key that a list entry had before. A volume whose identifier
// cannot be read any more goes by another one, but is mounted in the same place.
func sameEntry(was, is fact.Signal, key string) string {
	name, named := is.Find(key, "name")
	if _, there := was.Find(key, "name"); key == "" || there || !named || is.Name != fact.SignalDisk {
		return key
	}
	for _, k := range was.Keys() {
		if old, ok := was.Find(k, "name"); ok && old.Value == name.Value {
			return k
		}
	}
	return key
}

func isGood(s fact.Signal, f fact.Fact, address string) bool {
	finding, judged := catalogue.FindingOf(address)
	return judged && s.StateOf(f).Usable() && f.Value.IsSet() && !finding.IsBad(f.Value)
}

// excused are improvements that are right: what each is about stands beside it.
func excused(target, address string) bool {
	for _, e := range []struct{ target, address string }{
		// Without the list of volumes, what fdesetup says of the startup volume
		// is all there is, under a name of its own.
		{"diskutil apfs list", "disk[startup]"},
		// A volume that is converted while it is mounted shows it by helper
		// devices, which need no rights; a header alone is not on this machine.
		{"cryptsetup luksDump", "disk"},
	} {
		if strings.Contains(target, e.target) && strings.Contains(address, e.address) {
			return true
		}
	}
	return false
}

// excusedHalf are improvements by half a text that are right.
func excusedHalf(path, address string) bool {
	for _, e := range []struct{ path, address string }{
		// As above: without a list that can be read, fdesetup alone speaks.
		{"commands/diskutil apfs list", "disk[startup]"},
		// A recording's text of the registry holds many keys; where it ends, the
		// rest are keys that the machine does not have.
		{"registry/", "patch.auto_update"},
		// What is configured is all that apt knows of. A person may write a file
		// without the other sources, and without an end of the last line.
		{"files/etc/apt/sources.list.d/", "patch."},
	} {
		if strings.Contains(path, e.path) && strings.Contains(address, e.address) {
			return true
		}
	}
	return false
}
