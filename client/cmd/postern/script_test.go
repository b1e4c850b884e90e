//go:build linux || darwin

package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postern": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent": startAgent, "asked": asked, "waitfor": waitFor, "zip": zipFolder,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[actorsKey{}] = &actors{}
			return nil
		},
	})
}

// zipFolder is the command "zip ARCHIVE FOLDER".
func zipFolder(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: zip archive folder")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	w := zip.NewWriter(f)
	ts.Check(w.AddFS(os.DirFS(ts.MkAbs(args[1]))))
	ts.Check(w.Close())
	ts.Check(f.Close())
}

// scene is what the backend of a script says; it is read from a file.
type scene struct {
	Status localapi.Status
	After  localapi.Status // after a sign-in
	Report fact.Report
	// Browser is what the person's browser does: "code", "denied", "stranger"
	// (a wrong redirect first), "" for nothing.
	Browser string
	URL     string // of the sign-in page
	Refuse  *localapi.Refused
}

// actor is a Backend that plays a scene.
type actor struct {
	scene
	browsers sync.WaitGroup

	mu    sync.Mutex
	calls []string
	news  chan struct{} // closed at each call
}

// actors are the agents of one script; asked speaks of the last one.
type actors struct{ last *actor }

type actorsKey struct{}

func actorsOf(ts *testscript.TestScript) *actors {
	a, ok := ts.Value(actorsKey{}).(*actors)
	if !ok {
		ts.Fatalf("no agents in this script")
	}
	return a
}

// startAgent is: agent scene.json [socket]. It serves the scene on a real
// socket; without a second argument POSTERN_SOCKET names it.
func startAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: agent scene.json [socket]")
	}
	a := &actor{news: make(chan struct{})}
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &a.scene); err != nil {
		ts.Fatalf("scene: %v", err)
	}
	socket := filepath.Join(ts.Getenv("WORK"), "run", "agent.sock")
	if len(args) == 2 {
		socket = ts.MkAbs(args[1])
	} else {
		ts.Setenv("POSTERN_SOCKET", socket)
	}
	l, err := ipc.Listen(socket, ipc.Options{})
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	srv := localserver.New(a, localserver.Options{Owner: ipc.Self(), Scope: "user", Version: "9.8.7"})
	go func() { done <- srv.Serve(ctx, l) }()
	actorsOf(ts).last = a
	ts.Defer(func() {
		cancel()
		<-done
		a.browsers.Wait()
	})
}

// asked is: asked CALL. It waits until the agent has been asked that.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	a := actorsOf(ts).last
	if a == nil || len(args) != 1 {
		ts.Fatalf("usage: asked CALL, after agent")
	}
	late := time.After(20 * time.Second)
	for {
		a.mu.Lock()
		there, news, calls := slices.Contains(a.calls, args[0]), a.news, slices.Clone(a.calls)
		a.mu.Unlock()
		switch {
		case neg && there:
			ts.Fatalf("the agent was asked %s", args[0])
		case neg || there:
			return
		}
		select {
		case <-news:
		case <-late:
			ts.Fatalf("the agent was asked %q, not %s", calls, args[0])
		}
	}
}

// waitFor is: waitfor FILE TEXT. It waits until another program has written
// that into the file.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE TEXT")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(data), args[1]) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s has no %q: %s, %v", args[0], args[1], data, err)
		}
	}
}

func (a *actor) note(call string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
	close(a.news)
	a.news = make(chan struct{})
	if a.Refuse != nil {
		return a.Refuse
	}
	return nil
}

func (a *actor) Status() localapi.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.scene.Status
}

func (a *actor) WaitChange(context.Context, int64) localapi.Status { return a.Status() }

func (a *actor) Owner() (ipc.Peer, bool) { return ipc.Self(), true }

func (a *actor) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{Report: a.Report, Rights: localapi.RightsSystem}, a.note("posture")
}

func (a *actor) StartSignIn(_ context.Context, _ ipc.Peer, redirect string) (localapi.SignIn, error) {
	if err := a.note("start"); err != nil {
		return localapi.SignIn{}, err
	}
	ways := map[string][]url.Values{
		"code":     {{"code": {"c0de"}, "state": {"st"}, "iss": {"https://idp.example"}}},
		"denied":   {{"error": {"access_denied"}, "error_description": {"not on\nthe \x1b[31mlist"}, "state": {"st"}}},
		"stranger": {{"code": {"evil"}, "state": {"guess"}}, {"code": {"c0de"}, "state": {"st"}, "iss": {"https://idp.example"}}},
	}
	for _, q := range ways[a.Browser] {
		a.browsers.Go(func() {
			if res, err := http.Get(redirect + "?" + q.Encode()); err == nil {
				res.Body.Close()
			}
		})
	}
	return localapi.SignIn{ID: "id", URL: a.URL, State: "st", ExpiresInMS: 60_000}, nil
}

func (a *actor) FinishSignIn(_ context.Context, _ ipc.Peer, f localapi.Finish) error {
	if err := a.note("finish " + f.Code + f.Error); err != nil {
		return err
	}
	if f.State != "st" || f.Error != "" || f.Iss != "https://idp.example" {
		return errors.New("not the redirect that was sent")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.scene.Status = a.After
	return nil
}

func (a *actor) CancelSignIn(context.Context, ipc.Peer, string) error { return a.note("cancel") }

func (a *actor) SignOut(context.Context, ipc.Peer) error { return a.note("signout") }

// A write that fails must not look like success.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	a := &app{out: full, err: &nothing{}, getenv: func(string) string { return "" }}
	if code := a.main(t.Context(), []string{"help"}); code != exitError {
		t.Errorf("exit code %d", code)
	}
}

type nothing struct{}

func (*nothing) Write(p []byte) (int, error) { return len(p), nil }

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Müller & Söhne": "Müller & Söhne", "a\x1b[31mb\nc": "a?[31mb?c", "a\u202eb": "a?b", "\x9b": "\ufffd",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestColours(t *testing.T) {
	a := &app{colour: true}
	if got := a.paint(bad, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if colours(f, func(string) string { return "" }) {
		t.Error("colours in a file")
	}
}
