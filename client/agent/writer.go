package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/tunnel/engine"
	"github.com/postern-zt/postern/tunnel/plan"
)

// tunnels is the part of the engine that the writer drives.
type tunnels interface {
	Apply(wanted []plan.Tunnel, apps []engine.App)
	Status() []engine.Status
}

// writer belongs to the loop's goroutine alone.
type writer struct {
	agent    *Agent
	state    state.State
	timer    clock.Timer
	session  int                // counts sign-ins
	flight   context.CancelFunc // of the attestation in the air
	stream   context.CancelFunc // of the broker's events
	digest   string             // of the last accepted report
	observed time.Time          // oldest reading of that report
	round    int64              // of checks that that report knows of
	clientMS float64
	goesOn   *state.KeptPause // the pause of an earlier run that is in force; nil: none
	noted    struct {         // when the pause's note was written
		boot time.Duration
		wall time.Time
	}
}

// step carries out one event and answers who waits for that.
func (w *writer) step(ctx context.Context, o occurred) {
	w.heedClock(ctx)
	err := w.admit(o)
	if err == nil {
		before := w.state
		w.take(ctx, o)
		w.notePause(before, o)
		return
	}
	if o.signIn != nil {
		w.revoke(ctx, o.signIn.session.Refresh)
	}
	if o.done != nil {
		o.done <- err
	}
}

// admit says whether an event may happen, here where nothing changes beside,
// and makes the session that begins with it the broker client's.
func (w *writer) admit(o occurred) error {
	if o.session != 0 && o.session != w.session {
		return errPast
	}
	if o.asker != nil {
		if err := w.agent.notOwner(*o.asker); err != nil {
			return err
		}
	}
	switch {
	case o.signIn == nil:
		return nil
	case o.signIn.kept && w.session > 0: // somebody was quicker
		return errPast
	case o.signIn.kept:
		return nil
	}
	// What is under way for the session before must not meet the new one.
	w.cancelFlight()
	w.endStream()
	return w.agent.cfg.Broker.Begin(o.signIn.session)
}

// errPast drops what comes late from a sign-in that is over.
var errPast = errors.New("the sign-in is over")

// take takes one event through the state machine and carries out its effects,
// tunnels first: what must be shut is shut before anything is sent.
func (w *writer) take(ctx context.Context, o occurred) {
	before := w.state
	next, effects := state.Next(w.state, o.event)
	w.state = next
	w.noteAnswer(before, o)
	if passes(before, next) {
		w.agent.history.forget()
	}
	if o.signIn != nil {
		w.goesOn = o.signIn.pause
		w.session++
		w.endStream()
		w.agent.begin(o.signIn.owner)
	}
	w.stopTimer() // without a new moment there is nothing to wait for
	for _, e := range effects {
		w.do(ctx, e)
		if _, ok := e.(state.Tunnels); ok {
			w.measure(before, o)
		}
	}
	w.listen(ctx)
	w.show(before)
	w.chronicle(before, o)
	w.remember(before, o.signIn != nil)
}

// noteAnswer keeps what the next attestation and people need of an answer.
func (w *writer) noteAnswer(before state.State, o occurred) {
	e, ok := o.event.(state.Answered)
	if !ok || before.Flight == nil || before.Flight.ID != e.Flight || w.state.Flight != nil && w.state.Flight.ID == e.Flight {
		return
	}
	w.digest, w.observed, w.round = e.Answer.ReportDigest, o.observed, o.round
}

// show lets others see the state, and tells them if it looks different.
func (w *writer) show(before state.State) {
	a, s := w.agent, w.state
	a.snap.Swap(&snapshot{state: s, observed: w.observed, round: w.round, clientMS: w.clientMS})
	if !sameFace(before, s) {
		a.tell()
	}
	if s.Session.SignedIn && (s.Answered || s.Rejection != nil || !s.Online) {
		a.contact(s.Online)
	}
}

// measure notes how long a revocation took, from noticing its cause to every
// gate being shut.
func (w *writer) measure(before state.State, o occurred) {
	if r := w.state.LastRevocation; r != nil && r != before.LastRevocation {
		w.clientMS = float64(w.agent.cfg.Clock.Boot()-o.noticed) / 1e6
	}
}

func (w *writer) do(ctx context.Context, e state.Effect) {
	a := w.agent
	switch e := e.(type) {
	case state.Tunnels:
		if eng := a.currentEngine(); eng != nil {
			eng.Apply(e.Wanted, engineApps(e.Apps))
		}
	case state.Attest:
		w.attest(ctx, e)
	case state.CancelAttest:
		w.cancelFlight()
	case state.WakeAt:
		w.stopTimer()
		w.timer = a.cfg.Clock.NewTimer(e.At)
	case state.ForgetSession:
		w.forget(ctx)
	case state.Changed: // the snapshot is stored and told after every step
	}
}

func (w *writer) stopTimer() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

func (w *writer) endStream() {
	if w.stream != nil {
		w.stream()
		w.stream = nil
	}
}

// forget drops the session here at once and ends it at the broker beside.
func (w *writer) forget(ctx context.Context) {
	a := w.agent
	w.endStream()
	handle, err := a.cfg.Broker.Forget()
	if err != nil {
		a.cfg.Log.Error("forget session", "error", err)
	}
	a.keys.Retire(nil)
	w.digest, w.observed, w.round = "", time.Time{}, 0
	w.revoke(ctx, handle)
}

// revoke ends a session at the broker, beside the loop.
func (w *writer) revoke(ctx context.Context, handle string) {
	if handle == "" {
		return
	}
	a := w.agent
	a.work.Go(func() {
		if err := a.cfg.Broker.Revoke(ctx, handle); err != nil {
			a.cfg.Log.Warn("end the session at the broker; its leases run out by themselves", "error", err)
		}
	})
}

// listen keeps the broker's event stream open exactly while somebody is
// signed in.
func (w *writer) listen(ctx context.Context) {
	if !w.state.Session.SignedIn || w.state.Stopped {
		w.endStream()
		return
	}
	if w.stream != nil {
		return
	}
	stream, cancel := context.WithCancel(ctx)
	w.stream = cancel
	session := w.session
	w.agent.work.Go(func() { w.agent.follow(stream, session) })
}

// remember keeps the known applications when they change, and with a new
// session.
func (w *writer) remember(before state.State, signedIn bool) {
	if !w.state.Session.SignedIn || sameApps(before, w.state) && !signedIn {
		return
	}
	var apps []api.AppInfo
	for _, id := range slices.Sorted(maps.Keys(w.state.Apps)) {
		apps = append(apps, w.state.Apps[id].Info)
	}
	if err := w.agent.cfg.Broker.RememberApps(apps); err != nil {
		w.agent.cfg.Log.Error("remember applications", "error", err)
	}
}

func (w *writer) finish() {
	w.cancelFlight()
	w.endStream()
	w.stopTimer()
	if eng := w.agent.currentEngine(); eng != nil {
		eng.Close()
	}
}

func engineApps(apps []api.AppInfo) []engine.App {
	var out []engine.App
	for _, a := range apps {
		out = append(out, engine.App{ID: a.ID, Name: a.Name})
	}
	return out
}

func sameApps(a, b state.State) bool {
	if len(a.Apps) != len(b.Apps) {
		return false
	}
	for id, x := range a.Apps {
		if y, ok := b.Apps[id]; !ok || x.Info != y.Info {
			return false
		}
	}
	return true
}
