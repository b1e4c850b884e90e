package wg

import (
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/tun"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// linkQueue is how many packets may wait between netstack and WireGuard. Who
// finds it full waits, which slows TCP down without losing anything; only the
// end of the passage or of the link ends that wait otherwise.
const linkQueue = 1024

// DefaultMTU is the inner MTU when none is given: 1500 less the 80 bytes that
// WireGuard adds over IPv6.
const DefaultMTU = 1420

// link joins a WireGuard device to a netstack: it is the tun.Device of the one
// and the link endpoint of the other. It is also where packets are judged:
// only plain TCP between a known far end and what that far end may reach
// passes, only while its gate is open, and nothing is ever answered.
type link struct {
	mtu        int
	directory  directory
	dispatcher atomic.Pointer[stack.NetworkDispatcher]
	queue      chan outbound
	events     chan tun.Event
	closed     chan struct{}
	close      sync.Once
}

// outbound is a packet on its way out, with the passage it was let through by.
type outbound struct {
	packet  *stack.PacketBuffer
	passage *passage
}

func newLink(mtu int, d directory) *link {
	l := &link{
		mtu:       mtu,
		directory: d,
		queue:     make(chan outbound, linkQueue),
		events:    make(chan tun.Event, 1),
		closed:    make(chan struct{}),
	}
	l.events <- tun.EventUp
	return l
}

// Write takes a batch of decrypted packets from WireGuard to netstack. The
// gate is looked at once for each run of packets from one address; a batch of
// wireguard-go comes from one peer.
func (l *link) Write(bufs [][]byte, offset int) (int, error) {
	dispatcher := l.dispatcher.Load()
	if dispatcher == nil {
		return 0, os.ErrClosed
	}
	var (
		from netip.Addr
		m    *member
		open bool
	)
	for _, buf := range bufs {
		raw := buf[offset:]
		p, ok := parsePacket(raw)
		if !ok {
			continue
		}
		if src := p.src.Addr(); src != from {
			from, m = src, l.directory.lookup(src)
			open = m != nil && m.gate.IsOpen()
		}
		if open && m.admits(p) {
			deliver(*dispatcher, raw)
		}
	}
	return len(bufs), nil
}

// deliver gives netstack a copy of raw, which WireGuard will use again.
func deliver(to stack.NetworkDispatcher, raw []byte) {
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(raw)})
	defer p.DecRef()
	if raw[0]>>4 == 4 {
		to.DeliverNetworkPacket(header.IPv4ProtocolNumber, p)
	} else {
		to.DeliverNetworkPacket(header.IPv6ProtocolNumber, p)
	}
}

// WritePackets takes packets from netstack. What may not pass is dropped and
// reported as sent, as a network would.
func (l *link) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	sent := 0
	for _, p := range list.AsSlice() {
		passage := l.passageFor(p)
		if passage == nil {
			sent++
			continue
		}
		item := outbound{p.IncRef(), passage}
		select {
		case l.queue <- item:
			sent++
			continue
		default:
		}
		select {
		case l.queue <- item:
		case <-passage.done:
			p.DecRef()
		case <-l.closed:
			p.DecRef()
			return sent, &tcpip.ErrClosedForSend{}
		}
		sent++
	}
	return sent, nil
}

// passageFor finds the open passage of the far end that p is for; nil when
// there is none or p is not TCP.
func (l *link) passageFor(p *stack.PacketBuffer) *passage {
	h := p.Network()
	if h.TransportProtocol() != header.TCPProtocolNumber {
		return nil
	}
	to := h.DestinationAddress()
	m := l.directory.lookup(toNetip(to))
	if m == nil {
		return nil
	}
	return m.gate.passage()
}

// Read fills bufs with waiting packets: it waits for the first and takes
// along what is there. A packet whose passage ended in the queue is dropped.
func (l *link) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	n := 0
	for n < len(bufs) {
		var item outbound
		if n == 0 {
			select {
			case item = <-l.queue:
			case <-l.closed:
				return 0, os.ErrClosed
			}
		} else {
			select {
			case item = <-l.queue:
			default:
				return n, nil
			}
		}
		if !item.passage.over.Load() {
			sizes[n] = flatten(bufs[n][offset:], item.packet)
			n++
		}
		item.packet.DecRef()
	}
	return n, nil
}

func flatten(dst []byte, p *stack.PacketBuffer) int {
	n := 0
	for _, part := range p.AsSlices() {
		n += copy(dst[n:], part)
	}
	return n
}

// Close ends Read and every waiting WritePackets. It implements tun.Device.
func (l *link) Close() error {
	l.close.Do(func() {
		close(l.closed)
		close(l.events)
	})
	return nil
}

// File implements tun.Device; there is no file behind a link.
func (l *link) File() *os.File { return nil }

// Name implements tun.Device.
func (l *link) Name() (string, error) { return "netstack", nil }

// Events implements tun.Device.
func (l *link) Events() <-chan tun.Event { return l.events }

// BatchSize implements tun.Device.
func (l *link) BatchSize() int { return conn.IdealBatchSize }

// MTU implements tun.Device.
func (l *link) MTU() (int, error) { return l.mtu, nil }

// toNetip turns netstack's address into the standard library's.
func toNetip(a tcpip.Address) netip.Addr {
	if a.Len() == 4 {
		return netip.AddrFrom4(a.As4())
	}
	if a.Len() == 16 {
		return netip.AddrFrom16(a.As16())
	}
	return netip.Addr{}
}
