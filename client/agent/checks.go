package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// checks are what people ask for by Check. One reading serves all who asked
// before it began, and between two there is a rest: else a program that asks
// without end would keep the computer busy, and whoever comes after it waiting.
// The readings are the agent's own and go on though whoever asked has gone: one
// that breaks off would leave its collectors taken, and what it found untold.
type checks struct {
	asked chan struct{} // holds one token while somebody waits for a reading

	mu   sync.Mutex
	next *shared // serves who comes now; nil before anybody has come
}

// checkRest is the least time between two readings that people ask for.
const checkRest = time.Second

// shared is one reading and what came of it.
type shared struct {
	peers []ipc.Peer    // who asked, each once
	done  chan struct{} // closed when out and err are there
	out   localapi.Checked
	err   error
}

func newChecks() *checks { return &checks{asked: make(chan struct{}, 1)} }

// join asks for the reading that begins next.
func (c *checks) join(peer ipc.Peer) *shared {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &shared{done: make(chan struct{})}
	}
	if !slices.ContainsFunc(c.next.peers, peer.Same) {
		c.next.peers = append(c.next.peers, peer)
	}
	select {
	case c.asked <- struct{}{}:
	default:
	}
	return c.next
}

// begin gives the reading to be made; who comes from now on is served by another.
func (c *checks) begin() *shared {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.next
	c.next = nil
	return r
}

// checkShared is the check of this peer and of whoever asks at the same time.
func (a *Agent) checkShared(ctx context.Context, peer ipc.Peer) (localapi.Checked, error) {
	r := a.checks.join(peer)
	select {
	case <-r.done:
		return r.out, r.err
	case <-a.ended:
		return localapi.Checked{}, errEnded
	case <-ctx.Done():
		return localapi.Checked{}, ctx.Err()
	}
}

// checksAsked makes the readings that people ask for until ctx ends.
func (a *Agent) checksAsked(ctx context.Context) {
	for {
		select {
		case <-a.checks.asked:
		case <-ctx.Done():
			return
		}
		r := a.checks.begin()
		if r == nil {
			continue
		}
		_, r.err = a.mayOne(r.peers)
		read := r.err == nil
		if read {
			r.out, r.err = a.checkNow(ctx, r.peers)
		}
		close(r.done)
		if read {
			a.pause(ctx, checkRest)
		}
	}
}

// mayOne gives one of the peers who may have the machine read now, or why none
// may: another user's session may have begun since they asked.
func (a *Agent) mayOne(peers []ipc.Peer) (one ipc.Peer, err error) {
	for _, p := range peers {
		if err = a.notOwner(p); err == nil {
			return p, nil
		}
	}
	return ipc.Peer{}, err
}
