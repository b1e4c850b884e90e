//go:build linux || darwin

package localserver

import (
	"context"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

// memory is a Backend that remembers what it was asked.
type memory struct {
	mu      sync.Mutex
	status  localapi.Status
	owner   ipc.Peer
	changed chan struct{}
	waiting chan struct{} // receives when somebody waits for a change
	calls   []string
	fail    error
	pause   time.Duration // how long StartSignIn takes
}

func newMemory() *memory {
	return &memory{changed: make(chan struct{}), waiting: make(chan struct{}, 8), status: localapi.Status{State: localapi.StateSignedOut}}
}

// session makes p the owner of a session, or ends it.
func (m *memory) session(p ipc.Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owner = p
	m.status.Revision++
	m.status.State, m.status.User = localapi.StateSignedOut, nil
	if p.Known {
		m.status.State, m.status.User = localapi.StateCompliant, &localapi.User{Email: "kim@example.com"}
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) note(call string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, call)
	return m.fail
}

func (m *memory) noted() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.calls...)
}

func (m *memory) Status() localapi.Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

func (m *memory) WaitChange(ctx context.Context, after int64) localapi.Status {
	for {
		m.mu.Lock()
		st, changed := m.status, m.changed
		m.mu.Unlock()
		if st.Revision != after {
			return st
		}
		m.waiting <- struct{}{}
		select {
		case <-changed:
		case <-ctx.Done():
			return m.Status()
		}
	}
}

func (m *memory) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{Report: fact.Report{Signals: []fact.Signal{}}, Rights: localapi.RightsSystem}, m.note("posture")
}

func (m *memory) StartSignIn(ctx context.Context, p ipc.Peer, in localapi.SignInRequest) (localapi.SignIn, error) {
	if m.pause > 0 {
		select {
		case <-time.After(m.pause):
		case <-ctx.Done():
			return localapi.SignIn{}, ctx.Err()
		}
	}
	return localapi.SignIn{ID: "id-of " + p.String(), URL: "https://idp.example/?back=" + in.RedirectURI + map[bool]string{true: "&posted"}[in.FormPost], State: "s", ExpiresInMS: 1000}, m.note("start " + p.String())
}

func (m *memory) FinishSignIn(_ context.Context, p ipc.Peer, f localapi.Finish) error {
	if err := m.note("finish " + p.String() + " " + f.Code + f.Error); err != nil {
		return err
	}
	m.session(p)
	return nil
}

func (m *memory) CancelSignIn(_ context.Context, p ipc.Peer, _ string) error {
	return m.note("cancel " + p.String())
}

func (m *memory) SignOut(_ context.Context, p ipc.Peer) error {
	if err := m.note("signout " + p.String()); err != nil {
		return err
	}
	m.session(ipc.Peer{})
	return nil
}

func (m *memory) Owner() (ipc.Peer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owner, m.owner.Known
}

func (m *memory) Check(_ context.Context, p ipc.Peer) (localapi.Checked, error) {
	return localapi.Checked{Signals: []localapi.Reread{{Name: "disk"}}, Status: m.Status()}, m.note("check " + p.String())
}

func (m *memory) Pause(_ context.Context, p ipc.Peer, r localapi.PauseRequest) error {
	return m.note("pause " + p.String() + " " + r.Reason)
}

func (m *memory) Resume(_ context.Context, p ipc.Peer) error { return m.note("resume " + p.String()) }

func (m *memory) Timeline() localapi.Timeline {
	return localapi.Timeline{Events: []localapi.Happening{{Event: localapi.EventStarted}}}
}

func (m *memory) Sent() localapi.Sent { return localapi.Sent{To: "https://broker.example"} }

func (m *memory) Config() localapi.Config { return localapi.Config{File: "/etc/postern/settings.yaml"} }
