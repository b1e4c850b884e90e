package ipc

import (
	"container/list"
	"net"
	"sync"
	"time"
)

const (
	// hello is the byte with which Dial begins, so that the other end may ask
	// who it is.
	hello = 0x01
	// helloTime is how long a caller may take for it. Dial sends it at once.
	helloTime = 5 * time.Second
)

// greeter holds the connections whose first byte has not come. It carries no
// build tag, so that it is tested on every system.
type greeter struct {
	most   int
	mu     sync.Mutex
	silent *list.List // of net.Conn, the oldest first
	ended  bool
}

func newGreeter(most int) *greeter { return &greeter{most: most, silent: list.New()} }

// hear reads the first byte of a connection and reports whether it is the
// right one and came in time; else the connection is closed.
func (g *greeter) hear(c net.Conn) bool {
	e := g.enter(c)
	if e == nil {
		c.Close()
		return false
	}
	var first [1]byte
	c.SetReadDeadline(time.Now().Add(helloTime))
	n, err := c.Read(first[:])
	// From here on nobody but the caller of this function closes c.
	if !g.leave(e) || err != nil || n != 1 || first[0] != hello || c.SetReadDeadline(time.Time{}) != nil {
		c.Close()
		return false
	}
	return true
}

// enter makes room for one more; nil when all is over.
func (g *greeter) enter(c net.Conn) *list.Element {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return nil
	}
	if g.silent.Len() >= g.most {
		oldest := g.silent.Front()
		g.silent.Remove(oldest)
		hangUp(oldest)
	}
	return g.silent.PushBack(c)
}

// leave takes a connection out, and reports whether it was still there.
func (g *greeter) leave(e *list.Element) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for at := g.silent.Front(); at != nil; at = at.Next() {
		if at == e {
			g.silent.Remove(e)
			return true
		}
	}
	return false
}

// end hangs up on all who are silent.
func (g *greeter) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for e := g.silent.Front(); e != nil; e = g.silent.Front() {
		g.silent.Remove(e)
		hangUp(e)
	}
}

// hangUp ends the reading of a connection. It does not wait for it, as closing
// would, and leaves the closing to who reads.
func hangUp(e *list.Element) {
	if c, ok := e.Value.(net.Conn); ok {
		c.SetReadDeadline(time.Unix(1, 0))
	}
}
