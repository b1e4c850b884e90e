package server

import "sync"

// locks is one mutex per session, so that deciding about a session and telling
// the gateway is one step: an older decision can never overtake a newer one.
type locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	sync.Mutex
	users int
}

func newLocks() *locks { return &locks{held: map[string]*lock{}} }

// lock waits for the session and returns what releases it.
func (l *locks) lock(session string) (unlock func()) {
	l.mu.Lock()
	k := l.held[session]
	if k == nil {
		k = &lock{}
		l.held[session] = k
	}
	k.users++
	l.mu.Unlock()
	k.Lock()
	return func() {
		k.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, session)
		}
	}
}
