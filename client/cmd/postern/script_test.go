//go:build linux || darwin

package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

// patience bounds what a script waits for; only a failure takes so long.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postern": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent": startAgent, "stopagent": stopAgent, "become": become,
			"asked": asked, "waitfor": waitFor, "zip": zipFolder, "schema": schema, "mute": mute,
		},
		Setup: func(env *testscript.Env) error {
			env.Values[actorsKey{}] = &actors{}
			// Whoever runs the tests may have settings, an agent and a language.
			for _, name := range []string{"XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"} {
				env.Setenv(name, filepath.Join(env.WorkDir, "home"))
			}
			env.Setenv("TZ", "UTC")
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

// actors are the agents of one script; asked speaks of the last one.
type actors struct {
	last *actor
	stop func() // ends the last one
}

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
	a := newActor()
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
	stop := a.serve(l)
	actorsOf(ts).last, actorsOf(ts).stop = a, stop
	ts.Defer(func() { stop(); a.browsers.Wait() })
}

// serve plays the scene until stop.
func (a *actor) serve(l *ipc.Listener) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if a.Old {
		srv := &http.Server{Handler: http.HandlerFunc(a.old), BaseContext: func(net.Listener) context.Context { return ctx }}
		go func() { done <- srv.Serve(l.NetListener()) }()
		return func() { cancel(); srv.Close(); l.Close(); <-done; done <- nil }
	}
	owner := ipc.Self()
	if a.Stranger {
		owner.UID++
	}
	srv := localserver.New(a, localserver.Options{Owner: owner, Scope: "user", Version: "9.8.7"})
	go func() { done <- srv.Serve(ctx, l) }()
	return func() { cancel(); <-done; done <- nil }
}

// old answers like an agent of level 1, which had no number.
func (a *actor) old(w http.ResponseWriter, r *http.Request) {
	answers := map[string]any{
		localapi.PathVersion: map[string]string{"product": "Postern", "version": "0.1.0", "scope": "user"},
		localapi.PathStatus:  a.Status().Filled(),
		localapi.PathPosture: localapi.Reading{Report: a.Report, Rights: localapi.RightsUser},
	}
	body, ok := answers[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		body = localapi.Refused{Code: localapi.CodeNotFound, Message: "There is no such path."}
	}
	_ = json.NewEncoder(w).Encode(body) // a caller that went away is its own matter
}

// mute is: mute SOCKET. Something listens there and never says a word.
func mute(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mute SOCKET")
	}
	l, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { l.Close() })
}

// stopAgent ends the last agent.
func stopAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 || actorsOf(ts).stop == nil {
		ts.Fatalf("usage: stopagent, after agent")
	}
	actorsOf(ts).stop()
}

// become is: become scene.json. The last agent has that status from now on.
func become(ts *testscript.TestScript, neg bool, args []string) {
	a := actorsOf(ts).last
	if neg || a == nil || len(args) != 1 {
		ts.Fatalf("usage: become scene.json, after agent")
	}
	var s scene
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &s))
	a.become(s.Status)
}

// asked is: asked CALL. It waits until the agent has been asked that.
func asked(ts *testscript.TestScript, neg bool, args []string) {
	a := actorsOf(ts).last
	if a == nil || len(args) != 1 {
		ts.Fatalf("usage: asked CALL, after agent")
	}
	late := time.After(patience)
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
	late := time.After(patience)
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

// schema is: schema FILE PATH… It holds that the file is one JSON document that
// has these members ("apps.0.id"), none of them null.
func schema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: schema FILE PATH…")
	}
	text := ts.ReadFile(args[0])
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		ts.Fatalf("not one JSON document: %v\n%s", err, text)
	}
	for _, path := range args[1:] {
		if member(doc, strings.Split(path, ".")) == nil {
			ts.Fatalf("no %s in %s", path, text)
		}
	}
}

// member finds what a path leads to, nil for nothing.
func member(v any, path []string) any {
	for _, p := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}
