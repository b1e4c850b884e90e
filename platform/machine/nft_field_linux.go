package machine

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// valueKind says how the bytes of a field are read.
type valueKind uint8

const (
	number     valueKind = iota // in network byte order
	hostNumber                  // in the processor's
	text                        // a name, filled up with zero bytes
	address4
	address6
)

// value writes a value as JSON has it, or a range up to end.
func (r register) value(data, end []byte) any {
	data = data[:min(len(data), max(r.size, 0))]
	end = end[:min(len(end), len(data))]
	switch r.kind {
	case text:
		return name(data)
	case address4, address6:
		return r.address(data, end)
	}
	if len(data) != r.size {
		return object{"unknown": "length"}
	}
	if len(end) > 0 && !bytes.Equal(data, end) {
		return object{"range": []any{r.number(data), r.number(end)}}
	}
	return r.number(data)
}

func (r register) number(data []byte) uint64 {
	if r.kind == hostNumber {
		return unsigned(data, binary.NativeEndian)
	}
	return unsigned(data, binary.BigEndian)
}

// name is an interface's name; a pattern is its beginning without an end.
func name(data []byte) string {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return string(data[:i])
	}
	if len(data) < unix.IFNAMSIZ {
		return string(data) + "*"
	}
	return string(data)
}

// address writes an address; fewer bytes than it has are a network, and so is
// one whose other bits were masked away.
func (r register) address(data, end []byte) any {
	full := 4
	if r.kind == address6 {
		full = 16
	}
	length := len(data) * 8
	if r.mask != nil {
		n, ok := prefixLen(r.mask)
		if !ok || len(r.mask) != len(data) {
			return object{"unknown": "mask"}
		}
		length = n
	}
	addr := func(b []byte) string {
		wide := make([]byte, full)
		copy(wide, b)
		a, _ := netip.AddrFromSlice(wide)
		return a.String()
	}
	switch {
	case len(data) > full:
		return object{"unknown": "address"}
	case len(end) > 0 && !bytes.Equal(data, end):
		return object{"range": []any{addr(data), addr(end)}}
	case length < full*8:
		return object{"prefix": object{"addr": addr(data), "len": length}}
	}
	return addr(data)
}

func (t *translation) meta(a attributes) {
	keys := map[uint32]struct {
		name string
		kind valueKind
		size int
	}{
		unix.NFT_META_LEN: {"length", hostNumber, 4}, unix.NFT_META_PROTOCOL: {"protocol", number, 2},
		unix.NFT_META_MARK: {"mark", hostNumber, 4}, unix.NFT_META_IIF: {"iif", hostNumber, 4}, unix.NFT_META_OIF: {"oif", hostNumber, 4},
		unix.NFT_META_IIFNAME: {"iifname", text, 16}, unix.NFT_META_OIFNAME: {"oifname", text, 16},
		unix.NFT_META_IIFTYPE: {"iiftype", hostNumber, 2}, unix.NFT_META_OIFTYPE: {"oiftype", hostNumber, 2},
		unix.NFT_META_SKUID: {"skuid", hostNumber, 4}, unix.NFT_META_SKGID: {"skgid", hostNumber, 4},
		unix.NFT_META_NFPROTO: {"nfproto", number, 1}, unix.NFT_META_L4PROTO: {"l4proto", number, 1},
		unix.NFT_META_PKTTYPE: {"pkttype", number, 1}, unix.NFT_META_CPU: {"cpu", hostNumber, 4},
		unix.NFT_META_IIFGROUP: {"iifgroup", hostNumber, 4}, unix.NFT_META_OIFGROUP: {"oifgroup", hostNumber, 4},
		unix.NFT_META_CGROUP: {"cgroup", hostNumber, 4}, unix.NFT_META_PRANDOM: {"random", hostNumber, 4},
		25: {"secpath", number, 1}, 30: {"time", hostNumber, 8}, 31: {"day", number, 1}, 32: {"hour", hostNumber, 4},
	}
	key, known := keys[a.number(unix.NFTA_META_KEY)]
	left := object{"meta": object{"key": key.name}}
	if a.get(unix.NFTA_META_SREG) != nil {
		t.add(object{"mangle": object{"key": left}})
		return
	}
	r := register{left: left, kind: key.kind, size: key.size}
	if !known {
		r = register{size: 16}
	}
	t.load(a.number(unix.NFTA_META_DREG), r)
}

func (t *translation) ct(a attributes) {
	keys := map[uint32]struct {
		name string
		kind valueKind
		size int
	}{
		unix.NFT_CT_STATE: {"state", hostNumber, 4}, unix.NFT_CT_DIRECTION: {"direction", number, 1}, unix.NFT_CT_STATUS: {"status", hostNumber, 4},
		unix.NFT_CT_MARK: {"mark", hostNumber, 4}, unix.NFT_CT_HELPER: {"helper", text, 16},
	}
	key, known := keys[a.number(unix.NFTA_CT_KEY)]
	left := object{"ct": object{"key": key.name}}
	if a.get(unix.NFTA_CT_SREG) != nil {
		t.add(object{"mangle": object{"key": left}})
		return
	}
	r := register{left: left, kind: key.kind, size: key.size}
	if !known || a.get(unix.NFTA_CT_DIRECTION) != nil {
		r = register{size: 16}
	}
	t.load(a.number(unix.NFTA_CT_DREG), r)
}

