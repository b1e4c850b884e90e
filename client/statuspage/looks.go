package statuspage

import (
	"context"
	"sync"
	"time"
)

// looks remembers when somebody last looked at the page. Only who has a session
// counts: else any program that knocks would keep it alive.
type looks struct {
	mu   sync.Mutex
	now  int       // requests under way
	last time.Time // of the monotonic clock that time.Time carries
}

// begin is called when somebody looks; what it returns when that is over.
func (l *looks) begin() (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now--
		l.last = time.Now()
	}
}

// glance is a look that is over at once.
func (l *looks) glance() { l.begin()() }

// left is how long it is until nobody has looked for the idle time.
func (l *looks) left(idle time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now > 0 {
		return idle
	}
	return time.Until(l.last.Add(idle))
}

// watch calls end when nobody has looked for the idle time; 0 is never.
func (l *looks) watch(ctx context.Context, idle time.Duration, end func()) {
	if idle <= 0 {
		return
	}
	l.glance() // the time runs from now
	for ctx.Err() == nil {
		left := l.left(idle)
		if left <= 0 {
			end()
			return
		}
		pause(ctx, left)
	}
}

// pause waits, but no longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
