package ipc

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Another user who was quicker at a path than the agent is not taken for it: he
// would be handed what a sign-in brings, and would say what this computer's
// state is.
func TestDialRefusesAStranger(t *testing.T) {
	needRoot(t)
	dir := filepath.Join(openDir(t), "theirs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "agent.sock")
	_, out := program(t, nobody, "listen "+path)
	buf := make([]byte, 100)
	if n, err := out.Read(buf); string(buf[:n]) != "listening\n" {
		t.Fatalf("the other user's program said %q, %v", buf[:n], err)
	}
	c, err := Dial(t.Context(), path)
	if err == nil {
		c.Close()
	}
	if !errors.Is(err, ErrStranger) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestWhoServes(t *testing.T) {
	me := Peer{Known: true, UID: 1000, Class: ClassPerson}
	for name, tc := range map[string]struct {
		who  Peer
		want bool
	}{
		"this user":         {me, true},
		"root":              {Peer{Known: true, Class: ClassAdministrator}, true},
		"another person":    {Peer{Known: true, UID: 1001, Class: ClassPerson}, false},
		"a service":         {Peer{Known: true, UID: 33, Class: ClassService}, false},
		"nobody knows":      {Peer{}, false},
		"an unknown root":   {Peer{Class: ClassAdministrator}, false},
		"one of no class":   {Peer{Known: true, UID: 1001}, false},
		"an unmapped user":  {Peer{Known: true, UID: linuxNobody, Class: ClassService}, false},
		"the user, unknown": {Peer{UID: 1000, Class: ClassPerson}, false},
	} {
		if got := serves(tc.who, me); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Another user's connections are hung up on and never returned; this user's,
// between them, are.
func TestOwnUserHangsUp(t *testing.T) {
	needRoot(t)
	l := OwnUser(listenTCP(t, "tcp4", "127.0.0.1:0"))
	_, before := program(t, nobody, "dial-tcp "+l.Addr().String())
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			close(accepted)
			return
		}
		accepted <- c
	}()
	if said, err := io.ReadAll(before); err != nil || string(said) != `heard ""` {
		t.Errorf("another user: %q, %v", said, err)
	}
	mine, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	if c := <-accepted; c != nil {
		defer c.Close()
		if c.RemoteAddr().String() != mine.LocalAddr().String() {
			t.Errorf("returned is the connection from %v", c.RemoteAddr())
		}
	}
}

// Under WSL the browser is no program of this kernel.
func TestOwnUserUnderWSL(t *testing.T) {
	l := listenTCP(t, "tcp4", "127.0.0.1:0")
	for name, as := range map[string]bool{"": false, "Debian": true} {
		t.Setenv("WSL_DISTRO_NAME", name)
		if got := OwnUser(l) == l; got != as {
			t.Errorf("distribution %q: as it is: %v", name, got)
		}
	}
}

func TestAdmits(t *testing.T) {
	me := Peer{Known: true, UID: 1000, Class: ClassPerson}
	other := Peer{Known: true, UID: 1001, Class: ClassPerson}
	root := Peer{Known: true, Class: ClassAdministrator}
	for name, tc := range map[string]struct {
		who          Peer
		own, anyUser bool
	}{
		"this user":        {me, true, true},
		"an administrator": {root, true, true},
		"another person":   {other, false, true},
		"nobody":           {Peer{}, false, false},
		"an unknown one":   {Peer{UID: 1000, Class: ClassAdministrator}, false, false},
	} {
		if own, anyUser := admits(tc.who, me, false), admits(tc.who, me, true); own != tc.own || anyUser != tc.anyUser {
			t.Errorf("%s: %v, and %v where every user may", name, own, anyUser)
		}
	}
}

// A socket at whose other end nobody is has no peer, least of all root.
func TestNobodyAtTheOtherEnd(t *testing.T) {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p, err := PeerOf(c); !errors.Is(err, ErrNoPeer) || p.Known {
		t.Errorf("got %v, %v", p, err)
	}
}

// Every user can get to the socket that is for every user, whatever the umask;
// nobody else to one that is not.
func TestFolderOfTheSocket(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for _, tc := range []struct {
		o            Options
		folder, sock fs.FileMode
	}{{Options{}, 0o700, 0o600}, {Options{AnyUser: true}, 0o755, 0o666}} {
		path := filepath.Join(openDir(t), "new", "agent.sock")
		listen(t, path, tc.o)
		for at, want := range map[string]fs.FileMode{filepath.Dir(path): tc.folder, path: tc.sock} {
			if info, err := os.Stat(at); err != nil || info.Mode().Perm() != want {
				t.Errorf("%+v: %s is %v, %v; want %v", tc.o, filepath.Base(at), info, err, want)
			}
		}
	}
}
