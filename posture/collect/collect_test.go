package collect

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

func TestNothingIsKnownBeforeTheFirstReading(t *testing.T) {
	l := newLab()
	s := signal(t, l.Last(), fact.SignalEDR)
	if s.State != fact.Unknown || s.Reason != fact.ReasonNotYetRead {
		t.Errorf("signal %+v", s)
	}
	l.Read(t.Context())
	if s := signal(t, l.Last(), fact.SignalEDR); s.State != fact.Observed || s.Collector != "edr@1" {
		t.Errorf("signal %+v", s)
	}
}

func TestRereadRunsOnlyWhatIsNamed(t *testing.T) {
	l := newLab()
	l.Read(t.Context())
	l.edr.answer(product(day, "a", false))
	l.fire.answer(filter(day, false))
	report, changes := l.Reread(t.Context(), fact.SignalEDR, "no-such-signal")
	if got := fact.Worsened(changes); !slices.Equal(got, []string{"edr[a].running"}) {
		t.Errorf("worse: %v", got)
	}
	if f, _ := signal(t, report, fact.SignalFirewall).Find("", "enabled"); f.Value != fact.Bool(true) || l.fire.count() != 1 {
		t.Error("the firewall was read again")
	}
	if _, changes := l.Reread(t.Context()); len(changes) != 0 {
		t.Errorf("naming nothing changed %v", changes)
	}
}

func TestTransientFailureIsRetriedOnceAtOnce(t *testing.T) {
	l := newLab()
	l.fire.set(func(_ context.Context, run int) fact.Signal {
		if run == 1 {
			return failed(fact.SignalFirewall, fact.ReasonBusy)
		}
		return filter(day, true)
	})
	if s := signal(t, l.Read(t.Context()), fact.SignalFirewall); s.State != fact.Observed || l.fire.count() != 2 {
		t.Errorf("after %d runs: %+v", l.fire.count(), s)
	}
	l.fire.answer(failed(fact.SignalFirewall, fact.ReasonNeedsPrivilege))
	l.Reread(t.Context(), fact.SignalFirewall)
	if l.fire.count() != 3 {
		t.Errorf("a definitive failure was tried again: %d runs", l.fire.count())
	}
}

// The last value stands with its true time until its validity ends.
func TestValueStandsThroughTransientFailures(t *testing.T) {
	l := newLab()
	l.Read(t.Context())
	l.fire.answer(failed(fact.SignalFirewall, fact.ReasonTimeout))

	l.clock.Advance(59 * time.Second)
	report, changes := l.Reread(t.Context(), fact.SignalFirewall)
	s := signal(t, report, fact.SignalFirewall)
	if len(changes) != 0 || s.State != fact.Observed || !s.ObservedAt.Equal(day) || s.Source != "test" {
		t.Errorf("after 59 s: changes %v, signal %+v", changes, s)
	}
	if at, ok := l.NextExpiry(); !ok || at-l.clock.Boot() != time.Second {
		t.Errorf("expires at %v, %v; now %v", at, ok, l.clock.Boot())
	}
	if _, changes := l.Expire(); len(changes) != 0 {
		t.Errorf("expired early: %v", changes)
	}

	l.clock.Advance(time.Second)
	report, changes = l.Expire()
	if got := fact.Worsened(changes); !slices.Equal(got, []string{"firewall.enabled"}) {
		t.Errorf("worse: %v", got)
	}
	if state, why := stateOf(t, report, fact.SignalFirewall, "", "enabled"); state != fact.Unknown || why != fact.ReasonStale {
		t.Errorf("after 60 s: %s, %s", state, why)
	}
	if s := signal(t, report, fact.SignalFirewall); s.State != fact.Unknown {
		t.Errorf("signal %+v", s)
	}
	if _, ok := l.NextExpiry(); ok {
		t.Error("something is left to expire")
	}

	l.fire.answer(filter(day.Add(time.Minute), true))
	_, changes = l.Reread(t.Context(), fact.SignalFirewall)
	if len(changes) != 1 || changes[0].Direction != fact.Better {
		t.Errorf("recovery: %+v", changes)
	}
}

