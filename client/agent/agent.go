// Package agent is the one writer of the client: events in, the state machine's word, effects out.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/localapi"
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
	Exchange(ctx context.Context, idToken, salt, owner string) (brokerclient.Session, error)
	Begin(s brokerclient.Session) error
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
	Signals() []string
	Inputs(signal string) evidence.Inputs
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
	Observe   Observe
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
	Managed   localapi.Managed
	Settings  localapi.Config // effective settings, without secrets
	Log       *slog.Logger
}

// Agent runs one device's client.
type Agent struct {
	cfg     Config
	events  chan occurred
	keys    *Keys
	work    sync.WaitGroup
	read    chan struct{} // closed when the machine was read for the first time
	unread  atomic.Int32  // first readings that have not finished
	expiry  chan struct{} // a value may have been held just now; holds one
	ended   chan struct{} // closed when the writer takes no more events
	signing chan struct{} // holds one token while a sign-in is being finished

	observing *observing
	checks    *checks
	products  chan chan struct{} // asks the product watcher to look; closed when it has
	history   history
	round     atomic.Int64 // counts readings that somebody asked for

	snap atomic.Pointer[snapshot]

	mu        sync.Mutex
	stepped   chan struct{} // closed and replaced after every step of the writer
	changed   chan struct{} // closed and replaced whenever the status changed
	revision  int64
	enrolErr  error         // why enrolment has not succeeded, or the broker could not be asked at the start
	reachable bool          // the last attempt to ask the broker got an answer
	skew      time.Duration // local wall clock minus the broker's
	engine    Engine
	owner     ipc.Peer // of the session
}

// occurred is an event with the moment its cause was noticed.
type occurred struct {
	event    state.Event
	noticed  time.Duration // boot time
	session  int           // the sign-in that the event is about, counted by the writer; 0: whichever
	signIn   *signIn       // that begins with the event
	asker    *ipc.Peer     // the OS user who wants it; nil: no user does
	observed time.Time     // of an answer: the oldest reading in the report that it answers
	round    int64         // of an answer: checks that its report knows of
	done     chan<- error  // takes one answer when everything is carried out; may be nil
}

// signIn is a session that is to begin.
type signIn struct {
	owner   ipc.Peer
	session brokerclient.Session
	kept    bool // it is the broker client's session already
}

// snapshot is what others may see of the state.
type snapshot struct {
	state    state.State
	observed time.Time // oldest reading in the last accepted attestation
	round    int64     // of checks that the report of that attestation knows of
	clientMS float64   // of the last revocation
}

// New makes an agent; Run starts it.
func New(cfg Config) *Agent {
	a := &Agent{
		cfg: cfg, events: make(chan occurred, 64), keys: newKeys(), changed: make(chan struct{}), stepped: make(chan struct{}),
		checks: newChecks(), products: make(chan chan struct{}),
		observing: newObserving(cfg),
		read:      make(chan struct{}), expiry: make(chan struct{}, 1), ended: make(chan struct{}), signing: make(chan struct{}, 1),
		// Anywhere: who still waits for a change of the agent before must not
		// take this one's status for one already seen.
		revision: 1 + rand.Int64N(1<<40),
	}
	a.unread.Store(2) // the slower signals; the products
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

// post hands an event to the one writer; it is dropped when the context ends.
func (a *Agent) post(ctx context.Context, o occurred) {
	select {
	case a.events <- o:
	case <-ctx.Done():
	}
}

// ask hands an event to the one writer and returns when it is carried out.
func (a *Agent) ask(ctx context.Context, o occurred) error {
	done := make(chan error, 1)
	o.done = done
	select {
	case a.events <- o:
	case <-a.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-a.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errEnded answers who asks an agent that has stopped.
var errEnded = errors.New("the agent is stopping")

// Run works until the context ends, and leaves with every tunnel shut. It is
// called once.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.history.add(localapi.Happening{At: a.cfg.Clock.Now(), Event: localapi.EventStarted})
	if o := a.cfg.Observe; o.Broker != nil {
		a.takeObservations(o.Broker.KeptObservations())
		a.work.Go(func() { a.observe(ctx) })
	}
	a.work.Go(func() { a.enrol(ctx) })
	a.work.Go(func() { a.posture(ctx) })
	a.work.Go(func() { a.checksAsked(ctx) })
	if s, ok := a.cfg.Broker.Session(); ok {
		a.resume(s)
	}
	a.loop(ctx)
	close(a.ended)
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
			w.stopTimer()
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
	if a.cfg.Owner.Known && !owner.Same(a.cfg.Owner) {
		a.cfg.Log.Warn("the kept session is of another user than this agent; sign in again")
		return
	}
	now := a.cfg.Clock.Boot()
	// Its end is the broker's to say: until that has told its time, nothing
	// here can be held against it.
	a.events <- occurred{event: state.SignedIn{At: now, Person: s.Person, KnownApps: s.Apps}, noticed: now, signIn: &signIn{owner: owner, session: s, kept: true}}
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
func (a *Agent) tell() { a.note(func() bool { return true }) }

// note changes what the lock guards, and tells if the change can be seen.
func (a *Agent) note(change func() (visible bool)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !change() {
		return
	}
	a.revision++
	close(a.changed)
	a.changed = make(chan struct{})
}

// shownSkew is the least change of the clocks' difference that is told: the
// broker's time is known to the second only.
const shownSkew = 2 * time.Second

// contact notes whether the broker answered, and what its clock says.
func (a *Agent) contact(answered bool) {
	skew := a.cfg.Broker.Skew()
	a.note(func() bool {
		visible := a.reachable != answered
		a.reachable = answered
		if answered && (skew-a.skew).Abs() >= shownSkew {
			a.skew, visible = skew, true
		}
		return visible
	})
}

// asked is contact after a call: a refusal is an answer, too, and a call that
// was given up says nothing.
func (a *Agent) asked(err error) {
	var no *apiclient.Rejected
	if answered := err == nil || errors.As(err, &no); answered || !errors.Is(err, context.Canceled) {
		a.contact(answered)
	}
	if err == nil {
		a.note(func() bool {
			visible := a.enrolErr != nil
			a.enrolErr = nil
			return visible
		})
	}
}
