package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// asProgram names the environment variable that turns this test binary into
// another program, which connects and says what it hears.
const asProgram = "POSTERN_TEST_AS"

// patience bounds what has to happen; it is not measured.
const patience = time.Minute

func TestMain(m *testing.M) {
	mode, arg, _ := strings.Cut(os.Getenv(asProgram), " ")
	var c net.Conn
	var err error
	switch mode {
	case "":
		os.Exit(m.Run())
	case "dial":
		c, err = Dial(context.Background(), arg)
	case "dial-tcp":
		c, err = net.Dial("tcp", arg)
	case "listen":
		var l *Listener
		if l, err = Listen(arg, Options{}); err == nil {
			fmt.Println("listening")
			l.Accept() // until it is ended
			return
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	heard, _ := io.ReadAll(c)
	fmt.Printf("heard %q", heard)
}

// program starts this test binary as another program.
func program(t *testing.T, do string) (p *os.Process, out *os.File) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err = os.StartProcess(exe, []string{exe}, &os.ProcAttr{Env: append(os.Environ(), asProgram+"="+do), Files: []*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); p.Wait(); r.Close() })
	return p, r
}

// pipeOf is a name of this test's own.
func pipeOf(t *testing.T) string {
	return fmt.Sprintf(`%spostern\test-%d-%s`, pipeRoot, os.Getpid(), t.Name())
}

func listen(t *testing.T, path string, o Options) *Listener {
	t.Helper()
	l, err := Listen(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// within fails if do does not end in time, which a hang would otherwise make
// the whole program's end.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not within %s", what, patience)
	}
}

func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// pair is both ends of a connection.
func pair(t *testing.T, l *Listener, path string) (client, server net.Conn, peer Peer) {
	t.Helper()
	within(t, "connect", func() {
		dialled := make(chan error, 1)
		go func() {
			var err error
			client, err = Dial(context.Background(), path)
			dialled <- err
		}()
		var err error
		if server, peer, err = l.Accept(); err != nil {
			t.Error(err)
		}
		if err := <-dialled; err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server, peer
}

func TestOwnCaller(t *testing.T) {
	for _, o := range []Options{{}, {AnyUser: true}} {
		path := pipeOf(t)
		l := listen(t, path, o)
		client, server, peer := pair(t, l, path)
		self := Self()
		if !self.Known || !strings.HasPrefix(self.SID, "S-1-5-") || self.Class == "" || peer != self {
			t.Errorf("%+v: caller is %+v, this is %+v", o, peer, self)
		}
		var session uint32
		if err := windows.ProcessIdToSessionId(uint32(os.Getpid()), &session); err != nil || peer.Session != session {
			t.Errorf("%+v: session %d, want %d, %v", o, peer.Session, session, err)
		}
		if again, err := PeerOf(server); err != nil || again != peer {
			t.Errorf("PeerOf(accepted) = %+v, %v", again, err)
		}
		if said, err := PeerOf(client); err != nil || !said.Known || int(said.PID) != os.Getpid() || !mayServe(path, said.SID, self.SID) {
			t.Errorf("the caller sees %+v, %v", said, err)
		}
		both(t, client, server)
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		both(t, client, server) // it lives on
		client.Close()
		if n, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the end: %d, %v", n, err)
		}
		server.Close()
	}
}

// both sends more than the pipe holds both ways.
func both(t *testing.T, a, b net.Conn) {
	t.Helper()
	big := bytes.Repeat([]byte("postern "), 4*pipeBuffer/8)
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		within(t, "send", func() {
			sent := make(chan error, 1)
			go func() { _, err := way[0].Write(big); sent <- err }()
			got := make([]byte, len(big))
			if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, big) {
				t.Errorf("received something else: %v", err)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnotherProcessIsSeen(t *testing.T) {
	path := pipeOf(t)
	l := listen(t, path, Options{AnyUser: true})
	p, out := program(t, "dial "+path)
	within(t, "another process", func() {
		c, peer, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if int(peer.PID) != p.Pid || !peer.Same(Self()) || peer.Session != Self().Session {
			t.Errorf("caller is %+v, want process %d of %+v", peer, p.Pid, Self())
		}
		fmt.Fprint(c, "hello")
		c.Close()
		if said, err := io.ReadAll(out); err != nil || string(said) != `heard "hello"` {
			t.Errorf("the other program said %q, %v", said, err)
		}
	})
}

// TestDescriptor reads back what the system made of the descriptor.
func TestDescriptor(t *testing.T) {
	self := Self()
	for name, o := range map[string]Options{"own": {}, "any": {AnyUser: true}} {
		path := pipeOf(t) + name
		client, _, _ := pair(t, listen(t, path, o), path)
		h, err := handleOf(client.(*Conn).Conn)
		if err != nil {
			t.Fatal(err)
		}
		got, err := windows.GetSecurityInfo(h, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		asked, err := windows.SecurityDescriptorFromString(pipeSecurity(o, self))
		if err != nil {
			t.Fatal(err)
		}
		// Generic rights become those of files when the pipe is made.
		mapped := strings.NewReplacer(";GA;", ";FA;").Replace(asked.String())
		if got.String() != asked.String() && got.String() != mapped {
			t.Errorf("%s: the pipe has %s, asked for %s", name, got, asked)
		}
	}
}

func TestSecondListener(t *testing.T) {
	path := pipeOf(t)
	p, out := program(t, "listen "+path)
	buf := make([]byte, 100)
	if n, err := out.Read(buf); string(buf[:n]) != "listening\n" {
		t.Fatalf("the other listener said %q, %v", buf[:n], err)
	}
	var inUse *InUseError
	if _, err := Listen(path, Options{}); !errors.As(err, &inUse) || inUse.Holder != fmt.Sprintf("pid %d", p.Pid) {
		t.Errorf("got %v, want an InUseError that names pid %d", err, p.Pid)
	}
	p.Kill()
	p.Wait()
	l := listen(t, path, Options{}) // what is dead holds nothing
	if _, err := Listen(path, Options{}); !errors.As(err, &inUse) {
		t.Errorf("second listener in one process: %v", err)
	}
	if !Exists(path) {
		t.Error("a pipe that is listened on does not exist")
	}
	pair(t, l, path) // the questions have not used it up
	for range 2 {    // the second time is nothing to do
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	path := pipeOf(t)
	if Exists(path) {
		t.Error("a pipe that nobody made exists")
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dial: %v", err)
	}
	for _, bad := range []string{`C:\agent.sock`, `\\server\pipe\x`} {
		if _, err := Dial(t.Context(), bad); err == nil {
			t.Errorf("dialled %s", bad)
		}
		if _, err := Listen(bad, Options{}); err == nil {
			t.Errorf("listened on %s", bad)
		}
	}
}
