//go:build unix

package files

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holdLock names the environment variable that turns this test binary into a
// second process which holds a lock until it is killed.
const holdLock = "POSTERN_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdLock); path != "" {
		if _, err := Lock(path, fmt.Sprintf("second process pid %d", os.Getpid())); err != nil {
			fmt.Println("refused:", err)
			os.Exit(1)
		}
		fmt.Println("locked")
		<-time.After(time.Minute)
	}
	os.Exit(m.Run())
}

// second starts the second process and returns the first line it says.
func second(t *testing.T, path string) (*os.Process, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := os.StartProcess(self, []string{self}, &os.ProcAttr{
		Env: []string{holdLock + "=" + path}, Files: []*os.File{nil, w, os.Stderr},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); p.Wait() })
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("read from second process: %v", err)
	}
	return p, strings.TrimSpace(line)
}

func TestLockDiesWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	p, said := second(t, path)
	if said != "locked" {
		t.Fatal(said)
	}
	_, err := Lock(path, "us")
	var locked *LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("got %v, want a LockedError", err)
	}
	if want := fmt.Sprintf("second process pid %d", p.Pid); locked.Holder != want || locked.Path != path {
		t.Errorf("holder %q at %q, want %q at %q", locked.Holder, locked.Path, want, path)
	}

	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	ours, err := Lock(path, "us")
	if err != nil {
		t.Fatalf("after kill -9: %v", err)
	}
	_, said = second(t, path)
	if want := "refused: lock " + path + ": held by us"; said != want {
		t.Errorf("second process said %q, want %q", said, want)
	}
	if err := ours.Unlock(); err != nil {
		t.Fatal(err)
	}
	if _, said = second(t, path); said != "locked" {
		t.Errorf("after Unlock the second process said %q", said)
	}
}

func TestLockTwiceInOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Lock(path, "first\x1b[31m\nsecond line"+strings.Repeat("x", 2*maxNote))
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := Lock(path, "again"); !errors.As(err, &locked) || locked.Holder != "first[31m" {
		t.Errorf("got %v, want a LockedError that names first", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := first.Unlock(); err == nil {
		t.Error("unlocked twice without an error")
	}
	again, err := Lock(path, "again")
	if err != nil {
		t.Fatal(err)
	}
	again.Unlock()
}

func TestLockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "lock")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(link, "us"); err == nil {
		t.Error("locked through a link")
	}
	if got, _ := os.ReadFile(target); string(got) != "precious" {
		t.Errorf("the link's target now holds %q", got)
	}
}

func TestAnotherOwnerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
	if err := WriteOwnerOnly(file, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := MkdirOwnerOnly(folder); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, folder} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadOwnerOnly(file, 10); !errors.Is(err, ErrNotPrivate) || !strings.Contains(err.Error(), "uid 65534") {
		t.Errorf("read a file of another owner: %v", err)
	}
	if err := MkdirOwnerOnly(folder); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("took a folder of another owner: %v", err)
	}
}

func TestPipeDoesNotHang(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOwnerOnly(path, 10); err == nil {
		t.Error("read a pipe as owner-only file")
	}
	if _, err := ReadLimited(path, 10); err == nil {
		t.Error("read a pipe as file")
	}
}
