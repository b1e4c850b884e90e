package firewall

import (
	"math"
	"net/netip"
	"strings"
)

// sources answers for source addresses. Addresses and networks name those they
// hold, unless they are so large that they are no selection: together a 64th of
// all that strangers may have.
func sources(values []string, v4 bool) tri {
	var share float64
	for _, v := range values {
		part, ok := shareOf(v, v4)
		if !ok {
			return opaque
		}
		share += part
	}
	switch {
	case share >= 1:
		return yes
	case share >= 1.0/64:
		return either
	}
	return no
}

// destinations answers for destination addresses: groups and broadcasts are
// not this machine's own. Any other may be its only one, so that an accept for
// it may be one for everything; a drop names one address and is no default.
func (w *walker) destinations(values []string, v4 bool) tri {
	answer := no
	for _, v := range values {
		lo, hi, ok := bounds(v, v4)
		switch {
		case !ok:
			return opaque
		case lo == first(v4) && hi == last(v4):
			return yes
		case !special(lo, hi) && !w.refusing:
			answer = opaque
		}
	}
	return answer
}

// special is true of addresses that no packet from another machine to this one
// alone has as its destination.
func special(lo, hi netip.Addr) bool {
	for _, p := range []string{"224.0.0.0/3", "127.0.0.0/8", "ff00::/8", "::1/128", "0.0.0.0/32", "::/128"} {
		if prefix := netip.MustParsePrefix(p); prefix.Contains(lo) && prefix.Contains(hi) {
			return true
		}
	}
	return false
}

// shareOf is which part of the addresses of strangers a value holds: of IPv4
// without groups and what is reserved (224.0.0.0/3), of IPv6 the global ones
// (2000::/3). 1 is all there are.
func shareOf(value string, v4 bool) (float64, bool) {
	lo, hi, ok := bounds(value, v4)
	if !ok {
		return 0, false
	}
	if lo == first(v4) && hi == last(v4) {
		return 1, true
	}
	from, to := netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("223.255.255.255")
	if !v4 {
		from, to = netip.MustParseAddr("2000::"), netip.MustParseAddr("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
	}
	if hi.Less(from) || to.Less(lo) {
		return 0, true
	}
	if lo.Less(from) {
		lo = from
	}
	if to.Less(hi) {
		hi = to
	}
	part := (size(hi) - size(lo)) / (size(to) - size(from))
	if !v4 { // link-local and private addresses are left
		part = math.Min(part, 63.0/64)
	}
	return part, true
}

// size is an address as a number of its first 64 bits or, for IPv4, of all.
func size(a netip.Addr) float64 {
	var n float64
	for _, b := range a.AsSlice()[:min(8, a.BitLen()/8)] {
		n = n*256 + float64(b)
	}
	return n
}

func first(v4 bool) netip.Addr {
	if v4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func last(v4 bool) netip.Addr {
	if v4 {
		return netip.MustParseAddr("255.255.255.255")
	}
	return netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
}

// bounds reads an address, a network or a range.
func bounds(value string, v4 bool) (lo, hi netip.Addr, ok bool) {
	switch {
	case strings.Contains(value, "/"):
		return network(value, v4)
	case strings.Contains(value, "-"):
		a, b, _ := strings.Cut(value, "-")
		lo, okLo := address(a, v4)
		hi, okHi := address(b, v4)
		return lo, hi, okLo && okHi && !hi.Less(lo)
	}
	lo, ok = address(value, v4)
	return lo, lo, ok
}

func address(s string, v4 bool) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Is4() == v4 && a.Zone() == ""
}

// network reads address/length, or address/mask as iptables writes it.
func network(value string, v4 bool) (lo, hi netip.Addr, ok bool) {
	host, length, _ := strings.Cut(value, "/")
	a, ok := address(host, v4)
	if !ok {
		return lo, hi, false
	}
	if mask, isMask := address(length, v4); isMask {
		return masked(a, mask)
	}
	p, err := netip.ParsePrefix(value)
	if err != nil {
		return lo, hi, false
	}
	mask := last(v4).AsSlice()
	for i := p.Bits(); i < len(mask)*8; i++ {
		mask[i/8] &^= 0x80 >> (i % 8)
	}
	m, _ := netip.AddrFromSlice(mask)
	return masked(a, m)
}

// masked gives the bounds of a network; a mask with holes has none.
func masked(a, mask netip.Addr) (lo, hi netip.Addr, ok bool) {
	from, to, m := a.AsSlice(), a.AsSlice(), mask.AsSlice()
	ended := false
	for i := range m {
		for bit := byte(0x80); bit != 0; bit >>= 1 {
			if set := m[i]&bit != 0; set && ended {
				return lo, hi, false
			} else if !set {
				ended = true
			}
		}
		from[i] &= m[i]
		to[i] |= ^m[i]
	}
	lo, _ = netip.AddrFromSlice(from)
	hi, _ = netip.AddrFromSlice(to)
	return lo, hi, true
}
