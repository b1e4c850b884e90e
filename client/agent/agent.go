// Package agent is the one writer of the client: events in, the state machine's word, effects out.
package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
)

// Agent runs one device's client.
type Agent struct {
	cfg     Config
	events  chan occurred
	keys    *Keys
	work    sync.WaitGroup
	ready   chan struct{} // closed when a kept session was taken up, if there is one
	read    chan struct{} // closed when the machine was read for the first time
	unread  atomic.Int32  // first readings that have not finished
	expiry  chan struct{} // a value may have been held just now; holds one
	ended   chan struct{} // closed when the writer takes no more events
	signing chan struct{} // holds one token while a sign-in is being finished

	observing *observing
	checks    *checks
	products  chan chan struct{} // asks the product watcher to look; closed when it has
	history   history
	notes     *notes
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
	kept    bool             // it is the broker client's session already
	pause   *state.KeptPause // that the session was in when the agent ended; nil: none
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
		ready:     make(chan struct{}),
		read:      make(chan struct{}), expiry: make(chan struct{}, 1), ended: make(chan struct{}), signing: make(chan struct{}, 1),
		// Anywhere: who still waits for a change of the agent before must not
		// take this one's status for one already seen.
		revision: 1 + rand.Int64N(1<<40),
	}
	a.notes = newNotes(cfg.Pauses, cfg.Log, a.tell)
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
	a.work.Go(a.notes.keep)
	if s, ok := a.cfg.Broker.Session(); !ok || !a.resume(s) {
		a.notes.want(nil, func(error) {}) // a pause goes with its session
		close(a.ready)
	}
	a.loop(ctx)
	close(a.ended)
	cancel()
	close(a.notes.end)
	a.work.Wait()
	return nil
}

// Ready is closed when the session of an earlier run, if there is one, has been
// taken up: a status from before would say that nobody is signed in.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

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
			if o.signIn != nil && o.signIn.kept { // there is one at most
				close(a.ready)
			}
		case <-tick:
			w.stopTimer()
			w.step(ctx, occurred{event: state.Tick{At: a.cfg.Clock.Boot()}, noticed: a.cfg.Clock.Boot()})
		}
	}
}

// resume takes up the session of an earlier run, and the pause that it was in:
// no new sign-in is needed. It says whether it did.
func (a *Agent) resume(s brokerclient.Session) bool {
	owner, ok := parseOwner(s.Owner)
	if !ok {
		a.cfg.Log.Warn("the kept session names no owner; sign in again")
		return false
	}
	if a.cfg.Owner.Known && !owner.Same(a.cfg.Owner) {
		a.cfg.Log.Warn("the kept session is of another user than this agent; sign in again")
		return false
	}
	in := &signIn{owner: owner, session: s, kept: true, pause: a.pauseOf(s, owner)}
	now := a.cfg.Clock.Boot()
	// Its end is the broker's to say: until that has told its time, nothing
	// here can be held against it.
	e := state.SignedIn{At: now, Person: s.Person, KnownApps: s.Apps}
	if in.pause != nil {
		if p, lasts := in.pause.Paused(a.cfg.Clock.Now(), now); lasts {
			e.Pause = &p
		}
	}
	a.events <- occurred{event: e, noticed: now, signIn: in}
	return true
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
