//go:build linux || darwin

package localserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// asCaller names the environment variable that turns this test binary into a
// caller: it takes one verb a line and says how the agent at that socket answered.
const asCaller = "POSTERN_TEST_CALLER"

// Users of the tests beside the one who runs them, who is root: a person, and
// an account of services.
const (
	somebody = 4711
	nobody   = 65534
)

const redirect = "http://127.0.0.1:4711/callback"

func TestMain(m *testing.M) {
	if socket := os.Getenv(asCaller); socket != "" {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			fmt.Println(try(context.Background(), localapi.Dial(socket), in.Text()))
		}
		return
	}
	os.Exit(m.Run())
}

// verbs are all there are.
var verbs = []string{"version", "status", "wait", "posture", "start", "finish", "cancel", "signout",
	"check", "pause", "resume", "timeline", "sent", "config"}

// try does one verb as this process's user and says "ok" or the refusal's code.
func try(ctx context.Context, c *localapi.Client, verb string) string {
	defer c.Close()
	verb, arg, _ := strings.Cut(verb, " ")
	var err error
	switch verb {
	case "version":
		_, err = c.Version(ctx)
	case "status":
		_, err = c.Status(ctx)
	case "wait":
		_, err = c.WaitStatus(ctx, 0, 20*time.Second)
	case "posture":
		_, err = c.Posture(ctx)
	case "start":
		_, err = c.StartSignIn(ctx, localapi.SignInRequest{RedirectURI: redirect})
	case "finish":
		_, err = c.FinishSignIn(ctx, localapi.Finish{ID: arg, Code: "c"})
	case "cancel":
		_, err = c.CancelSignIn(ctx, arg)
	case "signout":
		_, err = c.SignOut(ctx)
	case "check":
		_, err = c.Check(ctx)
	case "pause":
		_, err = c.Pause(ctx, localapi.PauseRequest{Reason: "lunch", ForMS: 1000})
	case "resume":
		_, err = c.Resume(ctx)
	case "timeline":
		_, err = c.Timeline(ctx)
	case "sent":
		_, err = c.Sent(ctx)
	case "config":
		_, err = c.Config(ctx)
	}
	var no *localapi.Refused
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &no):
		return no.Code
	case errors.Is(err, localapi.ErrNoAccess):
		return "no access"
	}
	return err.Error()
}

// serve runs a server on a real socket that every user can reach.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	// Not t.TempDir, whose parents other users may not enter.
	dir, err := os.MkdirTemp("/tmp", "postern-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "agent.sock")
	l, err := ipc.Listen(path, ipc.Options{AnyUser: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return path
}

// caller is another process, of another user.
type caller struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// other starts this test binary as another person.
func other(t *testing.T, socket string) caller { return as(t, socket, somebody) }

// as starts this test binary as another user.
func as(t *testing.T, socket string, uid uint32) caller {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self) // its folder is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(filepath.Dir(socket), "caller")
	if err := os.WriteFile(exe, program, 0o755); err != nil && !errors.Is(err, syscall.ETXTBSY) {
		t.Fatal(err)
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Dir: "/", Env: []string{asCaller + "=" + socket}, Files: []*os.File{inR, outW, os.Stderr},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}},
	})
	inR.Close()
	outW.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inW.Close(); p.Wait(); outR.Close() })
	outR.SetReadDeadline(time.Now().Add(30 * time.Second))
	return caller{t, inW, bufio.NewReader(outR)}
}

func (c caller) say(verb string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in, verb); err != nil {
		c.t.Fatal(err)
	}
}

func (c caller) hear() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read from the other user's process: %v", err)
	}
	return strings.TrimSpace(line)
}

func (c caller) do(verb string) string { c.t.Helper(); c.say(verb); return c.hear() }

func idOf(uid uint32) string { return "id-of " + ipc.Peer{Known: true, UID: uid}.String() }

func TestAnotherUserIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts Options
	}{
		{"a user's own agent", Options{Scope: "user", Owner: ipc.Self()}},
		{"the system's agent with a session", Options{Scope: "system"}},
		{"an agent without a scope", Options{Owner: ipc.Self()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMemory()
			m.session(ipc.Self())
			socket := serve(t, New(m, tc.opts))
			// The owner has a sign-in under way whose id the other user knows.
			if got := try(t.Context(), localapi.Dial(socket), "start"); got != "ok" {
				t.Fatalf("the owner is answered %s", got)
			}
			before := m.noted()
			c := other(t, socket)
			for _, verb := range verbs {
				want := localapi.CodeNotOwner
				if verb == "version" {
					want = "ok"
				}
				if got := c.do(verb + " " + idOf(0)); got != want {
					t.Errorf("%s: another user is answered %q, want %q", verb, got, want)
				}
			}
			if !slices.Equal(before, m.noted()) {
				t.Errorf("another user reached the agent: %v", m.noted())
			}
			for _, verb := range []string{"status", "posture", "finish " + idOf(0), "signout"} {
				if got := try(t.Context(), localapi.Dial(socket), verb); got != "ok" {
					t.Errorf("%s: the owner is answered %s", verb, got)
				}
			}
		})
	}
}

