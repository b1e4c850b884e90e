package state

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
	t.attestNow(true)
	t.changed = true
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
	t.attestNow(true)
	t.changed = true
}
