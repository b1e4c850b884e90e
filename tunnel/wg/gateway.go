package wg

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Bounds that no peer, and all peers together, can exceed. What is beyond
// them is dropped, unanswered.
const (
	DefaultMaxFlows = 512  // TCP connections of one peer, those still closing included
	maxHalfOpen     = 64   // TCP handshakes of one peer under way
	maxHalfOpenAll  = 4096 // the same for all peers
)

// GatewayConfig says how to open the gateway's end of all tunnels.
type GatewayConfig struct {
	PrivateKey PrivateKey
	Listen     netip.AddrPort // exactly this UDP address; port 0 = any
	MTU        int            // inner, 0 = DefaultMTU
	MaxFlows   int            // TCP connections per peer, 0 = DefaultMaxFlows
	Log        *slog.Logger   // debug only, nil = silent

	// Accept is called, in a goroutine of its own, for every TCP connection
	// that a peer was allowed to open. The connection is closed when Accept
	// returns. Close waits for all of them, so Accept must return when its
	// connection fails, and must not call Close.
	Accept func(Flow)
}

// Flow is one TCP connection that a peer opened to a virtual address.
type Flow struct {
	Peer     PublicKey
	From, To netip.AddrPort  // inner address of the peer; virtual address
	Conn     net.Conn        // also has CloseRead and CloseWrite
	Done     <-chan struct{} // closed when the peer is shut
	// Broken is closed when this connection failed: the peer may not reach To
	// any more, or reset it. Who does not read or write just then learns it
	// here.
	Broken <-chan struct{}
}

// Gateway is the gateway's end of all tunnels: one WireGuard device, one
// netstack, many peers. All methods may be called concurrently.
type Gateway struct {
	accept   func(Flow)
	maxFlows int
	key      PublicKey
	listen   netip.AddrPort
	device   *device.Device
	stack    *stack.Stack
	table    table

	peers sync.Map // PublicKey → *peerEntry, written under change

	change  sync.Mutex // one change of the peers at a time
	closed  bool
	holders map[netip.Addr]PublicKey // who has which inner address

	workMu  sync.Mutex
	closing bool
	work    sync.WaitGroup // the calls of Accept
}

