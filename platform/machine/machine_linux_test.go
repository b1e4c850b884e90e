package machine

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// scripts is a machine whose commands are small shell scripts.
func scripts(t *testing.T, texts map[string]string) evidence.Machine {
	t.Helper()
	list := osexec.List{}
	for name, text := range texts {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		list[name] = []string{path}
	}
	return New(Config{Commands: list})
}

func TestRun(t *testing.T) {
	m := scripts(t, map[string]string{
		"good":    "echo hello $1",
		"refused": "echo 'Operation not permitted (you must be root)' >&2; exit 1",
		"broken":  "echo 'syntax error' >&2; exit 3",
		"slow":    "exec sleep 60",
		"endless": "exec head -c 2000000 /dev/zero",
	})
	if out, err := m.Run(t.Context(), "good", "you"); err != nil || string(out.Stdout) != "hello you\n" {
		t.Errorf("output %+v, %v", out, err)
	}
	want := map[string]fact.Reason{
		"refused": fact.ReasonNeedsPrivilege,
		"broken":  fact.ReasonUnreadable,
		"slow":    fact.ReasonTimeout,
		"endless": fact.ReasonTruncated,
	}
	for name, why := range want {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if name == "slow" {
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		}
		if _, err := evidence.Text(ctx, m, name); evidence.ReasonOf(err) != why {
			t.Errorf("%s: %v, want reason %s", name, err, why)
		}
		cancel()
	}
}

// program copies a small real program.
func program(t *testing.T, path string) string {
	t.Helper()
	src, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
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

func find(t *testing.T, m evidence.Machine, pid int) (evidence.Process, bool) {
	t.Helper()
	list, err := m.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p evidence.Process) bool { return p.PID == pid })
	if i < 0 {
		return evidence.Process{}, false
	}
	return list[i], true
}

func TestProcesses(t *testing.T) {
	m := New(Config{})
	self, ok := find(t, m, os.Getpid())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !ok || self.Executable != exe || self.Deleted {
		t.Errorf("this process is listed as %+v, %v; it runs %s", self, ok, exe)
	}

	path := program(t, filepath.Join(t.TempDir(), "a-rather-long-program-name"))
	c, err := osexec.Start(t.Context(), path, osexec.Self{Args: []string{"600"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Kill()
		<-c.Done()
	}()
	p, ok := find(t, m, c.PID())
	if !ok || p.Executable != path || p.Deleted || p.Name != "a-rather-long-p" {
		t.Errorf("listed as %+v, %v", p, ok)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if p, _ := find(t, m, c.PID()); p.Executable != path || !p.Deleted {
		t.Errorf("with its file gone listed as %+v", p)
	}
	program(t, path)
	if p, _ := find(t, m, c.PID()); p.Executable != path || !p.Deleted {
		t.Errorf("with another file in its place listed as %+v", p)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	if p, ok := find(t, m, c.PID()); ok {
		t.Errorf("after its end listed as %+v", p)
	}
}

// A process with its own mounts can make any path lead to its own program.
func TestProcessUnderAForeignPathIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	wanted := program(t, filepath.Join(dir, "sensor"))
	fake := program(t, filepath.Join(dir, "fake"))
	c, err := osexec.Start(t.Context(), "/usr/bin/unshare", osexec.Self{Args: []string{
		"--mount", "/bin/sh", "-c", `mount --bind "$1" "$0" && exec "$0" 600`, wanted, fake,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Kill()
		<-c.Done()
	}()
	m := New(Config{})
	for deadline := time.Now().Add(10 * time.Second); ; {
		p, ok := find(t, m, c.PID())
		if ok && p.Executable == wanted && p.Deleted {
			return
		}
		if ok && p.Executable == wanted {
			t.Fatalf("another program under the path is listed as %+v", p)
		}
		if time.Now().After(deadline) {
			t.Fatalf("never seen under the path; now %+v, %v", p, ok)
		}
	}
}

func TestPipeInAFilesPlaceBlocksNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	m := New(Config{})
	if _, err := m.ReadFile(t.Context(), path); err == nil {
		t.Error("a pipe was read")
	}
	if _, err := m.SHA256(t.Context(), path); err == nil {
		t.Error("a pipe was hashed")
	}
}

func TestKnownDigestDoesNotOpenTheFile(t *testing.T) {
	m := New(Config{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	path := program(t, filepath.Join(t.TempDir(), "sensor"))
	first, err := m.SHA256(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if _, err := syscall.InotifyAddWatch(fd, path, syscall.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	second, err := m.SHA256(t.Context(), path)
	if err != nil || second != first {
		t.Fatalf("%s then %s, %v", first, second, err)
	}
	if n, err := syscall.Read(fd, make([]byte, 4096)); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("the file was opened again (%d bytes of notices, %v)", n, err)
	}
}

func TestReadsTheKernelsOwnFiles(t *testing.T) {
	m := New(Config{})
	for _, path := range []string{"/proc/self/mountinfo", "/proc/sys/kernel/osrelease"} {
		if data, err := m.ReadFile(t.Context(), path); err != nil || strings.TrimSpace(string(data)) == "" {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
}
