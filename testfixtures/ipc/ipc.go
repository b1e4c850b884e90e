// Package ipc tries the local socket as it is used: several users of one machine at once, a thousand watchers, named pipes under Wine.
package ipc

import (
	"context"
	"sync"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

// Agent is a Backend without an agent: sign-ins succeed, and what was done by
// whom is remembered. It checks no ownership, so that a test sees what the
// server lets through.
type Agent struct {
	localserver.Backend // what is not here is not called

	mu      sync.Mutex
	status  localapi.Status
	owner   ipc.Peer
	changed chan struct{}
	waiting int
	done    []string
}

// NewAgent makes an agent with which nobody is signed in.
func NewAgent() *Agent {
	return &Agent{changed: make(chan struct{}), status: localapi.Status{Revision: 1, State: localapi.StateSignedOut}}
}

// Change gives the status another revision, which it returns.
func (a *Agent) Change() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.Revision++
	close(a.changed)
	a.changed = make(chan struct{})
	return a.status.Revision
}

// Waiting is how many callers wait for a change.
func (a *Agent) Waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting
}

// Done is what was done so far, with who did it, and begins anew.
func (a *Agent) Done() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.done
	a.done = nil
	return done
}

func (a *Agent) did(what string, p ipc.Peer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, what+" by "+p.String())
	return nil
}

func (a *Agent) own(p ipc.Peer) {
	a.mu.Lock()
	a.owner = p
	a.status.State, a.status.User = localapi.StateSignedOut, nil
	if p.Known {
		a.status.State, a.status.User = localapi.StateCompliant, &localapi.User{Email: "kim@example.com"}
	}
	a.mu.Unlock()
	a.Change()
}

// Status implements localserver.Backend.
func (a *Agent) Status() localapi.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// WaitChange implements localserver.Backend.
func (a *Agent) WaitChange(ctx context.Context, after int64) localapi.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting++
	defer func() { a.waiting-- }()
	for a.status.Revision == after && ctx.Err() == nil {
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		a.mu.Lock()
	}
	return a.status
}

// Owner implements localserver.Backend.
func (a *Agent) Owner() (ipc.Peer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner, a.owner.Known
}

// StartSignIn implements localserver.Backend.
func (a *Agent) StartSignIn(_ context.Context, p ipc.Peer, _ localapi.SignInRequest) (localapi.SignIn, error) {
	return localapi.SignIn{ID: "of " + p.String(), URL: "https://idp.example/", State: "s", ExpiresInMS: 60_000}, a.did("sign-in begun", p)
}

// FinishSignIn implements localserver.Backend.
func (a *Agent) FinishSignIn(_ context.Context, p ipc.Peer, _ localapi.Finish) error {
	a.own(p)
	return a.did("signed in", p)
}

// CancelSignIn implements localserver.Backend.
func (a *Agent) CancelSignIn(_ context.Context, p ipc.Peer, _ string) error {
	return a.did("cancelled", p)
}

// SignOut implements localserver.Backend.
func (a *Agent) SignOut(_ context.Context, p ipc.Peer) error {
	a.own(ipc.Peer{})
	return a.did("signed out", p)
}

// Posture implements localserver.Backend.
func (a *Agent) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{Rights: localapi.RightsSystem}, nil
}

// Check implements localserver.Backend.
func (a *Agent) Check(_ context.Context, p ipc.Peer) (localapi.Checked, error) {
	return localapi.Checked{Status: a.Status()}, a.did("checked", p)
}

// Pause implements localserver.Backend.
func (a *Agent) Pause(_ context.Context, p ipc.Peer, _ localapi.PauseRequest) error {
	return a.did("paused", p)
}

// Resume implements localserver.Backend.
func (a *Agent) Resume(_ context.Context, p ipc.Peer) error { return a.did("resumed", p) }

// Timeline implements localserver.Backend.
func (a *Agent) Timeline() localapi.Timeline { return localapi.Timeline{} }

// Sent implements localserver.Backend.
func (a *Agent) Sent() localapi.Sent { return localapi.Sent{} }

// Config implements localserver.Backend.
func (a *Agent) Config() localapi.Config { return localapi.Config{} }
