package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/osexec"
)

// apart runs f on a thread in namespaces of its own, which end with it. It is
// false where this user may not make them.
func apart(t testing.TB, namespaces int, f func() error) bool {
	t.Helper()
	made, done := false, make(chan error)
	go func() {
		var err error
		defer func() { done <- err }() // also when f gave up the test
		runtime.LockOSThread()         // and never unlocked: the thread ends here
		if err = unix.Unshare(namespaces); err == nil {
			made = true
			err = f()
		}
	}()
	if err := <-done; err != nil && (made || err != unix.EPERM) {
		t.Fatal(err)
	}
	return made
}

func TestMounts(t *testing.T) {
	w := start(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "etc")
	conf := filepath.Join(at, "conf")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, conf, "below")
	mount := func(flags uintptr) error { return unix.Mount("tmpfs", at, "tmpfs", flags, "") }
	made := apart(t, unix.CLONE_NEWNS|unix.CLONE_FS, func() error {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		setFiles(t, w, conf)
		if err := w.SetMounts(kind); err != nil {
			return err
		}
		for _, do := range []func() error{
			func() error { return mount(0) },
			func() error { return mount(unix.MS_REMOUNT | unix.MS_RDONLY) },
			func() error { return unix.Unmount(at, 0) },
		} {
			if err := do(); err != nil {
				return err
			}
			if e := next(t, w, CauseMount); e.Kind != kind || e.At <= 0 {
				t.Errorf("event %+v", e)
			}
		}
		gather(t, w)
		return nil
	})
	if !made && w.SetMounts(kind) != nil {
		t.Error("mounts may not be watched")
	}
}

// insideOwn names the environment variable that a test finds when it runs in
// namespaces of its own.
const insideOwn = "POSTERN_TEST_INSIDE"

// inside runs the calling test once more in a process with a mount namespace of
// its own, with unshare(1), and others if it is told to. It is true in there.
func inside(t *testing.T, more ...string) bool {
	t.Helper()
	if os.Getenv(insideOwn) != "" {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(more, "--mount", "--propagation", "private", self, "-test.run=^"+t.Name()+"$", "-test.v")
	if os.Getuid() != 0 {
		args = append([]string{"--user", "--map-root-user"}, args...)
	}
	var out bytes.Buffer
	c, err := osexec.Start(t.Context(), "/usr/bin/unshare", osexec.Self{Args: args, Env: []string{insideOwn + "=1"}, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	switch {
	case err == nil && strings.Contains(out.String(), "--- PASS: "+t.Name()):
	case strings.HasPrefix(out.String(), "unshare: ") && (strings.Contains(out.String(), "not permitted") || strings.Contains(out.String(), "denied")):
		t.Log("namespaces may not be made here:", out.String())
	default:
		t.Errorf("inside: %v\n%s", err, out.String())
	}
	return false
}

// TestMountCoversFile has nobody ask for mounts: a file that one covers counts
// as replaced.
func TestMountCoversFile(t *testing.T) {
	if !inside(t) {
		return
	}
	w := start(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	write(t, conf, "below")
	setFiles(t, w, conf)
	if err := w.SetExecutables("program", []string{conf}); err != nil {
		t.Fatal(err)
	}
	both := func(name string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(name, err)
		}
		seen := map[string]bool{}
		late := time.After(10 * time.Second)
		for !seen[kind+" file"] || !seen["program replaced"] {
			select {
			case e := <-w.Events():
				seen[e.Kind+" "+e.Cause] = true
			case <-late:
				t.Fatalf("%s: told were only %v", name, seen)
			}
		}
		gather(t, w)
	}
	put := func() error { return os.WriteFile(conf, []byte("text"), 0o644) }
	elsewhere := t.TempDir()
	if err := unix.Mount("tmpfs", elsewhere, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(elsewhere, 0) })
	untold(t, w, "a mount elsewhere")
	both("covered", func() error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "") })
	both("written above", put)
	both("uncovered", func() error { return unix.Unmount(dir, 0) })
	both("written below", put)
	other := filepath.Join(elsewhere, "other")
	write(t, other, "")
	both("the file itself covered", func() error { return unix.Mount(other, conf, "", unix.MS_BIND, "") })
	both("written under its other name", func() error { return os.WriteFile(other, []byte("text"), 0o644) })
	both("uncovered again", func() error { return unix.Unmount(conf, 0) })
}

