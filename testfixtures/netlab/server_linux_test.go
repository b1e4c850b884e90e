package netlab

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

// server answers on a port of the machine, for TCP and UDP, IPv4 and IPv6. It
// knows who got through to it, whatever becomes of the answers.
type server struct {
	mu   sync.Mutex
	seen map[netip.AddrPort]bool // by UDP
}

func serve(t *testing.T, port int) *server {
	t.Helper()
	at := ":" + strconv.Itoa(port)
	s := &server{seen: map[netip.AddrPort]bool{}}
	for _, version := range []string{"4", "6"} {
		l, err := net.Listen("tcp"+version, at)
		if err != nil {
			t.Fatal(err)
		}
		u, err := net.ListenPacket("udp"+version, at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close(); u.Close() })
		go func() { // both end when they are closed
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				c.Close()
			}
		}()
		go s.echo(u.(*net.UDPConn))
	}
	return s
}

func (s *server) echo(u *net.UDPConn) {
	b := make([]byte, 64)
	for n, from, err := u.ReadFromUDPAddrPort(b); err == nil; n, from, err = u.ReadFromUDPAddrPort(b) {
		s.mu.Lock()
		s.seen[from] = true
		s.mu.Unlock()
		u.WriteToUDPAddrPort(b[:n], from)
	}
}

// reached tells who got through although the answer was none or a refusal, since
// something else was refused then: by UDP the server has seen them, by TCP the
// kernel has a connection half open.
func (s *server) reached(t *testing.T, list []attempt) {
	t.Helper()
	half := map[uint64]bool{} // remote ports, which no two attempts share
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) { // sl local_address rem_address st …
			if f := strings.Fields(line); len(f) > 3 && f[3] == "03" { // SYN_RECV
				_, port, _ := strings.Cut(f[2], ":")
				n, _ := strconv.ParseUint(port, 16, 16)
				half[n] = true
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		a := &list[i]
		through := a.proto == "tcp" && half[uint64(a.port)] ||
			a.proto == "udp" && s.seen[netip.AddrPortFrom(netip.MustParseAddr(a.from), a.port)]
		if through {
			a.outcome = fact.InboundAccept
		}
	}
	clear(s.seen)
}
