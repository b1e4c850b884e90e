package ipc

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

// table builds a table of Windows'; IPv4 unless v6.
func table(v6 bool, rows ...tcpRow) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(rows)))
	port := func(p uint16) { b = append(binary.BigEndian.AppendUint16(b, p), 0xab, 0xcd) } // the rest means nothing
	for _, r := range rows {
		if v6 {
			for _, a := range []netip.AddrPort{r.local, r.remote} {
				addr := a.Addr().As16()
				b = le.AppendUint32(append(b, addr[:]...), 0)
				port(a.Port())
			}
			b = le.AppendUint32(le.AppendUint32(b, r.state), r.pid)
			continue
		}
		b = le.AppendUint32(b, r.state)
		for _, a := range []netip.AddrPort{r.local, r.remote} {
			addr := a.Addr().As4()
			b = append(b, addr[:]...)
			port(a.Port())
		}
		b = le.AppendUint32(b, r.pid)
	}
	return b
}

func TestOwningPIDs(t *testing.T) {
	ap := netip.MustParseAddrPort
	client, server := ap("127.0.0.1:50000"), ap("127.0.0.1:8080")
	client6, server6 := ap("[::1]:50000"), ap("[::1]:8080")
	mapped := tcpRow{ap("[::ffff:127.0.0.1]:50000"), ap("[::ffff:127.0.0.1]:8080"), mibEstablished, 77}
	held := tcpRow{client, server, mibEstablished, 42}
	noise := []tcpRow{
		{server, ap("0.0.0.0:0"), 2, 1}, {server, client, mibEstablished, 1},
		{ap("127.0.0.1:50001"), server, mibEstablished, 2}, {ap("127.0.0.2:50000"), server, mibEstablished, 3},
	}
	with := func(rows ...tcpRow) []tcpRow { return append(slices.Clone(noise), rows...) }
	changed := func(state, pid uint32) tcpRow { return tcpRow{client, server, state, pid} }
	for _, tc := range []struct {
		name          string
		table         []byte
		v6            bool
		local, remote netip.AddrPort
		want          []uint32
		err           error
	}{
		{"held", table(false, with(held)...), false, client, server, []uint32{42}, nil},
		{"half closed", table(false, with(changed(mibFinWait2, 42))...), false, client, server, []uint32{42}, nil},
		{"close wait", table(false, with(changed(mibCloseWait, 42))...), false, client, server, []uint32{42}, nil},
		{"listening", table(false, with(changed(2, 42))...), false, client, server, nil, nil},
		{"time wait", table(false, with(changed(11, 42))...), false, client, server, nil, nil},
		{"closed", table(false, with(changed(1, 42))...), false, client, server, nil, nil},
		{"of no process", table(false, with(changed(mibEstablished, 0))...), false, client, server, nil, nil},
		{"two rows", table(false, with(held, changed(mibEstablished, 43))...), false, client, server, []uint32{42, 43}, nil},
		{"IPv6", table(true, tcpRow{client6, server6, mibEstablished, 44}), true, client6, server6, []uint32{44}, nil},
		{"IPv4 in IPv6", table(true, mapped), true, client, server, []uint32{77}, nil},
		{"none", table(false), false, client, server, nil, nil},
		{"nothing", nil, false, client, server, nil, errTable},
		{"cut off", table(false, held)[:27], false, client, server, nil, errTable},
		{"more rows than bytes", []byte{0xff, 0xff, 0xff, 0xff}, true, client, server, nil, errTable},
	} {
		got, err := owningPIDs(tc.table, tc.v6, tc.local, tc.remote)
		if !errors.Is(err, tc.err) || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v, %v", tc.name, got, err, tc.want, tc.err)
		}
	}
}

func FuzzOwningPIDs(f *testing.F) {
	client, server := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:8080")
	f.Add(table(false, tcpRow{client, server, mibEstablished, 42}), false)
	f.Add(table(true, tcpRow{client, server, mibEstablished, 42}), true)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		if pids, _ := owningPIDs(b, v6, client, server); len(pids) > len(b)/row4 {
			t.Errorf("%d processes in %d bytes", len(pids), len(b))
		}
	})
}
