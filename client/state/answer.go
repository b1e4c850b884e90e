package state

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/tunnel/plan"
)

// maxTTL bounds any time a broker names, far above what a lease may be.
const maxTTL = time.Hour

// fromMS is a broker's milliseconds as a time between zero and maxTTL.
func fromMS(ms int64) time.Duration {
	return time.Duration(min(max(ms, 0), maxTTL.Milliseconds())) * time.Millisecond
}

// answered takes the answer to the flight in the air, and only to that one.
func (t *turn) answered(e Answered) {
	f := t.land(e.Flight)
	if f == nil {
		return
	}
	s := &t.s
	s.Online, s.BrokerError, s.Rejection = true, "", nil
	s.Answered, s.Failures, s.woke = true, 0, false
	s.Verdict = e.Answer.Verdict
	s.Forecast = slices.Clone(e.Answer.Forecast)
	s.Skew = time.Duration(min(max(e.Answer.SkewMS, -maxSkewMS), maxSkewMS)) * time.Millisecond
	t.changed = true

	r := reading{turn: t, flight: f, sent: min(e.SentAt, t.at)}
	r.read(e.Answer)
	s.Checks, s.Needs = readNeeds(e.Answer, s.Apps)
	t.schedule(f, r.sent, r.shortest, fromMS(e.Answer.AttestAfterMS))
	if s.Dirty {
		s.NextAttest = t.at
	} else if r.lacking && !f.Again && s.Pause == nil {
		// Once only: a broker that finds something lacking in every answer
		// must wait for its turn.
		s.again, s.NextAttest = true, t.at
	}
}

// maxSkewMS is a hundred years, within what a Duration holds.
const maxSkewMS = 100 * 365 * 24 * 3600 * 1000

// reading is the way through one answer.
type reading struct {
	*turn
	flight   *Flight
	sent     time.Duration
	shortest time.Duration // shortest lease granted, 0: none
	lacking  bool          // an application could be leased if we sent its key
}

func (r *reading) read(a api.Answer) {
	denied, leased := map[string]api.DeniedApp{}, map[string]api.Lease{}
	for _, d := range a.Denied {
		if _, twice := denied[d.App.ID]; !twice && d.App.ID != "" {
			denied[d.App.ID] = d
			r.meet(d.App)
		}
	}
	for _, l := range a.Leases {
		_, not := denied[l.App.ID] // who says both says no
		if _, twice := leased[l.App.ID]; !twice && !not && l.App.ID != "" {
			leased[l.App.ID] = l
			r.meet(l.App)
		}
	}
	for _, id := range r.s.ids() {
		if d, ok := denied[id]; ok {
			r.deny(id, d.Reasons)
		} else if l, ok := leased[id]; ok {
			r.lease(id, l)
		} else {
			r.shut(id, CauseWithdrawn)
			delete(r.s.Apps, id)
		}
	}
}

// carried tells whether the flight carried the key that the application has now.
func (r *reading) carried(id string) bool {
	gen, ok := r.flight.Gens[id]
	return ok && gen == r.s.Apps[id].KeyGen
}

func (r *reading) shut(id, cause string) {
	if r.s.Apps[id].Lease == nil {
		return
	}
	r.close(id, cause)
	last := r.s.LastRevocation
	if last != nil && last.At == r.at && last.Cause == cause {
		r.s.LastRevocation = &Revocation{Cause: cause, Apps: append(slices.Clone(last.Apps), id), At: r.at}
		return
	}
	r.s.LastRevocation = &Revocation{Cause: cause, Apps: []string{id}, At: r.at}
}

func (r *reading) deny(id string, reasons []string) {
	cause := CauseWithdrawn
	if len(reasons) > 0 {
		cause = reasons[0]
	}
	r.lacking = r.lacking || !r.carried(id) && slices.Contains(reasons, api.ReasonNoTunnelKey)
	r.shut(id, cause)
	a := r.s.Apps[id]
	if r.s.Pause != nil && slices.Equal(reasons, []string{api.ReasonNoTunnelKey}) {
		return // none was sent, which is all that this says
	}
	if r.carried(id) && slices.Contains(reasons, api.ReasonKeyUsed) {
		// The broker opened a tunnel with this key whose answer never came here.
		a.KeyGen, r.lacking = r.newGen(), true
	}
	a.Denied = slices.Clone(reasons)
	if len(a.Denied) == 0 {
		a.Denied = []string{cause}
	}
	r.s.Apps[id] = a
}

// lease grants what the answer grants, if it is for the key that we hold now.
func (r *reading) lease(id string, l api.Lease) {
	if !r.carried(id) {
		r.lacking = true
		return
	}
	ttl := fromMS(l.TTLMS)
	until := r.sent + ttl
	if until <= r.at {
		r.shut(id, CauseExpired)
		return
	}
	a := r.s.Apps[id]
	tunnel, err := plan.FromLease(l, a.KeyGen, until)
	if err != nil {
		r.deny(id, []string{CauseUnusable})
		return
	}
	if a.Lease != nil && !a.Lease.Tunnel.Same(tunnel) {
		r.shut(id, CauseReplaced)
		r.lacking = true
		return
	}
	a.Lease = &Lease{ID: l.ID, Tunnel: tunnel, Until: until, StandsOn: slices.Clone(l.StandsOn),
		Limited: l.Limited, Pending: l.Pending, KeyGen: a.KeyGen}
	a.Denied, a.ClosedCause = nil, ""
	r.s.Apps[id] = a
	if r.shortest == 0 || ttl < r.shortest {
		r.shortest = ttl
	}
}
