package clock

import (
	"sync"
	"time"
)

// Fake is a clock that moves only when told to: the in-memory twin of the
// system's clock, for tests.
type Fake struct {
	mu     sync.Mutex
	wall   time.Time
	boot   time.Duration
	timers map[*fakeTimer]struct{}
}

// NewFake returns a clock whose wall time is wall, on a machine that was
// started one hour before.
func NewFake(wall time.Time) *Fake {
	return &Fake{wall: wall, boot: time.Hour, timers: make(map[*fakeTimer]struct{})}
}

// Now returns the wall time as it was last moved or set.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

// Boot returns the boot time.
func (f *Fake) Boot() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.boot
}

// Advance moves wall and boot time on by d and fires every timer that is then
// due before it returns. A d below zero is taken as zero: boot time never goes
// back.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d = max(d, 0)
	f.wall = f.wall.Add(d)
	f.boot += d
	for t := range f.timers {
		if f.boot >= t.at {
			f.drop(t)
			close(t.fired)
		}
	}
}

// Sleep is a machine asleep for d. Boot time counts sleep, so it is Advance
// under the name that a test means.
func (f *Fake) Sleep(d time.Duration) { f.Advance(d) }

// SetWall sets the wall clock, as a person or a time server would, and nothing
// else.
func (f *Fake) SetWall(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = t
}

// Pending returns how many timers are neither fired nor stopped.
func (f *Fake) Pending() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.timers)
}

// NewTimer returns a timer that fires inside the Advance which reaches at.
func (f *Fake) NewTimer(at time.Duration) Timer {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &fakeTimer{clock: f, at: at, fired: make(chan struct{})}
	if f.boot >= at {
		close(t.fired)
		return t
	}
	f.timers[t] = struct{}{}
	return t
}

func (f *Fake) drop(t *fakeTimer) { delete(f.timers, t) }

type fakeTimer struct {
	clock *Fake
	at    time.Duration
	fired chan struct{}
}

func (t *fakeTimer) C() <-chan struct{} { return t.fired }

func (t *fakeTimer) Stop() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.clock.drop(t)
}
