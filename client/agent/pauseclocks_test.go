package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/platform/clock"
)

// reboot gives the machine a new start after it was off for d.
func (l *lab) reboot(off time.Duration) {
	now := l.clock.Now().Add(off)
	l.clock = clock.NewFake(now) // one hour after its start
	l.broker.set(func() { l.broker.clock = l.clock })
}

// The clocks, over a real restart each.
func TestPauseAndTheClocks(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(*lab)
		left      time.Duration
	}{
		"clock set back, agent restarted": {func(l *lab) {
			l.clock.Advance(time.Hour)
			l.clock.SetWall(l.clock.Now().Add(-24 * time.Hour))
		}, 3 * time.Hour},
		"clock set back, computer restarted": {func(l *lab) {
			l.reboot(0) // it has been running for an hour
			l.clock.SetWall(l.clock.Now().Add(-24 * time.Hour))
		}, 3 * time.Hour},
		"clock set ahead": {func(l *lab) {
			l.clock.SetWall(l.clock.Now().Add(90 * time.Minute))
		}, 150 * time.Minute},
		"clock set far ahead": {func(l *lab) { l.clock.SetWall(l.clock.Now().Add(24 * 365 * time.Hour)) }, 0},
		"computer restarted":  {func(l *lab) { l.reboot(2 * time.Hour) }, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, nil, func(l *lab) {
				l.clock.Advance(48 * time.Hour)
				synctest.Wait()
				l.signIn(ada, "ada")
				l.asks(4*time.Hour, "lunch")
				l.killed()
				c.meanwhile(l)
				l.begins()
				if c.left == 0 {
					l.open("payroll", "wiki")
					return
				}
				l.stillPaused("lunch", l.clock.Now().Add(c.left))
			})
		})
	}
}

// A clock that was behind when the agent started, and is put right, ends the
// pause when it was to end, not later.
func TestPauseFollowsAClockThatIsPutRight(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.clock.Advance(48 * time.Hour)
		synctest.Wait()
		l.signIn(ada, "ada")
		until := l.clock.Now().Add(4 * time.Hour)
		l.asks(4*time.Hour, "lunch")
		l.killed()
		l.reboot(time.Hour)
		right := l.clock.Now()
		l.clock.SetWall(day.Add(-365 * 24 * time.Hour)) // a battery is empty
		l.begins()
		l.stillPaused("lunch", l.clock.Now().Add(3*time.Hour))
		l.clock.SetWall(right)
		l.pass(time.Minute)
		l.stillPaused("lunch", until)
		l.killed() // and the note says so, too
		l.begins()
		l.stillPaused("lunch", until)
		l.clock.SetWall(until.Add(time.Minute))
		l.pass(time.Minute)
		l.open("payroll", "wiki")
	})
}

// While a pause goes on that the person began in this run, nothing but the boot
// clock counts.
func TestPauseOfThisRunHeedsNoWallClock(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.asks(4*time.Hour, "lunch")
		l.clock.SetWall(l.clock.Now().Add(24 * time.Hour))
		l.pass(2 * time.Minute)
		l.stillPaused("lunch", l.clock.Now().Add(4*time.Hour-2*time.Minute))
	})
}

// A clock that begins anew at each start prolongs a pause by little for each.
func TestPauseOnAMachineWithoutAClock(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.asks(4*time.Hour, "lunch")
		ran := time.Duration(0)
		for n := 0; ; n++ {
			if l.Status().Pause == nil {
				break
			}
			if ran > 4*time.Hour+time.Duration(n)*noteAgain {
				t.Fatalf("after %d starts and %v it goes on", n, ran)
			}
			for range 70 {
				l.clock.Advance(30 * time.Second)
				synctest.Wait()
			}
			ran += 35 * time.Minute
			l.killed()
			l.clock = clock.NewFake(day)
			l.broker.set(func() { l.broker.clock = l.clock })
			l.begins()
		}
		if ran == 0 {
			t.Error("there was no pause")
		}
	})
}
