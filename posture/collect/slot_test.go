package collect

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

func TestHungCollectorDelaysNobodyAndIsNotStartedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		release := make(chan struct{})
		l.fire.set(func(context.Context, int) fact.Signal { // deaf to its context
			<-release
			return filter(day, true)
		})
		began := time.Now()
		report := l.Read(t.Context())
		if took := time.Since(began); took != time.Second {
			t.Errorf("the reading took %v, its deadline is 1 s", took)
		}
		if s := signal(t, report, fact.SignalFirewall); s.State != fact.Unknown || s.Reason != fact.ReasonTimeout {
			t.Errorf("the hung one: %+v", s)
		}
		if s := signal(t, report, fact.SignalEDR); s.State != fact.Observed {
			t.Errorf("the other one: %+v", s)
		}
		for range 20 {
			began := time.Now()
			l.Reread(t.Context(), fact.SignalFirewall)
			if time.Since(began) != 0 {
				t.Error("a reading waited for a collector that hangs")
			}
		}
		if l.fire.count() != 1 {
			t.Errorf("%d runs at a time", l.fire.count())
		}
		close(release)
		synctest.Wait()
		report, _ = l.Reread(t.Context(), fact.SignalFirewall)
		if s := signal(t, report, fact.SignalFirewall); s.State != fact.Observed || l.fire.count() != 2 {
			t.Errorf("after it came back, %d runs: %+v", l.fire.count(), s)
		}
	})
}

func TestSlowCollectorIsToldToEndAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		l.fire.set(func(ctx context.Context, run int) fact.Signal {
			if run == 1 {
				<-ctx.Done()
				return failed(fact.SignalFirewall, fact.ReasonTimeout)
			}
			return filter(day, true)
		})
		began := time.Now()
		if s := signal(t, l.Read(t.Context()), fact.SignalFirewall); s.State != fact.Observed {
			t.Errorf("signal %+v", s)
		}
		if took := time.Since(began); took >= time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestRunsOfOneSignalFollowEachOther(t *testing.T) {
	l := newLab()
	var at, most atomic.Int32
	l.fire.set(func(context.Context, int) fact.Signal {
		if n := at.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer at.Add(-1)
		return filter(day, true)
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				l.Reread(t.Context(), fact.SignalFirewall)
				l.Last()
				l.Expire()
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 || l.fire.count() != 160 {
		t.Errorf("%d at a time, %d runs", most.Load(), l.fire.count())
	}
}

func TestBadSignalsBecomeUnknown(t *testing.T) {
	tests := map[string]func(context.Context, int) fact.Signal{
		"panic":      func(context.Context, int) fact.Signal { panic("broken") },
		"no state":   func(context.Context, int) fact.Signal { return fact.Signal{ObservedAt: day} },
		"no reason":  func(context.Context, int) fact.Signal { return fact.Signal{State: fact.Unknown} },
		"wrong kind": func(context.Context, int) fact.Signal { return wrongKind() },
		"fact is twice": func(context.Context, int) fact.Signal {
			s := filter(day, true)
			s.Facts = append(s.Facts, s.Facts[0])
			return s
		},
		"bracket in key": func(context.Context, int) fact.Signal { return product(day, "a]", true) },
	}
	for name, reply := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab()
			l.fire.set(reply)
			if s := signal(t, l.Read(t.Context()), fact.SignalFirewall); s.State != fact.Unknown || s.Reason != fact.ReasonUnreadable {
				t.Errorf("signal %+v", s)
			}
		})
	}
}

func wrongKind() fact.Signal {
	s := filter(day, true)
	s.Facts[0].Value = fact.Str("yes")
	return s
}

func TestLongListIsCut(t *testing.T) {
	l := newLab()
	s := fact.Signal{State: fact.Observed, ObservedAt: day}
	for i := range 100 {
		s.Facts = append(s.Facts, fact.Fact{Field: "running", Key: fmt.Sprint("p", i), Value: fact.Bool(true)})
	}
	l.edr.answer(s)
	got := signal(t, l.Read(t.Context()), fact.SignalEDR)
	if len(got.Keys()) != fact.MaxEntries || !got.Truncated {
		t.Errorf("%d entries, truncated %v", len(got.Keys()), got.Truncated)
	}
}