func TestRootReadsAndStopsButDoesNotActForOthers(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "system"}))
	c := other(t, socket)
	for _, verb := range []string{"start", "finish " + idOf(somebody), "start"} {
		if got := c.do(verb); got != "ok" {
			t.Fatalf("%s: %s", verb, got)
		}
	}
	before := m.noted()
	for verb, want := range map[string]string{
		"version": "ok", "status": "ok", "wait": "ok", "posture": "ok", "timeline": "ok", "config": "ok",
		"start": localapi.CodeNotOwner, "finish " + idOf(somebody): localapi.CodeNotOwner, "cancel " + idOf(somebody): localapi.CodeNotOwner,
		"check": localapi.CodeNotOwner, "pause": localapi.CodeNotOwner, "resume": localapi.CodeNotOwner, "sent": localapi.CodeNotOwner,
	} {
		if got := try(t.Context(), localapi.Dial(socket), verb); got != want {
			t.Errorf("%s: root is answered %q, want %q", verb, got, want)
		}
	}
	if got := m.noted(); !slices.Equal(got, append(before, "posture")) {
		t.Errorf("root acted for another user: %v", got)
	}
	if got := try(t.Context(), localapi.Dial(socket), "signout"); got != "ok" {
		t.Errorf("root's stop is answered %q", got)
	}
	if _, session := m.Owner(); session {
		t.Error("root's stop left the session")
	}
	if got := c.do("start"); got != "ok" {
		t.Errorf("after the stop its owner is answered %q", got)
	}
}

func TestServicesAreRefused(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "system"}))
	c := as(t, socket, nobody)
	for _, session := range []ipc.Peer{{}, ipc.Self(), {Known: true, UID: nobody}} {
		m.session(session)
		for _, verb := range verbs {
			want := localapi.CodeService
			if verb == "version" {
				want = "ok"
			}
			if got := c.do(verb + " " + idOf(nobody)); got != want {
				t.Errorf("session of %s: %s: a service is answered %q, want %q", session, verb, got, want)
			}
		}
	}
	if noted := m.noted(); len(noted) > 0 {
		t.Errorf("a service reached the agent: %v", noted)
	}
}

func TestRootIsNobodySpecialToAUsersOwnAgent(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "user", Owner: ipc.Peer{Known: true, UID: somebody}}))
	c := other(t, socket)
	for _, verb := range verbs {
		want := localapi.CodeNotOwner
		if verb == "version" {
			want = "ok"
		}
		if got := try(t.Context(), localapi.Dial(socket), verb); got != want {
			t.Errorf("%s: root is answered %q, want %q", verb, got, want)
		}
	}
	if got := c.do("status"); got != "ok" {
		t.Errorf("the owner is answered %s", got)
	}
}

func TestOnlyWhoBeganFinishes(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "system"}))
	c := other(t, socket)
	if got := c.do("start"); got != "ok" {
		t.Fatal(got)
	}
	for _, verb := range []string{"finish ", "cancel "} {
		if got := try(t.Context(), localapi.Dial(socket), verb+idOf(somebody)); got != localapi.CodeSignInUnknown {
			t.Errorf("%s of another user's sign-in: %s", verb, got)
		}
	}
	if got := c.do("finish " + idOf(somebody)); got != "ok" {
		t.Errorf("who began it: %s", got)
	}
	if got := c.do("finish " + idOf(somebody)); got != localapi.CodeSignInUnknown {
		t.Errorf("a second time: %s", got)
	}
	if got := c.do("finish "); got != localapi.CodeSignInUnknown {
		t.Errorf("without an id: %s", got)
	}
}

// While nobody is signed in every user may watch the status; that must end
// when somebody signs in, also for those who wait already.
func TestWaitingEndsWithAnotherUsersSession(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "system"}))
	c := other(t, socket)
	if got := c.do("status"); got != "ok" {
		t.Fatalf("while nobody is signed in: %s", got)
	}
	c.say("wait")
	<-m.waiting
	m.session(ipc.Self())
	if got := c.hear(); got != localapi.CodeNotOwner {
		t.Errorf("who waited is answered %s", got)
	}
}

func TestSocketOfAUsersOwnAgentIsClosedToOthers(t *testing.T) {
	open := serve(t, New(newMemory(), Options{}))
	path := filepath.Join(filepath.Dir(open), "own", "agent.sock")
	l, err := ipc.Listen(path, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink(path, filepath.Join(filepath.Dir(open), "link")); err != nil {
		t.Fatal(err)
	}
	c := other(t, open)
	if got := c.do("version"); got != "ok" {
		t.Fatal(got)
	}
	if err := os.Remove(open); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(filepath.Dir(open), "link"), open); err != nil {
		t.Fatal(err)
	}
	if got := c.do("version"); got != "no access" {
		t.Errorf("another user is answered %s", got)
	}
}
