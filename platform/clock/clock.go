// Package clock tells the time since boot, sleep included, and fires timers by it.
//
// Everything that must end while nobody is watching (a lease, a nonce) counts
// on this clock and not on the wall clock, which a person can set, nor on Go's
// own monotonic time, which stands still while the machine sleeps.
package clock

import "time"

// Clock is a source of wall time and of boot time. All methods may be called
// from several goroutines.
type Clock interface {
	// Now returns the wall clock. It may jump in either direction.
	Now() time.Time
	// Boot returns the time since the machine was started, time asleep
	// included. It never goes back. Where the system cannot tell, it returns
	// the largest Duration, so that whatever waits for a moment is over.
	Boot() time.Duration
	// NewTimer returns a timer that fires once, when Boot() >= at; after a
	// sleep that passed over that moment it fires right after waking. A moment
	// already past fires at once.
	NewTimer(at time.Duration) Timer
}

// Timer fires once. A timer that is no longer wanted must be stopped.
type Timer interface {
	// C returns a channel that is closed when the timer fires, and never
	// before Boot() has reached the timer's moment.
	C() <-chan struct{}
	// Stop releases everything the timer holds and returns when that is done;
	// after it the timer does not fire. It may be called at any time, from any
	// goroutine and more than once.
	Stop()
}
