package page

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

// agent is a Backend of a real local socket, which says what the test wants.
type agent struct {
	t       *testing.T
	socket  string
	owner   ipc.Peer // whose agent it is
	stop    func()   // ends the server, nil when there is none
	mu      sync.Mutex
	now     scene
	changed chan struct{}
	calls   []string
	hold    chan struct{} // Check and Posture wait until it is closed, if there is one
	silent  chan struct{} // so does Status
}

// scene is everything that the agent says.
type scene struct {
	status   localapi.Status
	reading  localapi.Reading
	timeline localapi.Timeline
	sent     localapi.Sent
	checked  localapi.Checked
	fail     error // of what changes something
	older    bool  // it speaks the first level of the protocol
}

func newAgent(t *testing.T, first scene) *agent {
	t.Helper()
	dir, err := os.MkdirTemp("", "pstrn")
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, socket: filepath.Join(dir, "agent.sock"), owner: ipc.Self(), changed: make(chan struct{})}
	a.show(first)
	a.up()
	t.Cleanup(func() { a.down(); os.RemoveAll(dir) })
	return a
}

// up serves the socket.
func (a *agent) up() {
	a.t.Helper()
	l, err := ipc.Listen(a.socket, ipc.Options{})
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := localserver.New(a, localserver.Options{Owner: a.owner, Scope: "user", Version: "1.4.0"})
	go func() { done <- s.Serve(ctx, l) }()
	a.stop = func() {
		cancel()
		if err := <-done; err != nil {
			a.t.Error(err)
		}
	}
}

// down ends it as an agent ends.
func (a *agent) down() {
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
}

// show changes what the agent says.
func (a *agent) show(s scene) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s.status.Revision = a.now.status.Revision + 1
	s.status.API, s.status.Version, s.status.Scope = localapi.API, "1.4.0", "user"
	if s.older {
		s.status.API = 1
	}
	a.now = s
	close(a.changed)
	a.changed = make(chan struct{})
}

// alter changes some of what the agent says.
func (a *agent) alter(change func(*scene)) {
	a.mu.Lock()
	s := a.now
	a.mu.Unlock()
	change(&s)
	a.show(s)
}

func (a *agent) note(call string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
	return a.now.fail
}

// noted are the calls since the last time, without those that only read.
func (a *agent) noted() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.calls
	a.calls = nil
	return out
}

// wait holds a call until the test lets it go on.
func (a *agent) wait(ctx context.Context) {
	a.mu.Lock()
	hold := a.hold
	a.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
}

func (a *agent) scene() scene {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *agent) Status() localapi.Status {
	a.mu.Lock()
	silent := a.silent
	a.mu.Unlock()
	if silent != nil {
		<-silent
	}
	return a.scene().status
}

// mute has the agent take questions for its status and not answer, and ends that.
func (a *agent) mute(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if on {
		a.silent = make(chan struct{})
	} else {
		close(a.silent)
		a.silent = nil
	}
}

func (a *agent) WaitChange(ctx context.Context, after int64) localapi.Status {
	for {
		a.mu.Lock()
		st, changed := a.now.status, a.changed
		a.mu.Unlock()
		if st.Revision != after {
			return st
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return a.Status()
		}
	}
}

func (a *agent) Posture(ctx context.Context) (localapi.Reading, error) {
	a.wait(ctx)
	return a.scene().reading, ctx.Err()
}

func (a *agent) StartSignIn(context.Context, ipc.Peer, localapi.SignInRequest) (localapi.SignIn, error) {
	return localapi.SignIn{ID: "1", URL: "https://idp.example/", State: "s", ExpiresInMS: 1000}, a.note("start")
}

func (a *agent) FinishSignIn(context.Context, ipc.Peer, localapi.Finish) error {
	return a.note("finish")
}

func (a *agent) CancelSignIn(context.Context, ipc.Peer, string) error { return a.note("cancel") }

func (a *agent) SignOut(context.Context, ipc.Peer) error {
	err := a.note("sign out")
	if err == nil {
		a.show(signedOut())
	}
	return err
}

func (a *agent) Owner() (ipc.Peer, bool) { return a.owner, a.scene().status.User != nil }

func (a *agent) Check(ctx context.Context, _ ipc.Peer) (localapi.Checked, error) {
	a.wait(ctx)
	err := a.note("check")
	out := a.scene().checked
	out.Status = a.Status()
	return out, err
}

func (a *agent) Pause(_ context.Context, _ ipc.Peer, r localapi.PauseRequest) error {
	err := a.note("pause: " + r.Reason)
	if err == nil {
		a.show(paused(r.Reason))
	}
	return err
}

func (a *agent) Resume(context.Context, ipc.Peer) error {
	err := a.note("resume")
	if err == nil {
		a.show(healthy())
	}
	return err
}

func (a *agent) Timeline() localapi.Timeline { return a.scene().timeline }

func (a *agent) Sent() localapi.Sent { return a.scene().sent }

func (a *agent) Config() localapi.Config { return localapi.Config{} }
