package wg

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

var (
	loopback4 = netip.MustParseAddrPort("127.0.0.1:0")
	inner     = netip.MustParseAddr
	virtual   = netip.MustParseAddrPort("100.64.0.1:443")
	virtual6  = netip.MustParseAddrPort("[fd00:1::1]:443")
)

func newKey(t testing.TB) PrivateKey {
	t.Helper()
	key, err := NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// openGateway starts a gateway on loopback for the length of the test.
func openGateway(t testing.TB, accept func(Flow)) *Gateway {
	t.Helper()
	g, err := OpenGateway(GatewayConfig{PrivateKey: newKey(t), Listen: loopback4, Accept: accept})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// far is one far end: how it is set at the gateway and how it is opened.
type far struct {
	peer   Peer
	config ClientConfig
}

func newFar(t testing.TB, g *Gateway, addrs ...netip.Addr) far {
	t.Helper()
	key := newKey(t)
	var psk PresharedKey
	if _, err := rand.Read(psk[:]); err != nil {
		t.Fatal(err)
	}
	return far{
		peer: Peer{Key: key.Public(), PSK: psk, Addresses: addrs, Allow: []netip.AddrPort{virtual, virtual6}},
		config: ClientConfig{
			PrivateKey: key, PeerKey: g.PublicKey(), PSK: psk, Endpoint: g.ListenAddr(), Addresses: addrs,
			AllowedIPs: []netip.Prefix{netip.MustParsePrefix("100.64.0.0/24"), netip.MustParsePrefix("fd00:1::/64")},
		},
	}
}

// open opens the client's end, gate shut, for the length of the test.
func (f far) open(t testing.TB) *Client {
	t.Helper()
	c, err := OpenClient(f.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// join makes a far end known at the gateway and opens both gates.
func join(t testing.TB, g *Gateway, addrs ...netip.Addr) *Client {
	t.Helper()
	f := newFar(t, g, addrs...)
	if err := g.SetPeer(f.peer); err != nil {
		t.Fatal(err)
	}
	c := f.open(t)
	c.Gate().Open()
	return c
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, c *Client, to netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := c.DialTCP(within(t, 10*time.Second), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func echo(f Flow) { _, _ = io.Copy(f.Conn, f.Conn) }

// pour sends until the connection fails.
func pour(f Flow) {
	block := make([]byte, 64<<10)
	for {
		if _, err := f.Conn.Write(block); err != nil {
			return
		}
	}
}

// ask sends one byte and waits for it to come back.
func ask(conn net.Conn) error {
	if _, err := conn.Write([]byte{42}); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// settle waits until there are no more goroutines than before.
func settle(t *testing.T, before int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		case <-time.After(5 * time.Millisecond):
		}
	}
}
