package localserver

import (
	"context"
	"net"
	"sync"

	"github.com/postern-zt/postern/platform/ipc"
)

const (
	// mostConns is the most connections that are held at a time, by all users
	// together; a waiting one costs about 25 KiB. One user gets half of them.
	mostConns = 4096
	// fewConns is how many a service, or all who are unknown together, may hold:
	// they may ask for the version and nothing else.
	fewConns = 16
	// keptConns is how many the session's owner, and an administrator, may hold
	// though the budget is used up: somebody with many user ids (subuid(5) gives
	// each user 65,536) must not keep them from reading and stopping.
	keptConns = 16
	// leastDescriptors is what POSIX systems give a process at the least that
	// this runs on (macOS, launchd.plist(5): 256).
	leastDescriptors = 256
)

// connBudget is how many connections the local socket may hold of so many
// descriptors that the process may have open: half of them, the other half is
// for tunnels, the broker and reading the machine.
func connBudget(descriptors uint64) int {
	return int(min(descriptors/2, mostConns))
}

// limited is a listener that hangs up on users who hold too many connections,
// so that no user can use up the agent's file descriptors and with them another
// user's access. A user may hold as many as are left over: one alone half of the
// budget, two a third each, and so on, so that there is always room for one who
// comes new.
type limited struct {
	net.Listener
	budget int
	owns   func(ipc.Peer) bool // whose session it is

	mu   sync.Mutex
	all  int
	held map[user]int
}

func newLimited(l net.Listener, budget int, owns func(ipc.Peer) bool) *limited {
	return &limited{Listener: l, budget: budget, owns: owns, held: map[user]int{}}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		// An unknown caller counts among all unknown ones.
		peer, err := ipc.PeerOf(c)
		if err != nil {
			peer = ipc.Peer{}
		}
		if !l.enter(peer) {
			c.Close()
			continue
		}
		who := userOf(peer)
		return &counted{Conn: c, leave: sync.OnceFunc(func() { l.leave(who) })}, nil
	}
}

func (l *limited) enter(p ipc.Peer) bool {
	who, kept := userOf(p), p.Known && (p.Class == ipc.ClassAdministrator || l.owns(p))
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.budget - l.all // what is left over
	switch {
	case kept:
		most = max(most, keptConns)
	case p.Class != ipc.ClassPerson:
		most = min(most, fewConns)
	}
	if l.held[who] >= most {
		return false
	}
	l.held[who]++
	l.all++
	return true
}

func (l *limited) leave(who user) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.held[who]--; l.held[who] <= 0 {
		delete(l.held, who)
	}
}

// counted is a connection that gives its place back when it is closed.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// connContext is ipc.ConnContext for counted connections.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if k, ok := c.(*counted); ok {
		c = k.Conn
	}
	return ipc.ConnContext(ctx, c)
}
