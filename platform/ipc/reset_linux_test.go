package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// hungUp is a connection to l that was reset before anybody accepted it, and
// the address that it came from.
func hungUp(t *testing.T, l net.Listener, said string) *net.TCPAddr {
	t.Helper()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, said)
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	return c.LocalAddr().(*net.TCPAddr)
}

// What a stranger sent before hanging up can be read still, while somebody else
// has the port that it came from: it must not count as theirs.
func TestResetConnectionIsNobodys(t *testing.T) {
	l := listenTCP(t, "tcp4", "127.0.0.1:0")
	from := hungUp(t, l, "a stranger's")
	next, err := (&net.Dialer{LocalAddr: from}).Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	c := accept(t, l)
	if c.RemoteAddr().String() != next.LocalAddr().String() {
		t.Fatalf("the ports are %v and %v", c.RemoteAddr(), next.LocalAddr())
	}
	if owner, err := LoopbackOwner(c); !errors.Is(err, ErrNoPeer) || owner.Known {
		said, _ := io.ReadAll(io.LimitReader(c, 64))
		t.Errorf("a connection that is over belongs to %v, %v; it said %q", owner, err, said)
	}
	if owner, err := LoopbackOwner(accept(t, l)); err != nil || !owner.Same(Self()) {
		t.Errorf("the next one belongs to %v, %v", owner, err)
	}
}

// Nor does it when that happens while the owner is looked for.
func TestResetDuringTheLook(t *testing.T) {
	client, server := pairTCP(t, "tcp4", "127.0.0.1:0")
	looked := false
	owner, err := ownerBy(server, func(local, remote netip.AddrPort) (Peer, error) {
		looked = true
		if local.String() != client.LocalAddr().String() || remote.String() != client.RemoteAddr().String() {
			t.Errorf("asked for %v to %v", local, remote)
		}
		client.SetLinger(0)
		return Self(), client.Close()
	})
	if !looked || !errors.Is(err, ErrNoPeer) || owner.Known {
		t.Errorf("it belongs to %v, %v", owner, err)
	}
}

// Who connects and hangs up costs as little to be told from others as who stays:
// a listener asks about one connection after the other.
func TestHangingUpIsCheap(t *testing.T) {
	l := listenTCP(t, "tcp4", "127.0.0.1:0")
	const many = 100
	ask := func(closed func(*net.TCPConn)) time.Duration {
		took := time.Duration(0)
		for range many {
			client, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			server := accept(t, l)
			closed(client.(*net.TCPConn))
			began := time.Now()
			_, _ = LoopbackOwner(server) // whether there is one is tested elsewhere
			took += time.Since(began)
			client.Close()
			server.Close()
		}
		return took
	}
	stays := ask(func(*net.TCPConn) {})
	for how, close := range map[string]func(*net.TCPConn){
		"reset":  func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		"closed": func(c *net.TCPConn) { c.Close() },
	} {
		// The tables of even an idle machine take a hundred times as long.
		if took := ask(close); took > 20*stays+200*time.Millisecond {
			t.Errorf("%d that were %s took %v; who stays %v", many, how, took, stays)
		}
	}
}
