package ipc

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// pairTCP is both ends of a real loopback connection.
func pairTCP(t *testing.T, network, addr string) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// Both ways of asking must know who owns a half-closed connection: a client
// that has sent all it has is still there.
func TestOwnerOfAHalfClosedConnection(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		client, server := pairTCP(t, "tcp", addr)
		if err := client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); err == nil {
			t.Fatal("want the end of the data")
		}
		local, remote := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
		for how, ask := range map[string]func() (Peer, error){
			"sock_diag": func() (Peer, error) { return diagOwnerOf(local, remote) },
			"table":     func() (Peer, error) { return tableOwnerOf(local, remote) },
		} {
			p, err := ask()
			if err != nil || !p.Same(Self()) {
				t.Errorf("%s, %s: got %+v, %v", addr, how, p, err)
			}
		}
	}
}

func TestNoOwnerOfAClosedConnection(t *testing.T) {
	client, server := pairTCP(t, "tcp", "127.0.0.1:0")
	local, remote := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
	client.SetLinger(0)
	client.Close()
	if p, err := LoopbackOwner(server); err == nil {
		t.Errorf("got %+v for a connection that nobody holds", p)
	}
	if p, err := diagOwnerOf(local, remote); err == nil {
		t.Errorf("sock_diag: got %+v", p)
	}
}

func TestDiagOwner(t *testing.T) {
	local, remote := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:8080")
	// answer is the kernel's about a socket of uid 1000 (<linux/inet_diag.h>).
	answer := func(change func(m []byte)) []byte {
		b := make([]byte, unix.NLMSG_HDRLEN+diagAnswer)
		native, m := binary.NativeEndian, b[unix.NLMSG_HDRLEN:]
		native.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
		m[1] = unix.BPF_TCP_ESTABLISHED
		binary.BigEndian.PutUint16(m[4:], local.Port())
		binary.BigEndian.PutUint16(m[6:], remote.Port())
		native.PutUint32(m[64:], 1000)
		native.PutUint32(m[68:], 7)
		change(m)
		return b
	}
	for name, tc := range map[string]struct {
		change func(m []byte)
		want   bool
	}{
		"established":       {func([]byte) {}, true},
		"half closed":       {func(m []byte) { m[1] = unix.BPF_TCP_FIN_WAIT2 }, true},
		"time wait":         {func(m []byte) { m[1] = unix.BPF_TCP_TIME_WAIT }, false},
		"being made":        {func(m []byte) { m[1] = unix.BPF_TCP_SYN_SENT }, false},
		"closed":            {func(m []byte) { m[1] = unix.BPF_TCP_CLOSE }, false},
		"listening":         {func(m []byte) { m[1] = unix.BPF_TCP_LISTEN }, false},
		"of no state":       {func(m []byte) { m[1] = 0 }, false},
		"another local":     {func(m []byte) { m[5]++ }, false},
		"another remote":    {func(m []byte) { m[7]++ }, false},
		"of no process":     {func(m []byte) { clear(m[68:72]) }, false},
		"of another family": {func(m []byte) { clear(m[4:8]) }, false},
	} {
		uid, err := diagOwner(answer(tc.change), local, remote)
		if (err == nil) != tc.want || tc.want && uid != 1000 {
			t.Errorf("%s: %d, %v", name, uid, err)
		}
	}
	if _, err := diagOwner(answer(func([]byte) {})[:unix.NLMSG_HDRLEN+diagAnswer-1], local, remote); err == nil {
		t.Error("half an answer is taken")
	}
	other := answer(func([]byte) {})
	binary.NativeEndian.PutUint16(other[4:], unix.NLMSG_DONE)
	if _, err := diagOwner(other, local, remote); err == nil {
		t.Error("an answer of another kind is taken")
	}
}

func TestRowsThatDisagree(t *testing.T) {
	if p, err := oneOwner([]uint32{1000, 1000}); err != nil || p.UID != 1000 || !p.Known {
		t.Errorf("two rows of one user: %+v, %v", p, err)
	}
	for _, owners := range [][]uint32{{1000, 1001}, {1000, 1000, 0}, {0, 1000}} {
		if p, err := oneOwner(owners); !errors.Is(err, ErrNoPeer) || p.Known {
			t.Errorf("%v: %+v, %v", owners, p, err)
		}
	}
}

func FuzzDiagOwner(f *testing.F) {
	f.Add(make([]byte, 128))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, answer []byte) {
		client := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
		_, _ = diagOwner(answer, client.AddrPort(), client.AddrPort())
	})
}
