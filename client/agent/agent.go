// Package agent is the one writer of the client: events in, the state machine's word, effects out.
package agent

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Broker is what the agent asks of the other side (client/brokerclient).
type Broker interface {
	Enrol(ctx context.Context) error
	Record() brokerclient.Record
	Providers(ctx context.Context) ([]api.Provider, error)
	Exchange(ctx context.Context, idToken, salt, owner string) (api.Person, error)
	Session() (brokerclient.Session, bool)
	RememberApps(apps []api.AppInfo) error
	Forget() (handle string, err error)
	Revoke(ctx context.Context, handle string) error
	Attest(ctx context.Context, a brokerclient.Attestation) (api.Answer, time.Duration, error)
	Events(ctx context.Context, on func(name string, e api.Event)) error
	Skew() time.Duration
}

// Posture is the machine's collectors (posture/collect).
type Posture interface {
	Read(ctx context.Context) fact.Report
	Reread(ctx context.Context, signals ...string) (fact.Report, []fact.Change)
	Last() fact.Report
	Expire() (fact.Report, []fact.Change)
	NextExpiry() (time.Duration, bool)
}

// Engine carries out which tunnels are wanted (tunnel/engine).
type Engine interface {
	Close()
	tunnels
}

// Config of an Agent.
type Config struct {
	Clock     clock.Clock
	Broker    Broker
	Posture   Posture
	Machine   evidence.Machine // for finding the processes to watch
	Catalogue []observe.EDRRow
	Watch     Watch // nil where the system has none: the backstop poll then does alone
	SignIns   *signin.SignIns
	// NewEngine makes the engine of a session whose connections owner may use.
	NewEngine func(owner ipc.Peer, keys *Keys, onChange func()) Engine
	Owner     ipc.Peer // of a user's own agent; not known for the system's
	BrokerURL string
	Scope     string
	Version   string
	Socket    string
	KeyKind   string // where the device key lives
	Log       *slog.Logger
}

// Agent runs one device's client.
type Agent struct {
	cfg    Config
	events chan occurred
	keys   *Keys
	work   sync.WaitGroup

	snap atomic.Pointer[snapshot]

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever the status changed
	revision int64
	enrolErr error // why enrolment has not succeeded
	engine   Engine
	owner    ipc.Peer // of the session
}

// occurred is an event with the moment its cause was noticed.
type occurred struct {
	event   state.Event
	noticed time.Duration // boot time
	owner   *ipc.Peer     // of the session that begins with the event
}

// snapshot is what others may see of the state.
type snapshot struct {
	state    state.State
	clientMS float64 // of the last revocation
}

// New makes an agent; Run starts it.
func New(cfg Config) *Agent {
	a := &Agent{cfg: cfg, events: make(chan occurred, 64), keys: newKeys(), changed: make(chan struct{}), revision: time.Now().UnixNano() % 1e9}
	a.snap.Store(&snapshot{state: state.New(seed(cfg.Broker.Record().UEID))})
	return a
}

// seed spreads the agents of many machines in time.
func seed(ueid string) uint64 {
	var s uint64
	for _, b := range []byte(ueid) {
		s = s*131 + uint64(b)
	}
	return s
}

// post hands an event to the one writer; it is dropped when the agent ends.
func (a *Agent) post(ctx context.Context, e state.Event, noticed time.Duration) {
	select {
	case a.events <- occurred{event: e, noticed: noticed}:
	case <-ctx.Done():
	}
}

// Run works until the context ends, and leaves with every tunnel shut.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.work.Go(func() { a.enrol(ctx) })
	a.work.Go(func() { a.posture(ctx) })
	if s, ok := a.cfg.Broker.Session(); ok {
		a.resume(s)
	}
	a.loop(ctx)
	cancel()
	a.work.Wait()
	return nil
}

// loop is the one writer of the state.
func (a *Agent) loop(ctx context.Context) {
	w := &writer{agent: a, state: a.snap.Load().state}
	defer w.finish()
	for {
		var tick <-chan struct{}
		if w.timer != nil {
			tick = w.timer.C()
		}
		select {
		case <-ctx.Done():
			w.step(ctx, occurred{event: state.Stop{At: a.cfg.Clock.Boot()}, noticed: a.cfg.Clock.Boot()})
			return
		case o := <-a.events:
			w.step(ctx, o)
		case <-tick:
			w.timer.Stop()
			w.timer = nil
			w.step(ctx, occurred{event: state.Tick{At: a.cfg.Clock.Boot()}, noticed: a.cfg.Clock.Boot()})
		}
	}
}

// resume takes up the session of an earlier run: no new sign-in is needed.
func (a *Agent) resume(s brokerclient.Session) {
	owner, ok := parseOwner(s.Owner)
	if !ok {
		a.cfg.Log.Warn("the kept session names no owner; sign in again")
		return
	}
	now := a.cfg.Clock.Boot()
	a.events <- occurred{event: state.SignedIn{At: now, Person: s.Person, KnownApps: s.Apps, Ends: a.sessionEnd(s)}, noticed: now, owner: &owner}
}

// sessionEnd turns the session's end in broker time into boot time.
func (a *Agent) sessionEnd(s brokerclient.Session) time.Duration {
	if s.Ends.IsZero() {
		return 0
	}
	left := s.Ends.Sub(a.cfg.Clock.Now().Add(-a.cfg.Broker.Skew()))
	return a.cfg.Clock.Boot() + max(left, time.Second)
}

// begin makes the engine of a new session and closes the one before. Only the
// writer calls it, so that no tunnel of an older session meets a newer owner.
func (a *Agent) begin(owner ipc.Peer) {
	a.mu.Lock()
	old := a.engine
	a.engine, a.owner = nil, owner
	a.mu.Unlock()
	if old != nil {
		old.Close() // first: it holds the local ports that the new one wants
	}
	next := a.cfg.NewEngine(owner, a.keys, a.tell)
	a.mu.Lock()
	a.engine = next
	a.mu.Unlock()
}

func (a *Agent) currentEngine() Engine {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.engine
}

// tell wakes everyone who waits for a change of the status.
func (a *Agent) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	close(a.changed)
	a.changed = make(chan struct{})
}