func TestFailureAfterTheValidityCountsAtOnce(t *testing.T) {
	l := newLab()
	l.Read(t.Context())
	l.fire.answer(failed(fact.SignalFirewall, fact.ReasonTimeout))
	l.clock.Sleep(time.Hour) // asleep counts
	report, changes := l.Reread(t.Context(), fact.SignalFirewall)
	if got := fact.Worsened(changes); !slices.Equal(got, []string{"firewall.enabled"}) {
		t.Errorf("worse: %v", got)
	}
	if state, why := stateOf(t, report, fact.SignalFirewall, "", "enabled"); state != fact.Unknown || why != fact.ReasonTimeout {
		t.Errorf("%s, %s", state, why)
	}
}

// A failure that repeats must not make a value live longer.
func TestFailuresDoNotProlongAValue(t *testing.T) {
	l := newLab()
	l.Read(t.Context())
	l.fire.answer(failed(fact.SignalFirewall, fact.ReasonBusy))
	var report fact.Report
	for range 7 {
		l.clock.Advance(10 * time.Second)
		report, _ = l.Reread(t.Context(), fact.SignalFirewall)
	}
	if state, _ := stateOf(t, report, fact.SignalFirewall, "", "enabled"); state != fact.Unknown {
		t.Errorf("after 70 s of failures: %s", state)
	}
}

func TestDefinitiveFailureAndDisappearanceCountAtOnce(t *testing.T) {
	for _, why := range []fact.Reason{fact.ReasonNeedsPrivilege, fact.ReasonToolMissing, fact.ReasonUnreadable} {
		l := newLab()
		l.Read(t.Context())
		l.fire.answer(failed(fact.SignalFirewall, why))
		if _, changes := l.Reread(t.Context(), fact.SignalFirewall); !slices.Equal(fact.Worsened(changes), []string{"firewall.enabled"}) {
			t.Errorf("%s: %+v", why, changes)
		}
	}
	l := newLab()
	l.Read(t.Context())
	l.edr.answer(fact.Signal{State: fact.Absent, Reason: fact.ReasonNotFound, ObservedAt: day})
	_, changes := l.Reread(t.Context(), fact.SignalEDR)
	if got := fact.Worsened(changes); !slices.Equal(got, []string{"edr[a].installed", "edr[a].running"}) {
		t.Errorf("uninstalled: %v", got)
	}
}

// Of one signal some facts may fail and others not.
func TestFactsStandOneByOne(t *testing.T) {
	l := newLab()
	l.Read(t.Context())
	later := day.Add(30 * time.Second)
	l.edr.answer(fact.Signal{State: fact.Unknown, Reason: fact.ReasonBusy, ObservedAt: later, Facts: []fact.Fact{
		{Field: "installed", Key: "a", State: fact.Observed, Value: fact.Bool(true)},
		{Field: "running", Key: "a"},
	}})
	l.clock.Advance(30 * time.Second)
	report, changes := l.Reread(t.Context(), fact.SignalEDR)
	s := signal(t, report, fact.SignalEDR)
	if len(changes) != 0 || s.State != fact.Observed || !s.ObservedAt.Equal(day) {
		t.Errorf("changes %v, signal %+v", changes, s)
	}
	l.clock.Advance(30 * time.Second)
	report, changes = l.Expire()
	if got := fact.Worsened(changes); !slices.Equal(got, []string{"edr[a].running"}) {
		t.Errorf("worse: %v, only one fact was held", got)
	}
	if state, _ := stateOf(t, report, fact.SignalEDR, "a", "installed"); state != fact.Observed {
		t.Errorf("the fact that was read is %s", state)
	}
}

func TestAbsentStandsToo(t *testing.T) {
	l := newLab()
	l.edr.answer(fact.Signal{State: fact.Absent, Reason: fact.ReasonNotFound, ObservedAt: day})
	l.Read(t.Context())
	l.edr.answer(failed(fact.SignalEDR, fact.ReasonTimeout))
	report, _ := l.Reread(t.Context(), fact.SignalEDR)
	if s := signal(t, report, fact.SignalEDR); s.State != fact.Absent {
		t.Errorf("signal %+v", s)
	}
	l.clock.Advance(time.Minute)
	report, _ = l.Expire()
	if s := signal(t, report, fact.SignalEDR); s.State != fact.Unknown || s.Reason != fact.ReasonStale {
		t.Errorf("signal %+v", s)
	}
}
