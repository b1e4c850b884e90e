package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
)

func TestProcessThatIsNotWhatTheCallerMeant(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	exe := program(t, filepath.Join(dir, "sensor"))
	ended := run(t, exe)
	kill(t, ended)
	other := run(t, exe)
	replaced := run(t, program(t, filepath.Join(dir, "old")))
	if err := os.Remove(filepath.Join(dir, "old")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		pid  int
		exe  string
	}{
		{"ended before", ended.PID(), exe},
		{"the number is another program's", other.PID(), filepath.Join(dir, "another")},
		{"its file is gone", replaced.PID(), filepath.Join(dir, "old")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := w.SetProcesses(kind, []int{tt.pid}, map[int]string{tt.pid: tt.exe}); err != nil {
				t.Fatal(err)
			}
			if e := next(t, w, CauseExit); e.PID != tt.pid {
				t.Errorf("event %+v, want process %d", e, tt.pid)
			}
		})
	}
}

func TestProcessesOfAKindAreReplaced(t *testing.T) {
	w := start(t)
	exe := program(t, filepath.Join(t.TempDir(), "sensor"))
	first, second := run(t, exe), run(t, exe)
	both := map[int]string{first.PID(): exe, second.PID(): exe}
	if err := w.SetProcesses(kind, []int{first.PID(), second.PID()}, both); err != nil {
		t.Fatal(err)
	}
	if err := w.SetProcesses(kind, []int{second.PID(), second.PID()}, both); err != nil {
		t.Fatal(err)
	}
	kill(t, first)
	kill(t, second)
	if e := next(t, w, CauseExit); e.PID != second.PID() {
		t.Errorf("event %+v, but only process %d is watched", e, second.PID())
	}
}

func TestSlowReaderLosesNothing(t *testing.T) {
	w := start(t)
	dir := t.TempDir()
	exe := program(t, filepath.Join(dir, "sensor"))
	if err := w.SetExecutables(kind, []string{exe}); err != nil {
		t.Fatal(err)
	}
	for range 10 * queued { // nobody reads
		f, err := os.Open(exe)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	c := run(t, exe)
	if err := w.SetProcesses(kind, []int{c.PID()}, map[int]string{c.PID(): exe}); err != nil {
		t.Fatal(err)
	}
	kill(t, c)
	if err := os.Chmod(exe, 0o700); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	late := time.After(10 * time.Second)
	for seen[CauseExit] == 0 || seen[CauseReplaced] == 0 || seen[CauseExec] == 0 {
		select {
		case e := <-w.Events():
			seen[e.Cause]++
		case <-late:
			t.Fatalf("after a long silence only %v arrived", seen)
		}
	}
	if seen[CauseExec] > 2*queued {
		t.Errorf("%d events of one cause were kept", seen[CauseExec])
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	before := openFiles(t)
	exe := program(t, filepath.Join(t.TempDir(), "sensor"))
	c := run(t, exe)
	w, err := New(clock.System())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SetExecutables(kind, []string{exe}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetProcesses(kind, []int{c.PID()}, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range w.Events() { // ends as the channel is closed
	}
	if err := w.SetExecutables(kind, nil); err == nil {
		t.Error("SetExecutables after Close succeeded")
	}
	if err := w.SetProcesses(kind, []int{c.PID()}, nil); err == nil {
		t.Error("SetProcesses after Close succeeded")
	}
	kill(t, c)
	if after := openFiles(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// openFiles counts the inotify, epoll, event and pidfd descriptors in use.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && (strings.Contains(target, "inotify") || strings.Contains(target, "pidfd") || strings.Contains(target, "eventfd")) {
			n++
		}
	}
	return n
}
