package machine

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// xtInfo is the data of an extension of iptables, in the processor's byte
// order (linux/netfilter/xt_*.h).
type xtInfo []byte

func (i xtInfo) u8(at int) uint8 {
	if at >= len(i) {
		return 0
	}
	return i[at]
}

func (i xtInfo) u16(at int) uint16 {
	if at+2 > len(i) {
		return 0
	}
	return binary.NativeEndian.Uint16(i[at:])
}

func (i xtInfo) u32(at int) uint32 {
	if at+4 > len(i) {
		return 0
	}
	return binary.NativeEndian.Uint32(i[at:])
}

func equals(inverted bool) string {
	if inverted {
		return "!="
	}
	return "=="
}

func (t *translation) match(left any, op string, right any) {
	t.add(object{"match": object{"op": op, "left": left, "right": right}})
}

// xtMatch translates a match of iptables into what nft(8) has for the same;
// one that has nothing of the kind is told by name only.
func (t *translation) xtMatch(name string, rev uint32, data []byte) {
	i, ok := xtInfo(data), false
	switch {
	case name == "comment":
		t.add(object{"comment": nil})
		ok = true
	case name == "limit", name == "hashlimit", name == "statistic", name == "time":
		t.add(object{"limit": nil})
		ok = true
	case name == "conntrack" && (rev == 2 || rev == 3) && len(i) >= 154:
		ok = t.xtConntrack(i.u16(146), i.u16(148), uint64(i.u16(150)))
	case name == "state" && len(i) >= 4:
		t.xtState(uint64(i.u32(0)), xtStates(6), false)
		ok = true
	case name == "addrtype" && rev == 1 && len(i) >= 8:
		t.xtAddrType(i)
		ok = true
	case name == "tcp" && len(i) >= 12:
		t.xtPorts(i, i.u8(11))
		ok = t.xtTCP(i)
	case name == "udp" && len(i) >= 9:
		t.xtPorts(i, i.u8(8))
		ok = true
	case name == "multiport" && rev == 1 && len(i) >= 48:
		ok = t.xtMultiport(i)
	case (name == "mark" || name == "connmark") && rev == 1 && len(i) >= 9:
		left := any(object{"meta": object{"key": "mark"}})
		if name == "connmark" {
			left = object{"ct": object{"key": "mark"}}
		}
		t.match(object{"&": []any{left, i.u32(4)}}, equals(i.u8(8) != 0), i.u32(0))
		ok = true
	case name == "pkttype" && len(i) >= 8:
		t.match(object{"meta": object{"key": "pkttype"}}, equals(i.u32(4) != 0), i.u32(0))
		ok = true
	case name == "mac" && len(i) >= 12:
		t.match(payload("ether", "saddr"), equals(i.u32(8) != 0), "named")
		ok = true
	case name == "rpfilter" && len(i) >= 1:
		const inverted = 8 // XT_RPFILTER_INVERT
		t.match(object{"fib": object{"result": "oif", "flags": []string{"saddr", "iif"}}}, "==", i.u8(0)&inverted == 0)
		ok = true
	case name == "iprange" && rev == 1 && len(i) >= 65:
		t.xtRange(i)
		ok = true
	}
	if !ok {
		t.add(object{"xt": object{"type": "match", "name": name}})
	}
}

// xtStates names the bits of a mask of states; from first on there are those
// that connection tracking does not have (xt_conntrack.h, xt_state.h).
func xtStates(untracked int) []string {
	names := make([]string, untracked+1)
	copy(names, []string{"invalid", "established", "related", "new"})
	names[untracked] = "untracked"
	return names
}

func (t *translation) xtState(mask uint64, names []string, inverted bool) {
	list := words(mask, names)
	if list == nil { // states that only a packet with a changed address has
		list = []string{"dnat"}
	}
	op := "in"
	if inverted {
		op = "!="
	}
	t.match(object{"ct": object{"key": "state"}}, op, list)
}

func (t *translation) xtConntrack(flags, inverted uint16, states uint64) bool {
	const state, alias = 1, 1 << 13 // XT_CONNTRACK_STATE, XT_CONNTRACK_STATE_ALIAS
	if flags&^(state|alias) != 0 || flags&state == 0 {
		return false
	}
	t.xtState(states, xtStates(8), inverted&state != 0)
	return true
}

func (t *translation) xtAddrType(i xtInfo) {
	for n, name := range []string{"saddr", "daddr"} {
		mask := i.u16(2 * n)
		if mask == 0 {
			continue
		}
		var types []any
		for bit := range 16 {
			if mask>>bit&1 != 0 {
				types = append(types, bit)
			}
		}
		t.match(object{"fib": object{"result": "type", "flags": []string{name}}}, equals(i.u32(4)>>n&1 != 0), object{"set": types})
	}
}

// xtPorts translates the ports of tcp and udp, which begin alike.
func (t *translation) xtPorts(i xtInfo, inverted uint8) {
	for n, name := range []string{"sport", "dport"} {
		from, to := i.u16(4*n), i.u16(4*n+2)
		if from == 0 && to == 65535 && inverted>>n&1 == 0 {
			continue
		}
		t.match(payload("th", name), equals(inverted>>n&1 != 0), object{"range": []any{from, to}})
	}
}

// xtTCP translates TCP's flags; an option of the header is not told.
func (t *translation) xtTCP(i xtInfo) bool {
	option, mask, want, inverted := i.u8(8), i.u8(9), i.u8(10), i.u8(11)
	if mask != 0 || inverted&4 != 0 {
		t.match(object{"&": []any{payload("tcp", "flags"), mask}}, equals(inverted&4 != 0), want)
	}
	return option == 0
}

func (t *translation) xtMultiport(i xtInfo) bool {
	kind, count := i.u8(0), int(i.u8(1))
	if kind > 1 || count > 15 { // either port
		return false
	}
	var ports []any
	for n := 0; n < count; n++ {
		from, to := i.u16(2+2*n), i.u16(2+2*n)
		if i.u8(32+n) != 0 && n+1 < count {
			n++
			to = i.u16(2 + 2*n)
		}
		ports = append(ports, object{"range": []any{from, to}})
	}
	t.match(payload("th", []string{"sport", "dport"}[kind]), equals(i.u8(47) != 0), object{"set": ports})
	return true
}

func (t *translation) xtRange(i xtInfo) {
	header, size := "ip", 4
	if t.family == unix.NFPROTO_IPV6 {
		header, size = "ip6", 16
	}
	for n, name := range []string{"saddr", "daddr"} {
		if i.u8(64)>>n&1 == 0 {
			continue
		}
		lo, _ := netip.AddrFromSlice(i[32*n : 32*n+size])
		hi, _ := netip.AddrFromSlice(i[32*n+16 : 32*n+16+size])
		t.match(payload(header, name), equals(i.u8(64)>>(n+4)&1 != 0), object{"range": []any{lo.String(), hi.String()}})
	}
}

// xtTarget tells a target of iptables by name. CT only matters where it takes
// packets out of connection tracking.
func (t *translation) xtTarget(name string, data []byte) {
	const notrack = 1 // XT_CT_NOTRACK
	switch {
	case name == "CT" && len(data) >= 2 && xtInfo(data).u16(0)&notrack != 0:
		t.add(object{"notrack": nil})
	case name == "CT" && len(data) >= 2:
		t.add(object{"counter": nil})
	default:
		t.add(object{"xt": object{"type": "target", "name": name}})
	}
}
