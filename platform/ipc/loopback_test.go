//go:build linux

package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
)

// accept returns the next connection to l.
func accept(t *testing.T, l net.Listener) *net.TCPConn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func listenTCP(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLoopbackOwner(t *testing.T) {
	listeners := map[string]net.Listener{
		"tcp4":       listenTCP(t, "tcp4", "127.0.0.1:0"),
		"dual stack": listenTCP(t, "tcp", ":0"),
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
			defer l.Close()
			listeners["tcp6"] = l
		}
	}
	uids := []int{os.Geteuid()}
	if os.Geteuid() == 0 {
		uids = append(uids, nobody)
	}
	for name, l := range listeners {
		for _, uid := range uids {
			addr := l.Addr().String()
			if name == "dual stack" {
				addr = fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port)
			}
			_, out := program(t, uid, "dial-tcp "+addr)
			c := accept(t, l)
			owner, err := LoopbackOwner(c)
			if err != nil || !owner.Same(Peer{Known: true, UID: uint32(uid)}) {
				t.Errorf("%s: owner is %+v, %v; want uid %d", name, owner, err, uid)
			}
			fmt.Fprint(c, "hello")
			c.Close()
			if said, err := io.ReadAll(out); string(said) != `heard "hello"` {
				t.Errorf("%s: the program said %q, %v", name, said, err)
			}
		}
	}
}

func TestLoopbackOwnerIsGone(t *testing.T) {
	l := listenTCP(t, "tcp4", "127.0.0.1:0")
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := accept(t, l)
	client.Close()
	io.ReadAll(c) // until the other end's closing has arrived
	if owner, err := LoopbackOwner(c); !errors.Is(err, ErrNoPeer) || owner.Known {
		t.Errorf("a closed end belongs to %+v, %v", owner, err)
	}
}

func TestLoopbackOnly(t *testing.T) {
	if _, err := loopbackAddr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}); !errors.Is(err, ErrNoPeer) {
		t.Errorf("got %v", err)
	}
	if _, err := loopbackAddr(&net.UnixAddr{Name: "x"}); !errors.Is(err, ErrNoPeer) {
		t.Errorf("got %v", err)
	}
}
