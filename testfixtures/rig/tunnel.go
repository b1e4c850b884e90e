package rig

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/tunnel/wg"
)

// Tunnel opens the device's end of a lease's tunnel for the length of the test.
func (d *Device) Tunnel(l api.Lease) *wg.Client {
	d.T.Helper()
	cfg := wg.ClientConfig{PrivateKey: d.Keys[l.App.ID]}
	var err error
	cfg.PeerKey, err = wg.ParsePublicKey(l.Tunnel.Gateway.PublicKey)
	must(d.T, err)
	cfg.PSK, err = wg.ParsePresharedKey(l.Tunnel.PresharedKey)
	must(d.T, err)
	cfg.Endpoint, err = netip.ParseAddrPort(l.Tunnel.Gateway.Endpoints[0])
	must(d.T, err)
	for _, a := range l.Tunnel.Addresses {
		cfg.Addresses = append(cfg.Addresses, netip.MustParseAddr(a))
	}
	for _, a := range l.Tunnel.Virtual {
		addr := netip.MustParseAddr(a)
		cfg.AllowedIPs = append(cfg.AllowedIPs, netip.PrefixFrom(addr, addr.BitLen()))
	}
	c, err := wg.OpenClient(cfg)
	must(d.T, err)
	d.T.Cleanup(func() { c.Close() })
	c.Gate().Open()
	return c
}

// At is where a lease's app is, inside its tunnel.
func At(l api.Lease) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(l.Tunnel.Virtual[0]), uint16(l.Tunnel.Primary))
}

// Dial opens the tunnel of a lease and connects to its app.
func (d *Device) Dial(ctx context.Context, l api.Lease) (net.Conn, error) {
	return d.Tunnel(l).DialTCP(ctx, At(l))
}

// Get fetches a page of a lease's app through a tunnel that is open.
func Get(ctx context.Context, c *wg.Client, l api.Lease, path string) (string, error) {
	conn, err := c.DialTCP(ctx, At(l))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://app"+path, nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	if err := req.Write(conn); err != nil {
		return "", err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	return string(body), err
}

// Flow is a connection through a tunnel on which the app sends without end.
type Flow struct {
	bytes atomic.Int64
	done  chan struct{}
}

// Bytes is how many have come.
func (f *Flow) Bytes() int64 { return f.bytes.Load() }

// Ended reports whether the connection is over at the device.
func (f *Flow) Ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// Stream begins a flow and returns once its first bytes have come.
func (d *Device) Stream(c *wg.Client, l api.Lease) *Flow {
	d.T.Helper()
	conn, err := c.DialTCP(d.World.Context(), At(l))
	must(d.T, err)
	d.T.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: app\r\n\r\n")
	must(d.T, err)
	first := make([]byte, 1)
	_, err = io.ReadFull(conn, first)
	must(d.T, err)
	f := &Flow{done: make(chan struct{})}
	go func() { // ends with the connection, which ends with the test
		defer d.World.Poke()
		defer close(f.done)
		for buf := make([]byte, 4096); ; d.World.Poke() {
			n, err := conn.Read(buf)
			f.bytes.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	return f
}

// RandomKey is a tunnel key, base64, whose private half nobody has.
func RandomKey() string {
	k, err := wg.NewPrivateKey()
	if err != nil {
		return ""
	}
	p := k.Public()
	return base64.StdEncoding.EncodeToString(p[:])
}

// String is for messages.
func (a *App) String() string {
	return fmt.Sprintf("%s: %d open of %d ever", a.Name, a.Open(), a.Ever())
}
