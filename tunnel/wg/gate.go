package wg

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
)

// ErrShut is what a dial or a connection gets when the gate of its tunnel is
// shut. It comes wrapped in a net.OpError from connections; use errors.Is.
var ErrShut = errors.New("tunnel is shut")

// errTooManyFlows is why a flow beyond a peer's bound is refused.
var errTooManyFlows = errors.New("too many flows")

// Gate is the one word that decides whether a tunnel carries packets. Every
// batch of packets looks at it, in both directions. The zero value is shut.
//
// Each opening is a new passage: flows belong to the passage they began in
// and end with it, so a gate that opens again revives nothing.
type Gate struct{ current atomic.Pointer[passage] }

// Open lets packets pass. Opening an open gate changes nothing.
func (g *Gate) Open() {
	if g.current.Load() == nil {
		g.current.CompareAndSwap(nil, newPassage())
	}
}

// Shut stops all packets, then ends every flow that began since the gate was
// opened. When it returns, Read and Write on each of them give ErrShut. It
// waits for no network, may be called from anywhere and any number of times.
func (g *Gate) Shut() {
	if p := g.current.Swap(nil); p != nil {
		p.end()
	}
}

// IsOpen says whether packets may pass now.
func (g *Gate) IsOpen() bool { return g.current.Load() != nil }

// passage gives the opening that is in force, nil when the gate is shut.
func (g *Gate) passage() *passage { return g.current.Load() }

// aborter is a flow, whole or half open, that can be ended at once.
type aborter interface {
	abort()
	ends() (remote, local netip.AddrPort)
}

// roster is a set of flows.
type roster map[aborter]struct{}

// passage is the time between one opening of a gate and its shutting, with
// the flows that began in it.
type passage struct {
	over atomic.Bool   // set first: packets and calls look at it
	done chan struct{} // closed second: wakes those who wait for room in a queue

	mu    sync.Mutex
	flows roster // established, or being dialled
	half  roster // inbound, TCP handshake not finished
}

func newPassage() *passage {
	return &passage{done: make(chan struct{}), flows: roster{}, half: roster{}}
}

// admit adds a to r, one of p's rosters. It refuses with ErrShut when the
// passage is over and with errTooManyFlows when r holds limit flows already.
func (p *passage) admit(r roster, a aborter, limit int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over.Load() {
		return ErrShut
	}
	if len(r) >= limit {
		return errTooManyFlows
	}
	r[a] = struct{}{}
	return nil
}

// leave takes a off r.
func (p *passage) leave(r roster, a aborter) {
	p.mu.Lock()
	delete(r, a)
	p.mu.Unlock()
}

// size counts the flows that are established or still closing.
func (p *passage) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.flows)
}

// end is called once, by whoever took the passage out of its gate. The flag
// goes first, so that no call begun after it can succeed while the flows are
// being aborted one by one.
func (p *passage) end() {
	p.over.Store(true)
	close(p.done)
	p.abortIf(func(aborter) bool { return true })
}

// abortIf aborts the flows that match. The lock is not held meanwhile,
// because an aborted flow takes itself off the roster.
func (p *passage) abortIf(match func(aborter) bool) {
	var hit []aborter
	p.mu.Lock()
	for _, r := range []roster{p.flows, p.half} {
		for a := range r {
			if match(a) {
				hit = append(hit, a)
			}
		}
	}
	p.mu.Unlock()
	for _, a := range hit {
		a.abort()
	}
}
