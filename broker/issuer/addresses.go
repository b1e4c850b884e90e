package issuer

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// The address plan. Nothing of it appears on a real network: inner addresses
// name tunnels, virtual addresses name applications, both only inside tunnels.
// IPv4 comes from the shared space of RFC 6598, IPv6 from one unique local
// /48 (RFC 4193).
var (
	innerV4   = netip.MustParsePrefix("100.96.0.0/12")
	innerV6   = netip.MustParsePrefix("fd50:6f73:7465:1::/64")
	virtualV4 = netip.MustParsePrefix("100.112.0.0/16")
	virtualV6 = netip.MustParsePrefix("fd50:6f73:7465:2::/64")
)

// maxInner keeps inner addresses below the virtual ones.
const maxInner = 1<<20 - 1

// Inner is the pair of addresses of a device's end of a tunnel.
func Inner(index int64) ([]netip.Addr, error) {
	if index <= 0 || index > maxInner {
		return nil, fmt.Errorf("inner address %d is outside the plan", index)
	}
	return []netip.Addr{nth(innerV4, index), nth(innerV6, index)}, nil
}

// Virtual is the pair of addresses that stands for an application.
func Virtual(index int64) ([]netip.Addr, error) {
	if index <= 0 || index >= 1<<16-1 {
		return nil, fmt.Errorf("virtual address %d is outside the plan", index)
	}
	return []netip.Addr{nth(virtualV4, index), nth(virtualV6, index)}, nil
}

func nth(p netip.Prefix, n int64) netip.Addr {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
		return netip.AddrFrom4(b)
	}
	b := p.Addr().As16()
	binary.BigEndian.PutUint64(b[8:], uint64(n))
	return netip.AddrFrom16(b)
}

func texts(addrs []netip.Addr) []string {
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.String()
	}
	return out
}

// psk derives the preshared key of a tunnel (HKDF, RFC 5869), so that none is
// ever stored.
func (i *Issuer) psk(tunnel string) (string, error) {
	k, err := hkdf.Key(sha256.New, i.pskKey, nil, "postern/tunnel-psk/v1\x00"+tunnel, 32)
	if err != nil {
		return "", fmt.Errorf("derive preshared key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(k), nil
}