func TestCancelledCallerGetsTheLastValues(t *testing.T) {
	l := newLab()
	l.Read(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, changes := l.Reread(ctx, fact.SignalFirewall)
	if s := signal(t, report, fact.SignalFirewall); s.State != fact.Observed || len(fact.Worsened(changes)) != 0 {
		t.Errorf("signal %+v, changes %v", s, changes)
	}
}

func TestReportIsACopy(t *testing.T) {
	l := newLab()
	r := l.Read(t.Context())
	r.Signals[0].Facts[0].Value = fact.Bool(false)
	if f, _ := signal(t, l.Last(), fact.SignalFirewall).Find("", "enabled"); f.Value != fact.Bool(true) {
		t.Error("writing to a report changed what is kept")
	}
}

// The real collectors on a machine that has nothing: every signal is there,
// valid, and none claims anything good.
func TestBuiltInCollectorsOnAnEmptyMachine(t *testing.T) {
	rows, err := observe.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, system := range []evidence.System{evidence.Linux, evidence.Windows, evidence.MacOS, "plan9"} {
		t.Run(string(system), func(t *testing.T) {
			c := New(Config{Machine: evidence.NewMemory(system, day), Catalogue: rows, Clock: clock.NewFake(day), Version: "1"})
			report := c.Read(t.Context())
			if err := report.Validate(); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{fact.SignalOS, fact.SignalPatch, fact.SignalDisk, fact.SignalFirewall, fact.SignalEDR} {
				s, ok := report.Signal(name)
				if !ok || s.State == fact.Observed {
					t.Errorf("%s: %+v", name, s)
				}
			}
		})
	}
}

// A caller who has no time leaves; the collector, which has, is not taken for
// one that hangs, and what it found is there for the next.
func TestImpatientCallerJustLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		l.Read(t.Context())
		l.fire.set(func(ctx context.Context, run int) fact.Signal {
			select {
			case <-time.After(300 * time.Millisecond):
				return filter(day, run != 2)
			case <-ctx.Done():
				return failed(fact.SignalFirewall, fact.ReasonTimeout)
			}
		})
		began := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		report, changes := l.Reread(short, fact.SignalFirewall)
		if took := time.Since(began); took != 100*time.Millisecond || len(changes) != 0 {
			t.Errorf("who has 100 ms waited for %v and was told of %v", took, changes)
		}
		if s := signal(t, report, fact.SignalFirewall); s.State != fact.Observed || !s.ObservedAt.Equal(day) {
			t.Errorf("who left early is told %+v", s)
		}
		// The next comes while it still reads: it waits for its turn and reads anew.
		report, changes = l.Reread(t.Context(), fact.SignalFirewall)
		if took := time.Since(began); took != 600*time.Millisecond || l.fire.count() != 3 {
			t.Errorf("the next took until %v, %d runs", took, l.fire.count())
		}
		if s := signal(t, report, fact.SignalFirewall); s.State != fact.Observed || len(changes) != 0 {
			t.Errorf("the next was told %+v, changes %v", s, changes)
		}
	})
}

// That something got worse is told even if who asked did not wait for it: the
// next who asks, for whichever signal, hears of it, and once.
func TestWhatNobodyWaitedForIsTold(t *testing.T) {
	for name, next := range map[string]func(lab, context.Context) []fact.Change{
		"reading": func(l lab, ctx context.Context) []fact.Change {
			_, changes := l.Reread(ctx, fact.SignalEDR)
			return changes
		},
		"reading that leaves early, too": func(l lab, ctx context.Context) []fact.Change {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, changes := l.Reread(ctx, fact.SignalFirewall)
			return changes
		},
		"expiry": func(l lab, _ context.Context) []fact.Change {
			_, changes := l.Expire()
			return changes
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab()
				l.Read(t.Context())
				l.fire.set(func(context.Context, int) fact.Signal {
					time.Sleep(300 * time.Millisecond) // deaf, and within its limit
					return filter(day, false)
				})
				short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if _, changes := l.Reread(short, fact.SignalFirewall); len(changes) != 0 {
					t.Errorf("who left early was told of %v", changes)
				}
				time.Sleep(time.Second)
				if s := signal(t, l.Last(), fact.SignalFirewall); !on(s) {
					t.Error("a change is in the report that nobody was told of")
				}
				if got := fact.Worsened(next(l, t.Context())); len(got) != 1 || got[0] != "firewall.enabled" {
					t.Errorf("worse is %v", got)
				}
				if s := signal(t, l.Last(), fact.SignalFirewall); on(s) {
					t.Error("what was found is not in the report")
				}
				if got := next(l, t.Context()); len(got) != 0 {
					t.Errorf("told again: %v", got)
				}
			})
		})
	}
}

func on(s fact.Signal) bool {
	f, _ := s.Find("", "enabled")
	v, _ := f.Value.AsBool()
	return v
}

// A collector hangs by its own limit only, however long or short the callers
// have; then nobody waits for it, and its late word counts for nothing.
func TestHangsByItsOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		l.Read(t.Context())
		release := make(chan struct{})
		l.fire.set(func(context.Context, int) fact.Signal {
			<-release
			return filter(day, false)
		})
		began := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		l.Reread(short, fact.SignalFirewall)
		l.Reread(t.Context(), fact.SignalFirewall)
		if took := time.Since(began); took != time.Second || l.fire.count() != 2 {
			t.Errorf("it was known to hang after %v, %d runs", took, l.fire.count())
		}
		l.fire.answer(filter(day, true))
		close(release)
		synctest.Wait()
		if _, changes := l.Reread(t.Context(), fact.SignalFirewall); len(changes) != 0 || l.fire.count() != 3 {
			t.Errorf("after it came back, %d runs, changes %v", l.fire.count(), changes)
		}
	})
}

// Callers of every patience at once: no run beside another, nobody waits longer
// than they wanted, and the last word is the newest reading.
func TestCallersOfEveryPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		var at, most atomic.Int32
		l.fire.set(func(ctx context.Context, run int) fact.Signal {
			most.Store(max(most.Load(), at.Add(1)))
			defer at.Add(-1)
			time.Sleep(time.Duration(run%7) * 50 * time.Millisecond)
			return filter(day, run%2 == 0)
		})
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				patience := time.Duration(i) * 25 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				began := time.Now()
				l.Reread(ctx, fact.SignalFirewall)
				if took := time.Since(began); took > patience {
					t.Errorf("who has %v waited for %v", patience, took)
				}
			})
		}
		wg.Wait()
		l.fire.answer(filter(day, true))
		report, _ := l.Reread(t.Context(), fact.SignalFirewall)
		if s := signal(t, report, fact.SignalFirewall); !on(s) || most.Load() != 1 {
			t.Errorf("%d runs at a time; the end is %+v", most.Load(), s)
		}
	})
}
