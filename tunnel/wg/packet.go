package wg

import (
	"encoding/binary"
	"net/netip"
)

// Fields of the headers that a packet is judged by: IPv4 RFC 791 section 3.1,
// IPv6 RFC 8200 section 3, TCP RFC 9293 section 3.1.
const (
	ipv4HeaderLen  = 20
	ipv6HeaderLen  = 40
	tcpHeaderLen   = 20
	protocolTCP    = 6
	ipv4DontFrag   = 0x4000
	tcpFlagSYN     = 0x02
	tcpFlagACK     = 0x10
	tcpFlagsOffset = 13
)

// packet is what the filter looks at.
type packet struct {
	src, dst netip.AddrPort
	opens    bool // a SYN without ACK: the sender wants a new connection
}

// parsePacket reads an IP packet from a stranger. It answers ok only for one
// whole, unfragmented TCP segment directly behind a plain IPv4 header (no
// options) or IPv6 header (no extension headers), whose stated length is the
// length of b. Everything else is false, whatever it may be.
func parsePacket(b []byte) (p packet, ok bool) {
	if len(b) < ipv4HeaderLen {
		return packet{}, false
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	}
	return packet{}, false
}

func parseIPv4(b []byte) (packet, bool) {
	plain := b[0] == 0x45 &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b) &&
		binary.BigEndian.Uint16(b[6:])&^ipv4DontFrag == 0 &&
		b[9] == protocolTCP
	if !plain {
		return packet{}, false
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	return parseTCP(src, dst, b[ipv4HeaderLen:])
}

func parseIPv6(b []byte) (packet, bool) {
	plain := len(b) >= ipv6HeaderLen &&
		int(binary.BigEndian.Uint16(b[4:]))+ipv6HeaderLen == len(b) &&
		b[6] == protocolTCP
	if !plain {
		return packet{}, false
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	return parseTCP(src, dst, b[ipv6HeaderLen:])
}

func parseTCP(src, dst netip.Addr, b []byte) (packet, bool) {
	if len(b) < tcpHeaderLen {
		return packet{}, false
	}
	if header := int(b[12]>>4) * 4; header < tcpHeaderLen || header > len(b) {
		return packet{}, false
	}
	from, to := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if from == 0 || to == 0 {
		return packet{}, false
	}
	return packet{
		src:   netip.AddrPortFrom(src, from),
		dst:   netip.AddrPortFrom(dst, to),
		opens: b[tcpFlagsOffset]&(tcpFlagSYN|tcpFlagACK) == tcpFlagSYN,
	}, true
}
