package plan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

// Bounds of what a lease may hold. No sane application is near them.
const (
	maxText = 256 // bytes of an id or a name
	maxList = 64  // addresses, endpoints or ports
)

// FromLease reads the tunnel out of a lease that is answered to key generation
// gen and ends at boot time until. The lease's own ttl_ms is not looked at:
// who knows when the request was sent has computed until from it. Everything
// doubtful is an error, and no error holds a secret.
func FromLease(l api.Lease, gen int, until time.Duration) (Tunnel, error) {
	t := Tunnel{
		App: l.App.ID, Name: l.App.Name, KeyGen: gen, Lease: l.ID, TunnelID: l.Tunnel.ID,
		Until: until, Primary: l.Tunnel.Primary, Pending: l.Pending,
		Gateway: Gateway{ID: l.Tunnel.Gateway.ID, Epoch: l.Tunnel.Gateway.Epoch},
	}
	if err := t.checkTexts(); err != nil {
		return Tunnel{}, fmt.Errorf("read lease: %w", err)
	}
	if err := t.readKeys(l.Tunnel); err != nil {
		return Tunnel{}, fmt.Errorf("read lease of %q: %w", t.App, err)
	}
	if err := t.readAddresses(l.Tunnel); err != nil {
		return Tunnel{}, fmt.Errorf("read lease of %q: %w", t.App, err)
	}
	if err := t.readPorts(l.Tunnel.Ports); err != nil {
		return Tunnel{}, fmt.Errorf("read lease of %q: %w", t.App, err)
	}
	return t, nil
}

func (t *Tunnel) checkTexts() error {
	for _, f := range []struct {
		what, text string
		needed     bool
	}{
		{"lease id", t.Lease, true},
		{"app id", t.App, true},
		{"app name", t.Name, false},
		{"tunnel id", t.TunnelID, true},
		{"gateway id", t.Gateway.ID, false},
		{"gateway epoch", t.Gateway.Epoch, false},
	} {
		if f.needed && f.text == "" {
			return fmt.Errorf("no %s", f.what)
		}
		if len(f.text) > maxText {
			return fmt.Errorf("%s of %d bytes, at most %d allowed", f.what, len(f.text), maxText)
		}
	}
	return nil
}

func (t *Tunnel) readKeys(w api.Tunnel) error {
	own, err := parseKey("our public key", w.PublicKey)
	if err != nil {
		return err
	}
	far, err := parseKey("gateway key", w.Gateway.PublicKey)
	if err != nil {
		return err
	}
	switch {
	case own == [32]byte{}:
		return errors.New("our public key is all zeroes")
	case far == [32]byte{}:
		return errors.New("gateway key is all zeroes")
	case far == own:
		return errors.New("gateway key is our own")
	}
	t.PublicKey, t.Gateway.PublicKey = own, far
	if w.PresharedKey == "" { // WireGuard's way to say there is none
		return nil
	}
	psk, err := parseKey("preshared key", w.PresharedKey)
	t.Preshared = psk
	return err
}

// parseKey reads 32 bytes in standard base64. What it was given is not told:
// it may be secret.
func parseKey(what, s string) ([32]byte, error) {
	if s == "" {
		return [32]byte{}, fmt.Errorf("no %s", what)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return [32]byte{}, fmt.Errorf("%s is not standard base64", what)
	}
	if len(raw) != 32 {
		return [32]byte{}, fmt.Errorf("%s of %d bytes, want 32", what, len(raw))
	}
	return [32]byte(raw), nil
}

func (t *Tunnel) readAddresses(w api.Tunnel) error {
	var err error
	if t.Gateway.Endpoints, err = parseAll("gateway endpoint", w.Gateway.Endpoints, parseEndpoint); err != nil {
		return err
	}
	if t.Addresses, err = parseAll("inner address", w.Addresses, parseInner); err != nil {
		return err
	}
	t.Virtual, err = parseAll("virtual address", w.Virtual, parseInner)
	if err != nil {
		return err
	}
	for _, v := range t.Virtual {
		if slices.Contains(t.Addresses, v) {
			return fmt.Errorf("virtual address %s is also our inner address", v)
		}
		if !slices.ContainsFunc(t.Addresses, func(a netip.Addr) bool { return a.Is4() == v.Is4() }) {
			return fmt.Errorf("virtual address %s has no inner address of its family", v)
		}
	}
	return nil
}

func parseAll[T comparable](what string, texts []string, parse func(string) (T, error)) ([]T, error) {
	if len(texts) == 0 {
		return nil, fmt.Errorf("no %s", what)
	}
	if len(texts) > maxList {
		return nil, fmt.Errorf("%d times %s, at most %d allowed", len(texts), what, maxList)
	}
	list := make([]T, 0, len(texts))
	for _, s := range texts {
		v, err := parse(s)
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", what, clip(s), err)
		}
		if slices.Contains(list, v) {
			return nil, fmt.Errorf("%s %q is there twice", what, clip(s))
		}
		list = append(list, v)
	}
	return list, nil
}

func clip(s string) string { return s[:min(len(s), 64)] }

// parseEndpoint takes only addresses: a name would be looked up through a
// resolver that nothing vouches for.
func parseEndpoint(s string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, errors.New("want an IP address and a port")
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
		return netip.AddrPort{}, errors.New("not an address of one host")
	}
	return ap, nil
}

// parseInner takes single addresses only, so that no lease can turn a whole
// network, let alone 0.0.0.0/0, into a tunnel.
func parseInner(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, errors.New("want one IP address")
	}
	if a.Is4In6() || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return netip.Addr{}, errors.New("not an address inside a tunnel")
	}
	return a, nil
}

func (t *Tunnel) readPorts(ports []int) error {
	if len(ports) == 0 || len(ports) > maxList {
		return fmt.Errorf("%d ports, want 1 to %d", len(ports), maxList)
	}
	for _, p := range ports {
		if p < 1 || p > 65535 {
			return fmt.Errorf("port %d is not in 1 to 65535", p)
		}
	}
	t.Ports = slices.Clone(ports)
	slices.Sort(t.Ports)
	if len(slices.Compact(slices.Clone(t.Ports))) != len(ports) {
		return errors.New("a port is there twice")
	}
	if !slices.Contains(t.Ports, t.Primary) {
		return fmt.Errorf("primary port %d is not one of the ports", t.Primary)
	}
	return nil
}
