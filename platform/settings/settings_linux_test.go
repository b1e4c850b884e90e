package settings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/osexec"
)

// patience bounds what is waited for.
const patience = 30 * time.Second

// helperRoot has the test program act as a short-lived caller of Open's parts.
const helperRoot = "POSTERN_SETTINGS_TEST_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(helperRoot); root != "" {
		os.Exit(callAndEnd(root))
	}
	os.Exit(m.Run())
}

// callAndEnd opens the page of a private root and ends at once.
func callAndEnd(root string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f, err := linuxMachine{root: root, env: os.Getenv}.find(ScreenLock)
	if err == nil {
		err = f.open(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// fakeProgram tells in a file who it is and how it was started, waits until the
// process in its environment has ended (at most about 30 s), and tells that too.
const fakeProgram = `#!/bin/sh
out=$(dirname "$0")/../../told
{
  echo "args $*"
  echo "pid $$"
  echo "session $(ps -o sid= -p $$ | tr -d ' ')"
  echo "desktop $XDG_CURRENT_DESKTOP"
  echo "language ${LC_ALL:-none}"
  echo "words $GIVEN"
  echo "caller $CALLER"
} > "$out.new" && mv "$out.new" "$out"
n=0
while kill -0 "$CALLER" 2>/dev/null && [ $n -lt 300 ]; do n=$((n+1)); sleep 0.1; done
kill -0 "$CALLER" 2>/dev/null || : > "$out.outlived"
`

// waitFor waits for a file and returns what is in it.
func waitFor(t *testing.T, path string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		text, err := os.ReadFile(path)
		if err == nil {
			return string(text)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come: %v", path, err)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// TestProgramOutlivesCaller opens a page in a process that ends at once. The
// program must have been started with the person's environment in a session of
// its own, and still run when its caller is gone.
func TestProgramOutlivesCaller(t *testing.T) {
	root := t.TempDir()
	bin := filepath.Join(root, "usr", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "xfce4-screensaver-preferences"), []byte(fakeProgram), 0o755); err != nil {
		t.Fatal(err)
	}
	// The caller's pid is known to it before it starts the program: sh execs it.
	var said bytes.Buffer
	caller, err := osexec.Start(t.Context(), "/bin/sh", osexec.Self{
		Args:   []string{"-c", `unset LC_ALL; CALLER=$$ exec "$0"`, os.Args[0]},
		Env:    []string{helperRoot + "=" + root, "DISPLAY=:0", "XDG_CURRENT_DESKTOP=XFCE", "LANG=de_DE.UTF-8", "GIVEN=two words"},
		Stderr: &said,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.Bytes())
	}
	told := map[string]string{}
	for line := range strings.Lines(waitFor(t, filepath.Join(root, "told"))) {
		word, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		told[word] = rest
	}
	if told["args"] != "" || told["desktop"] != "XFCE" || told["language"] != "none" || told["words"] != "two words" {
		t.Errorf("started otherwise: %v", told)
	}
	if told["caller"] != strconv.Itoa(caller.PID()) {
		t.Errorf("waits for another caller: %v", told)
	}
	if told["pid"] != told["session"] || told["pid"] == "" {
		t.Errorf("it is not the leader of its own session: %v", told)
	}
	waitFor(t, filepath.Join(root, "told.outlived"))
	pid, err := strconv.Atoi(told["pid"])
	if err != nil {
		t.Fatal(err)
	}
	waitForEnd(t, pid)
}

// waitForEnd waits until a process is gone, or is a zombie that only the
// system's first process can end.
func waitForEnd(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d did not end", pid)
		}
		time.Sleep(10 * time.Millisecond) // between two looks
	}
}

// TestNoZombies: what Open starts is not left for us to wait for.
func TestNoZombies(t *testing.T) {
	f := found{path: "/bin/true"}
	for range 3 {
		if err := f.open(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("wait4: %d, %v", pid, err)
	}
}

func TestOpenOnThisMachine(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	for _, p := range Pages() {
		if Has(p) {
			t.Errorf("%s is here without a screen", p)
		}
		var none *NoPageError
		if err := Open(t.Context(), p); !errors.As(err, &none) || none.Reason == "" {
			t.Errorf("%s: %v", p, err)
		}
	}
}
