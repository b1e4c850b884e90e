package watch

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/osexec"
)

const kind = "edr"

func start(t *testing.T) *Watcher {
	t.Helper()
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

// program puts a real small program at path.
func program(t *testing.T, path string) string {
	t.Helper()
	src, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// run starts the program; the test's end ends it.
func run(t *testing.T, path string) *osexec.Child {
	t.Helper()
	c, err := osexec.Start(t.Context(), path, osexec.Self{Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(t, c) })
	return c
}

func kill(t *testing.T, c *osexec.Child) {
	t.Helper()
	if err := c.Kill(); err != nil {
		t.Error(err)
	}
	<-c.Done()
}

// next waits for an event with the cause and returns it; others are passed over.
func next(t *testing.T, w *Watcher, cause string) Event {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-w.Events():
			if !ok {
				t.Fatal("the channel was closed")
			}
			if e.Kind != kind {
				t.Fatalf("event %+v of another kind", e)
			}
			if e.Cause == cause {
				return e
			}
		case <-late:
			t.Fatalf("no event %q", cause)
		}
	}
}

// drain throws away what has arrived so far.
func drain(w *Watcher) {
	for {
		select {
		case <-w.Events():
		default:
			return
		}
	}
}

func TestExitReachesTheReaderAtOnce(t *testing.T) {
	w := start(t)
	exe := program(t, filepath.Join(t.TempDir(), "sensor"))
	var took []time.Duration
	for range 25 {
		c := run(t, exe)
		if err := w.SetProcesses(kind, []int{c.PID()}, map[int]string{c.PID(): exe}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		e := next(t, w, CauseExit)
		took = append(took, time.Since(began))
		if e.PID != c.PID() || e.Path != exe || e.At <= 0 {
			t.Fatalf("event %+v, want the end of process %d of %s", e, c.PID(), exe)
		}
	}
	slices.Sort(took)
	t.Logf("kill -9 to event: fastest %v, median %v, slowest %v", took[0], took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > 20*time.Millisecond {
		t.Errorf("median %v, want far below 20 ms", median)
	}
}

func TestStartIsSeen(t *testing.T) {
	w := start(t)
	exe := program(t, filepath.Join(t.TempDir(), "sensor"))
	if err := w.SetExecutables(kind, []string{exe}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again after it has ended
		c := run(t, exe)
		if e := next(t, w, CauseExec); e.Path != exe {
			t.Errorf("event %+v, want one for %s", e, exe)
		}
		kill(t, c)
		settle(t, w, exe) // so that the next start is seen by an event of its own
	}
}

func TestReplacedExecutableIsSeenAndWatched(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	exe := program(t, filepath.Join(dir, "sensor"))
	if err := w.SetExecutables(kind, []string{exe}); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"renamed over", func() error { return os.Rename(program(t, filepath.Join(dir, "new")), exe) }},
		{"removed", func() error { return os.Remove(exe) }},
		{"created again", func() error { program(t, exe); return nil }},
		{"folder moved away", func() error { return os.Rename(dir, dir+"-gone") }},
		{"folder moved back", func() error { return os.Rename(dir+"-gone", dir) }},
		{"made not executable", func() error { return os.Chmod(exe, 0o644) }},
		{"written to", func() error { return os.WriteFile(exe, []byte("#!/bin/true\n"), 0o644) }},
		{"put right", func() error { return os.Rename(program(t, filepath.Join(dir, "new2")), exe) }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if e := next(t, w, CauseReplaced); e.Path != exe {
			t.Errorf("%s: event %+v", s.name, e)
		}
	}
	settle(t, w, exe)
	run(t, exe)
	next(t, w, CauseExec)
}

// settle waits until the watcher has taken every notice so far: one for a file
// in a folder of its own comes after all of them.
func settle(t *testing.T, w *Watcher, exe string) {
	t.Helper()
	marker := filepath.Join(t.TempDir(), "marker")
	if err := w.SetExecutables(kind, []string{exe, marker}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", marker); err != nil { // one notice and no more
		t.Fatal(err)
	}
	for next(t, w, CauseReplaced).Path != marker {
	}
	drain(w)
}

func TestExecutableThatIsNotThereYet(t *testing.T) {
	w := start(t)
	top := t.TempDir()
	dir := filepath.Join(top, "opt", "product", "bin")
	exe := filepath.Join(dir, "sensor")
	if err := w.SetExecutables(kind, []string{exe}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	next(t, w, CauseReplaced)
	program(t, exe)
	next(t, w, CauseReplaced)
	settle(t, w, exe)
	run(t, exe)
	next(t, w, CauseExec)
	if err := os.RemoveAll(filepath.Join(top, "opt")); err != nil {
		t.Fatal(err)
	}
	next(t, w, CauseReplaced)
}

func TestLinkedExecutable(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	program(t, filepath.Join(dir, "sensor1"))
	program(t, filepath.Join(dir, "sensor2"))
	link := filepath.Join(dir, "sensor")
	if err := os.Symlink("sensor1", link); err != nil {
		t.Fatal(err)
	}
	if err := w.SetExecutables(kind, []string{link}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sensor2", link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	next(t, w, CauseReplaced)
	settle(t, w, link)
	run(t, filepath.Join(dir, "sensor2"))
	next(t, w, CauseExec)
}
