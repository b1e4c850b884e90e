package edr

import (
	"slices"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Every reader that the catalogue may name is there for a system, every one
// that is there may be named, and each tells only facts that exist.
func TestReaders(t *testing.T) {
	systems := []evidence.System{evidence.Linux, evidence.MacOS, evidence.Windows}
	for _, status := range observe.Readers() {
		there := false
		for _, sys := range systems {
			r, ok := readerFor(status, sys)
			there = there || ok
			for _, field := range r.fields {
				if _, known := fact.Lookup(fact.SignalEDR, field, true); !known {
					t.Errorf("%s on %s tells %s, which is no fact", status, sys, field)
				}
			}
		}
		if !there {
			t.Errorf("no system has the reader %s", status)
		}
	}
	for _, readers := range []map[string]reader{linuxReaders(), macReaders(), windowsReaders()} {
		for status := range readers {
			if !slices.Contains(observe.Readers(), status) {
				t.Errorf("the catalogue cannot name %s", status)
			}
		}
	}
}

// A version is two numbers at least; a word in its place is none.
func TestIsVersion(t *testing.T) {
	for s, want := range map[string]bool{
		"7.14.16703.0": true, "7.30": true, "4.14.5-rc1": true, "25.1.4.434+8d4abf01": true,
		"7.x.x": false, "": false, "7": false, "7.": false, "v7.1": false, "1.2 3": false, "unknown": false,
	} {
		if isVersion(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func TestBetter(t *testing.T) {
	// From worst to best: of two places the better answer counts.
	order := []verdict{{}, no(fact.ReasonNotFound), odd(fact.ReasonOddOwner), unsure(fact.ReasonTimeout), clash("a", "b"), yes()}
	for i, a := range order {
		for j, b := range order {
			if got := better(a, b); got != order[max(i, j)] {
				t.Errorf("better(%+v, %+v) is %+v", a, b, got)
			}
		}
	}
}
