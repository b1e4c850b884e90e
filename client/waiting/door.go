// Package waiting answers on the local socket while there are no settings to go by, and hands over to the agent.
//
// A computer gets the agent first and its settings later: from device
// management, or from whoever writes them. Until then the agent runs, says that
// it is not set up and what to do, and refuses everything else; nothing of the
// machine is read, as the settings may forbid it.
package waiting

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
)

// Options of a Door.
type Options struct {
	Clock   clock.Clock
	Scope   string // "system" or "user" (broker/api)
	Version string // of the agent
	Socket  string // that the agent listens on
	Log     *slog.Logger
}

// Door is the localserver.Backend of one run of the agent. It answers by itself
// until HandOver, and from then on is the agent. Its methods may be called from
// several goroutines.
type Door struct {
	opts    Options
	started time.Time

	mu       sync.Mutex
	look     look
	agent    localserver.Backend // nil until HandOver
	revision int64
	changed  chan struct{} // closed and replaced whenever the status changed
}

var _ localserver.Backend = (*Door)(nil)

// firstRevision is above the revisions with which an agent begins, so that who
// waits for a change sees one when the agent takes over.
const firstRevision = 1 << 41

// New makes a Door that tells what came of loading the settings: s and err are
// those of config.Load.
func New(o Options, s config.Settings, err error) *Door {
	return &Door{
		opts: o, started: o.Clock.Now(), look: look{s, err}, changed: make(chan struct{}),
		// Anywhere, as the agent's: who still waits for a change of the run before
		// must not take this status for one already seen.
		revision: firstRevision + rand.Int64N(1<<40),
	}
}

// HandOver lets the agent answer from now on, also those who wait for a change.
// The agent is to run soon. It is called once.
func (d *Door) HandOver(agent localserver.Backend) {
	d.note(func() { d.agent = agent })
}

// tell makes another look at the settings the one that is told.
func (d *Door) tell(l look) {
	d.note(func() { d.look = l })
}

// note changes what the lock guards, and wakes everyone who waits for a change.
func (d *Door) note(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.revision++
	close(d.changed)
	d.changed = make(chan struct{})
}

// behind is the agent, nil while there is none, and what is told instead.
func (d *Door) behind() (localserver.Backend, look) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.agent, d.look
}

// Status says that nothing goes on, why, and what to do.
func (d *Door) Status() localapi.Status {
	d.mu.Lock()
	agent, l, rev := d.agent, d.look, d.revision
	d.mu.Unlock()
	if agent != nil {
		return agent.Status()
	}
	w := l.words(d.opts.Scope)
	return localapi.Status{
		Revision: rev, Version: d.opts.Version, API: localapi.API, Scope: d.opts.Scope, Socket: d.opts.Socket,
		State: localapi.StateSignedOut, Reasons: []string{w.code}, Message: w.sentence + " " + w.hint,
		Managed: localapi.Managed{By: l.settings.ManagedBy.V, Support: l.settings.Support.V},
	}.Filled()
}

// WaitChange returns when the revision is another than after; that the agent
// takes over is a change.
func (d *Door) WaitChange(ctx context.Context, after int64) localapi.Status {
	for {
		d.mu.Lock()
		agent, rev, changed := d.agent, d.revision, d.changed
		d.mu.Unlock()
		if agent != nil {
			return agent.WaitChange(ctx, after)
		}
		if rev != after {
			return d.Status()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return d.Status()
		}
	}
}

// Config is the defaults, the file that the settings are expected in, and what is
// wrong with it.
func (d *Door) Config() localapi.Config {
	agent, l := d.behind()
	if agent != nil {
		return agent.Config()
	}
	return l.config()
}

// Owner is nobody: sessions need a broker.
func (d *Door) Owner() (ipc.Peer, bool) {
	if agent, _ := d.behind(); agent != nil {
		return agent.Owner()
	}
	return ipc.Peer{}, false
}

// Timeline has the start of the agent.
func (d *Door) Timeline() localapi.Timeline {
	if agent, _ := d.behind(); agent != nil {
		return agent.Timeline()
	}
	return localapi.Timeline{Events: []localapi.Happening{{At: d.started, Event: localapi.EventStarted}}}
}

// Sent is nothing.
func (d *Door) Sent() localapi.Sent {
	if agent, _ := d.behind(); agent != nil {
		return agent.Sent()
	}
	return localapi.Sent{}
}
