package devidp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrNotLoopback is returned for an address that other machines could reach,
// or that only a name service knows.
var ErrNotLoopback = errors.New("not a literal loopback address")

// Listen listens on a TCP address such as "127.0.0.1:0" or "[::1]:8081", and
// on nothing but a literal loopback address: "localhost" is whatever a
// resolver makes of it.
func Listen(addr string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !isLoopback(at.Addr()) {
		return nil, fmt.Errorf("listen on %q: %w", addr, ErrNotLoopback)
	}
	network := "tcp6"
	if at.Addr().Is4() {
		network = "tcp4"
	}
	return net.Listen(network, at.String())
}

// isLoopback is for 127.0.0.0/8 and ::1, not for what maps one into the other.
func isLoopback(a netip.Addr) bool {
	return a.IsLoopback() && !a.Is4In6() && a.Zone() == ""
}
