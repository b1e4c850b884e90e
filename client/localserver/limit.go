package localserver

import (
	"context"
	"net"
	"sync"

	"github.com/postern-zt/postern/platform/ipc"
)

// maxConns is how many connections one user may hold, so that no user can use
// up the agent's file descriptors and with them another user's access.
const maxConns = 64

// limited is a listener that hangs up on users who hold too many connections.
type limited struct {
	net.Listener
	max int

	mu   sync.Mutex
	held map[user]int
}

func newLimited(l net.Listener, most int) *limited {
	return &limited{Listener: l, max: most, held: map[user]int{}}
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
		who := userOf(peer)
		if !l.enter(who) {
			c.Close()
			continue
		}
		return &counted{Conn: c, leave: sync.OnceFunc(func() { l.leave(who) })}, nil
	}
}

func (l *limited) enter(who user) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[who] >= l.max {
		return false
	}
	l.held[who]++
	return true
}

func (l *limited) leave(who user) {
	l.mu.Lock()
	defer l.mu.Unlock()
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
