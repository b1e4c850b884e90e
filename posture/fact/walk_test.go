package fact

import (
	"fmt"
	"testing"
	"time"
)

// pair is two values of a fact, the second better than the first by the fact's
// own order. Facts without an order have two different ones.
func pair(d Def) (low, high Value) {
	switch d.Kind {
	case Boolean:
		return Bool(d.Order == FalseIsBetter), Bool(d.Order != FalseIsBetter)
	case Enum:
		return Str(d.Ranks[0]), Str(d.Ranks[len(d.Ranks)-1])
	case Version:
		return Str("10.9.1"), Str("10.10")
	case Timestamp:
		at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
		return Time(at), Time(at.Add(time.Second))
	case Duration:
		return Seconds(time.Hour), Seconds(time.Minute)
	}
	return Str("one"), Str("two")
}

// with is a report that holds one fact in one state.
func with(d Def, state State, v Value) Report {
	f := Fact{Field: d.Field, State: state, Value: v}
	if !state.Usable() {
		f.Reason = ReasonUnreadable
	}
	if d.Keyed {
		f.Key = "entry-1"
	}
	return Report{Signals: []Signal{{Name: d.Signal, State: Observed, Facts: []Fact{f}}}}
}

func without(d Def) Report {
	return Report{Signals: []Signal{{Name: d.Signal, State: Observed}}}
}

// step is one walk from one report to another and the direction it must have.
type step struct {
	name          string
	before, after Report
	want          Direction
}

func steps(d Def) []step {
	low, high := pair(d)
	up, down := Better, Worse
	switch d.Order {
	case Identity:
		up, down = Worse, Worse
	case Neutral:
		up, down = Sideways, Sideways
	}
	unknown, conflict := with(d, Unknown, Value{}), with(d, Conflict, low)
	out := []step{
		{"better", with(d, Observed, low), with(d, Observed, high), up},
		{"worse", with(d, Observed, high), with(d, Observed, low), down},
		{"equal", with(d, Observed, low), with(d, Observed, low), Same},
		{"observed, then unknown", with(d, Observed, high), unknown, Worse},
		{"observed, then conflict", with(d, Observed, high), conflict, Worse},
		{"observed, then claimed not applicable", with(d, Observed, high), with(d, NotApplicable, Value{}), Worse},
		{"unknown, then observed", unknown, with(d, Observed, low), Better},
		{"conflict, then observed", conflict, with(d, Observed, low), Better},
		{"unknown, then conflict", unknown, conflict, Sideways},
		{"unknown twice", unknown, unknown, Same},
		{"vanishes", with(d, Observed, high), without(d), Worse},
		{"appears", without(d), with(d, Observed, low), Better},
		{"appears unknown", without(d), unknown, Sideways},
		{"unknown, then vanishes", unknown, without(d), Sideways},
	}
	if d.Negative.IsSet() && d.Order != Neutral && d.Order != Identity {
		out = append(out, step{"observed at its best, then absent", with(d, Observed, high), with(d, Absent, d.Negative), Worse})
	}
	return out
}

// TestEveryFactWalks takes each declared fact through everything that can
// happen to it between two readings.
func TestEveryFactWalks(t *testing.T) {
	for _, d := range Defs() {
		address := Address(d.Signal, map[bool]string{true: "entry-1"}[d.Keyed], d.Field)
		t.Run(address, func(t *testing.T) {
			for _, s := range steps(d) {
				got := Same
				changes := Compare(s.before, s.after)
				if len(changes) > 1 {
					t.Fatalf("%s: %d changes of one fact", s.name, len(changes))
				}
				if len(changes) == 1 {
					got = changes[0].Direction
					if changes[0].Address != address {
						t.Errorf("%s: address %s", s.name, changes[0].Address)
					}
				}
				if got != s.want {
					t.Errorf("%s: %s, want %s", s.name, got, s.want)
				}
			}
		})
	}
}

// TestDeclarations holds the table itself to the protocol: no ages, no counts,
// every fact with an order, a validity, a meaning and values that fit.
func TestDeclarations(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Defs() {
		name := fmt.Sprint(d.Signal, ".", d.Field, " keyed ", d.Keyed)
		if seen[name] {
			t.Errorf("%s is declared twice", name)
		}
		seen[name] = true
		if d.Meaning == "" || d.Validity <= 0 || d.Order == "" || d.Kind == "" {
			t.Errorf("%s: %+v lacks something", name, d)
		}
		if d.Negative.IsSet() {
			if err := d.Negative.fits(d); err != nil {
				t.Errorf("%s: negative value: %v", name, err)
			}
		}
		if (d.Kind == Enum) != (len(d.Ranks) > 0) {
			t.Errorf("%s: words of a %s: %q", name, d.Kind, d.Ranks)
		}
		for order, kinds := range map[Order][]Kind{
			TrueIsBetter: {Boolean}, FalseIsBetter: {Boolean}, Ranked: {Enum}, LaterIsBetter: {Timestamp},
			HigherIsBetter: {Version}, LowerIsBetter: {Duration},
		} {
			if d.Order == order && d.Kind != kinds[0] {
				t.Errorf("%s: order %s of a %s", name, d.Order, d.Kind)
			}
		}
		low, high := pair(d)
		for _, v := range []Value{low, high} {
			r := with(d, Observed, v)
			if err := r.Validate(); err != nil {
				t.Errorf("%s: a good value is refused: %v", name, err)
			}
		}
		for _, bad := range []Value{{}, Str("\x01 no such word"), Bool(true)} {
			if d.Kind == Text && bad.IsSet() && !bad.isBool || d.Kind == Boolean && bad.isBool || d.Kind == Version && bad.s != "" {
				continue
			}
			r := with(d, Observed, bad)
			if err := r.Validate(); err == nil {
				t.Errorf("%s: %s was taken for a %s", name, bad, d.Kind)
			}
		}
	}
}

func TestDurations(t *testing.T) {
	for text, good := range map[string]bool{"0": true, "300": true, "-1": false, "": false, "5m": false, "99999999999999999999": false, "4294967297": false} {
		if _, ok := Str(text).AsDuration(); ok != good {
			t.Errorf("%q: %v", text, ok)
		}
	}
	if v, _ := Seconds(90*time.Second + 999*time.Millisecond).AsString(); v != "90" {
		t.Errorf("90.999 s became %q", v)
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("10.0.26100", "10.0.9")
	f.Add("6.1.0-56-cloud-amd64", "6.1.0-9-amd64")
	f.Add("1~rc1", "1")
	f.Fuzz(func(t *testing.T, a, b string) {
		if x, y := CompareVersions(a, b), CompareVersions(b, a); x != -y {
			t.Errorf("%q and %q: %d one way, %d the other", a, b, x, y)
		}
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q is not itself", a)
		}
	})
}
