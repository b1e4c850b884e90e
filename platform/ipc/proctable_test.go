package ipc

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// A table as an amd64 kernel prints it.
const table4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 500 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 501 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 502 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:C351 0100007F:1F90 06 00000000:00000000 03:00000FFF 00000000     0        0 0 3 0000000000000000
   4: 0100007F:C352 0100007F:1F90 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0000000000000000
   5: 0100007F:C353 0100007F:1F90 08 00000000:00000000 00:00000000 00000000  1001        0 503 1 0000000000000000
   6: 0100007F:C354 0100007F:1F90 0
`

const table6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF00000100007F:C355 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000  1002        0 504 1 0000000000000000 20 4 30 10 -1
   1: 00000000000000000000000001000000:C356 00000000000000000000000001000000:1F90 01 00000000:00000000 00:00000000 00000000  1003        0 505 1 0000000000000000 20 4 30 10 -1
`

func TestFindOwner(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the table is a little-endian machine's")
	}
	const server4, server6 = "127.0.0.1:8080", "[::1]:8080"
	for _, tc := range []struct {
		name, table, local, remote string
		want                       []uint32
	}{
		{"established", table4, "127.0.0.1:50000", server4, []uint32{1000}},
		{"our own end", table4, server4, "127.0.0.1:50000", []uint32{0}},
		{"time wait", table4, "127.0.0.1:50001", server4, nil},
		{"closed by its process", table4, "127.0.0.1:50002", server4, nil},
		{"close wait", table4, "127.0.0.1:50003", server4, []uint32{1001}},
		{"cut off", table4, "127.0.0.1:50004", server4, nil},
		{"listening", table4, server4, "0.0.0.0:0", nil},
		{"another address", table4, "127.0.0.2:50000", server4, nil},
		{"IPv4 in IPv6", table6, "127.0.0.1:50005", server4, []uint32{1002}},
		{"IPv6", table6, "[::1]:50006", server6, []uint32{1003}},
		{"listed twice", table4 + table4, "127.0.0.1:50000", server4, []uint32{1000, 1000}},
		{"empty", "", "127.0.0.1:50000", server4, nil},
	} {
		got := findOwner([]byte(tc.table), netip.MustParseAddrPort(tc.local), netip.MustParseAddrPort(tc.remote))
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func FuzzFindOwner(f *testing.F) {
	local, remote := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:8080")
	f.Add([]byte(table4))
	f.Add([]byte(table6))
	f.Add([]byte("0: 0100007F:C350 0100007F:1F90 01 a b c -1 d 9"))
	f.Fuzz(func(t *testing.T, table []byte) {
		owners := findOwner(table, local, remote)
		if len(owners) > len(table)/len("0: 0100007F:C350 0100007F:1F90 01 a b 0 0 1") {
			t.Errorf("%d owners in %d bytes", len(owners), len(table))
		}
	})
}