// payload names the parts of headers that decide something; any other part is
// raw, or not told.
func (t *translation) payload(a attributes) {
	base, offset, length := a.number(unix.NFTA_PAYLOAD_BASE), a.number(unix.NFTA_PAYLOAD_OFFSET), a.number(unix.NFTA_PAYLOAD_LEN)
	if a.get(unix.NFTA_PAYLOAD_SREG) != nil {
		t.add(object{"mangle": object{"key": object{"payload": object{}}}})
		return
	}
	r := register{size: int(min(length, 64))}
	switch base {
	case unix.NFT_PAYLOAD_LL_HEADER:
		if offset == 6 && length == 6 {
			r.left = payload("ether", "saddr")
		}
	case unix.NFT_PAYLOAD_NETWORK_HEADER:
		if r.left, r.kind = t.network(offset, length); r.left == nil {
			r.parts = parts(offset, length, t.network)
		}
	case unix.NFT_PAYLOAD_TRANSPORT_HEADER:
		if r.left, r.kind = t.transport(offset, length); r.left == nil {
			r.parts = parts(offset, length, t.transport)
		}
	}
	t.load(a.number(unix.NFTA_PAYLOAD_DREG), r)
}

// parts cuts a piece of a header into the fields that it is made of, nil where
// it is not known what one is.
func parts(offset, length uint32, field func(offset, length uint32) (any, valueKind)) []register {
	var out []register
	for length > 0 {
		found := false
		for _, size := range []uint32{16, 4, 2, 1} {
			if size > length {
				continue
			}
			if left, kind := field(offset, size); left != nil {
				out = append(out, register{left: left, kind: kind, size: int(size)})
				offset, length, found = offset+size, length-size, true
				break
			}
		}
		if !found {
			return nil
		}
	}
	return out
}

func (t *translation) transport(offset, length uint32) (any, valueKind) {
	switch {
	case offset == 0 && length == 2:
		return payload("th", "sport"), number
	case offset == 2 && length == 2:
		return payload("th", "dport"), number
	case offset == 13 && length == 1 && t.proto == unix.IPPROTO_TCP:
		return payload("tcp", "flags"), number
	}
	return nil, number
}

func payload(protocol, field string) any {
	return object{"payload": object{"protocol": protocol, "field": field}}
}

// network names a part of the IP header. Which one it is follows from the
// table or from what the rule has asked before; where neither says it, nothing
// is told.
func (t *translation) network(offset, length uint32) (any, valueKind) {
	version := t.ip
	if t.family != unix.NFPROTO_INET {
		version = t.family
	}
	end := offset + length
	switch {
	case version == unix.NFPROTO_IPV4 && offset == 12 && end <= 16:
		return payload("ip", "saddr"), address4
	case version == unix.NFPROTO_IPV4 && offset == 16 && end <= 20:
		return payload("ip", "daddr"), address4
	case version == unix.NFPROTO_IPV4 && offset == 9 && length == 1:
		return payload("ip", "protocol"), number
	case version == unix.NFPROTO_IPV4 && offset == 6 && length == 2:
		return payload("ip", "frag-off"), number
	case version == unix.NFPROTO_IPV4 && offset == 8 && length == 1:
		return payload("ip", "ttl"), number
	case version == unix.NFPROTO_IPV6 && offset == 8 && end <= 24:
		return payload("ip6", "saddr"), address6
	case version == unix.NFPROTO_IPV6 && offset == 24 && end <= 40:
		return payload("ip6", "daddr"), address6
	case version == unix.NFPROTO_IPV6 && offset == 6 && length == 1:
		return payload("ip6", "nexthdr"), number
	}
	return nil, number
}

func (t *translation) fib(a attributes) {
	flags, result := a.number(unix.NFTA_FIB_FLAGS), a.number(unix.NFTA_FIB_RESULT)
	var words []string
	for _, f := range []struct {
		bit  uint32
		name string
	}{{unix.NFTA_FIB_F_SADDR, "saddr"}, {unix.NFTA_FIB_F_DADDR, "daddr"}, {unix.NFTA_FIB_F_MARK, "mark"}, {unix.NFTA_FIB_F_IIF, "iif"}, {unix.NFTA_FIB_F_OIF, "oif"}} {
		if flags&f.bit != 0 {
			words = append(words, f.name)
		}
	}
	r := register{kind: hostNumber, size: 4}
	switch result {
	case unix.NFT_FIB_RESULT_OIF:
		r.left = object{"fib": object{"result": "oif", "flags": words}}
	case unix.NFT_FIB_RESULT_OIFNAME:
		r.left, r.kind, r.size = object{"fib": object{"result": "oifname", "flags": words}}, text, 16
	case unix.NFT_FIB_RESULT_ADDRTYPE:
		r.left = object{"fib": object{"result": "type", "flags": words}}
	}
	if flags&unix.NFTA_FIB_F_PRESENT != 0 {
		r.kind, r.size = number, 1
	}
	t.load(a.number(unix.NFTA_FIB_DREG), r)
}

// exthdr names only whether a header of IPv6 is there.
func (t *translation) exthdr(a attributes) {
	r := register{size: int(min(a.number(unix.NFTA_EXTHDR_LEN), 64))}
	if a.number(unix.NFTA_EXTHDR_FLAGS)&unix.NFT_EXTHDR_F_PRESENT != 0 {
		r.size = 1
		if a.number(unix.NFTA_EXTHDR_OP) == unix.NFT_EXTHDR_OP_IPV6 {
			r.left = object{"exthdr": object{}}
		}
	}
	t.load(a.number(unix.NFTA_EXTHDR_DREG), r)
}

// words are the names of those bits that are set.
func words(bits uint64, names []string) []string {
	var out []string
	for i, n := range names {
		if bits>>i&1 != 0 && n != "" {
			out = append(out, n)
		}
	}
	return slices.Clip(out)
}
