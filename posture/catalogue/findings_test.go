package catalogue

import (
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

// judged are the orders in which one value is plainly better than another.
func judged(d fact.Def) bool {
	return slices.Contains([]fact.Order{fact.TrueIsBetter, fact.FalseIsBetter, fact.Ranked}, d.Order)
}

// TestFindings holds the findings against the facts, both ways.
func TestFindings(t *testing.T) {
	all := Findings()
	if len(all) == 0 {
		t.Fatal("findings.json does not parse")
	}
	seen := map[string]bool{}
	for _, f := range all {
		if seen[f.Fact] {
			t.Errorf("%s is there twice", f.Fact)
		}
		seen[f.Fact] = true
		for _, s := range []string{f.Good, f.Bad} {
			if !strings.HasSuffix(s, ".") || len(s) > 120 {
				t.Errorf("%s: %q is not one short sentence", f.Fact, s)
			}
		}
		if _, ok := FindingOf(f.Under); f.Under != "" && (!ok || f.Under == f.Fact) {
			t.Errorf("%s: lies under %s, which is no finding", f.Fact, f.Under)
		}
		if f.Fix == (Fix{}) {
			t.Errorf("%s: nothing is said of how to fix it", f.Fact)
		}
	}
	for _, d := range fact.Defs() {
		key := map[bool]string{true: "*"}[d.Keyed]
		a := fact.Address(d.Signal, key, d.Field)
		if seen[a] != judged(d) {
			t.Errorf("%s has order %s; finding: %v", a, d.Order, seen[a])
		}
		delete(seen, a)
		f, ok := FindingOf(fact.Address(d.Signal, map[bool]string{true: "some-key"}[d.Keyed], d.Field))
		if !ok {
			continue
		}
		for _, w := range f.Worst {
			if !slices.Contains(d.Ranks, w) {
				t.Errorf("%s: no word %q", a, w)
			}
		}
		if d.Order == fact.Ranked && (!f.IsBad(fact.Str(d.Ranks[0])) || f.IsBad(fact.Str(d.Ranks[len(d.Ranks)-1]))) {
			t.Errorf("%s: the worst word must be bad and the best must not", a)
		}
		if d.Kind == fact.Boolean && f.IsBad(fact.Bool(d.Order == fact.TrueIsBetter)) {
			t.Errorf("%s: the better value is bad", a)
		}
	}
	for a := range seen {
		t.Errorf("%s is no fact", a)
	}
}

func TestCovered(t *testing.T) {
	s := fact.Signal{Name: fact.SignalEDR, State: fact.Observed, Facts: []fact.Fact{
		{Key: "a", Field: "installed", Value: fact.Bool(false)}, {Key: "a", Field: "running", Value: fact.Bool(false)},
		{Key: "a", Field: "healthy", Value: fact.Bool(false)}, {Key: "b", Field: "installed", Value: fact.Bool(true)},
		{Key: "b", Field: "running", Value: fact.Bool(false)}}}
	for address, want := range map[string]bool{"edr[a].installed": false, "edr[a].running": true, "edr[a].healthy": true, "edr[b].running": false} {
		f, _ := FindingOf(address)
		_, key, _, _ := fact.SplitAddress(address)
		if f.Covered(s, key) != want {
			t.Errorf("%s covered: %v", address, !want)
		}
	}
}
