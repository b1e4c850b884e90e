package netlab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespaces are those of a machine: its network, its mounts, its processes,
// which all end with the first of them, its name.
const namespaces = unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// lifetime bounds a machine; then it is killed, and all that runs on it. Only
// who wants many rounds has longer.
func lifetime() time.Duration {
	if os.Getenv(rounds) != "" {
		return time.Hour
	}
	return 55 * time.Second
}

// part is the share of a test that one machine of several does.
type part struct{ index, of int }

func (p part) mine(i int) bool { return i%p.of == p.index }

// machines runs the calling test once more on so many machines: processes of
// this program in namespaces of their own, side by side. It is true in there.
func machines(t *testing.T, n int) (part, bool) {
	t.Helper()
	if set := os.Getenv(within); set != "" {
		var p part
		if _, err := fmt.Sscanf(set, "%d/%d", &p.index, &p.of); err != nil {
			t.Fatal(err)
		}
		furnish(t)
		return p, true
	}
	ended := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { ended <- struct{}{} }()
			boot(t, part{i, n})
		}()
	}
	for range n {
		<-ended
	}
	return part{}, false
}

// boot runs a machine to its end. Its output becomes the test's.
func boot(t *testing.T, p part) {
	ctx, cancel := context.WithTimeout(t.Context(), lifetime())
	defer cancel()
	runtime.LockOSThread() // with the thread's end the machine would be killed too
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+lifetime().String())
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d/%d", within, p.index, p.of), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	cmd.WaitDelay = time.Second
	began := time.Now()
	err := cmd.Run()
	text := tidy(out.String())
	switch {
	case ctx.Err() != nil:
		t.Errorf("machine %d did not end within %v\n%s", p.index, lifetime(), text)
	case err != nil || !strings.Contains(out.String(), "--- PASS: "+t.Name()+" "):
		t.Errorf("machine %d: %v\n%s", p.index, err, text)
	default:
		t.Logf("machine %d, %.1f s\n%s", p.index, time.Since(began).Seconds(), text)
	}
}

// tidy leaves out the lines of a test's output that say nothing.
func tidy(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(strings.TrimSpace(line), "=== ") && line != "PASS\n" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// furnish mounts what a machine has of its own. Of the kernel's settings it may
// change those of its network, and no others.
func furnish(t *testing.T) {
	t.Helper()
	if os.Getpid() != 1 {
		t.Fatal(within + " is set, but this is no machine of the suite")
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	steps := []struct {
		source, at, kind string
		flags            uintptr
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{"proc", "/proc", "proc", quiet},
		{"/proc/sys", "/proc/sys", "", unix.MS_BIND},
		{"/proc/sys/net", "/proc/sys/net", "", unix.MS_BIND},
		{"", "/proc/sys", "", unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | quiet},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV},
	}
	for _, s := range steps {
		if err := unix.Mount(s.source, s.at, s.kind, s.flags, ""); err != nil {
			t.Fatalf("mount %s: %v", s.at, err)
		}
	}
	if err := unix.Sethostname([]byte("netlab")); err != nil {
		t.Fatal(err)
	}
}

// own gives the machine copies of folders, in place of the real ones.
func own(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		copied := filepath.Join("/run/own", folder)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			t.Fatal(err)
		}
		do(t, "", "cp", "-a", folder, copied)
		if err := unix.Mount(copied, folder, "", unix.MS_BIND, ""); err != nil {
			t.Fatalf("mount %s: %v", folder, err)
		}
	}
}

// try runs a program with this input, on the network of the calling thread.
func try(ctx context.Context, input, name string, args ...string) (string, error) {
	path, err := find(name)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return string(out), err
}

func do(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	out, err := try(t.Context(), input, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
