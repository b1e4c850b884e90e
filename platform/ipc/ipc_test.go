//go:build linux || darwin

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram names the environment variable that turns this test binary into
// one of the programs below.
const asProgram = "POSTERN_TEST_AS"

const nobody = 65534

func TestMain(m *testing.M) {
	mode, arg, _ := strings.Cut(os.Getenv(asProgram), " ")
	var c net.Conn
	var err error
	switch mode {
	case "":
		os.Exit(m.Run())
	case "dial": // connects and says what it hears until it is hung up on
		c, err = Dial(context.Background(), arg)
	case "dial-tcp":
		c, err = net.Dial("tcp", arg)
	case "listen":
		_, err = Listen(arg, Options{})
		if err == nil {
			fmt.Println("listening")
			<-time.After(time.Minute)
			os.Exit(0)
		}
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	heard, _ := io.ReadAll(c)
	fmt.Printf("heard %q", heard)
}

// program starts this test binary as another program, under uid.
func program(t *testing.T, uid int, do string) (p *os.Process, out *os.File) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	attr := &os.ProcAttr{Dir: "/", Env: []string{asProgram + "=" + do}}
	if uid != os.Geteuid() {
		exe = copyFor(t, exe)
		attr.Sys = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	attr.Files = []*os.File{nil, w, w}
	p, err = os.StartProcess(exe, []string{exe}, attr)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	r.SetReadDeadline(time.Now().Add(20 * time.Second))
	t.Cleanup(func() { p.Kill(); p.Wait(); r.Close() })
	return p, r
}

// copyFor puts the program where every user may run it.
func copyFor(t *testing.T, exe string) string {
	t.Helper()
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(openDir(t), "program")
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// openDir returns a short path to a folder that every user may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ipc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
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

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
}

func TestOwnCaller(t *testing.T) {
	path := filepath.Join(openDir(t), "sub", "agent.sock")
	l := listen(t, path, Options{})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket is %v, %v; want 0600", info.Mode(), err)
	}
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	if !peer.Same(Self()) || peer != Self() {
		t.Errorf("caller is %+v, this is %+v", peer, Self())
	}
	if again, err := PeerOf(got); err != nil || again != peer {
		t.Errorf("PeerOf(accepted) = %+v, %v", again, err)
	}
	if server, err := PeerOf(c); err != nil || !server.Same(Self()) {
		t.Errorf("the caller sees %+v, %v", server, err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := PeerOf(a); !errors.Is(err, ErrNoPeer) {
		t.Errorf("PeerOf(pipe): %v", err)
	}
}

func TestAnotherUserIsSeen(t *testing.T) {
	needRoot(t)
	path := filepath.Join(openDir(t), "agent.sock")
	l := listen(t, path, Options{AnyUser: true})
	p, out := program(t, nobody, "dial "+path)
	c, peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Peer{Known: true, UID: nobody, GID: nobody, PID: int32(p.Pid), Class: ClassService}); peer != want {
		t.Errorf("caller is %+v, want %+v", peer, want)
	}
	if peer.Same(Self()) {
		t.Error("another user is the same as this one")
	}
	fmt.Fprint(c, "hello")
	c.Close()
	if said, err := io.ReadAll(out); err != nil || string(said) != `heard "hello"` {
		t.Errorf("the other user's program said %q, %v", said, err)
	}
}

// TestAnotherUserIsKeptOut takes the file modes away, so that only the
// listener's own check is left.
func TestAnotherUserIsKeptOut(t *testing.T) {
	needRoot(t)
	path := filepath.Join(openDir(t), "agent.sock")
	l := listen(t, path, Options{})
	_, out := program(t, nobody, "dial "+path)
	if said, err := io.ReadAll(out); err != nil || !strings.Contains(string(said), "permission denied") {
		t.Errorf("through the file modes: %q, %v", said, err)
	}

	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() {
		c, peer, err := l.Accept()
		if err == nil {
			c.Close()
			err = fmt.Errorf("accepted %+v", peer)
		}
		accepted <- err
	}()
	_, out = program(t, nobody, "dial "+path)
	if said, err := io.ReadAll(out); err != nil || string(said) != `heard ""` {
		t.Errorf("past the file modes: %q, %v", said, err)
	}
	l.Close()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
}

func TestHTTPKnowsItsCaller(t *testing.T) {
	path := filepath.Join(openDir(t), "agent.sock")
	l := listen(t, path, Options{})
	srv := &http.Server{
		ConnContext: ConnContext,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, PeerFrom(r.Context()).Same(Self()))
		}),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l.NetListener()) }()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, path) }}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get("http://agent/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "true" {
		t.Errorf("the handler knew its caller: %s", body)
	}
	if PeerFrom(context.Background()).Known {
		t.Error("a context without a caller has one")
	}
	srv.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
}

