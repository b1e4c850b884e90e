package state

import (
	"maps"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

const (
	// flightLimit is after which an attestation counts as lost, should nobody
	// tell its end. Calls have shorter deadlines of their own.
	flightLimit = 45 * time.Second
	// minPause is the least time between an answer and the next attestation
	// that nothing but time asks for, whatever the broker says.
	minPause = 250 * time.Millisecond
	// idlePause is how long to wait when neither the broker nor a lease says.
	idlePause = 30 * time.Second
	// maxIdle is the longest wait when there is no lease to renew.
	maxIdle = 5 * time.Minute
	// wakePause gives a network that just changed a moment to settle.
	wakePause = 2 * time.Second
	// backoffFirst and backoffLast bound the wait after a failure.
	backoffFirst = time.Second
	backoffLast  = 30 * time.Second
)

// attestNow makes the next attestation due. One that is in the air goes on
// only if it carries a report of its own and is not void; then the next
// follows it.
func (t *turn) attestNow(void bool) {
	t.s.Dirty = true
	if f := t.s.Flight; f != nil && !f.Renewal && !void {
		return
	}
	t.cancel()
	t.s.NextAttest = t.at
}

// attestIfDue is the only place where an attestation begins.
func (t *turn) attestIfDue() {
	s := &t.s
	if s.Stopped || !s.Session.SignedIn || s.Flight != nil || t.at < s.NextAttest {
		return
	}
	s.lastFlight++
	f := &Flight{ID: s.lastFlight, Renewal: !s.Dirty, Again: s.again && !s.Dirty,
		Gens: map[string]int{}, Deadline: t.at + flightLimit}
	var reason string
	if s.Pause != nil { // no key is sent, so that the gateways close, too
		reason = s.Pause.Reason
	} else {
		for id, a := range s.Apps {
			f.Gens[id] = a.KeyGen
		}
	}
	s.Flight, s.Dirty, s.again, s.woke, s.NextAttest = f, false, false, false, 0
	t.do(Attest{Flight: f.ID, Renewal: f.Renewal, Keys: maps.Clone(f.Gens), Pause: reason})
}

// cancel gives up what is in the air. What it carried is still to be said.
func (t *turn) cancel() {
	f := t.s.Flight
	if f == nil {
		return
	}
	t.s.Flight = nil
	t.s.Dirty = t.s.Dirty || !f.Renewal
	t.do(CancelAttest{f.ID})
}

// land takes the flight with that id out of the air; nil if it is not the one
// in the air, and then nothing may come of it.
func (t *turn) land(id int64) *Flight {
	f := t.s.Flight
	if f == nil || f.ID != id {
		return nil
	}
	t.s.Flight = nil
	return f
}

// notReached changes no lease: they run on to their own end, not longer.
func (t *turn) notReached(f *Flight, why string) {
	t.s.Online, t.s.BrokerError = false, why
	t.s.Dirty = t.s.Dirty || !f.Renewal
	t.s.again = t.s.again || f.Again
	t.retry(f)
	if t.s.woke { // it was asked over a network that is gone
		t.s.woke, t.s.NextAttest = false, t.at
	}
	t.changed = true
}

// rejected closes everything now.
func (t *turn) rejected(e Rejected) {
	f := t.land(e.Flight)
	if f == nil {
		return
	}
	if endsSession(e.Code) {
		t.signOut(e.Code)
		return
	}
	t.closeIf(e.Code, nil, func(Lease) bool { return true })
	t.s.Online, t.s.BrokerError = true, ""
	t.s.Rejection = &Rejection{Code: e.Code, Text: e.Text}
	t.s.Verdict, t.s.Checks, t.s.Needs, t.s.Forecast = api.TierNone, nil, nil, nil
	t.s.Dirty, t.s.woke = true, false
	t.retry(f)
	t.changed = true
}

// endsSession tells whether a rejection means that the person has to sign in
// again. An access token that is merely too old never gets here: the caller
// asks for a new one first.
func endsSession(code string) bool {
	switch code {
	case api.CodeSignedOut, api.CodeUnauthorized, api.OAuthInvalidGrant:
		return true
	}
	return false
}

func (t *turn) retry(f *Flight) {
	t.s.Failures++
	wait := backoffLast
	if n := t.s.Failures - 1; n < 5 {
		wait = backoffFirst << n
	}
	t.s.NextAttest = t.at + min(wait+t.s.jitter(f.ID, wait), backoffLast)
}

// networkWoke asks again soon: what was unreachable may be reachable now, and
// where the machine is may matter to the policy.
func (t *turn) networkWoke() {
	switch {
	case t.s.Flight != nil:
		t.s.woke = true
	case t.s.Failures > 0:
		t.s.NextAttest = t.at
	default:
		t.s.NextAttest = min(t.s.NextAttest, t.at+wakePause)
	}
}

// schedule plans the renewal after an answer to a request sent at sent.
// shortest is the shortest lease granted, 0 when there is none.
func (t *turn) schedule(f *Flight, sent, shortest, after time.Duration) {
	if after <= 0 {
		after = idlePause
		if shortest > 0 {
			after = shortest / 2
		}
	}
	after += t.s.jitter(f.ID, after)
	if shortest > 0 {
		after = min(max(after, shortest/4), shortest/4*3)
	} else {
		after = min(max(after, backoffFirst), maxIdle)
	}
	t.s.NextAttest = max(sent+after, t.at+minPause)
}

// jitter is within ±20 % of d, the same for the same flight of the same agent.
func (s State) jitter(flight int64, d time.Duration) time.Duration {
	// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
	// generators, 2014).
	x := s.seed + uint64(flight)*0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	x ^= x >> 31
	permille := int64(x%401) - 200
	return d / 1000 * time.Duration(permille)
}

// wake is the earliest moment at which time changes something.
func (t *turn) wake() (time.Duration, bool) {
	if t.s.Stopped || !t.s.Session.SignedIn {
		return 0, false
	}
	var moments []time.Duration
	if t.s.Session.Ends > 0 {
		moments = append(moments, t.s.Session.Ends)
	}
	if p := t.s.Pause; p != nil {
		moments = append(moments, p.Until)
	}
	for _, a := range t.s.Apps {
		if a.Lease != nil {
			moments = append(moments, a.Lease.Until)
		}
	}
	if f := t.s.Flight; f != nil {
		moments = append(moments, f.Deadline)
	} else {
		moments = append(moments, t.s.NextAttest)
	}
	return slices.Min(moments), true
}
