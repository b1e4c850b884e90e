package wg

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// nic is the only network interface of each netstack.
const nic tcpip.NICID = 1

// endpoint is the side of a link that netstack sees. It is a type of its own
// because tun.Device and stack.LinkEndpoint disagree about MTU and Close.
type endpoint struct{ *link }

// MTU implements stack.LinkEndpoint.
func (e endpoint) MTU() uint32 { return uint32(e.mtu) }

// SetMTU implements stack.LinkEndpoint; the MTU is fixed.
func (endpoint) SetMTU(uint32) {}

// MaxHeaderLength implements stack.LinkEndpoint; there is no link header.
func (endpoint) MaxHeaderLength() uint16 { return 0 }

// LinkAddress implements stack.LinkEndpoint; there is none.
func (endpoint) LinkAddress() tcpip.LinkAddress { return "" }

// SetLinkAddress implements stack.LinkEndpoint.
func (endpoint) SetLinkAddress(tcpip.LinkAddress) {}

// Capabilities implements stack.LinkEndpoint. Checksums of what arrives are
// not computed again: WireGuard has authenticated every byte.
func (endpoint) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// Attach implements stack.LinkEndpoint.
func (e endpoint) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		e.dispatcher.Store(nil)
		return
	}
	e.dispatcher.Store(&d)
}

// IsAttached implements stack.LinkEndpoint.
func (e endpoint) IsAttached() bool { return e.dispatcher.Load() != nil }

// Wait implements stack.LinkEndpoint; a link owns no goroutine.
func (endpoint) Wait() {}

// ARPHardwareType implements stack.LinkEndpoint.
func (endpoint) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }

// AddHeader implements stack.LinkEndpoint.
func (endpoint) AddHeader(*stack.PacketBuffer) {}

// ParseHeader implements stack.LinkEndpoint.
func (endpoint) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close implements stack.LinkEndpoint; the device closes the link.
func (endpoint) Close() {}

// SetOnCloseAction implements stack.LinkEndpoint.
func (endpoint) SetOnCloseAction(func()) {}

// Bounds of one TCP connection. The buffers start at netstack's default of
// 1 MiB and may grow to 4 MiB, enough for 320 Mb/s over 100 ms.
const (
	tcpBufferMax = 4 << 20
	// A connection that the other end never finishes closing is kept this
	// many seconds; longer than any sane round trip, short enough that closed
	// connections do not use up a peer's bound.
	tcpClosingSeconds = 10
)

// newStack makes a netstack that knows TCP over IPv4 and IPv6 and nothing
// else, with l as its only interface. Loss recovery (RACK) and congestion
// control (CUBIC) are netstack's defaults; SACK is off there and on here.
func newStack(l *link) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	if err := tune(s); err != nil {
		s.Destroy()
		return nil, err
	}
	if terr := s.CreateNIC(nic, endpoint{l}); terr != nil {
		s.Destroy()
		return nil, fmt.Errorf("create netstack interface: %s", terr)
	}
	s.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nic},
		{Destination: header.IPv6EmptySubnet, NIC: nic},
	})
	return s, nil
}

func tune(s *stack.Stack) error {
	sack := tcpip.TCPSACKEnabled(true)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{
		Min: tcp.MinBufferSize, Default: tcp.DefaultReceiveBufferSize, Max: tcpBufferMax}
	send := tcpip.TCPSendBufferSizeRangeOption{
		Min: tcp.MinBufferSize, Default: tcp.DefaultSendBufferSize, Max: tcpBufferMax}
	timeWait := tcpip.TCPTimeWaitTimeoutOption(tcpClosingSeconds * 1e9)
	finWait := tcpip.TCPLingerTimeoutOption(tcpClosingSeconds * 1e9)
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &receive, &send, &timeWait, &finWait} {
		if terr := s.SetTransportProtocolOption(tcp.ProtocolNumber, option); terr != nil {
			return fmt.Errorf("set %T: %s", option, terr)
		}
	}
	return nil
}

// networkOf is netstack's number for the family of a.
func networkOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// fullAddress is a in netstack's terms.
func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}
}
