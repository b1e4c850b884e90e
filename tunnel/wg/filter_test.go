package wg

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

func TestDeniedIsNotAnswered(t *testing.T) {
	g := openGateway(t, echo)
	c := join(t, g, inner("10.9.0.2"))
	if err := ask(dial(t, c, virtual)); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"100.64.0.1:444", "100.64.0.2:443"} {
		if _, err := c.DialTCP(within(t, time.Second), netip.MustParseAddrPort(to)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial %s: %v", to, err)
		}
	}
	if err := ask(dial(t, c, virtual)); err != nil {
		t.Error(err)
	}
}

func TestWrongSourceIsNotAnswered(t *testing.T) {
	g := openGateway(t, echo)
	join(t, g, inner("10.9.0.3")) // the address that is claimed exists
	far := newFar(t, g, inner("10.9.0.2"))
	if err := g.SetPeer(far.peer); err != nil {
		t.Fatal(err)
	}
	for _, claimed := range []string{"10.9.0.3", "10.9.0.77"} {
		far.config.Addresses = []netip.Addr{inner(claimed)}
		c := far.open(t)
		c.Gate().Open()
		if err := c.Handshake(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.DialTCP(within(t, time.Second), virtual); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("dial as %s: %v", claimed, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOneAddressOnePeer(t *testing.T) {
	g := openGateway(t, echo)
	first, second := newFar(t, g, inner("10.9.0.2")), newFar(t, g, inner("10.9.0.3"), inner("10.9.0.2"))
	if err := g.SetPeer(first.peer); err != nil {
		t.Fatal(err)
	}
	if err := g.SetPeer(second.peer); !errors.Is(err, ErrAddressTaken) {
		t.Fatalf("second peer: %v", err)
	}
	if peers, err := g.Peers(); err != nil || len(peers) != 1 || !peers[0].Open {
		t.Errorf("peers %+v, %v", peers, err)
	}
	g.ShutPeer(first.peer.Key)
	if err := g.SetPeer(second.peer); err != nil {
		t.Errorf("the address was given back: %v", err)
	}
}

func TestBadPeersAreRefused(t *testing.T) {
	g := openGateway(t, echo)
	addr := []netip.Addr{inner("10.9.0.2")}
	for name, p := range map[string]Peer{
		"no key":           {Addresses: addr},
		"our own key":      {Key: g.PublicKey(), Addresses: addr},
		"no address":       {Key: PublicKey{1}},
		"mapped address":   {Key: PublicKey{1}, Addresses: []netip.Addr{inner("::ffff:10.9.0.2")}},
		"address of all":   {Key: PublicKey{1}, Addresses: []netip.Addr{inner("0.0.0.0")}},
		"multicast":        {Key: PublicKey{1}, Addresses: []netip.Addr{inner("ff02::1")}},
		"no port":          {Key: PublicKey{1}, Addresses: addr, Allow: []netip.AddrPort{netip.MustParseAddrPort("100.64.0.1:0")}},
		"mapped virtual":   {Key: PublicKey{1}, Addresses: addr, Allow: []netip.AddrPort{netip.MustParseAddrPort("[::ffff:100.64.0.1]:1")}},
		"nothing at all":   {},
		"address not made": {Key: PublicKey{1}, Addresses: make([]netip.Addr, 1)},
	} {
		if err := g.SetPeer(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// sink is the netstack behind a link, for counting what gets there.
type sink struct {
	stack.NetworkDispatcher
	got int
}

func (s *sink) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) { s.got++ }

// The link judges for itself, whatever WireGuard has checked before.
func TestLinkFilter(t *testing.T) {
	var tab table
	e := newPeerEntry(Peer{
		Key: PublicKey{1}, Addresses: []netip.Addr{inner("10.9.0.2"), inner("fd00::2")},
		Allow: []netip.AddrPort{virtual, virtual6},
	}, new(Gate))
	tab.put(e.Addresses, e.member())
	l := newLink(DefaultMTU, &tab)
	s := &sink{}
	endpoint{l}.Attach(s)
	write := func(packets ...[]byte) int {
		t.Helper()
		s.got = 0
		const offset = 16
		for i := range packets {
			packets[i] = append(make([]byte, offset), packets[i]...)
		}
		if n, err := l.Write(packets, offset); n != len(packets) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
		return s.got
	}
	good4, good6 := segment(peer4, app4, tcpFlagSYN, 0), segment(peer6, app6, tcpFlagACK, 9)
	if n := write(good4, good6); n != 0 {
		t.Errorf("%d packets passed a gate that was never opened", n)
	}
	e.gate.Open()
	if n := write(good4, good6, good4); n != 3 {
		t.Errorf("%d of 3 packets passed an open gate", n)
	}
	if n := write(
		segment("10.9.0.3:1234", app4, tcpFlagSYN, 0), segment(app4, peer4, tcpFlagSYN, 0),
		segment(peer4, "100.64.0.1:444", tcpFlagSYN, 0), segment(peer4, "100.64.0.2:443", tcpFlagACK, 0),
		segment(peer6, "[fd00:1::1]:80", tcpFlagSYN, 0),
	); n != 0 {
		t.Errorf("%d packets passed that may not", n)
	}
	for name, c := range refused {
		packet := segment(peer4, app4, tcpFlagSYN, 7)
		if c.v6 {
			packet = segment(peer6, app6, tcpFlagSYN, 7)
		}
		if write(c.change(packet)) != 0 {
			t.Errorf("%s passed", name)
		}
	}
	e.gate.Shut()
	if n := write(good4, good6); n != 0 {
		t.Errorf("%d packets passed a shut gate", n)
	}
	e.gate.Open()
	tab.remove(e.Addresses)
	if n := write(good4, good6); n != 0 {
		t.Errorf("%d packets of an unknown peer passed", n)
	}
}

// Nothing opens a connection towards the client.
func TestClientTakesNoConnections(t *testing.T) {
	c := &Client{addresses: []netip.Addr{inner("10.9.0.2")}}
	for flags, want := range map[byte]bool{tcpFlagSYN: false, tcpFlagSYN | tcpFlagACK: true, tcpFlagACK: true} {
		if p, _ := parsePacket(segment(app4, peer4, flags, 0)); c.admits(p) != want {
			t.Errorf("flags %#x: admitted %v", flags, !want)
		}
	}
	if p, _ := parsePacket(segment(app4, "10.9.0.3:1234", tcpFlagACK, 0)); c.admits(p) {
		t.Error("a packet for another address was admitted")
	}
}

func TestFlowsAreBounded(t *testing.T) {
	g, err := OpenGateway(GatewayConfig{PrivateKey: newKey(t), Listen: loopback4, MaxFlows: 2, Accept: echo})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	c, other := join(t, g, inner("10.9.0.2")), join(t, g, inner("10.9.0.3"))
	for range 2 {
		if err := ask(dial(t, c, virtual)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.DialTCP(within(t, time.Second), virtual); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial beyond the bound: %v", err)
	}
	if err := ask(dial(t, other, virtual)); err != nil {
		t.Errorf("another peer: %v", err)
	}
}
