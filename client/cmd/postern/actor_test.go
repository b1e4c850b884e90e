//go:build linux || darwin

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

// scene is what the backend of a script says; it is read from a file.
type scene struct {
	Status   localapi.Status
	After    localapi.Status // after a sign-in, a sign-out, a check, a pause or its end
	Report   fact.Report
	Checked  localapi.Checked
	Timeline localapi.Timeline
	Sent     localapi.Sent
	Config   localapi.Config
	// Browser is what the person's browser does: "code", "denied", "stranger"
	// (a wrong redirect first), "" for nothing.
	Browser string
	URL     string // of the sign-in page
	Refuse  *localapi.Refused
	// Old has it answer like an agent of level 1; Stranger like one that
	// belongs to somebody else.
	Old, Stranger bool
}

// actor is a Backend that plays a scene.
type actor struct {
	scene
	browsers sync.WaitGroup

	mu       sync.Mutex
	calls    []string
	news     chan struct{} // closed at each call
	revision int64
	changed  chan struct{} // closed when the status becomes another
}

func newActor() *actor {
	return &actor{news: make(chan struct{}), changed: make(chan struct{}), revision: 1}
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

// become makes the status another one.
func (a *actor) become(s localapi.Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	a.scene.Status = s
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *actor) look() (localapi.Status, chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.scene.Status
	s.Revision = a.revision
	if s.Scope == "" {
		s.Scope = "user"
	}
	if !a.Old {
		s.API = localapi.API
	}
	return s, a.changed
}

func (a *actor) Status() localapi.Status {
	s, _ := a.look()
	return s
}

func (a *actor) WaitChange(ctx context.Context, after int64) localapi.Status {
	for {
		s, changed := a.look()
		if s.Revision != after {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s
		}
	}
}

func (a *actor) Owner() (ipc.Peer, bool) { return ipc.Self(), true }

func (a *actor) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{Report: a.Report, Rights: localapi.RightsSystem}, a.note("posture")
}

func (a *actor) StartSignIn(_ context.Context, _ ipc.Peer, in localapi.SignInRequest) (localapi.SignIn, error) {
	redirect := in.RedirectURI
	asked := "start"
	if in.Switch {
		asked += " as somebody else"
	}
	if err := a.note(asked); err != nil {
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
	a.become(a.After)
	return nil
}

func (a *actor) CancelSignIn(context.Context, ipc.Peer, string) error { return a.note("cancel") }

func (a *actor) SignOut(context.Context, ipc.Peer) error { return a.then("signout") }

// then notes the call and lets the scene go on.
func (a *actor) then(call string) error {
	if err := a.note(call); err != nil {
		return err
	}
	a.become(a.After)
	return nil
}

func (a *actor) Check(context.Context, ipc.Peer) (localapi.Checked, error) {
	if err := a.then("check"); err != nil {
		return localapi.Checked{}, err
	}
	out := a.Checked
	out.Status = a.Status()
	return out, nil
}

func (a *actor) Pause(_ context.Context, _ ipc.Peer, p localapi.PauseRequest) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return a.then("pause " + string(data))
}

func (a *actor) Resume(context.Context, ipc.Peer) error { return a.then("resume") }

func (a *actor) Timeline() localapi.Timeline { return a.scene.Timeline }

func (a *actor) Sent() localapi.Sent { return a.scene.Sent }

func (a *actor) Config() localapi.Config { return a.scene.Config }

// play serves a status on a socket.
func play(t *testing.T, s localapi.Status) (*actor, string) {
	t.Helper()
	a := newActor()
	a.scene.Status = s
	socket := filepath.Join(t.TempDir(), "run", "agent.sock")
	l, err := ipc.Listen(socket, ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.serve(l))
	return a, socket
}

func statusWith(app, state string) localapi.Status {
	return localapi.Status{State: localapi.StateCompliant, User: &localapi.User{Subject: "1"}, Broker: localapi.Broker{URL: "https://b.example", Reachable: true},
		Apps: []localapi.App{{ID: app, Name: app, State: state}}}
}
