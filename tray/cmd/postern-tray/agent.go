package main

import (
	"context"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// agent is whichever agent counts at the moment of each question. The tray may
// be there before the person's own agent, and outlive it.
type agent struct {
	choose func() (socket string)
	coming *coming
	saw    func(localapi.Status) // told of each answer

	mu sync.Mutex
	c  *localapi.Client
}

// now is the client of the agent that counts.
func (a *agent) now() *localapi.Client {
	socket := a.choose()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.c == nil || a.c.Socket() != socket {
		if a.c != nil {
			a.c.Close()
		}
		a.c = localapi.Dial(socket)
	}
	return a.c
}

// close drops idle connections.
func (a *agent) close() {
	a.coming.stop()
	a.coming.wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.c != nil {
		a.c.Close()
	}
}

func (a *agent) WaitStatus(ctx context.Context, after int64, wait time.Duration) (localapi.Status, error) {
	st, err := a.now().WaitStatus(ctx, after, wait)
	if a.coming.heard(err) {
		st, err = a.now().WaitStatus(ctx, after, wait)
	}
	if err == nil {
		a.saw(st)
	}
	return st, err
}

func (a *agent) Posture(ctx context.Context) (localapi.Reading, error) { return a.now().Posture(ctx) }

func (a *agent) Timeline(ctx context.Context) (localapi.Timeline, error) {
	return a.now().Timeline(ctx)
}

func (a *agent) Sent(ctx context.Context) (localapi.Sent, error) { return a.now().Sent(ctx) }

func (a *agent) Check(ctx context.Context) (localapi.Checked, error) { return a.now().Check(ctx) }

func (a *agent) Pause(ctx context.Context, p localapi.PauseRequest) (localapi.Status, error) {
	return a.now().Pause(ctx, p)
}

func (a *agent) Resume(ctx context.Context) (localapi.Status, error) { return a.now().Resume(ctx) }

func (a *agent) SignOut(ctx context.Context) (localapi.Status, error) { return a.now().SignOut(ctx) }

func (a *agent) StartSignIn(ctx context.Context, in localapi.SignInRequest) (localapi.SignIn, error) {
	return a.now().StartSignIn(ctx, in)
}

func (a *agent) FinishSignIn(ctx context.Context, f localapi.Finish) (localapi.Status, error) {
	return a.now().FinishSignIn(ctx, f)
}

func (a *agent) CancelSignIn(ctx context.Context, id string) (localapi.Status, error) {
	return a.now().CancelSignIn(ctx, id)
}
