package wg

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/conn"
)

// udpBufferBytes is what the kernel is asked to hold for the UDP socket in
// each direction. It may grant less (net.core.rmem_max on Linux).
const udpBufferBytes = 4 << 20

// messageInitiation is the type byte of WireGuard's handshake initiation
// (WireGuard white paper, section 5.4.2).
const messageInitiation = 1

// udpBind is WireGuard's outer socket: one UDP socket on exactly one local
// address. It ignores the port that the device asks for.
type udpBind struct {
	local       netip.AddrPort
	initiations atomic.Uint64 // handshake initiations sent

	mu   sync.RWMutex
	conn *net.UDPConn // nil while closed
}

// clientLocal is the local address for a socket that talks to endpoint: the
// loopback address for a loopback endpoint, so that nothing beyond this
// machine can reach the socket, else the unspecified address of its family.
func clientLocal(endpoint netip.Addr) netip.AddrPort {
	local := netip.IPv6Unspecified()
	switch v4, loopback := endpoint.Is4(), endpoint.IsLoopback(); {
	case v4 && loopback:
		local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case v4:
		local = netip.IPv4Unspecified()
	case loopback:
		local = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(local, 0)
}

// Open implements conn.Bind.
func (b *udpBind) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		return nil, 0, conn.ErrBindAlreadyOpen
	}
	network := "udp6"
	if b.local.Addr().Is4() {
		network = "udp4"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(b.local))
	if err != nil {
		return nil, 0, fmt.Errorf("open tunnel socket on %s: %w", b.local, err)
	}
	// Best effort: a smaller buffer only costs speed.
	_ = c.SetReadBuffer(udpBufferBytes)
	_ = c.SetWriteBuffer(udpBufferBytes)
	b.conn = c
	return []conn.ReceiveFunc{(&receiver{conn: c}).receive}, localPort(c), nil
}

func localPort(c *net.UDPConn) uint16 {
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		return a.AddrPort().Port()
	}
	return 0
}

// listenAddr is the address the socket has, with its port; invalid while
// closed.
func (b *udpBind) listenAddr() netip.AddrPort {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.conn == nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(b.local.Addr(), localPort(b.conn))
}

// receiver reads from one socket. Only one goroutine uses it.
type receiver struct {
	conn *net.UDPConn
	last conn.Endpoint // kept because most packets come from where the last one did
	from netip.AddrPort
}

// receiveRetries is how many errors in a row are passed over before the
// device is told, which then pauses. Some systems report on an unconnected
// socket that an earlier packet to someone else could not be delivered.
const receiveRetries = 16

func (r *receiver) receive(bufs [][]byte, sizes []int, endpoints []conn.Endpoint) (int, error) {
	var last error
	for range receiveRetries {
		n, from, err := r.conn.ReadFromUDPAddrPort(bufs[0])
		if errors.Is(err, net.ErrClosed) {
			return 0, net.ErrClosed
		}
		if err != nil {
			last = err
			continue
		}
		sizes[0], endpoints[0] = n, r.endpoint(from)
		return 1, nil
	}
	// Not the error itself: the device gives up for good on some net.Errors.
	return 0, fmt.Errorf("read tunnel socket: %s", last)
}

func (r *receiver) endpoint(from netip.AddrPort) conn.Endpoint {
	if r.last == nil || r.from != from {
		r.last, r.from = farEnd{from}, from
	}
	return r.last
}

// Close implements conn.Bind. A waiting receive returns net.ErrClosed.
func (b *udpBind) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		return nil
	}
	err := b.conn.Close()
	b.conn = nil
	return err
}

// SetMark implements conn.Bind; no mark is ever set.
func (b *udpBind) SetMark(uint32) error { return nil }

// Send implements conn.Bind.
func (b *udpBind) Send(bufs [][]byte, to conn.Endpoint) error {
	far, ok := to.(farEnd)
	if !ok {
		return conn.ErrWrongEndpointType
	}
	b.mu.RLock()
	c := b.conn
	b.mu.RUnlock()
	if c == nil {
		return net.ErrClosed
	}
	for _, buf := range bufs {
		if len(buf) > 0 && buf[0] == messageInitiation {
			b.initiations.Add(1)
		}
		if _, err := c.WriteToUDPAddrPort(buf, far.AddrPort); err != nil {
			return err
		}
	}
	return nil
}

// ParseEndpoint implements conn.Bind.
func (b *udpBind) ParseEndpoint(s string) (conn.Endpoint, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, fmt.Errorf("parse tunnel endpoint: %w", err)
	}
	return farEnd{a}, nil
}

// BatchSize implements conn.Bind.
func (b *udpBind) BatchSize() int { return 1 }

// farEnd is the outer address of the other side.
type farEnd struct{ netip.AddrPort }

// ClearSrc implements conn.Endpoint; the socket's own address is the source.
func (farEnd) ClearSrc() {}

// SrcToString implements conn.Endpoint.
func (farEnd) SrcToString() string { return "" }

// SrcIP implements conn.Endpoint.
func (farEnd) SrcIP() netip.Addr { return netip.Addr{} }

// DstToString implements conn.Endpoint.
func (f farEnd) DstToString() string { return f.AddrPort.String() }

// DstIP implements conn.Endpoint.
func (f farEnd) DstIP() netip.Addr { return f.Addr() }

// DstToBytes implements conn.Endpoint.
func (f farEnd) DstToBytes() []byte {
	b, _ := f.MarshalBinary() // documented never to fail
	return b
}