// OpenGateway starts a gateway that knows no peer.
func OpenGateway(cfg GatewayConfig) (*Gateway, error) {
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	if cfg.MaxFlows == 0 {
		cfg.MaxFlows = DefaultMaxFlows
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g := &Gateway{
		accept:   cfg.Accept,
		maxFlows: cfg.MaxFlows,
		key:      cfg.PrivateKey.Public(),
		holders:  map[netip.Addr]PublicKey{},
	}
	l := newLink(cfg.MTU, &g.table)
	var err error
	if g.stack, err = newStack(l); err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	if err := g.receiveAll(); err != nil {
		g.stack.Destroy()
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	bind := &udpBind{local: cfg.Listen}
	if g.device, err = newDevice(l, bind, cfg.Log, settingsText(&cfg.PrivateKey)); err != nil {
		g.stack.Destroy()
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	g.listen = bind.listenAddr()
	return g, nil
}

func (cfg *GatewayConfig) check() error {
	switch {
	case cfg.PrivateKey == (PrivateKey{}):
		return errors.New("no private key")
	case !cfg.Listen.IsValid() || cfg.Listen.Addr().Is4In6():
		return fmt.Errorf("listen address %s", cfg.Listen)
	case cfg.MaxFlows < 0:
		return fmt.Errorf("%d flows per peer", cfg.MaxFlows)
	case cfg.Accept == nil:
		return errors.New("nobody to accept connections")
	}
	return checkMTU(cfg.MTU)
}

// receiveAll makes netstack take packets for any address, as the link lets
// through only what a peer may reach, and answer from it.
func (g *Gateway) receiveAll() error {
	if terr := g.stack.SetPromiscuousMode(nic, true); terr != nil {
		return fmt.Errorf("receive for all addresses: %s", terr)
	}
	if terr := g.stack.SetSpoofing(nic, true); terr != nil {
		return fmt.Errorf("send from all addresses: %s", terr)
	}
	forwarder := tcp.NewForwarder(g.stack, 0, maxHalfOpenAll, g.serve)
	g.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, forwarder.HandlePacket)
	return nil
}

// ListenAddr is the outer UDP address that peers send to.
func (g *Gateway) ListenAddr() netip.AddrPort { return g.listen }

// PublicKey is the gateway's key.
func (g *Gateway) PublicKey() PublicKey { return g.key }

// serve takes one inbound connection from its first SYN to its end.
func (g *Gateway) serve(r *tcp.ForwarderRequest) {
	if !g.enter() {
		r.Complete(false)
		return
	}
	defer g.work.Done()
	f, peer := g.establish(r)
	if f == nil {
		return
	}
	// What Close could still report has no one to go to.
	defer func() { _ = f.Close() }()
	g.accept(Flow{Peer: peer, From: f.remote, To: f.local, Conn: f, Done: f.passage.done, Broken: f.broken})
}

// enter counts a goroutine that Close has to wait for, unless closing began.
func (g *Gateway) enter() bool {
	g.workMu.Lock()
	defer g.workMu.Unlock()
	if g.closing {
		return false
	}
	g.work.Add(1)
	return true
}

// establish finishes the TCP handshake of an inbound connection. It gives nil
// when that did not happen or may not be.
func (g *Gateway) establish(r *tcp.ForwarderRequest) (*flow, PublicKey) {
	id := r.ID()
	// Never answer here with a reset: a refusal is silence.
	defer r.Complete(false)
	from := netip.AddrPortFrom(toNetip(id.RemoteAddress), id.RemotePort)
	to := netip.AddrPortFrom(toNetip(id.LocalAddress), id.LocalPort)
	m := g.table.lookup(from.Addr())
	if m == nil {
		return nil, PublicKey{}
	}
	p := m.gate.passage()
	if p == nil || p.size() >= g.maxFlows {
		return nil, PublicKey{}
	}
	half := &halfOpen{stack: g.stack, id: id, local: to, remote: from}
	if p.admit(p.half, half, maxHalfOpen) != nil {
		return nil, PublicKey{}
	}
	var wq waiter.Queue
	ep, terr := r.CreateEndpoint(&wq)
	p.leave(p.half, half)
	if terr != nil {
		return nil, PublicKey{}
	}
	f, err := newFlow(p, ep, &wq, to, from, g.maxFlows)
	if err != nil {
		ep.Close()
		return nil, PublicKey{}
	}
	// What the peer may reach can have changed during the handshake.
	if now := g.table.lookup(from.Addr()); now == nil || now.gate != m.gate || !now.admits(packet{src: from, dst: to}) {
		f.abort()
		_ = f.Close()
		return nil, PublicKey{}
	}
	return f, m.key
}

// Close shuts every peer, waits for every call of Accept to return and frees
// everything. It may be called twice.
func (g *Gateway) Close() error {
	g.change.Lock()
	defer g.change.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	g.workMu.Lock()
	g.closing = true
	g.workMu.Unlock()
	g.peers.Range(func(_, e any) bool {
		e.(*peerEntry).gate.Shut()
		return true
	})
	g.device.Close()
	g.finishWork()
	g.stack.Destroy()
	return nil
}

// finishWork waits for the calls of Accept. A TCP handshake that began just
// before the gates were shut may have been missed by them, so what is left is
// aborted until nothing is.
func (g *Gateway) finishWork() {
	done := make(chan struct{})
	go func() { // ends with the last call
		g.work.Wait()
		close(done)
	}()
	for {
		for _, ep := range g.stack.RegisteredEndpoints() {
			ep.Abort()
		}
		select {
		case <-done:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
