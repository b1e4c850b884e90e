package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
)

// TestBurstIsFewEvents replaces a file as often as an upgrade of packages does.
func TestBurstIsFewEvents(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	status := filepath.Join(dir, "status")
	write(t, status, "")
	setFiles(t, w, status)
	began := time.Now()
	for i := range 500 {
		write(t, status+"-new", fmt.Sprint(i))
		if err := os.Rename(status+"-new", status); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(began)
	most := int(took/hold) + 2
	if n := len(gather(t, w)); n < 1 || n > most {
		t.Errorf("500 changes in %v gave %d events, want at most %d", took, n, most)
	} else {
		t.Logf("500 changes in %v gave %d events", took, n)
	}
	write(t, status, "after it all")
	told(t, w, "after the burst", status)
}

// TestEndOfProcessWaitsForNothing has a process end while the other loops are
// busy for ever.
func TestEndOfProcessWaitsForNothing(t *testing.T) {
	w := start(t)
	exe := program(t, filepath.Join(t.TempDir(), "sensor"))
	c := run(t, exe)
	if err := w.SetProcesses(kind, []int{c.PID()}, map[int]string{c.PID(): exe}); err != nil {
		t.Fatal(err)
	}
	setFiles(t, w, exe)
	func() {
		w.sys.calm.mu.Lock()
		defer w.sys.calm.mu.Unlock()
		w.sys.starts.mu.Lock()
		defer w.sys.starts.mu.Unlock()
		if err := os.Chmod(exe, 0o700); err != nil {
			t.Fatal(err)
		}
		kill(t, c)
		next(t, w, CauseExit)
	}()
	next(t, w, CauseFile)
}

// TestOverflow fills the queue of the kernel while nobody reads it.
func TestOverflow(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	setFiles(t, w, dir)
	if err := w.SetFiles("other", []string{filepath.Join(dir, "not", "there")}); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(dir, "busy")
	func() {
		w.sys.calm.mu.Lock()
		defer w.sys.calm.mu.Unlock()
		for range queueLimit(t)/2 + 1 {
			write(t, busy, "")
			if err := os.Remove(busy); err != nil {
				t.Fatal(err)
			}
		}
	}()
	seen := map[string]bool{}
	for _, e := range gather(t, w) {
		seen[e.Kind+" "+e.Cause] = true
	}
	for _, want := range []string{kind + " file", kind + " lost", "other lost"} {
		if !seen[want] {
			t.Errorf("told were %v, want %q", seen, want)
		}
	}
	write(t, busy, "")
	told(t, w, "after the overflow", dir)
}

func queueLimit(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(string(b), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestIdleLoopsSleepForEver looks at the loops after everything was handed
// over: nothing is due, epoll waits without an end, and none wakes up.
func TestIdleLoopsSleepForEver(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	exe := program(t, filepath.Join(dir, "sensor"))
	c := run(t, exe)
	setFiles(t, w, exe, dir, filepath.Join(dir, "not", "there"))
	for _, err := range []error{
		w.SetExecutables(kind, []string{exe}),
		w.SetProcesses(kind, []int{c.PID()}, map[int]string{c.PID(): exe}),
		w.SetMounts(kind), w.SetUevents(kind),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetFirewall(kind); err != nil && !errors.Is(err, os.ErrPermission) {
		t.Fatal(err)
	}
	if err := os.Chmod(exe, 0o700); err != nil {
		t.Fatal(err)
	}
	gather(t, w)
	for name, l := range map[string]*loop{"ends": w.sys.ends, "starts": w.sys.starts, "calm": w.sys.calm} {
		sleeps := false
		for range 20 { // others may mount or change rules meanwhile
			if sleeps = sleepsOn(l); sleeps {
				break
			}
			gather(t, w)
		}
		if !sleeps {
			t.Errorf("the %s loop wakes up while nothing happens", name)
		}
	}
}

// sleepsOn reports whether a loop slept without an end while this process did
// what concerns nobody.
func sleepsOn(l *loop) bool {
	state := func() (wait, turns int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.wait, l.turns
	}
	wait, turns := state()
	for range 1000 {
		os.ReadFile("/proc/self/status")
		runtime.Gosched()
	}
	_, later := state()
	return wait == -1 && later == turns
}

// TestNothingLeaks opens and closes many watchers, each with all there is.
func TestNothingLeaks(t *testing.T) {
	exe := program(t, filepath.Join(t.TempDir(), "sensor"))
	c := run(t, exe)
	one := func() {
		w, err := New(clock.System())
		if err != nil {
			t.Fatal(err)
		}
		setFiles(t, w, exe, "/etc")
		for _, err := range []error{
			w.SetExecutables(kind, []string{exe}), w.SetProcesses(kind, []int{c.PID()}, nil),
			w.SetMounts(kind), w.SetUevents(kind),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.SetFirewall(kind); err != nil && !errors.Is(err, os.ErrPermission) {
			t.Fatal(err)
		}
		if err := os.Chmod(exe, 0o755); err != nil { // something to hold back, and nobody to read it
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	one()
	const rounds = 30
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	for range rounds {
		one()
	}
	if n := descriptors(t); n > files {
		t.Errorf("%d descriptors before, %d after", files, n)
	}
	// A goroutine that has closed its channel may not be quite gone; one that
	// is left over by each round is.
	if n := runtime.NumGoroutine(); n > goroutines+rounds/2 {
		t.Errorf("%d goroutines before, %d after %d rounds", goroutines, n, rounds)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestEverythingFailsAfterClose(t *testing.T) {
	w, err := New(clock.System())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"SetExecutables": w.SetExecutables(kind, []string{"/bin/sh"}),
		"SetProcesses":   w.SetProcesses(kind, []int{1}, nil),
		"SetFiles":       w.SetFiles(kind, []string{"/etc/passwd"}),
		"SetMounts":      w.SetMounts(kind),
		"SetFirewall":    w.SetFirewall(kind),
		"SetUevents":     w.SetUevents(kind),
	} {
		if !errors.Is(err, errClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestWhatLinuxDoesNotTell(t *testing.T) {
	w := start(t)
	for name, err := range map[string]error{
		"the registry": w.SetRegistry(kind, []string{`HKLM\SOFTWARE`}),
		"services":     w.SetServices(kind, []string{"mpssvc"}),
		"security":     w.SetSecurityCenter(kind),
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyCallersAtOnce is of use with the race detector.
func TestManyCallersAtOnce(t *testing.T) {
	w, err := New(clock.System())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	exe := program(t, filepath.Join(dir, "sensor"))
	c := run(t, exe)
	var callers, reader sync.WaitGroup
	reader.Go(func() {
		for range w.Events() {
		}
	})
	for i := range 4 {
		k, f := fmt.Sprint(i), filepath.Join(dir, "d", fmt.Sprint(i))
		callers.Go(func() {
			for range 50 {
				// Some fail, since others close or take folders away meanwhile.
				w.SetFiles(k, []string{f, exe, dir})
				w.SetExecutables(k, []string{exe, f})
				w.SetProcesses(k, []int{c.PID()}, nil)
				w.SetMounts(k)
				os.MkdirAll(filepath.Dir(f), 0o755)
				os.WriteFile(f, []byte(k), 0o755)
				os.RemoveAll(filepath.Dir(f))
			}
			w.Close()
		})
	}
	callers.Wait()
	reader.Wait()
}
