package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/tunnel/wg"
)

// maxTTL is far above any lease. More than that is a mistake, and numbers that
// overflow a Duration are too.
const maxTTL = time.Hour

func ttl(ms int64) (time.Duration, error) {
	if ms < 0 || ms > maxTTL.Milliseconds() {
		return 0, fmt.Errorf("a time of %d ms is not between 0 and %s", ms, maxTTL)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// parseTunnel reads one tunnel of a grant; nothing of it is guessed.
func parseTunnel(in api.GatewayTunnel) (tunnel, error) {
	t := tunnel{id: in.ID, lease: in.Lease, app: in.App, routes: map[netip.AddrPort]string{}}
	var err error
	if t.peer.Key, err = wg.ParsePublicKey(in.PublicKey); err != nil {
		return t, err
	}
	if t.peer.PSK, err = wg.ParsePresharedKey(in.PresharedKey); err != nil {
		return t, err
	}
	for _, a := range in.Addresses {
		addr, err := netip.ParseAddr(a)
		if err != nil {
			return t, fmt.Errorf("inner address: %w", err)
		}
		t.peer.Addresses = append(t.peer.Addresses, addr)
	}
	for _, r := range in.Routes {
		if r.Port < 1 || r.Port > 65535 {
			return t, fmt.Errorf("port %d is not a port", r.Port)
		}
		if _, _, err := destination(r.Destination); err != nil {
			return t, err
		}
		for _, v := range r.Virtual {
			addr, err := netip.ParseAddr(v)
			if err != nil {
				return t, fmt.Errorf("virtual address: %w", err)
			}
			to := netip.AddrPortFrom(addr, uint16(r.Port))
			t.peer.Allow = append(t.peer.Allow, to)
			t.routes[to] = r.Destination
		}
	}
	if t.ttl, err = ttl(in.TTLMS); err != nil {
		return t, err
	}
	if in.ID == "" || len(t.peer.Addresses) == 0 || len(t.peer.Allow) == 0 {
		return t, errors.New("an id, inner addresses and routes are needed")
	}
	return t, nil
}
