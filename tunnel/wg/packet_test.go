package wg

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// segment builds an IP packet with a TCP header of 20 bytes and a payload.
func segment(from, to string, flags byte, payload int) []byte {
	src, dst := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	tcp := make([]byte, tcpHeaderLen+payload)
	binary.BigEndian.PutUint16(tcp, src.Port())
	binary.BigEndian.PutUint16(tcp[2:], dst.Port())
	tcp[12], tcp[13] = 5<<4, flags
	if src.Addr().Is4() {
		ip := make([]byte, ipv4HeaderLen)
		ip[0], ip[8], ip[9] = 0x45, 64, protocolTCP
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(tcp)))
		copy(ip[12:], src.Addr().AsSlice())
		copy(ip[16:], dst.Addr().AsSlice())
		return append(ip, tcp...)
	}
	ip := make([]byte, ipv6HeaderLen)
	ip[0], ip[6], ip[7] = 0x60, protocolTCP, 64
	binary.BigEndian.PutUint16(ip[4:], uint16(len(tcp)))
	copy(ip[8:], src.Addr().AsSlice())
	copy(ip[24:], dst.Addr().AsSlice())
	return append(ip, tcp...)
}

const (
	peer4, app4 = "10.9.0.2:1234", "100.64.0.1:443"
	peer6, app6 = "[fd00::2]:1234", "[fd00:1::1]:443"
)

func TestParsePacket(t *testing.T) {
	for _, c := range [][2]string{{peer4, app4}, {peer6, app6}} {
		for flags, opens := range map[byte]bool{tcpFlagSYN: true, tcpFlagSYN | tcpFlagACK: false, tcpFlagACK: false, 0: false} {
			p, ok := parsePacket(segment(c[0], c[1], flags, 7))
			want := packet{netip.MustParseAddrPort(c[0]), netip.MustParseAddrPort(c[1]), opens}
			if !ok || p != want {
				t.Errorf("flags %#x: %+v %v, want %+v", flags, p, ok, want)
			}
		}
	}
}

// refused changes one thing about a good packet, each time something that
// must make it bad.
var refused = map[string]struct {
	v6     bool
	change func([]byte) []byte
}{
	"empty":                {false, func(b []byte) []byte { return nil }},
	"version 5":            {false, func(b []byte) []byte { b[0] = 0x55; return b }},
	"options":              {false, func(b []byte) []byte { b[0] = 0x46; return b }},
	"short header":         {false, func(b []byte) []byte { b[0] = 0x44; return b }},
	"length too long":      {false, func(b []byte) []byte { b[3]++; return b }},
	"length too short":     {false, func(b []byte) []byte { b[3]--; return b }},
	"more fragments":       {false, func(b []byte) []byte { b[6] = 0x20; return b }},
	"later fragment":       {false, func(b []byte) []byte { b[7] = 1; return b }},
	"reserved flag":        {false, func(b []byte) []byte { b[6] = 0x80; return b }},
	"UDP":                  {false, func(b []byte) []byte { b[9] = 17; return b }},
	"ICMP":                 {false, func(b []byte) []byte { b[9] = 1; return b }},
	"IP in IP":             {false, func(b []byte) []byte { b[9] = 4; return b }},
	"truncated TCP":        {false, func(b []byte) []byte { b[3] = 39; return b[:39] }},
	"TCP header too long":  {false, func(b []byte) []byte { b[32] = 15 << 4; return b }},
	"TCP header too short": {false, func(b []byte) []byte { b[32] = 4 << 4; return b }},
	"port 0":               {false, func(b []byte) []byte { b[22], b[23] = 0, 0; return b }},
	"v6 fragment header":   {true, func(b []byte) []byte { b[6] = 44; return b }},
	"v6 hop-by-hop":        {true, func(b []byte) []byte { b[6] = 0; return b }},
	"v6 routing header":    {true, func(b []byte) []byte { b[6] = 43; return b }},
	"v6 destination opts":  {true, func(b []byte) []byte { b[6] = 60; return b }},
	"v6 unknown header":    {true, func(b []byte) []byte { b[6] = 253; return b }},
	"v6 UDP":               {true, func(b []byte) []byte { b[6] = 17; return b }},
	"v6 ICMP":              {true, func(b []byte) []byte { b[6] = 58; return b }},
	"v6 length too long":   {true, func(b []byte) []byte { b[5]++; return b }},
	"v6 length too short":  {true, func(b []byte) []byte { b[5]--; return b }},
	"v6 jumbogram":         {true, func(b []byte) []byte { b[4], b[5] = 0, 0; return b }},
	"v6 truncated":         {true, func(b []byte) []byte { return b[:39] }},
}

func TestParsePacketRefuses(t *testing.T) {
	for name, c := range refused {
		good := segment(peer4, app4, tcpFlagSYN, 7)
		if c.v6 {
			good = segment(peer6, app6, tcpFlagSYN, 7)
		}
		if _, ok := parsePacket(good); !ok {
			t.Fatalf("%s: the packet to change is bad itself", name)
		}
		if p, ok := parsePacket(c.change(good)); ok {
			t.Errorf("%s: accepted as %+v", name, p)
		}
	}
}

func FuzzParsePacket(f *testing.F) {
	f.Add(segment(peer4, app4, tcpFlagSYN, 7))
	f.Add(segment(peer6, app6, tcpFlagACK, 0))
	for _, c := range refused {
		good := segment(peer4, app4, tcpFlagSYN, 7)
		if c.v6 {
			good = segment(peer6, app6, tcpFlagSYN, 7)
		}
		f.Add(c.change(good))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parsePacket(b)
		if !ok {
			if p != (packet{}) {
				t.Errorf("refused, yet says %+v", p)
			}
			return
		}
		if p.src.Addr().BitLen() != p.dst.Addr().BitLen() || p.src.Port() == 0 || p.dst.Port() == 0 {
			t.Errorf("%+v", p)
		}
		header := ipv4HeaderLen
		if p.src.Addr().Is6() {
			header = ipv6HeaderLen
		}
		if len(b) < header+tcpHeaderLen {
			t.Errorf("%d bytes hold no TCP segment", len(b))
		}
		for cut := range len(b) {
			if _, ok := parsePacket(b[:cut]); ok {
				t.Errorf("accepted with %d of %d bytes", cut, len(b))
			}
		}
	})
}
