package statuspage

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/ipc"
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

// ownUser is a listener that hangs up on other users of this computer, where
// the system says who calls. Where it does not, the token stands alone.
type ownUser struct {
	net.Listener
	self ipc.Peer
}

func (l *ownUser) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.admits(c) {
			return c, nil
		}
		c.Close()
	}
}

func (l *ownUser) admits(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	who, err := ipc.LoopbackOwner(tcp)
	if err != nil {
		return errors.Is(err, errors.ErrUnsupported)
	}
	return who.Same(l.self)
}
