package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

// glance is how often the file is looked at.
const glance = 20 * time.Millisecond

// backend is what the file says.
type backend struct {
	localserver.Backend // what is not here is not called
	path                string
	slow                time.Duration // by which a status is late

	mu      sync.Mutex
	text    []byte
	status  localapi.Status
	changed chan struct{}
}

// read takes the file if it is another than before.
func (b *backend) read() error {
	text, err := os.ReadFile(b.path)
	if err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes.Equal(text, b.text) {
		return nil
	}
	var st localapi.Status
	if err := json.Unmarshal(text, &st); err != nil {
		return fmt.Errorf("read status: %w", err)
	}
	st.Revision = b.status.Revision + 1
	b.text, b.status = text, st
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

// follow looks at the file until ctx ends.
func (b *backend) follow(ctx context.Context, log *slog.Logger) {
	t := time.NewTicker(glance)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := b.read(); err != nil {
				log.Error("follow the status", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// did writes down what was asked.
func (b *backend) did(what string) error {
	f, err := os.OpenFile(b.path+".did", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, what)
	return err
}

func (b *backend) Status() localapi.Status {
	if b.slow > 0 {
		<-time.After(b.slow)
	}
	return b.now()
}

func (b *backend) now() localapi.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func (b *backend) WaitChange(ctx context.Context, after int64) localapi.Status {
	for {
		b.mu.Lock()
		st, changed := b.status, b.changed
		b.mu.Unlock()
		if st.Revision != after {
			return st
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return st
		}
	}
}

func (b *backend) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{Rights: localapi.RightsSystem}, nil
}

func (b *backend) Check(context.Context, ipc.Peer) (localapi.Checked, error) {
	now := time.Now()
	return localapi.Checked{Attested: true, Status: b.now(), Signals: []localapi.Reread{
		{Name: "disk", Before: now.Add(-time.Minute), After: now}, {Name: "edr", Before: now.Add(-time.Minute), After: now},
	}}, b.did("check")
}

func (b *backend) StartSignIn(_ context.Context, _ ipc.Peer, in localapi.SignInRequest) (localapi.SignIn, error) {
	return localapi.SignIn{ID: "1", URL: "https://idp.example/authorize", State: "s", ExpiresInMS: 60_000}, b.did("sign in")
}

func (b *backend) Owner() (ipc.Peer, bool) { return ipc.Self(), b.now().User != nil }

func (b *backend) CancelSignIn(context.Context, ipc.Peer, string) error { return b.did("cancel") }

func (b *backend) SignOut(context.Context, ipc.Peer) error { return b.did("sign out") }

func (b *backend) Pause(_ context.Context, _ ipc.Peer, p localapi.PauseRequest) error {
	return b.did("pause " + p.Reason)
}

func (b *backend) Resume(context.Context, ipc.Peer) error { return b.did("resume") }

func (b *backend) Timeline() localapi.Timeline { return localapi.Timeline{} }

func (b *backend) Sent() localapi.Sent { return localapi.Sent{} }