func TestFirewall(t *testing.T) {
	w := start(t)
	made := apart(t, unix.CLONE_NEWNET, func() error {
		if err := w.SetFirewall(kind); err != nil {
			return err
		}
		if err := w.SetFirewall(kind); err != nil { // again is as once
			return err
		}
		for _, name := range []string{"one", "two"} {
			if err := addTable(name, 1); err != nil {
				return err
			}
			if e := next(t, w, CauseFirewall); e.Kind != kind || e.At <= 0 {
				t.Errorf("event %+v", e)
			}
		}
		w.sys.calm.mu.Lock() // the loop reads nothing now
		err := unix.SetsockoptInt(w.sys.firewall.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1)
		for i := range 50 {
			err = errors.Join(err, addTable(strings.Repeat("x", i+1), 20))
		}
		w.sys.calm.mu.Unlock()
		if err != nil {
			return err
		}
		next(t, w, CauseLost)
		return nil
	})
	if !made && w.SetFirewall(kind) != nil { // who may not make namespaces may still listen
		refused(t, w)
	}
}

func TestFirewallRefused(t *testing.T) {
	w := start(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // this thread loses its rights, and ends
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capset(&header, &make([]unix.CapUserData, 2)[0]); err != nil {
			t.Error(err)
			return
		}
		refused(t, w)
		if err := w.SetUevents(kind); err != nil {
			t.Errorf("uevents need no rights: %v", err)
		}
	}()
	<-done
}

func refused(t *testing.T, w *Watcher) {
	t.Helper()
	err := w.SetFirewall(kind)
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("without rights: %v", err)
	}
}

// addTable adds a table of nftables so many times: NFT_MSG_NEWTABLE with
// NFTA_TABLE_NAME between the begin and end of a batch (linux/netfilter/
// nfnetlink.h, nf_tables.h).
func addTable(name string, times int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var batch bytes.Buffer
	add := func(kind, flags uint16, family byte, resource uint16, attribute string) {
		pad := -len(attribute) & 3
		binary.Write(&batch, binary.NativeEndian, uint32(20+len(attribute)+pad))
		binary.Write(&batch, binary.NativeEndian, [2]uint16{kind, flags | unix.NLM_F_REQUEST})
		binary.Write(&batch, binary.NativeEndian, [2]uint32{1, 0})
		batch.Write([]byte{family, 0})
		binary.Write(&batch, binary.BigEndian, resource)
		batch.WriteString(attribute + "\x00\x00\x00"[:pad])
	}
	value := name + "\x00"
	head := make([]byte, 4)
	binary.NativeEndian.PutUint16(head, uint16(4+len(value)))
	binary.NativeEndian.PutUint16(head[2:], unix.NFTA_TABLE_NAME)
	add(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES, "")
	for range times {
		add(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE|unix.NLM_F_ACK, unix.NFPROTO_INET, 0, string(head)+value)
	}
	add(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES, "")
	if err := unix.Sendto(fd, batch.Bytes(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < 20 {
		return errors.Join(err, errors.New("no answer of the kernel"))
	}
	if code := -int32(binary.NativeEndian.Uint32(answer[16:])); code != 0 {
		return unix.Errno(code)
	}
	return nil
}

// TestUevents asks the kernel to tell of a device once more, as udevadm trigger
// does; only root may, and not in every container.
func TestUevents(t *testing.T) {
	w := start(t)
	if err := w.SetUevents(kind); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"/sys/class/mem/null/uevent", "/sys/class/block/*/uevent"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Logf("%s: nothing (%v)", pattern, err)
			return
		}
		if err := os.WriteFile(files[0], []byte("change"), 0); err != nil {
			t.Log("devices may not be asked for here:", err)
			return
		}
	}
	if e := next(t, w, CauseDevice); e.Kind != kind || e.At <= 0 {
		t.Errorf("event %+v", e)
	}
}
