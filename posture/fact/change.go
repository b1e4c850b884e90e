package fact

import (
	"slices"
)

// Direction is how a fact moved between two reports.
type Direction string

// The directions. Sideways is a change that is neither better nor worse, such
// as an unknown fact whose reason changed.
const (
	Same     Direction = "same"
	Better   Direction = "better"
	Worse    Direction = "worse"
	Sideways Direction = "sideways"
)

// Change is one fact that moved.
type Change struct {
	Address   string
	Direction Direction
	Before    Fact // zero when the fact was not there
	After     Fact // zero when the fact is gone
}

// Compare lists every fact that moved between two reports, worse ones first.
// A fact that was usable and is not any more, or is gone, is worse; a fact
// that became usable is better.
func Compare(before, after Report) []Change {
	b, a := flatten(before), flatten(after)
	var out []Change
	for addr, was := range b {
		is, there := a[addr]
		if d := direction(was, is, there); d != Same {
			out = append(out, Change{Address: addr, Direction: d, Before: was.Fact, After: is.Fact})
		}
	}
	for addr, is := range a {
		if _, there := b[addr]; !there {
			d := Sideways
			if is.usable() {
				d = Better
			}
			out = append(out, Change{Address: addr, Direction: d, After: is.Fact})
		}
	}
	slices.SortFunc(out, func(x, y Change) int {
		if (x.Direction == Worse) != (y.Direction == Worse) {
			if x.Direction == Worse {
				return -1
			}
			return 1
		}
		if x.Address < y.Address {
			return -1
		}
		return 1
	})
	return out
}

// Worsened lists the addresses of the facts that got worse.
func Worsened(changes []Change) []string {
	var out []string
	for _, c := range changes {
		if c.Direction == Worse {
			out = append(out, c.Address)
		}
	}
	return out
}

// placed is a fact with what is needed to judge it alone.
type placed struct {
	Fact
	signal string
	state  State
}

func (p placed) usable() bool { return p.state.Usable() }

func flatten(r Report) map[string]placed {
	out := map[string]placed{}
	for _, s := range r.Signals {
		for _, f := range s.Facts {
			out[Address(s.Name, f.Key, f.Field)] = placed{Fact: f, signal: s.Name, state: s.StateOf(f)}
		}
	}
	return out
}

func direction(was, is placed, there bool) Direction {
	switch {
	case !there || !is.usable():
		if was.usable() {
			return Worse
		}
		if there && was.state == is.state && was.Reason == is.Reason {
			return Same
		}
		return Sideways
	case !was.usable():
		return Better
	}
	d, known := Lookup(was.signal, was.Field, was.Key != "")
	if !known {
		if was.Value == is.Value && was.state == is.state {
			return Same
		}
		return Worse
	}
	return d.judge(effective(d, was), effective(d, is))
}

// effective is the value a policy would see: an absent fact reads as its
// declared negative.
func effective(d Def, p placed) Value {
	if p.state == Absent && d.Negative.IsSet() {
		return d.Negative
	}
	return p.Value
}

func (d Def) judge(was, is Value) Direction {
	if was == is {
		return Same
	}
	var up bool
	switch d.Order {
	case Neutral:
		return Sideways
	case LowerIsBetter:
		x, okX := was.AsDuration()
		y, okY := is.AsDuration()
		up = okX && okY && y < x
	case TrueIsBetter, FalseIsBetter:
		now, ok := is.AsBool()
		if !ok {
			return Worse
		}
		up = now == (d.Order == TrueIsBetter)
	case HigherIsBetter:
		x, _ := was.AsString()
		y, ok := is.AsString()
		c := CompareVersions(x, y)
		if ok && c == 0 {
			return Sideways
		}
		up = ok && c < 0
	case LaterIsBetter:
		x, okX := was.AsTime()
		y, okY := is.AsTime()
		up = okX && okY && y.After(x)
	case Ranked:
		x, _ := was.AsString()
		y, _ := is.AsString()
		up = rank(d.Ranks, y) > rank(d.Ranks, x)
	}
	if up {
		return Better
	}
	return Worse
}
