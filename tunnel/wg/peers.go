package wg

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// ErrAddressTaken is why a peer is refused whose inner address another peer
// has.
var ErrAddressTaken = errors.New("inner address belongs to another peer")

// ErrClosed is what a closed gateway answers.
var ErrClosed = errors.New("gateway is closed")

// Peer is one far end that the gateway lets in, and what it may reach.
type Peer struct {
	Key       PublicKey
	PSK       PresharedKey     // all zeroes: none
	Addresses []netip.Addr     // its inner addresses
	Allow     []netip.AddrPort // the virtual TCP destinations it may reach; none: nothing
}

// peerEntry is a peer as it is in force. It never changes; an update is a new
// entry with the same gate.
type peerEntry struct {
	Peer
	gate  *Gate
	allow map[netip.AddrPort]struct{}
}

func newPeerEntry(p Peer, gate *Gate) *peerEntry {
	p.Addresses, p.Allow = slices.Clone(p.Addresses), slices.Clone(p.Allow)
	e := &peerEntry{Peer: p, gate: gate, allow: make(map[netip.AddrPort]struct{}, len(p.Allow))}
	for _, a := range p.Allow {
		e.allow[a] = struct{}{}
	}
	return e
}

// permits says whether a connection between these ends fits the entry.
func (e *peerEntry) permits(remote, local netip.AddrPort) bool {
	_, ok := e.allow[local]
	return ok && slices.Contains(e.Addresses, remote.Addr())
}

func (e *peerEntry) member() *member {
	return &member{gate: e.gate, key: e.Key, admits: func(p packet) bool {
		_, ok := e.allow[p.dst]
		return ok
	}}
}

func (e *peerEntry) settings() peerSettings {
	s := peerSettings{key: e.Key, psk: e.PSK}
	for _, a := range e.Addresses {
		s.allowed = append(s.allowed, netip.PrefixFrom(a, a.BitLen()))
	}
	return s
}

func (g *Gateway) entry(key PublicKey) *peerEntry {
	if e, ok := g.peers.Load(key); ok {
		return e.(*peerEntry)
	}
	return nil
}

// SetPeer adds a peer or changes what it is, and opens its gate. Connections
// that the change no longer permits are ended, others run on. On an error the
// peer is as it was before, or, when WireGuard refused the change, removed.
func (g *Gateway) SetPeer(p Peer) error {
	if err := g.checkPeer(p); err != nil {
		return fmt.Errorf("set peer: %w", err)
	}
	g.change.Lock()
	defer g.change.Unlock()
	if g.closed {
		return fmt.Errorf("set peer: %w", ErrClosed)
	}
	for _, a := range p.Addresses {
		if holder, taken := g.holders[a]; taken && holder != p.Key {
			return fmt.Errorf("set peer: %s: %w", a, ErrAddressTaken)
		}
	}
	old := g.entry(p.Key)
	gate := new(Gate)
	if old != nil {
		gate = old.gate
	}
	next := newPeerEntry(p, gate)
	if err := g.apply(old, next); err != nil {
		g.shutLocked(next)
		return fmt.Errorf("set peer: %w", err)
	}
	gate.Open()
	return nil
}

func (g *Gateway) checkPeer(p Peer) error {
	if p.Key == (PublicKey{}) || p.Key == g.key {
		return errors.New("the peer's key is missing or our own")
	}
	if len(p.Addresses) == 0 {
		return errors.New("no inner address")
	}
	for _, a := range p.Addresses {
		if err := checkInner(a); err != nil {
			return err
		}
	}
	for _, a := range p.Allow {
		if err := checkInner(a.Addr()); err != nil || a.Port() == 0 {
			return fmt.Errorf("virtual destination %s", a)
		}
	}
	return nil
}

// apply puts next in the place of old. What next lacks is taken away first,
// what it adds is given last.
func (g *Gateway) apply(old, next *peerEntry) error {
	g.peers.Store(next.Key, next)
	for _, a := range next.Addresses {
		g.holders[a] = next.Key
	}
	if old != nil {
		g.forget(slices.DeleteFunc(slices.Clone(old.Addresses), func(a netip.Addr) bool {
			return slices.Contains(next.Addresses, a)
		}))
	}
	if old == nil || subtle.ConstantTimeCompare(old.PSK[:], next.PSK[:]) == 0 || !slices.Equal(old.Addresses, next.Addresses) {
		if err := g.device.IpcSet(settingsText(nil, next.settings())); err != nil {
			return fmt.Errorf("configure wireguard: %w", err)
		}
	}
	g.table.put(next.Addresses, next.member())
	if passage := next.gate.passage(); passage != nil {
		passage.abortIf(func(a aborter) bool { return !next.permits(a.ends()) })
	}
	return nil
}

// forget makes inner addresses free and unknown.
func (g *Gateway) forget(addrs []netip.Addr) {
	g.table.remove(addrs)
	for _, a := range addrs {
		delete(g.holders, a)
	}
}

// ShutPeer shuts the peer's gate, first of all and without waiting for other
// changes, and ends its connections: from then on their Read and Write give
// ErrShut. Then the peer is removed, so that its handshakes stay unanswered.
// An unknown key changes nothing.
func (g *Gateway) ShutPeer(key PublicKey) {
	if e := g.entry(key); e != nil {
		e.gate.Shut()
	}
	g.change.Lock()
	defer g.change.Unlock()
	if e := g.entry(key); e != nil && !g.closed {
		g.shutLocked(e)
	}
}

// shutLocked removes a peer. A change that was under way may have opened the
// gate again, so it is shut here too. The caller holds change.
func (g *Gateway) shutLocked(e *peerEntry) {
	e.gate.Shut()
	g.forget(e.Addresses)
	g.peers.Delete(e.Key)
	g.device.RemovePeer(device.NoisePublicKey(e.Key))
}

// PeerStatus is what can be said of one peer.
type PeerStatus struct {
	Key           PublicKey
	Open          bool
	Flows         int            // TCP connections, those still closing included
	Endpoint      netip.AddrPort // where it was last heard from; invalid: never
	LastHandshake time.Time      // wall clock; zero: never
	Rx, Tx        uint64         // bytes on the outer network, WireGuard's own included
}

// Peers lists the peers in no particular order; none after Close.
func (g *Gateway) Peers() ([]PeerStatus, error) {
	states, err := deviceState(g.device)
	if err != nil {
		return nil, err
	}
	list := make([]PeerStatus, 0, len(states))
	for _, s := range states {
		e := g.entry(s.key)
		if e == nil {
			continue
		}
		status := PeerStatus{Key: s.key, Endpoint: s.endpoint, LastHandshake: s.handshake, Rx: s.rx, Tx: s.tx}
		if p := e.gate.passage(); p != nil {
			status.Open, status.Flows = true, p.size()
		}
		list = append(list, status)
	}
	return list, nil
}
