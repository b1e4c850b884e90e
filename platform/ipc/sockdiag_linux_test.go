package ipc

import (
	"net"
	"testing"
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

func FuzzDiagOwner(f *testing.F) {
	f.Add(make([]byte, 128))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, answer []byte) {
		client := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
		_, _ = diagOwner(answer, client.AddrPort(), client.AddrPort())
	})
}
