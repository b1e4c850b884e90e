package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/attest"
)

// firstReading bounds how long an attestation waits for the machine to have
// been read once. A collector's deadline is shorter; what hangs longer is
// attested as not yet read.
const firstReading = 6 * time.Second

// attest sends one attestation beside the loop; how it ends is an event.
func (w *writer) attest(ctx context.Context, e state.Attest) {
	w.cancelFlight()
	a := w.agent
	in := brokerclient.Attestation{LastDigest: w.digest, Wanted: w.wanted(e.Keys), Pause: e.Pause}
	a.keys.Retire(e.Keys)
	a.history.expect(e.Flight)
	flight, cancel := context.WithCancel(ctx)
	w.flight = cancel
	a.work.Go(func() {
		defer cancel()
		a.awaitReading(flight)
		round := a.round.Load()
		in.Report = a.cfg.Posture.Last()
		in.OnSend = func(payload []byte) { a.history.send(e.Flight, a.cfg.Clock.Now(), payload, in.Report) }
		answer, sent, err := a.cfg.Broker.Attest(flight, in)
		if flight.Err() != nil {
			return // cancelled: whatever came of it is not heard
		}
		now := a.cfg.Clock.Boot()
		var no *apiclient.Rejected
		a.history.answered(e.Flight, err)
		o := occurred{noticed: now, observed: oldest(in.Report), round: round}
		switch {
		case err == nil:
			o.event = state.Answered{At: now, Flight: e.Flight, SentAt: sent, Answer: answer}
		case errors.As(err, &no):
			o.event = state.Rejected{At: now, Flight: e.Flight, Code: no.Code, Text: no.Detail}
		default:
			o.event = state.Unreachable{At: now, Flight: e.Flight, Text: err.Error()}
		}
		a.post(ctx, o)
	})
}

// wanted gives the public keys that an attestation carries, as many as fit.
func (w *writer) wanted(gens map[string]int) []attest.Wanted {
	a := w.agent
	var out []attest.Wanted
	for _, app := range slices.Sorted(maps.Keys(gens)) {
		if len(out) == attest.MaxApps {
			a.cfg.Log.Warn("more applications than one attestation holds; the rest gets no tunnel", "applications", len(gens))
			break
		}
		pub, err := a.keys.Public(app, gens[app])
		if err != nil {
			a.cfg.Log.Error("make tunnel key", "app", app, "error", err)
			continue
		}
		out = append(out, attest.Wanted{App: app, PublicKey: pub.String()})
	}
	return out
}

// awaitReading waits until the machine was read once, but not for ever.
func (a *Agent) awaitReading(ctx context.Context) {
	t := a.cfg.Clock.NewTimer(a.cfg.Clock.Boot() + firstReading)
	defer t.Stop()
	select {
	case <-a.read:
	case <-t.C():
	case <-ctx.Done():
	}
}

func (w *writer) cancelFlight() {
	if w.flight != nil {
		w.flight()
		w.flight = nil
	}
}
