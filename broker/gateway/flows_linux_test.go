package gateway

import (
	"context"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/tunnel/wg"
)

// quiet is an application that takes connections and says nothing.
func quiet(t *testing.T) (addr string, accepted <-chan *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan *net.TCPConn, 8)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c.(*net.TCPConn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
		close(conns)
		for c := range conns {
			c.Close()
		}
	})
	return l.Addr().String(), conns
}

// flow opens a tunnel to the application at addr and a connection through it;
// it gives both ends.
func (s *scripted) flow(l *line, addr string, accepted <-chan *net.TCPConn) (device net.Conn, app *net.TCPConn, in api.GatewayTunnel) {
	t := s.t
	t.Helper()
	private, err := wg.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	in = tunnelAt(t, 1, 20*time.Second)
	in.PublicKey = private.Public().String()
	in.Routes[0].Destination = "tcp:" + addr
	l.event(api.FeedSnapshot, api.Snapshot{Seq: 1, Grants: []api.Grant{grantOf(0, "ses", in)}})
	s.applied(1)
	to := netip.MustParseAddrPort("100.112.0.1:80")
	c, err := wg.OpenClient(wg.ClientConfig{
		PrivateKey: private, PeerKey: s.gateway.wg.PublicKey(), Endpoint: s.gateway.Addr(),
		Addresses: []netip.Addr{netip.MustParseAddr(in.Addresses[0])}, AllowedIPs: []netip.Prefix{netip.PrefixFrom(to.Addr(), 32)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.Gate().Open()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if device, err = c.DialTCP(ctx, to); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { device.Close() })
	app = next(t, "the application's connection", accepted)
	t.Cleanup(func() { app.Close() })
	return device, app, in
}

// halfClose ends what the device sends, and waits until the application knows.
func halfClose(t *testing.T, device net.Conn, app *net.TCPConn) {
	t.Helper()
	if err := device.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := app.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
}

// wasReset waits until the system says that the other end broke off. Nothing is
// read or written, which could be what makes the other end notice.
func wasReset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(5 * time.Second); time.Now().Before(late); <-time.After(5 * time.Millisecond) {
		var code int
		if err := raw.Control(func(fd uintptr) { code, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR) }); err != nil {
			t.Fatal(err)
		}
		if code != 0 {
			return
		}
	}
	t.Error("the connection to the application lives on")
}

// TestEndReachesAnIdleApplication: nobody reads from or writes to the flow when
// it ends, and the application's side must end all the same.
func TestEndReachesAnIdleApplication(t *testing.T) {
	ends := map[string]func(l *line, in api.GatewayTunnel){
		"revoked": func(l *line, _ api.GatewayTunnel) {
			l.event(api.FeedGrant, grantOf(2, "ses"))
		},
		"moved": func(l *line, in api.GatewayTunnel) {
			in.Routes[0].Destination = "tcp:127.0.0.1:9"
			l.event(api.FeedGrant, grantOf(2, "ses", in))
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := script(t)
			l := s.feed()
			addr, accepted := quiet(t)
			device, app, in := s.flow(l, addr, accepted)
			halfClose(t, device, app)
			end(l, in)
			wasReset(t, app)
		})
	}
}

// TestEndReachesABlockedApplication: it reads nothing, so the gateway stands in
// the middle of handing over what came before the end.
func TestEndReachesABlockedApplication(t *testing.T) {
	ends := map[string]func(l *line, device net.Conn){
		"revoked": func(l *line, _ net.Conn) { l.event(api.FeedGrant, grantOf(2, "ses")) },
		"reset":   func(_ *line, device net.Conn) { device.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := script(t)
			l := s.feed()
			addr, accepted := quiet(t)
			device, app, _ := s.flow(l, addr, accepted)
			block := make([]byte, 64<<10)
			for full := false; !full; {
				if err := device.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				_, err := device.Write(block)
				full = err != nil
			}
			// With something unread at the device, its close is a reset (RFC 9293
			// section 3.6.1).
			if _, err := app.Write([]byte("ab")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(device, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			end(l, device)
			wasReset(t, app)
		})
	}
}

// TestStopsWithAnIdleApplication: a connection that says nothing must not keep
// the gateway from ending.
func TestStopsWithAnIdleApplication(t *testing.T) {
	s := script(t)
	l := s.feed()
	addr, accepted := quiet(t)
	device, app, _ := s.flow(l, addr, accepted)
	halfClose(t, device, app)
	s.stop()
	select {
	case err := <-s.stopped:
		s.stopped <- err
	case <-time.After(5 * time.Second):
		t.Error("the gateway does not stop")
		app.Close()
	}
}
