package clock

import (
	"errors"
	"math"
	"os"
	"runtime"
	"testing"
	"time"
)

// conform is the contract of every Clock. pass lets at least d go by on it.
func conform(t *testing.T, c Clock, pass func(d time.Duration)) {
	fired := func(tm Timer) bool {
		select {
		case <-tm.C():
			return true
		default:
			return false
		}
	}
	within := func(t *testing.T, tm Timer) {
		t.Helper()
		select {
		case <-tm.C():
		case <-time.After(10 * time.Second):
			t.Fatal("the timer did not fire")
		}
	}
	t.Run("boot time moves on and never back", func(t *testing.T) {
		before := c.Boot()
		pass(5 * time.Millisecond)
		after := c.Boot()
		if after < before+5*time.Millisecond {
			t.Errorf("boot went from %v to %v", before, after)
		}
		for last := after; last < after+time.Microsecond; {
			now := c.Boot()
			if now < last {
				t.Fatalf("boot went back from %v to %v", last, now)
			}
			last = now
			pass(time.Microsecond)
		}
	})
	t.Run("a moment in the past fires at once", func(t *testing.T) {
		for _, at := range []time.Duration{math.MinInt64, -1, 0, c.Boot()} {
			tm := c.NewTimer(at)
			if !fired(tm) {
				t.Errorf("NewTimer(%v) at boot %v had not fired on return", at, c.Boot())
			}
			tm.Stop()
			tm.Stop()
		}
	})
	t.Run("fires when due, not before, in order", func(t *testing.T) {
		start := c.Boot()
		early, late := c.NewTimer(start+20*time.Millisecond), c.NewTimer(start+60*time.Millisecond)
		defer early.Stop()
		defer late.Stop()
		if fired(early) && c.Boot() < start+20*time.Millisecond {
			t.Fatal("fired before it was due")
		}
		pass(20 * time.Millisecond)
		within(t, early)
		if got := c.Boot(); got < start+20*time.Millisecond {
			t.Errorf("fired at %v, due at %v", got, start+20*time.Millisecond)
		}
		pass(40 * time.Millisecond)
		within(t, late)
		if got := c.Boot(); got < start+60*time.Millisecond {
			t.Errorf("fired at %v, due at %v", got, start+60*time.Millisecond)
		}
		if !fired(early) {
			t.Error("a fired timer must stay fired")
		}
	})
	t.Run("a stopped timer does not fire", func(t *testing.T) {
		at := c.Boot() + 50*time.Millisecond
		stopped, witness := c.NewTimer(at), c.NewTimer(at+20*time.Millisecond)
		defer witness.Stop()
		stopped.Stop()
		if fired(stopped) {
			// Only a machine too slow to get here within 50 ms may excuse it.
			if c.Boot() < at {
				t.Fatal("fired before it was due")
			}
			return
		}
		pass(70 * time.Millisecond)
		within(t, witness)
		if fired(stopped) {
			t.Error("fired after Stop")
		}
		stopped.Stop()
	})
	t.Run("stop while others stop and wait", func(t *testing.T) {
		tm := c.NewTimer(c.Boot() + time.Hour)
		done := make(chan struct{})
		for range 8 {
			go func() { tm.Stop(); done <- struct{}{} }()
		}
		for range 8 {
			<-done
		}
		if fired(tm) {
			t.Error("fired an hour early")
		}
	})
	t.Run("the far future does not overflow", func(t *testing.T) {
		tm := c.NewTimer(math.MaxInt64)
		if fired(tm) {
			t.Error("fired centuries early")
		}
		tm.Stop()
	})
}

func TestConformance(t *testing.T) {
	t.Run("system", func(t *testing.T) {
		conform(t, System(), func(d time.Duration) { <-time.After(d) })
	})
	t.Run("rechecking", func(t *testing.T) { // what macOS and Windows do
		conform(t, &system{read: newSystem().read}, func(d time.Duration) { <-time.After(d) })
	})
	t.Run("fake", func(t *testing.T) {
		f := NewFake(time.Unix(1_800_000_000, 0))
		conform(t, f, f.Advance)
		if n := f.Pending(); n != 0 {
			t.Errorf("%d timers left behind", n)
		}
	})
}

