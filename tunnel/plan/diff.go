package plan

// Steps is what to do, in the order of the fields: what must not be there any
// more goes first.
type Steps struct {
	// Shut lists tunnels, as they are now, that must end before anything else.
	Shut []Tunnel
	// Extend lists tunnels, as they are wanted, that go on with another end,
	// name or set of ports. Connections to ports that are gone must end.
	Extend []Tunnel
	// Rehandshake lists those of the tunnels that go on whose gateway may not
	// know our session: it started anew or has not acknowledged yet.
	Rehandshake []Tunnel
	// Open lists tunnels, as they are wanted, that are not there.
	Open []Tunnel
}

// Empty reports whether there is nothing to do.
func (s Steps) Empty() bool {
	return len(s.Shut)+len(s.Extend)+len(s.Rehandshake)+len(s.Open) == 0
}

// Diff tells the steps from now to wanted. A tunnel whose ends, secrets or
// addresses changed is another tunnel: the old one is shut and the new one
// opened. An application has one tunnel; of a second one wanted for it nothing
// comes.
func Diff(now, wanted []Tunnel) Steps {
	var s Steps
	want := make(map[string]Tunnel, len(wanted))
	for _, w := range wanted {
		if _, twice := want[w.App]; !twice {
			want[w.App] = w
		}
	}
	kept := map[string]Tunnel{}
	for _, n := range now {
		if w, ok := want[n.App]; ok && n.Same(w) {
			if _, twice := kept[n.App]; !twice {
				kept[n.App] = n
				continue
			}
		}
		s.Shut = append(s.Shut, n)
	}
	for _, w := range wanted {
		if _, first := want[w.App]; !first {
			continue
		}
		w = want[w.App]
		delete(want, w.App)
		n, ok := kept[w.App]
		if !ok {
			s.Open = append(s.Open, w)
			continue
		}
		if !n.equal(w) {
			s.Extend = append(s.Extend, w)
		}
		if n.Gateway.Epoch != w.Gateway.Epoch || w.Pending && (!n.Pending || n.Until != w.Until) {
			// A plan that is merely repeated shakes no hands again.
			s.Rehandshake = append(s.Rehandshake, w)
		}
	}
	return s
}
