package netlab

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/posture/fact"
)

// The machine's addresses, and the strangers that try to reach it: neighbours
// and others from all over the address space, since a rule for half of it is
// one for many of them.
const (
	self4, self6 = "198.18.7.1", "2a0c:5a84::1"
	near4, near6 = "198.18.7.2", "2a0c:5a84::2"
	selfMAC      = "02:00:00:00:00:01"
	nearMAC      = "02:00:00:00:00:02"
)

func strangers() map[string][]string {
	return map[string][]string{
		"ipv4": {near4, "45.80.7.9", "100.100.1.1", "150.10.20.30"},
		"ipv6": {near6, "2a05:77::2", "2400:cb00::9", "2602:fe::9"},
	}
}

// unnamed is a port that no rule of these tests names. It is one of the system
// ports (RFC 6335), which the fact is about.
const unnamed = 919

// peer is another machine on the same wire: a thread with a network of its own,
// in which sockets are made. They work wherever they are used then.
type peer struct {
	todo chan func()
	tid  int
	last uint16 // source port given out last
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{todo: make(chan func())}
	made := make(chan error)
	go p.run(made)
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(p.todo) })
	return p
}

// run ends with the test, and the peer's network with it: the thread is never
// unlocked. It must not be the first thread of the process, whose network is
// that of /proc/net; that one is held until another has done the work.
func (p *peer) run(made chan<- error) {
	runtime.LockOSThread()
	if p.tid = unix.Gettid(); p.tid == os.Getpid() {
		defer runtime.UnlockOSThread()
		done := make(chan struct{})
		go func() { defer close(done); p.run(made) }()
		<-done
		return
	}
	made <- unix.Unshare(unix.CLONE_NEWNET)
	for f := range p.todo {
		f()
	}
}

// do runs f on the peer's thread.
func (p *peer) do(f func() error) error {
	done := make(chan error)
	p.todo <- func() { done <- f() }
	return <-done
}

// wire connects machine and peer. Who has which address on the wire is known to
// both without asking, so that no filter of such questions decides anything, and
// every packet that is refused is answered for, not only some in a second.
func (p *peer) wire(t *testing.T) {
	t.Helper()
	do(t, fmt.Sprintf(`link set lo up
link add nl0 address %[1]s type veth peer name nl0 address %[2]s netns %[3]d
link set nl0 up
addr add %[4]s/24 dev nl0
addr add %[5]s/64 dev nl0 nodad
neigh add %[6]s lladdr %[2]s dev nl0 nud permanent
neigh add %[7]s lladdr %[2]s dev nl0 nud permanent
`, selfMAC, nearMAC, p.tid, self4, self6, near4, near6), "ip", "-batch", "-")
	script := "link set lo up\nlink set nl0 up\n"
	for _, a := range strangers()["ipv4"] {
		script += "addr add " + a + "/24 dev nl0\n"
	}
	for _, a := range strangers()["ipv6"] {
		script += "addr add " + a + "/64 dev nl0 nodad\n"
	}
	script += fmt.Sprintf("neigh add %[1]s lladdr %[3]s dev nl0 nud permanent\nneigh add %[2]s lladdr %[3]s dev nl0 nud permanent\n", self4, self6, selfMAC)
	err := p.do(func() error {
		_, err := try(t.Context(), script, "ip", "-batch", "-")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	do(t, "route add default via "+near4+"\nroute add default via "+near6+"\n", "ip", "-batch", "-")
	for path, value := range map[string]string{
		"/proc/sys/net/ipv4/icmp_ratelimit": "0", "/proc/sys/net/ipv6/icmp/ratelimit": "0",
		"/proc/sys/net/ipv4/conf/all/rp_filter": "0", "/proc/sys/net/ipv4/conf/nl0/rp_filter": "0",
	} {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// attempt is one stranger's try to reach the machine.
type attempt struct {
	version, proto string // ipv4 or ipv6, tcp or udp
	from           string
	port           uint16 // source port, one that clients have
	fd             int
	outcome        string // fact.Inbound…; drop until there is an answer
}

func (a attempt) String() string { return a.proto + " from " + a.from + ": " + a.outcome }

// open sends the first packet.
func (a *attempt) open(port uint16) error {
	domain, kind, level, option, to := unix.AF_INET, unix.SOCK_STREAM, unix.SOL_IP, unix.IP_RECVERR, self4
	if a.version == "ipv6" {
		domain, level, option, to = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_RECVERR, self6
	}
	if a.proto == "udp" {
		kind = unix.SOCK_DGRAM
	}
	var err error
	if a.fd, err = unix.Socket(domain, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	unix.SetsockoptInt(a.fd, level, option, 1) // UDP tells of refusals of all kinds then
	if err := unix.Bind(a.fd, sockaddr(a.from, a.port)); err != nil {
		return fmt.Errorf("bind to %s: %w", a.from, err)
	}
	err = unix.Connect(a.fd, sockaddr(to, port))
	if a.proto == "udp" && err == nil {
		_, err = unix.Write(a.fd, []byte("?"))
	}
	if err != nil && err != unix.EINPROGRESS {
		a.outcome = refusal(err)
	}
	return nil
}

// refusal is reject for the errors that a refusing answer gives.
func refusal(err error) string {
	switch err {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EACCES, unix.ENOPROTOOPT, unix.EPROTO, unix.EHOSTDOWN, unix.ECONNRESET, unix.ENETDOWN:
		return fact.InboundReject
	}
	return err.Error()
}

// settle looks what has come, if anything.
func (a *attempt) settle() {
	code, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		a.outcome = err.Error()
	case code != 0:
		a.outcome = refusal(unix.Errno(code))
	default:
		a.outcome = fact.InboundAccept
	}
}

func sockaddr(address string, port uint16) unix.Sockaddr {
	a := netip.MustParseAddr(address)
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
}

// attempts tries to reach a port by every way there is, and gives what became of
// each. Silence is listened to for so long.
func (p *peer) attempts(t *testing.T, port uint16, patience time.Duration) []attempt {
	t.Helper()
	var list []attempt
	for _, version := range []string{"ipv4", "ipv6"} {
		for _, from := range strangers()[version] {
			for _, proto := range []string{"tcp", "udp"} {
				p.last = max(49152, p.last+1) // what clients use; IANA's dynamic ports
				list = append(list, attempt{version: version, proto: proto, from: from, port: p.last, outcome: fact.InboundDrop})
			}
		}
	}
	err := p.do(func() error {
		for i := range list {
			if err := list[i].open(port); err != nil {
				return err
			}
		}
		return nil
	})
	defer func() {
		for _, a := range list {
			unix.Close(a.fd)
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; {
		var polls []unix.PollFd
		var waiting []*attempt
		for i := range list {
			if a := &list[i]; a.outcome == fact.InboundDrop {
				events := int16(unix.POLLOUT)
				if a.proto == "udp" {
					events = unix.POLLIN
				}
				polls, waiting = append(polls, unix.PollFd{Fd: int32(a.fd), Events: events}), append(waiting, a)
			}
		}
		left := time.Until(end)
		if len(polls) == 0 || left <= 0 {
			return list
		}
		if _, err := unix.Poll(polls, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		for i, f := range polls {
			if f.Revents != 0 {
				waiting[i].settle()
			}
		}
	}
}
