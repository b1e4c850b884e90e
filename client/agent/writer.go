package agent

import (
	"context"
	"errors"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/attest"
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
	flight   context.CancelFunc // of the attestation in the air
	stream   context.CancelFunc // of the broker's events
	digest   string             // of the last accepted report
	clientMS float64
}

// step takes one event through the state machine and carries out its effects,
// tunnels first: what must be shut is shut before anything is sent.
func (w *writer) step(ctx context.Context, o occurred) {
	if e, ok := o.event.(state.Answered); ok {
		w.digest = e.Answer.ReportDigest
	}
	before := w.state
	next, effects := state.Next(w.state, o.event)
	w.state = next
	if o.owner != nil {
		w.agent.begin(*o.owner)
	}
	for _, e := range effects {
		w.do(ctx, e)
		if _, ok := e.(state.Tunnels); ok {
			w.measure(before, o)
		}
	}
	w.listen(ctx)
	w.agent.snap.Store(&snapshot{state: w.state, clientMS: w.clientMS})
	if !sameFace(before, w.state) {
		w.agent.tell()
	}
	w.remember(before)
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
		if w.timer != nil {
			w.timer.Stop()
		}
		w.timer = a.cfg.Clock.NewTimer(e.At)
	case state.ForgetSession:
		w.forget(ctx)
	case state.Changed: // the snapshot is stored and told after every step
	}
}

func (w *writer) cancelFlight() {
	if w.flight != nil {
		w.flight()
		w.flight = nil
	}
}

// forget drops the session here at once and ends it at the broker beside.
func (w *writer) forget(ctx context.Context) {
	a := w.agent
	handle, err := a.cfg.Broker.Forget()
	if err != nil {
		a.cfg.Log.Error("forget session", "error", err)
	}
	w.digest = ""
	if handle == "" {
		return
	}
	a.work.Go(func() {
		if err := a.cfg.Broker.Revoke(ctx, handle); err != nil {
			a.cfg.Log.Warn("end the session at the broker; its leases run out by themselves", "error", err)
		}
	})
}

// attest sends one attestation beside the loop; how it ends is an event.
func (w *writer) attest(ctx context.Context, e state.Attest) {
	w.cancelFlight()
	a := w.agent
	in := brokerclient.Attestation{Report: a.cfg.Posture.Last(), LastDigest: w.digest}
	for app, gen := range e.Keys {
		pub, err := a.keys.Public(app, gen)
		if err != nil {
			a.cfg.Log.Error("make tunnel key", "app", app, "error", err)
			continue
		}
		in.Wanted = append(in.Wanted, attest.Wanted{App: app, PublicKey: pub.String()})
	}
	a.keys.Retire(e.Keys)
	flight, cancel := context.WithCancel(ctx)
	w.flight = cancel
	a.work.Go(func() {
		defer cancel()
		answer, sent, err := a.cfg.Broker.Attest(flight, in)
		if flight.Err() != nil {
			return // cancelled: whatever came of it is not heard
		}
		now := a.cfg.Clock.Boot()
		var no *apiclient.Rejected
		switch {
		case err == nil:
			a.post(ctx, state.Answered{At: now, Flight: e.Flight, SentAt: sent, Answer: answer}, now)
		case errors.As(err, &no):
			a.post(ctx, state.Rejected{At: now, Flight: e.Flight, Code: no.Code, Text: no.Detail}, now)
		default:
			a.post(ctx, state.Unreachable{At: now, Flight: e.Flight, Text: err.Error()}, now)
		}
	})
}

// listen keeps the broker's event stream open exactly while somebody is
// signed in.
func (w *writer) listen(ctx context.Context) {
	switch {
	case w.state.Session.SignedIn && w.stream == nil:
		stream, cancel := context.WithCancel(ctx)
		w.stream = cancel
		w.agent.work.Go(func() { w.agent.events4ever(stream) })
	case !w.state.Session.SignedIn && w.stream != nil:
		w.stream()
		w.stream = nil
	}
}

// remember keeps the known applications when they change.
func (w *writer) remember(before state.State) {
	if !w.state.Session.SignedIn || sameApps(before, w.state) {
		return
	}
	var apps []api.AppInfo
	for _, x := range w.state.Apps {
		apps = append(apps, x.Info)
	}
	if err := w.agent.cfg.Broker.RememberApps(apps); err != nil {
		w.agent.cfg.Log.Error("remember applications", "error", err)
	}
}

func (w *writer) finish() {
	w.cancelFlight()
	if w.stream != nil {
		w.stream()
	}
	if w.timer != nil {
		w.timer.Stop()
	}
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