func TestDeadSocketIsReplacedLiveOneIsNot(t *testing.T) {
	path := filepath.Join(openDir(t), "agent.sock")
	p, out := program(t, os.Geteuid(), "listen "+path)
	buf := make([]byte, 100)
	if n, err := out.Read(buf); string(buf[:n]) != "listening\n" {
		t.Fatalf("the other listener said %q, %v", buf[:n], err)
	}
	var inUse *InUseError
	_, err := Listen(path, Options{})
	if !errors.As(err, &inUse) || !strings.HasSuffix(inUse.Holder, fmt.Sprintf("pid %d", p.Pid)) {
		t.Errorf("got %v, want an InUseError that names pid %d", err, p.Pid)
	}
	p.Kill() // SIGKILL: the socket file stays
	p.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("no dead socket to replace: %v", err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling a dead socket: %v", err)
	}
	l := listen(t, path, Options{})
	if _, err := Listen(path, Options{}); !errors.As(err, &inUse) {
		t.Errorf("second listener in one process: %v", err)
	}
	for range 2 { // the second time is nothing to do
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := Dial(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("dialling nothing: %v", err)
	}
}

func TestStrangersSocketIsNotTaken(t *testing.T) {
	path := filepath.Join(openDir(t), "agent.sock")
	stranger, err := net.Listen("unix", path) // knows nothing of the lock
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	var inUse *InUseError
	if _, err := Listen(path, Options{}); !errors.As(err, &inUse) {
		t.Errorf("got %v, want an InUseError", err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := openDir(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(file, Options{}); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("a file in the way: %v", err)
	}
	if data, _ := os.ReadFile(file); string(data) != "precious" {
		t.Errorf("the file now holds %q", data)
	}
	long := filepath.Join(dir, strings.Repeat("x", 104))
	if _, err := Listen(long, Options{}); err == nil || !strings.Contains(err.Error(), "103 at most") {
		t.Errorf("a long path: %v", err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {AnyUser: true}} {
		if _, err := Listen(filepath.Join(open, "s"), o); err == nil {
			t.Errorf("%+v: listened in a folder that everybody may write to", o)
		}
	}
}

func TestLongestPathWorks(t *testing.T) {
	dir := openDir(t)
	path := filepath.Join(dir, strings.Repeat("x", maxPath-len(dir)-1))
	if len(path) != maxPath {
		t.Fatalf("path has %d bytes", len(path))
	}
	listen(t, path, Options{})
}

func TestNobodyIsNobody(t *testing.T) {
	root := Peer{Known: true}
	if (Peer{}).Same(Peer{}) || (Peer{}).Same(root) || root.Same(Peer{}) {
		t.Error("nobody is somebody")
	}
	if !root.Same(Peer{Known: true, PID: 7, GID: 7}) {
		t.Error("process and group must not count")
	}
	if root.Same(Peer{Known: true, UID: 1}) || root.Same(Peer{Known: true, SID: "S-1-5-18"}) {
		t.Error("two users are the same")
	}
	if runtime.GOOS == "linux" && !strings.HasPrefix(Self().String(), "uid ") {
		t.Errorf("this user is called %q", Self())
	}
}
