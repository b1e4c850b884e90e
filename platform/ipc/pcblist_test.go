package ipc

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// mac is one socket of a list of macOS'.
type mac struct {
	local, remote string
	state         uint32
	so            uint16
	uid           uint32
}

// pcbList writes the sockets as XNU does, with the records that are passed over
// and with records longer than what is read.
func pcbList(sockets ...mac) []byte {
	le := binary.LittleEndian
	head := func(b []byte) []byte {
		b = le.AppendUint32(b, pcbHead)
		b = le.AppendUint32(b, uint32(len(sockets)))
		return append(b, make([]byte, 16)...)
	}
	out := head(nil)
	for _, s := range sockets {
		out = append(out, records(s)...)
	}
	return head(out)
}

// record is one record of n bytes, rounded up.
func record(kind uint32, n int, put func(b []byte)) []byte {
	b := make([]byte, roundUp8(uint32(n)))
	binary.LittleEndian.PutUint32(b, uint32(n))
	binary.LittleEndian.PutUint32(b[4:], kind)
	put(b)
	return b
}

func records(s mac) []byte {
	le := binary.LittleEndian
	local, remote := netip.MustParseAddrPort(s.local), netip.MustParseAddrPort(s.remote)
	out := record(kindINPCB, 104, func(b []byte) {
		put := func(a netip.AddrPort, addr, port int) {
			binary.BigEndian.PutUint16(b[port:], a.Port())
			if a.Addr().Is4() {
				b[inpFlags] = inpIPv4
				four := a.Addr().As4()
				copy(b[addr+in4in6:], four[:])
				b[addr], b[addr+11] = 0xde, 0xad // the rest means nothing
				return
			}
			b[inpFlags] = inpIPv6
			sixteen := a.Addr().As16()
			copy(b[addr:], sixteen[:])
		}
		put(local, inpLocalAddr, inpLocalPort)
		put(remote, inpForeignAddr, inpForeignPort)
	})
	out = append(out, record(kindSocket, 108, func(b []byte) {
		le.PutUint16(b[soState:], s.so)
		le.PutUint32(b[soUID:], s.uid)
	})...)
	for _, passed := range []uint32{0x002, 0x004, 0x008, 0x4000} {
		out = append(out, record(passed, 33, func([]byte) {})...)
	}
	return append(out, record(kindTCPCB, 204, func(b []byte) { le.PutUint32(b[tcpState:], s.state) })...)
}

func TestSocketOwners(t *testing.T) {
	const client, server = "127.0.0.1:50000", "127.0.0.1:8080"
	const connected = 0x0002 // SS_ISCONNECTED
	held := mac{client, server, tcpsEstablished, connected, 501}
	other := mac{"127.0.0.1:50001", server, tcpsEstablished, connected, 502}
	ours := mac{server, client, tcpsEstablished, connected, 0}
	as := func(edit func(*mac)) mac { m := held; edit(&m); return m }
	good := pcbList(other, held, ours)
	for _, tc := range []struct {
		name          string
		list          []byte
		local, remote string
		want          []uint32
		err           error
	}{
		{"held", good, client, server, []uint32{501}, nil},
		{"our own end", good, server, client, []uint32{0}, nil},
		{"another port", good, "127.0.0.1:50002", server, nil, nil},
		{"half closed", pcbList(as(func(m *mac) { m.state = tcpsFinWait2 })), client, server, []uint32{501}, nil},
		{"close wait", pcbList(as(func(m *mac) { m.state = tcpsCloseWait })), client, server, []uint32{501}, nil},
		{"time wait", pcbList(as(func(m *mac) { m.state = 10 })), client, server, nil, nil},
		{"listening", pcbList(as(func(m *mac) { m.state = 1 })), client, server, nil, nil},
		{"closed by its process", pcbList(as(func(m *mac) { m.so |= noFileRef })), client, server, nil, nil},
		{"IPv6", pcbList(mac{"[::1]:50000", "[::1]:8080", tcpsEstablished, connected, 503}), "[::1]:50000", "[::1]:8080", []uint32{503}, nil},
		{"IPv4 in IPv6", pcbList(mac{"[::ffff:127.0.0.1]:50000", "[::ffff:127.0.0.1]:8080", tcpsEstablished, connected, 504}), client, server, []uint32{504}, nil},
		{"two", pcbList(held, as(func(m *mac) { m.uid = 505 })), client, server, []uint32{501, 505}, nil},
		{"no sockets", pcbList(), client, server, nil, nil},
		{"nothing", nil, client, server, nil, errPCBList},
		{"no end", good[:len(good)-pcbHead], client, server, nil, errPCBList},
		{"breaks off", good[:len(good)-pcbHead-50], client, server, nil, errPCBList},
		{"a short record", append(pcbList()[:pcbHead], record(kindINPCB, 48, func([]byte) {})...), client, server, nil, errPCBList},
	} {
		got, err := socketOwners(tc.list, netip.MustParseAddrPort(tc.local), netip.MustParseAddrPort(tc.remote))
		if !errors.Is(err, tc.err) || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v, %v", tc.name, got, err, tc.want, tc.err)
		}
	}
}

// A socket whose records are not all there must not borrow those of the next.
func TestSocketsAreNotMixed(t *testing.T) {
	const client, server = "127.0.0.1:50000", "127.0.0.1:8080"
	first := records(mac{client, server, tcpsEstablished, 0, 501})
	lone := first[:roundUp8(104)] // the addresses alone
	next := records(mac{"127.0.0.1:1", server, tcpsEstablished, 0, 666})
	empty := pcbList()
	list := slices.Concat(empty[:pcbHead], lone, next, empty[pcbHead:])
	if got, err := socketOwners(list, netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzSocketOwners(f *testing.F) {
	local, remote := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:8080")
	f.Add(pcbList(mac{"127.0.0.1:50000", "127.0.0.1:8080", tcpsEstablished, 0, 501}))
	f.Add(pcbList())
	f.Fuzz(func(t *testing.T, list []byte) {
		owners, err := socketOwners(list, local, remote)
		if len(owners) > len(list)/(inpLeast+soLeast+tcpLeast) || err != nil && owners != nil {
			t.Errorf("%d owners in %d bytes, %v", len(owners), len(list), err)
		}
	})
}
