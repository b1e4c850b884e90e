package clock

import (
	"math"
	"sync"
	"time"
)

// recheck bounds how late a timer can be where the system offers no timer that
// counts sleep: Go's own timers stand still while asleep, so the boot clock is
// read again this often.
const recheck = 250 * time.Millisecond

// system is the machine's own clock.
type system struct {
	// read returns the time since boot, sleep included.
	read func() (time.Duration, error)
	// arm, if not nil, asks the system for a timer on the boot clock. wait
	// returns when it is due or cancelled; cancel may be called twice.
	arm func(at time.Duration) (wait, cancel func(), err error)
}

// System returns the machine's own clock.
//
// Linux reads CLOCK_BOOTTIME (clock_gettime(2)) and waits on one timerfd per
// timer (timerfd_create(2)). macOS reads CLOCK_MONOTONIC_RAW, which is
// mach_continuous_time and counts sleep (clock_gettime(3), <mach/mach_time.h>);
// Windows reads QueryInterruptTime, "biased" by time in sleep and hibernation
// (learn.microsoft.com/windows/win32/sysinfo/interrupt-time). On these two a
// timer reads the clock again every 250 ms and so may be that late on waking.
func System() Clock { return newSystem() }

func (s *system) Now() time.Time { return time.Now() }

func (s *system) Boot() time.Duration {
	d, err := s.read()
	if err != nil {
		// Time that cannot be told has run out: what waits for it must end.
		return math.MaxInt64
	}
	return d
}

func (s *system) NewTimer(at time.Duration) Timer {
	t := &timer{fired: make(chan struct{}), done: make(chan struct{}), quit: make(chan struct{})}
	if s.Boot() >= at {
		close(t.fired)
		close(t.done)
		return t
	}
	var wait func()
	if s.arm != nil {
		// Without a system timer (out of file descriptors) the timer still
		// fires: it reads the clock again and again.
		if w, cancel, err := s.arm(at); err == nil {
			wait, t.cancel = w, cancel
		}
	}
	go t.run(at, s.Boot, wait) // ends on firing or Stop, which waits for it
	return t
}

// timer is one timer of the system's clock.
type timer struct {
	fired  chan struct{} // closed on firing
	done   chan struct{} // closed when everything is released
	quit   chan struct{} // closed by Stop
	once   sync.Once
	cancel func() // nil without a system timer
}

func (t *timer) C() <-chan struct{} { return t.fired }

func (t *timer) Stop() {
	t.once.Do(func() {
		close(t.quit)
		if t.cancel != nil {
			t.cancel()
		}
	})
	<-t.done
}

// run waits on the system's timer, if there is one, and then trusts nothing
// but the clock itself.
func (t *timer) run(at time.Duration, boot func() time.Duration, wait func()) {
	defer close(t.done)
	if wait != nil {
		wait()
		t.cancel()
	}
	for {
		select {
		case <-t.quit:
			return
		default:
		}
		left := at - boot()
		if left <= 0 {
			close(t.fired)
			return
		}
		select {
		case <-t.quit:
			return
		case <-time.After(min(left, recheck)):
		}
	}
}
