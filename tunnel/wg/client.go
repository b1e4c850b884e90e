package wg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// ErrUnreachable is what a dial gets for a destination that is not among the
// tunnel's addresses. Nothing was sent.
var ErrUnreachable = errors.New("not an address of this tunnel")

// ClientConfig says how to open the device's end of one application's tunnel.
type ClientConfig struct {
	PrivateKey       PrivateKey
	PeerKey          PublicKey      // the gateway's
	PSK              PresharedKey   // all zeroes: none
	Endpoint         netip.AddrPort // the gateway's outer address
	Addresses        []netip.Addr   // our inner addresses, at most one of each family is used
	AllowedIPs       []netip.Prefix // the application's virtual addresses
	MTU              int            // inner, 0 = DefaultMTU
	KeepaliveSeconds int            // 0 = off
	Log              *slog.Logger   // debug only, nil = silent
}

// Client is the device's end of one application's tunnel: one WireGuard
// device and one netstack. All methods may be called concurrently.
type Client struct {
	gate      Gate
	peer      PublicKey
	addresses []netip.Addr
	allowed   []netip.Prefix
	bind      *udpBind
	device    *device.Device
	stack     *stack.Stack
	close     sync.Once
}

// OpenClient makes the tunnel with its gate shut. No packet leaves before the
// gate opens, but WireGuard's own handshake and keepalive.
func OpenClient(cfg ClientConfig) (*Client, error) {
	if cfg.MTU == 0 {
		cfg.MTU = DefaultMTU
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open tunnel: %w", err)
	}
	c := &Client{
		peer:      cfg.PeerKey,
		addresses: cfg.Addresses,
		allowed:   cfg.AllowedIPs,
		bind:      &udpBind{local: clientLocal(cfg.Endpoint.Addr())},
	}
	l := newLink(cfg.MTU, &only{gate: &c.gate, admits: c.admits})
	var err error
	if c.stack, err = newStack(l); err != nil {
		return nil, fmt.Errorf("open tunnel: %w", err)
	}
	for _, a := range cfg.Addresses {
		address := tcpip.ProtocolAddress{
			Protocol:          networkOf(a),
			AddressWithPrefix: tcpip.AddrFromSlice(a.AsSlice()).WithPrefix(),
		}
		if terr := c.stack.AddProtocolAddress(nic, address, stack.AddressProperties{}); terr != nil {
			c.stack.Destroy()
			return nil, fmt.Errorf("open tunnel: add address %s: %s", a, terr)
		}
	}
	c.device, err = newDevice(l, c.bind, cfg.Log, settingsText(&cfg.PrivateKey, peerSettings{
		key: cfg.PeerKey, psk: cfg.PSK, endpoint: cfg.Endpoint,
		allowed: cfg.AllowedIPs, keepalive: cfg.KeepaliveSeconds,
	}))
	if err != nil {
		c.stack.Destroy()
		return nil, fmt.Errorf("open tunnel: %w", err)
	}
	return c, nil
}

func (cfg *ClientConfig) check() error {
	switch {
	case cfg.PrivateKey == (PrivateKey{}):
		return errors.New("no private key")
	case cfg.PeerKey == (PublicKey{}) || cfg.PeerKey == cfg.PrivateKey.Public():
		return errors.New("the gateway's key is missing or our own")
	case !cfg.Endpoint.IsValid() || cfg.Endpoint.Port() == 0 || cfg.Endpoint.Addr().Is4In6():
		return fmt.Errorf("gateway endpoint %s", cfg.Endpoint)
	case len(cfg.Addresses) == 0:
		return errors.New("no inner address")
	case cfg.KeepaliveSeconds < 0 || cfg.KeepaliveSeconds > math.MaxUint16:
		return fmt.Errorf("keepalive of %d s", cfg.KeepaliveSeconds)
	}
	for _, a := range cfg.Addresses {
		if err := checkInner(a); err != nil {
			return err
		}
	}
	for _, p := range cfg.AllowedIPs {
		if !p.IsValid() {
			return errors.New("a virtual address is not a prefix")
		}
	}
	return checkMTU(cfg.MTU)
}

// checkInner refuses what cannot be the address of one end of a tunnel.
func checkInner(a netip.Addr) error {
	if !a.IsValid() || a.Is4In6() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return fmt.Errorf("inner address %s", a)
	}
	return nil
}

