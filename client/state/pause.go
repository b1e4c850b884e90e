package state

import "time"

// wishPause is the least time between two attestations that the person's own
// wishes cause: pausing and resuming without end must not keep a broker busy.
// What closes here closes at once all the same.
const wishPause = time.Second

// pause closes everything now, at the person's own wish, and says so to the
// broker, which closes the gateways.
func (t *turn) pause(e Pause) {
	if e.Until <= t.at {
		return
	}
	since := t.at
	if t.s.Pause != nil {
		since = t.s.Pause.Since
	}
	t.s.Pause = &Paused{Reason: e.Reason, Since: since, Until: e.Until}
	t.closeAll(CausePaused)
	t.wished()
	t.changed = true
}

// goOnPaused takes up a pause of an earlier run, before anything is asked for.
func (t *turn) goOnPaused(p *Paused) {
	if p == nil || p.Until <= t.at {
		return
	}
	kept := *p
	t.s.Pause = &kept
	for _, id := range t.s.ids() {
		a := t.s.Apps[id]
		a.ClosedCause = CausePaused
		t.s.Apps[id] = a
	}
}

// resume asks for every application again. None opens before the broker has
// answered.
func (t *turn) resume() {
	if t.s.Pause == nil {
		return
	}
	t.s.Pause = nil
	for id, a := range t.s.Apps {
		if a.ClosedCause == CausePaused {
			a.ClosedCause = ""
			t.s.Apps[id] = a
		}
	}
	t.wished()
	t.changed = true
}

// wished has the broker hear of a wish, soon.
func (t *turn) wished() {
	t.attestNow(true)
	if t.s.lastWish <= t.at { // else the one before has not been told, and waits
		t.s.lastWish = max(t.at, t.s.lastWish+wishPause)
	}
	t.s.NextAttest = t.s.lastWish
}
