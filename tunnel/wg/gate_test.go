package wg

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

type counted struct{ aborted atomic.Int32 }

func (c *counted) abort()                               { c.aborted.Add(1) }
func (c *counted) ends() (remote, local netip.AddrPort) { return }

func TestGateZeroValueIsShut(t *testing.T) {
	var g Gate
	if g.IsOpen() {
		t.Error("the zero value is open")
	}
	g.Shut()
	if g.IsOpen() {
		t.Error("open after Shut")
	}
}

func TestGateEndsOnlyItsPassage(t *testing.T) {
	var g Gate
	g.Open()
	first := g.passage()
	g.Open()
	if g.passage() != first {
		t.Fatal("opening an open gate began a new passage")
	}
	var before, after counted
	if err := first.admit(first.flows, &before, 1); err != nil {
		t.Fatal(err)
	}
	if err := first.admit(first.flows, &after, 1); !errors.Is(err, errTooManyFlows) {
		t.Errorf("beyond the limit: %v", err)
	}
	g.Shut()
	g.Shut()
	if n := before.aborted.Load(); n != 1 {
		t.Errorf("aborted %d times", n)
	}
	g.Open()
	if err := first.admit(first.flows, &after, 9); !errors.Is(err, ErrShut) {
		t.Errorf("a passage that is over admits: %v", err)
	}
	second := g.passage()
	if err := second.admit(second.flows, &after, 9); err != nil {
		t.Error(err)
	}
	if after.aborted.Load() != 0 {
		t.Error("a flow of the second passage ended with the first")
	}
}

// Whatever the order, a flow is either refused or aborted.
func TestGateShutRacesAdmit(t *testing.T) {
	for range 2000 {
		var g Gate
		g.Open()
		p := g.passage()
		var c counted
		var refused error
		var both sync.WaitGroup
		both.Go(func() { refused = p.admit(p.flows, &c, 1) })
		both.Go(g.Shut)
		both.Wait()
		if (refused == nil) != (c.aborted.Load() == 1) {
			t.Fatalf("admit: %v, aborted %d times", refused, c.aborted.Load())
		}
	}
}
