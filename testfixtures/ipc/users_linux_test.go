package ipc

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

// Users of the machine; none needs an entry in /etc/passwd.
const (
	rootUser   = 0
	service    = 33 // of the distribution's system accounts
	ada        = 4711
	bob        = 4712
	dynamic    = 61200 // of a unit with DynamicUser=
	nobodyUser = 65534
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be several users")
	}
}

// serve runs the system's agent on a real socket, and says where.
func serve(t testing.TB, a *Agent, log io.Writer) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "postern-ipc") // not t.TempDir, which others may not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "agent.sock")
	l, err := ipc.Listen(socket, ipc.Options{AnyUser: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := localserver.New(a, localserver.Options{Scope: "system", Log: slog.New(slog.NewTextHandler(log, nil))})
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return socket
}

// caller is a process of some user.
type caller struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// as starts this test binary as a caller under uid.
func as(t testing.TB, socket string, uid uint32) *caller {
	t.Helper()
	exe := filepath.Join(filepath.Dir(socket), "caller")
	if _, err := os.Stat(exe); err != nil { // its own folder is closed to others
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		program, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(exe, program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(exe)
	cmd.Dir, cmd.Env, cmd.Stderr = "/", []string{asCaller + "=" + socket}, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &caller{t, cmd, in, bufio.NewReader(out)}
	t.Cleanup(c.end)
	return c
}

// end kills the process; its connections end with it.
func (c *caller) end() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

func (c *caller) do(what string) string {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, what); err != nil {
		c.t.Fatal(err)
	}
	end := time.AfterFunc(2*patience, c.end)
	defer end.Stop()
	said, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q: the caller said %q, %v", what, said, err)
	}
	return strings.TrimSpace(said)
}

// verbs are the calls there are.
var verbs = []string{"version", "status", "posture", "config", "timeline", "sent", "start", "finish", "cancel", "check", "signout", "pause", "resume"}

// answers are what one user is told to each verb, in the order of verbs.
type answers struct {
	who  uint32
	want string // a letter each, see code
}

var code = map[byte]string{'+': "ok", '-': localapi.CodeNotOwner, 's': localapi.CodeService, '0': localapi.CodeSignedOut, 'u': localapi.CodeSignInUnknown}

func idOf(uid uint32) string { return "of " + ipc.Peer{Known: true, UID: uid}.String() }

// TestUsersOfOneMachine: real processes of several users call the system's
// agent on a real socket; each is answered exactly as the table of the package
// localserver says, and what reached the agent was done by who may.
func TestUsersOfOneMachine(t *testing.T) {
	needRoot(t)
	a, log := NewAgent(), &journal{}
	socket := serve(t, a, log)
	users := map[uint32]*caller{}
	for _, uid := range []uint32{rootUser, service, ada, bob, dynamic, nobodyUser} {
		users[uid] = as(t, socket, uid)
	}
	ask := func(when string, all ...answers) {
		t.Helper()
		for _, u := range all {
			for i, verb := range verbs {
				if verb == "finish" || verb == "cancel" || verb == "signout" {
					continue // these change who is signed in, and are asked apart
				}
				if got := users[u.who].do(verb); got != code[u.want[i]] {
					t.Errorf("%s: %s: uid %d is answered %q, want %q", when, verb, u.who, got, code[u.want[i]])
				}
			}
		}
	}
	expect := func(when string, uid uint32, what, want string) {
		t.Helper()
		if got := users[uid].do(what); got != want {
			t.Errorf("%s: %s: uid %d is answered %q, want %q", when, what, uid, got, want)
		}
	}
	services := []answers{{service, "+ssssssssssss"}, {dynamic, "+ssssssssssss"}, {nobodyUser, "+ssssssssssss"}}

	ask("nobody signed in", append(services, answers{ada, "+++++0+uu++00"}, answers{bob, "+++++0+uu++00"}, answers{rootUser, "+++++0+uu++00"})...)
	want := []string{"sign-in begun by uid 4711", "checked by uid 4711", "sign-in begun by uid 4712", "checked by uid 4712", "sign-in begun by uid 0", "checked by uid 0"}
	if done := a.Done(); !slices.Equal(done, want) {
		t.Errorf("the agent did %q", done)
	}

	// Everybody has begun a sign-in; who knows another's cannot end it.
	expect("another's sign-in", bob, "finish "+idOf(ada), localapi.CodeSignInUnknown)
	expect("another's sign-in", rootUser, "cancel "+idOf(ada), localapi.CodeSignInUnknown)
	expect("another's sign-in", service, "cancel "+idOf(ada), localapi.CodeService)
	expect("her own", ada, "finish "+idOf(ada), "ok")
	expect("too late", bob, "finish "+idOf(bob), localapi.CodeNotOwner)
	expect("too late", rootUser, "finish "+idOf(rootUser), localapi.CodeNotOwner)
	expect("too late", bob, "cancel "+idOf(bob), localapi.CodeNotOwner)
	if done := a.Done(); !slices.Equal(done, []string{"signed in by uid 4711"}) {
		t.Errorf("the agent did %q", done)
	}

	ask("a session", append(services, answers{ada, "+++++++uu++++"}, answers{bob, "+------------"}, answers{rootUser, "+++++-----+--"})...)
	expect("a session", bob, "signout", localapi.CodeNotOwner)
	expect("a session", nobodyUser, "signout", localapi.CodeService)
	if done := a.Done(); !slices.Equal(done, []string{"sign-in begun by uid 4711", "checked by uid 4711", "paused by uid 4711", "resumed by uid 4711"}) {
		t.Errorf("the agent did %q", done)
	}
	if strings.Contains(log.String(), "ended another user's session") {
		t.Errorf("logged before: %s", log)
	}

	expect("the administrator stops it", rootUser, "signout", "ok")
	if done := a.Done(); !slices.Equal(done, []string{"signed out by uid 0"}) {
		t.Errorf("the agent did %q", done)
	}
	if said := log.String(); !strings.Contains(said, `by="uid 0"`) || !strings.Contains(said, `owner="uid 4711"`) {
		t.Errorf("the stop is not in the log: %q", said)
	}
	expect("after it", bob, "start", "ok")
	expect("after it", bob, "finish "+idOf(bob), "ok")
	ask("the next session", answers{bob, "+++++++uu++++"}, answers{ada, "+------------"})
	expect("his own end", bob, "signout", "ok")

	// An administrator who signs in himself is the owner.
	expect("root", rootUser, "start", "ok")
	expect("root", rootUser, "finish "+idOf(rootUser), "ok")
	ask("root's session", answers{rootUser, "+++++++uu++++"}, answers{ada, "+------------"})
}
