package state

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// Next tells what the state is after an event and what is to be done. It has
// no clock, lock, input or output; the same arguments give the same results.
// An event that is earlier than one before it counts as simultaneous.
func Next(s State, e Event) (State, []Effect) {
	t := &turn{s: s.clone(), at: max(s.Now, e.when())}
	t.s.Now = t.at
	if !t.s.Stopped {
		t.timePassed()
		t.happened(e)
		t.attestIfDue()
	}
	effects := []Effect{Tunnels{Wanted: open(t.s, t.at), Apps: t.s.apps()}}
	effects = append(effects, t.effects...)
	if at, ok := t.wake(); ok {
		effects = append(effects, WakeAt{at})
	}
	if t.changed {
		effects = append(effects, Changed{})
	}
	return t.s, effects
}

// turn is one call of Next: the state as it becomes, and the effects so far.
type turn struct {
	s       State
	at      time.Duration
	effects []Effect
	changed bool
}

func (t *turn) do(e Effect) { t.effects = append(t.effects, e) }

// timePassed ends what is over by time.
func (t *turn) timePassed() {
	if s := t.s.Session; s.SignedIn && s.Ends > 0 && s.Ends <= t.at {
		t.signOut(CauseSessionEnded)
	}
	if p := t.s.Pause; p != nil && p.Until <= t.at {
		t.resume()
	}
	for _, id := range t.s.ids() {
		if l := t.s.Apps[id].Lease; l != nil && l.Until <= t.at {
			t.close(id, CauseExpired)
		}
	}
	if f := t.s.Flight; f != nil && f.Deadline <= t.at {
		t.cancel()
		t.notReached(f, "no answer in time")
	}
}

func (t *turn) happened(e Event) {
	switch e := e.(type) {
	case SignedIn:
		t.signIn(e)
		return
	case SignedOut:
		t.signOut(e.Cause)
		return
	case Stop:
		t.stop()
		return
	}
	if !t.s.Session.SignedIn {
		return
	}
	switch e := e.(type) {
	case PostureChanged:
		t.posture(e.Worse)
	case Answered:
		t.answered(e)
	case Rejected:
		t.rejected(e)
	case Unreachable:
		if f := t.land(e.Flight); f != nil {
			t.notReached(f, e.Text)
		}
	case BrokerSays:
		t.told(e.Name, e.Event)
	case NetworkWoke:
		t.networkWoke()
	case Pause:
		t.pause(e)
	case Resume:
		t.resume()
	case CheckNow:
		t.attestNow(false)
	}
}

// close ends an application's lease. Its key is not used again.
func (t *turn) close(id, cause string) {
	a := t.s.Apps[id]
	a.Lease, a.ClosedCause = nil, cause
	a.KeyGen = t.newGen()
	t.s.Apps[id] = a
	t.changed = true
}

func (t *turn) newGen() int {
	t.s.lastGen++
	return t.s.lastGen
}

// closeIf closes the leases that match, as one revocation, and says whether
// there were any.
func (t *turn) closeIf(cause string, facts []string, match func(Lease) bool) bool {
	var ids []string
	for _, id := range t.s.ids() {
		if l := t.s.Apps[id].Lease; l != nil && match(*l) {
			t.close(id, cause)
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		t.s.LastRevocation = &Revocation{Cause: cause, Apps: ids, Facts: slices.Clone(facts), At: t.at}
	}
	return len(ids) > 0
}

// meet makes an application known, with a key of its own.
func (t *turn) meet(info api.AppInfo) {
	a, known := t.s.Apps[info.ID]
	if !known {
		a.KeyGen = t.newGen()
	}
	t.changed = t.changed || a.Info != info
	a.Info = info
	t.s.Apps[info.ID] = a
}

func (t *turn) signIn(e SignedIn) {
	was := t.s.Session
	t.cancel()
	t.closeAll(CauseSignedIn)
	if was.Person.Issuer != e.Person.Issuer || was.Person.Subject != e.Person.Subject {
		clear(t.s.Apps) // whose they were is gone
		t.s.LastRevocation = nil
	}
	t.s.Session = Session{SignedIn: true, Person: e.Person, Ends: max(e.Ends, 0)}
	t.s.Session.Person.Groups = slices.Clone(e.Person.Groups)
	t.s.forget()
	t.s.Online = true
	for _, info := range e.KnownApps {
		if info.ID != "" {
			t.meet(info)
		}
	}
	t.goOnPaused(e.Pause)
	t.s.Dirty, t.s.NextAttest = true, t.at
	t.changed = true
}

func (t *turn) signOut(cause string) {
	if cause == "" {
		cause = CauseSignedOut
	}
	t.cancel()
	// The leases go with the applications: who signs in next starts anew, and
	// until then any user of the machine may look.
	t.s.Session, t.s.LastRevocation = Session{}, nil
	clear(t.s.Apps)
	t.s.forget()
	t.do(ForgetSession{cause})
	t.changed = true
}

func (t *turn) stop() {
	t.cancel()
	t.closeAll(CauseStopped)
	t.s.Stopped = true
	t.changed = true
}

// closeAll ends every lease and gives every application a new key.
func (t *turn) closeAll(cause string) {
	for _, id := range t.s.ids() {
		if a := t.s.Apps[id]; a.Lease == nil {
			a.KeyGen = t.newGen()
			t.s.Apps[id] = a
			continue
		}
		t.close(id, cause)
	}
}

// forget drops what the broker said in a session.
func (s *State) forget() {
	s.Verdict, s.Checks, s.Needs, s.Forecast = api.TierNone, nil, nil, nil
	s.BrokerError, s.Rejection, s.Answered = "", nil, false
	s.Dirty, s.NextAttest, s.Failures = false, 0, 0
	s.again, s.woke = false, false
	s.Pause = nil
	for id, a := range s.Apps {
		a.Denied = nil
		s.Apps[id] = a
	}
}

// posture shuts what stands on a fact that got worse, before anything else.
func (t *turn) posture(worse []string) {
	t.closeIf(CausePosture, worse, func(l Lease) bool {
		return slices.ContainsFunc(l.StandsOn, func(pattern string) bool {
			return slices.ContainsFunc(worse, func(address string) bool { return fact.Matches(pattern, address) })
		})
	})
	// What is in the air may say what is no longer so, and a lease that
	// answers it would stand on that.
	t.attestNow(len(worse) > 0)
}

func (t *turn) told(name string, e api.Event) {
	switch name {
	case api.EventLeaseRevoked:
		hit := t.closeIf(CauseRevoked, nil, func(l Lease) bool { return l.ID == e.Lease })
		// A lease that we do not have may be on its way to us.
		if hit || t.s.Flight != nil || e.Lease == "" {
			t.attestNow(true)
		}
	case api.EventAttestNow, api.EventLeasesChanged:
		t.attestNow(false)
	case api.EventSignedOut:
		t.signOut(CauseSignedOut)
	}
}
