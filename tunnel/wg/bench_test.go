package wg

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// dialer is a client end, ours or wireguard-go's own.
type dialer struct {
	dial  func(netip.AddrPort) (net.Conn, error)
	close func()
}

// clientKinds are the two client ends that are compared. The gateway is ours
// for both.
var clientKinds = []struct {
	name string
	open func(testing.TB, far) dialer
}{
	{"client=postern", func(b testing.TB, f far) dialer {
		c := f.open(b)
		c.Gate().Open()
		return dialer{
			func(to netip.AddrPort) (net.Conn, error) { return c.DialTCP(context.Background(), to) },
			func() { _ = c.Close() },
		}
	}},
	{"client=stock", func(b testing.TB, f far) dialer {
		t, n, err := netstack.CreateNetTUN(f.config.Addresses, nil, DefaultMTU)
		if err != nil {
			b.Fatal(err)
		}
		d := device.NewDevice(t, conn.NewDefaultBind(), device.NewLogger(device.LogLevelSilent, ""))
		b.Cleanup(d.Close)
		if err := d.IpcSet(settingsText(&f.config.PrivateKey, peerSettings{
			key: f.config.PeerKey, psk: f.config.PSK, endpoint: f.config.Endpoint, allowed: f.config.AllowedIPs,
		})); err != nil {
			b.Fatal(err)
		}
		if err := d.Up(); err != nil {
			b.Fatal(err)
		}
		return dialer{
			func(to netip.AddrPort) (net.Conn, error) { return n.DialContextTCPAddrPort(context.Background(), to) },
			d.Close,
		}
	}},
}

// BenchmarkThroughput moves one stream through client and gateway in one
// process over loopback UDP; compare the two clients within one run.
func BenchmarkThroughput(b *testing.B) {
	up := netip.MustParseAddrPort("100.64.0.2:9")
	accept := func(f Flow) {
		if f.To == up {
			_, _ = io.Copy(io.Discard, f.Conn)
			return
		}
		pour(f)
	}
	const block = 1 << 20
	for _, kind := range clientKinds {
		for _, direction := range []struct {
			name string
			to   netip.AddrPort
		}{{"down", virtual}, {"up", up}} {
			b.Run("dir="+direction.name+"/"+kind.name, func(b *testing.B) {
				g := openGateway(b, accept)
				f := newFar(b, g, inner("10.9.0.2"))
				f.peer.Allow = append(f.peer.Allow, up)
				if err := g.SetPeer(f.peer); err != nil {
					b.Fatal(err)
				}
				stream, err := kind.open(b, f).dial(direction.to)
				if err != nil {
					b.Fatal(err)
				}
				data := make([]byte, block)
				b.SetBytes(block)
				for b.Loop() {
					if direction.to == up {
						_, err = stream.Write(data)
					} else {
						_, err = io.ReadFull(stream, data)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				_ = stream.Close()
			})
		}
	}
}

// BenchmarkOpenToFirstByte is a tunnel from nothing to the first byte of an
// application: device, handshake, TCP, one byte there and back.
func BenchmarkOpenToFirstByte(b *testing.B) {
	for _, kind := range clientKinds {
		b.Run(kind.name, func(b *testing.B) {
			g := openGateway(b, echo)
			for b.Loop() {
				f := newFar(b, g, inner("10.9.0.2"))
				if err := g.SetPeer(f.peer); err != nil {
					b.Fatal(err)
				}
				client := kind.open(b, f)
				stream, err := client.dial(virtual)
				if err != nil {
					b.Fatal(err)
				}
				if err := ask(stream); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				client.close()
				g.ShutPeer(f.peer.Key)
				b.StartTimer()
			}
		})
	}
}
