package agent

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func inputs(files ...string) map[string]evidence.Inputs {
	return map[string]evidence.Inputs{fact.SignalOS: {Files: files, Firewall: true}}
}

// notice says that an input of a signal may have changed.
func (l *lab) notice(signal string) {
	l.watch.events <- watch.Event{Kind: signal, Cause: watch.CauseFile, At: l.clock.Boot()}
	synctest.Wait()
}

// What a signal stood on is watched, and its change has that signal alone read
// again, at once.
func TestOnlyWhatChangedIsReadAgain(t *testing.T) {
	inLab(t, func(l *lab) { l.posture.inputs = inputs("/etc/os-release") }, func(l *lab) {
		l.signIn(kim, "kim")
		l.pass(time.Second) // the first looks are over
		if !slices.Equal(l.watch.files, []string{"/etc/os-release"}) || !l.watch.filter {
			t.Fatalf("watched are %q, packet filter %v", l.watch.files, l.watch.filter)
		}
		system, products := l.posture.count(fact.SignalOS), l.posture.count(fact.SignalEDR)
		l.notice(fact.SignalOS)
		if n := l.posture.count(fact.SignalOS) - system; n != 1 {
			t.Errorf("read %d times, want once", n)
		}
		if n := l.posture.count(fact.SignalEDR) - products; n != 0 {
			t.Errorf("products read %d times for it", n)
		}
	})
}

// A change between the reading and the watch would go unnoticed, so the signal
// is read once more after its watch is set.
func TestChangeBetweenReadingAndWatching(t *testing.T) {
	inLab(t, func(l *lab) {
		l.posture.inputs = inputs("/etc/os-release")
		l.watch.filed = func() {
			l.posture.set(func() {
				l.posture.now.Signals[0].Facts = []fact.Fact{{Field: "version", Value: fact.Str("13.0")}}
			})
		}
	}, func(l *lab) {
		synctest.Wait()
		s, _ := l.posture.Last().Signal(fact.SignalOS)
		if f, _ := s.Find("", "version"); f.Value != fact.Str("13.0") {
			t.Errorf("version %s was kept", f.Value)
		}
	})
}

// A signal that hangs keeps no other from being read.
func TestSlowSignalDelaysNoOther(t *testing.T) {
	inLab(t, func(l *lab) { l.posture.inputs = inputs("/etc/os-release") }, func(l *lab) {
		l.signIn(kim, "kim")
		l.pass(time.Second)
		hang := make(chan struct{})
		l.posture.set(func() { l.posture.blocked = map[string]chan struct{}{fact.SignalOS: hang} })
		l.notice(fact.SignalOS)
		l.notice(fact.SignalOS) // waits
		l.runs(false)
		l.tell(watch.CauseExit)
		l.open("payroll")
		before := l.posture.count(fact.SignalOS)
		l.posture.set(func() { l.posture.blocked = nil })
		close(hang)
		synctest.Wait()
		if n := l.posture.count(fact.SignalOS) - before; n != 1 {
			t.Errorf("the notice that waited made %d readings, want one", n)
		}
	})
}

// The backstop reads every signal, watched or not, within 30 s.
func TestBackstopReadsEverySignal(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.pass(time.Second)
		for _, signal := range l.posture.Signals() {
			before := l.posture.count(signal)
			l.pass(backstop)
			if l.posture.count(signal) == before {
				t.Errorf("%s was not read within %v", signal, backstop)
			}
		}
	})
}

// A product that somebody declared is looked for often while it does not run,
// then less often; a shipped one that never ran is not looked for at all.
func TestHowOftenAMissingProductIsLookedFor(t *testing.T) {
	for origin, want := range map[string][2]int{fact.OriginUserSettings: {50, 5}, fact.OriginBuiltIn: {0, 0}} {
		t.Run(origin, func(t *testing.T) {
			inLab(t, func(l *lab) {
				l.posture.set(func() {
					l.posture.now = healthy(day, false)
					l.posture.now.Signals[1].Facts = append(l.posture.now.Signals[1].Facts, fact.Fact{Field: "origin", Key: "falcon", Value: fact.Str(origin)})
				})
			}, func(l *lab) {
				l.pass(10 * time.Second) // the first looks are over
				looked := func(d time.Duration) int {
					before := l.posture.count(fact.SignalEDR)
					l.pass(d)
					return l.posture.count(fact.SignalEDR) - before
				}
				soon := looked(time.Minute)
				l.pass(2 * time.Minute)
				late := looked(time.Minute)
				if soon < want[0] || late < want[1] || soon > want[0]+15 || late > want[1]+15 {
					t.Errorf("looked %d times in a minute, later %d; want about %v", soon, late, want)
				}
			})
		})
	}
}
