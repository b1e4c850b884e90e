package wg

import (
	"net"
	"net/netip"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// flow is a TCP connection through a tunnel. It belongs to a passage and ends
// with it. Beyond net.Conn it has CloseRead and CloseWrite.
type flow struct {
	*gonet.TCPConn
	endpoint      tcpip.Endpoint
	passage       *passage
	local, remote netip.AddrPort
	shutOnce      sync.Once
	broken        chan struct{} // closed when it ended without order
	brokenOnce    sync.Once
}

// newFlow puts a connection on the passage's roster, on which it stays until
// netstack is done with it: a flow that its user closed but whose end is not
// yet acknowledged still counts and can still be aborted.
func newFlow(p *passage, ep tcpip.Endpoint, wq *waiter.Queue, local, remote netip.AddrPort, limit int) (*flow, error) {
	f := &flow{TCPConn: gonet.NewTCPConn(wq, ep), endpoint: ep, passage: p, local: local, remote: remote, broken: make(chan struct{})}
	if err := p.admit(p.flows, f, limit); err != nil {
		ep.Abort()
		return nil, err
	}
	gone := waiter.NewFunctionEntry(waiter.EventHUp, func(waiter.EventMask) { f.ended() })
	wq.EventRegister(&gone)
	if state := tcp.EndpointState(ep.State()); state == tcp.StateError || state == tcp.StateClose {
		f.ended() // before anyone listened for its end
	}
	return f, nil
}

// ended is called when netstack is done with the connection. After an orderly
// end there may be bytes left to read, so only another one counts as broken.
func (f *flow) ended() {
	f.passage.leave(f.passage.flows, f)
	if tcp.EndpointState(f.endpoint.State()) == tcp.StateError {
		f.breakOff()
	}
}

func (f *flow) breakOff() { f.brokenOnce.Do(func() { close(f.broken) }) }

// abort implements aborter: both directions fail at once, buffered data is
// dropped.
func (f *flow) abort() {
	f.breakOff()
	f.endpoint.Abort()
}

func (f *flow) ends() (remote, local netip.AddrPort) { return f.remote, f.local }

// Read implements net.Conn. Nothing is given out once the gate is shut, not
// even what had arrived before.
func (f *flow) Read(b []byte) (int, error) {
	if f.passage.over.Load() {
		return 0, f.shutError("read")
	}
	n, err := f.TCPConn.Read(b)
	if f.passage.over.Load() {
		return 0, f.shutError("read")
	}
	return n, err
}

// Write implements net.Conn.
func (f *flow) Write(b []byte) (int, error) {
	if f.passage.over.Load() {
		return 0, f.shutError("write")
	}
	n, err := f.TCPConn.Write(b)
	if err != nil && f.passage.over.Load() {
		return n, f.shutError("write")
	}
	return n, err
}

// Close implements net.Conn.
func (f *flow) Close() error {
	var err error
	f.shutOnce.Do(func() { err = f.TCPConn.Close() })
	return err
}

// LocalAddr implements net.Conn, also after the connection has ended.
func (f *flow) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(f.local) }

// RemoteAddr implements net.Conn, also after the connection has ended.
func (f *flow) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(f.remote) }

func (f *flow) shutError(op string) error {
	return &net.OpError{Op: op, Net: "tcp", Source: f.LocalAddr(), Addr: f.RemoteAddr(), Err: ErrShut}
}

// halfOpen is an inbound connection whose TCP handshake is under way. Its
// endpoint is still netstack's own and is found by its addresses.
type halfOpen struct {
	stack         *stack.Stack
	id            stack.TransportEndpointID
	local, remote netip.AddrPort
}

func (h *halfOpen) ends() (remote, local netip.AddrPort) { return h.remote, h.local }

// abort implements aborter.
func (h *halfOpen) abort() {
	if ep := h.stack.FindTransportEndpoint(networkOf(h.local.Addr()), header.TCPProtocolNumber, h.id, nic); ep != nil {
		ep.Abort()
	}
}
