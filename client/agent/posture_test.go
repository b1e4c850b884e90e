package agent

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// A process that ends between being listed and being read is noticed.
func TestEndBetweenWatchingAndReading(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.watch.mu.Lock()
		l.watch.then = func() { l.posture.set(func() { l.posture.now = healthy(day, false) }) }
		l.watch.mu.Unlock()
		l.tell(watch.CauseReplaced)
		l.open("payroll")
	})
}

// A process that starts between being listed and being read is known to run
// and therefore watched: otherwise its end would go unnoticed.
func TestStartBetweenListingAndReading(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(kim, "kim")
		l.runs(false)
		l.tell(watch.CauseExit)
		l.pass(2 * time.Second)
		l.watch.mu.Lock()
		l.watch.then = func() { l.runs(true) }
		l.watch.mu.Unlock()
		l.tell(watch.CauseReplaced)
		if got := l.watch.watched(); !slices.Equal(got, []int{8}) {
			t.Errorf("watched are processes %v, want the one that runs", got)
		}
		l.open("payroll", "wiki")
	})
}

// An end is read before anything else is done about it.
func TestEndIsReadFirst(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.pass(time.Second) // the first looks are over
		before, atWatch := l.posture.count(fact.SignalEDR), 0
		l.watch.mu.Lock()
		l.watch.then = func() { atWatch = l.posture.count(fact.SignalEDR) }
		l.watch.mu.Unlock()
		l.tell(watch.CauseExit)
		if atWatch != before+1 || l.posture.count(fact.SignalEDR) != before+2 {
			t.Errorf("read %d times before watching, %d in all", atWatch-before, l.posture.count(fact.SignalEDR)-before)
		}
	})
}

func TestProductsBehindLinksAreWatched(t *testing.T) {
	inLab(t, func(l *lab) {
		l.files.SetLink("/opt/falcon", "../srv/falcon-7")
		l.files.SetLink("/srv/falcon-7/sensor", "bin/sensor17")
		l.files.SetProcesses(
			evidence.Process{PID: 7, Executable: "/srv/falcon-7/bin/sensor17"},
			evidence.Process{PID: 8, Executable: "/srv/falcon-7/bin/sensor17", Deleted: true},
			evidence.Process{PID: 9, Executable: "/srv/falcon-7/bin/other"})
	}, func(l *lab) {
		if !slices.Equal(l.watch.watched(), []int{7}) || !slices.Equal(l.watch.paths, []string{falcon}) {
			t.Errorf("watched are processes %v and %v", l.watch.watched(), l.watch.paths)
		}
	})
}

// Without events, or when they end, the polls do alone and do not spin.
func TestWatcherThatEnds(t *testing.T) {
	for name, prepare := range map[string]func(*lab){"none": func(l *lab) { l.watch = nil }, "ends": nil} {
		t.Run(name, func(t *testing.T) {
			inLab(t, prepare, func(l *lab) {
				l.signIn(kim, "kim")
				if l.watch != nil {
					close(l.watch.events)
					synctest.Wait()
				}
				l.pass(time.Second) // the first looks are over
				before := l.posture.count(fact.SignalEDR)
				l.runs(false)
				l.pass(backstop)
				l.open("payroll")
				if n := l.posture.count(fact.SignalEDR) - before; n > 40 {
					t.Errorf("looked %d times", n)
				}
			})
		})
	}
}

func TestValueThatRunsOutIsWorse(t *testing.T) {
	inLab(t, func(l *lab) { l.posture.expiry = l.clock.Boot() + 10*time.Second }, func(l *lab) {
		l.signIn(kim, "kim")
		l.pass(2 * time.Second) // the first looks are over
		l.runs(false)           // what Expire will say
		l.pass(7900 * time.Millisecond)
		l.open("payroll", "wiki")
		l.pass(100 * time.Millisecond)
		l.open("payroll")
	})
}

func TestEventStream(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		if l.broker.streams != 0 {
			t.Error("listens though nobody is signed in")
		}
		l.broker.set(func() { l.broker.onEvents = func(context.Context) error { return errDown } })
		l.signIn(kim, "kim")
		l.pass(10 * time.Second)
		n := hook(l.broker, &l.broker.streams)
		if n < 4 || n > 12 {
			t.Errorf("%d attempts in 10 s", n)
		}
		l.broker.set(func() { l.broker.onEvents = nil })
		l.pass(11 * time.Second)
		l.journal.take()
		l.broker.say(api.EventLeaseRevoked, api.Event{Lease: "lease-wiki"})
		synctest.Wait()
		l.happens("uid:1 open [payroll]", "attest [payroll wiki]", "uid:1 open [payroll wiki]")
		if r := l.Status().LastRevocation; r == nil || r.Cause != api.CauseRevoked || r.App != "wiki" {
			t.Errorf("revocation %+v", r)
		}
		l.broker.say(api.EventSignedOut, api.Event{})
		synctest.Wait()
		if s := l.Status(); s.State != localapi.StateSignedOut {
			t.Errorf("state %s", s.State)
		}
		n = hook(l.broker, &l.broker.streams)
		l.pass(time.Minute)
		if now := hook(l.broker, &l.broker.streams); now != n {
			t.Errorf("%d streams though nobody is signed in", now-n)
		}
	})
}

// A stream that is refused because the session is over is a reason to ask.
func TestRefusedStreamAsksAtOnce(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.broker.set(func() {
			l.broker.onEvents = func(context.Context) error { return &apiclient.Rejected{Code: api.CodeSignedOut} }
			l.broker.onAttest = func(_ context.Context, n int, usual func() api.Answer) (api.Answer, error) {
				if n > 2 {
					return api.Answer{}, &apiclient.Rejected{Code: api.CodeSignedOut}
				}
				return usual(), nil
			}
		})
		l.signIn(kim, "kim")
		l.pass(2 * time.Second)
		l.open()
		if s := l.Status(); s.State != localapi.StateSignedOut {
			t.Errorf("state %s", s.State)
		}
	})
}
