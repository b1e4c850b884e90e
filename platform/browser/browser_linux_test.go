package browser

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const somewhere = "https://broker.example/authorize"

// opener puts a shell script in the place of xdg-open.
func opener(t *testing.T, body string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return dir
}

// Without a screen nothing is started: a text browser would show the page to
// nobody.
func TestNoScreen(t *testing.T) {
	dir := opener(t, "echo yes >$(/usr/bin/dirname $0)/ran")
	names := []string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"}
	for _, name := range names {
		t.Setenv(name, "")
	}
	if err := Open(t.Context(), somewhere); !errors.Is(err, ErrNoScreen) {
		t.Errorf("got %v", err)
	}
	if err := Open(t.Context(), "file:///etc/passwd"); !errors.Is(err, ErrNotAllowed) {
		t.Errorf("an address that is not opened: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("something was started")
	}
	for _, name := range names {
		t.Setenv(name, "x")
		if err := Open(t.Context(), somewhere); err != nil {
			t.Errorf("with %s: %v", name, err)
		}
		t.Setenv(name, "")
	}
}

// A browser that never returns holds nobody up, and when it ends at last
// nothing of it is left.
func TestBrowserThatStays(t *testing.T) {
	t.Setenv("DISPLAY", ":7")
	dir := opener(t, "echo $$ >$(/usr/bin/dirname $0)/pid\nexec /bin/sleep 600")
	began := time.Now()
	if err := Open(t.Context(), somewhere); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < settled || took > settled+20*time.Second {
		t.Errorf("it took %s", took)
	}
	text, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if state := processState(t, pid); state == "" || state == "Z" {
		t.Fatalf("the browser is gone already: %q", state)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		state := processState(t, pid)
		if state == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there, in state %s", pid, state)
		}
	}
}

// processState is the letter of proc_pid_stat(5), "" when there is no such
// process.
func processState(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	rest := data[bytes.LastIndexByte(data, ')')+1:]
	return strings.Fields(string(rest))[0]
}