func TestTimerIsPrompt(t *testing.T) {
	c := System()
	at := c.Boot() + 30*time.Millisecond
	tm := c.NewTimer(at)
	defer tm.Stop()
	<-tm.C()
	// The bound for every system; a timerfd is some thousand times better.
	if late := c.Boot() - at; late > 2*recheck {
		t.Errorf("fired %v late", late)
	}
}

func TestNoTimeMeansTimeIsUp(t *testing.T) {
	c := &system{read: func() (time.Duration, error) { return 0, errors.New("no clock") }}
	tm := c.NewTimer(time.Hour)
	defer tm.Stop()
	select {
	case <-tm.C():
	default:
		t.Error("a timer on a clock that cannot be read must be over")
	}
}

func TestNoSystemTimerStillFires(t *testing.T) {
	c := newSystem()
	c.arm = func(time.Duration) (func(), func(), error) { return nil, nil, errors.New("too many open files") }
	tm := c.NewTimer(c.Boot() + 20*time.Millisecond)
	defer tm.Stop()
	select {
	case <-tm.C():
	case <-time.After(10 * time.Second):
		t.Error("did not fire without a system timer")
	}
}

// TestJumpFires is a sleep as the rechecking systems see it: the boot clock
// jumps ahead between two looks at it.
func TestJumpFires(t *testing.T) {
	jump := make(chan struct{})
	looked := make(chan struct{}, 100)
	c := &system{read: func() (time.Duration, error) {
		select {
		case looked <- struct{}{}:
		default:
		}
		select {
		case <-jump:
			return 9 * time.Hour, nil
		default:
			return time.Hour, nil
		}
	}}
	tm := c.NewTimer(2 * time.Hour)
	defer tm.Stop()
	<-looked
	<-looked // once on creation, once in the timer itself
	close(jump)
	woke := time.Now()
	select {
	case <-tm.C():
		if late := time.Since(woke); late > 2*recheck {
			t.Errorf("fired %v after waking", late)
		}
	case <-time.After(10 * time.Second):
		t.Error("did not fire after a jump")
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts descriptors in /proc/self/fd")
	}
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	c := System()
	warm := c.NewTimer(c.Boot() + time.Hour) // the poller's own descriptors
	warm.Stop()
	before := open()
	goroutines := runtime.NumGoroutine()
	var stopped []Timer
	for range 100 {
		stopped = append(stopped, c.NewTimer(c.Boot()+time.Hour))
	}
	if during := open(); during < before+100 {
		t.Errorf("%d descriptors before, %d during: the timers are not timerfds", before, during)
	}
	for _, tm := range stopped {
		tm.Stop()
	}
	for range 50 {
		tm := c.NewTimer(c.Boot() + time.Millisecond)
		<-tm.C() // nothing to stop once fired
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if after := runtime.NumGoroutine(); after > goroutines+1 { // the last may be on its way out
		t.Errorf("%d goroutines before, %d after", goroutines, after)
	}
}

func TestFakeWall(t *testing.T) {
	wall := time.Unix(1_800_000_000, 0)
	f := NewFake(wall)
	tm := f.NewTimer(f.Boot() + time.Minute)
	boot := f.Boot()
	f.SetWall(wall.Add(-time.Hour))
	if f.Boot() != boot {
		t.Error("setting the wall clock moved boot time")
	}
	f.SetWall(wall.Add(48 * time.Hour))
	select {
	case <-tm.C():
		t.Error("setting the wall clock fired a timer")
	default:
	}
	f.Advance(-time.Hour)
	if f.Boot() != boot {
		t.Error("boot time went back")
	}
	f.Sleep(time.Minute)
	select {
	case <-tm.C():
	default:
		t.Error("the timer had not fired when Sleep returned")
	}
	if got, want := f.Now(), wall.Add(48*time.Hour+time.Minute); !got.Equal(want) {
		t.Errorf("wall time is %v, want %v", got, want)
	}
}
