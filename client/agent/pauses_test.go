package agent

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// killed ends the agent as a power cut would: what it does to the disk on its
// way out has not happened.
func (l *lab) killed() {
	note := l.disk.held()
	l.stop()
	synctest.Wait()
	l.disk.set(func() {
		l.disk.note = nil
		if note != "" {
			l.disk.note = []byte(note)
		}
	})
	l.journal.take()
}

// begins starts the agent again.
func (l *lab) begins() {
	l.start()
	synctest.Wait()
}

func (l *lab) asks(d time.Duration, reason string) {
	l.t.Helper()
	l.journal.take() // of before
	if err := l.Pause(context.Background(), ada, localapi.PauseRequest{Reason: reason, ForMS: d.Milliseconds()}); err != nil {
		l.t.Fatal(err)
	}
	synctest.Wait()
}

// stillPaused wants everything closed, no key sent since the pause or the start
// of the agent, and this end.
func (l *lab) stillPaused(reason string, until time.Time) {
	l.t.Helper()
	st := l.Status()
	if st.State != localapi.StatePaused || st.Pause == nil {
		l.t.Fatalf("status %s, pause %+v", st.State, st.Pause)
	}
	if d := st.Pause.Until.Sub(until).Abs(); d > 10*time.Millisecond || st.Pause.Reason != reason {
		l.t.Errorf("paused until %s for %q, want %s, %q", st.Pause.Until, st.Pause.Reason, until, reason)
	}
	l.open()
	for _, line := range l.journal.take() {
		if strings.HasPrefix(line, "attest [p") || strings.HasPrefix(line, "attest [w") || strings.Contains(line, " open [p") || strings.Contains(line, " open [w") {
			l.t.Errorf("in a pause: %s", line)
		}
	}
}

func TestPauseHoldsOverARestart(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		until := l.clock.Now().Add(4 * time.Hour)
		l.asks(4*time.Hour, "lunch")
		since := l.Status().Pause.Since
		for range 3 { // and more than once
			l.killed()
			l.clock.Advance(time.Hour)
			sent := len(l.broker.attested())
			l.begins()
			if first := l.broker.attested()[sent]; first.Pause != "lunch" || len(first.Wanted) != 0 {
				t.Errorf("the broker hears first of %q, and of %v", first.Pause, first.Wanted)
			}
			lines := l.journal.take()
			if read, asked := slices.Index(lines, "disk read"), slices.Index(lines, "attest []"); read < 0 || asked < read {
				t.Errorf("asked before the note was read: %v", lines)
			}
			l.stillPaused("lunch", until)
			if st := l.Status(); st.Pause.Since.Sub(since).Abs() > 10*time.Millisecond {
				t.Errorf("since %s, it began %s", st.Pause.Since, since)
			}
			if a := l.app("wiki"); a.State != localapi.AppClosed || !slices.Equal(a.Reasons, []string{state.CausePaused}) {
				t.Errorf("wiki is %+v", a)
			}
			l.pass(10 * time.Second)
			l.stillPaused("lunch", until)
		}
		l.pass(until.Sub(l.clock.Now()) - time.Second)
		l.stillPaused("lunch", until)
		l.pass(3 * time.Second)
		l.open("payroll", "wiki")
		if note := l.disk.held(); note != "" {
			t.Errorf("after its end there is %s", note)
		}
	})
}

func TestPauseEndedWhileTheAgentDidNotRun(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.asks(time.Hour, "lunch")
		l.killed()
		l.clock.Advance(2 * time.Hour)
		l.begins()
		l.open("payroll", "wiki")
		if l.Status().Pause != nil || l.disk.held() != "" {
			t.Errorf("paused %+v, kept %s", l.Status().Pause, l.disk.held())
		}
	})
}

func TestResumeIsForGood(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.asks(time.Hour, "lunch")
		l.killed()
		l.begins()
		if err := l.Resume(context.Background(), ada); err != nil {
			t.Fatal(err)
		}
		if note := l.disk.held(); note != "" { // already when it returns
			t.Errorf("after resume there is %s", note)
		}
		synctest.Wait()
		l.clock.Advance(time.Second)
		synctest.Wait()
		l.open("payroll", "wiki")
		l.killed()
		l.begins()
		l.open("payroll", "wiki")
	})
}

func TestPauseGoesWithItsSession(t *testing.T) {
	for name, c := range map[string]func(*lab){
		"signed out": func(l *lab) {
			if err := l.SignOut(context.Background(), ada); err != nil {
				l.t.Fatal(err)
			}
		},
		"signed in again": func(l *lab) { l.signIn(ada, "ada") },
		"another person":  func(l *lab) { l.signIn(ada, "lee") },
		"the broker ended it": func(l *lab) {
			l.broker.say(api.EventSignedOut, api.Event{})
			synctest.Wait()
		},
		"killed, its session was lost": func(l *lab) {
			l.killed()
			l.broker.set(func() { l.broker.session.Refresh = "" })
			l.begins()
		},
		"killed, another person's session": func(l *lab) {
			l.killed()
			l.broker.set(func() { l.broker.session.Person.Subject = "lee" })
			l.begins()
			l.open("payroll", "wiki")
		},
		"killed, another user's session": func(l *lab) {
			l.killed()
			l.broker.set(func() { l.broker.session.Owner = ownerOf(bob) })
			l.begins()
			l.open("payroll", "wiki")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, nil, func(l *lab) {
				l.signIn(ada, "ada")
				l.asks(4*time.Hour, "lunch")
				if l.disk.held() == "" {
					t.Fatal("nothing was kept")
				}
				c(l)
				if st := l.Status(); st.Pause != nil || l.disk.held() != "" {
					t.Errorf("paused %+v, kept %s", st.Pause, l.disk.held())
				}
			})
		})
	}
}

// A pause that is stopped in order, and one that was prolonged, are kept as
// they are.
func TestPauseIsKeptAsItIs(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.asks(time.Hour, "lunch")
		l.asks(2*time.Hour, "and a walk")
		until := l.clock.Now().Add(2 * time.Hour)
		l.stop()
		l.journal.take()
		l.begins()
		l.stillPaused("and a walk", until)
		l.pass(30 * time.Minute)
		if l.disk.writes < 5 || l.disk.writes > 15 {
			t.Errorf("in half an hour the note was written %d times", l.disk.writes)
		}
		l.asks(3*time.Hour, "and a bath")
		l.stillPaused("and a bath", l.clock.Now().Add(3*time.Hour))
	})
}

func TestLimitsOfAPauseAreTheSocket(t *testing.T) {
	if state.MaxPause.Milliseconds() != localapi.MaxPauseMS || state.MaxPauseReason != localapi.MaxPauseReason {
		t.Error("a pause that may be asked for cannot be kept")
	}
}