// checkMTU keeps to what IPv6 needs (RFC 8200 section 5) and a packet can hold.
func checkMTU(mtu int) error {
	if mtu < 1280 || mtu > math.MaxUint16-80 {
		return fmt.Errorf("MTU of %d", mtu)
	}
	return nil
}

// admits lets through what answers us. WireGuard has checked that it comes
// from one of the virtual addresses.
func (c *Client) admits(p packet) bool {
	if p.opens {
		return false
	}
	for _, a := range c.addresses {
		if a == p.dst.Addr() {
			return true
		}
	}
	return false
}

// Gate is the gate of this tunnel. Shutting it is the same as Shut.
func (c *Client) Gate() *Gate { return &c.gate }

// clientFlows is how many connections one application's tunnel may have.
const clientFlows = 4096

// DialTCP connects to a virtual address. It fails at once with ErrShut when
// the gate is shut, and as soon as it is shut while dialling; with
// ErrUnreachable for an address that is not this tunnel's. The connection also
// has CloseRead and CloseWrite.
func (c *Client) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	f, err := c.dial(ctx, to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return f, nil
}

func (c *Client) dial(ctx context.Context, to netip.AddrPort) (*flow, error) {
	p := c.gate.passage()
	if p == nil {
		return nil, ErrShut
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	from, err := c.sourceFor(to)
	if err != nil {
		return nil, err
	}
	var wq waiter.Queue
	ep, terr := c.stack.NewEndpoint(tcp.ProtocolNumber, networkOf(to.Addr()), &wq)
	if terr != nil {
		return nil, errors.New(terr.String())
	}
	connected, wake := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr)
	wq.EventRegister(&connected)
	defer wq.EventUnregister(&connected)
	f, err := newFlow(p, ep, &wq, from, to, clientFlows)
	if err != nil {
		return nil, err
	}
	if err := f.connect(ctx, wake); err != nil {
		f.endpoint.Abort()
		p.leave(p.flows, f)
		return nil, err
	}
	return f, nil
}

// sourceFor finds our address of the family of to, if to is ours to reach.
func (c *Client) sourceFor(to netip.AddrPort) (netip.AddrPort, error) {
	for _, allowed := range c.allowed {
		if !allowed.Contains(to.Addr()) || to.Port() == 0 {
			continue
		}
		for _, a := range c.addresses {
			if a.Is4() == to.Addr().Is4() {
				return netip.AddrPortFrom(a, 0), nil
			}
		}
	}
	return netip.AddrPort{}, ErrUnreachable
}

// connect runs the TCP handshake of an outbound flow.
func (f *flow) connect(ctx context.Context, wake <-chan struct{}) error {
	terr := f.endpoint.Bind(fullAddress(f.local))
	if terr == nil {
		terr = f.endpoint.Connect(fullAddress(f.remote))
	}
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.passage.done:
			return ErrShut
		case <-wake:
			terr = f.endpoint.LastError()
		}
	}
	if f.passage.over.Load() {
		return ErrShut
	}
	if terr != nil {
		return errors.New(terr.String())
	}
	if a, terr := f.endpoint.GetLocalAddress(); terr == nil {
		f.local = netip.AddrPortFrom(f.local.Addr(), a.Port)
	}
	return nil
}

// Shut shuts the gate, first of all, and ends every connection of this
// tunnel: when it returns, their Read and Write give ErrShut. Nothing waits on
// the network.
func (c *Client) Shut() { c.gate.Shut() }

// Close shuts the tunnel and frees everything. It may be called twice.
func (c *Client) Close() error {
	c.gate.Shut()
	c.close.Do(func() {
		c.device.Close()
		c.stack.Destroy()
	})
	return nil
}

// Counters gives the bytes received and sent on the outer network, WireGuard's
// own included; zeroes after Close.
func (c *Client) Counters() (rx, tx uint64) {
	s := c.state()
	return s.rx, s.tx
}

// LastHandshake tells when WireGuard last agreed on keys with the gateway, by
// this machine's wall clock, and whether it ever did.
func (c *Client) LastHandshake() (time.Time, bool) {
	s := c.state()
	return s.handshake, !s.handshake.IsZero()
}

func (c *Client) state() peerState {
	peers, err := deviceState(c.device)
	if err != nil || len(peers) != 1 {
		return peerState{}
	}
	return peers[0]
}
