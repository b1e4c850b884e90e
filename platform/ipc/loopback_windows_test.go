package ipc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// ownerOfConn is LoopbackOwner. Wine finds a socket's process by its descriptors,
// and the caller's process may get its own only when it first reads: there it
// may take a moment.
func ownerOfConn(c net.Conn) (Peer, error) {
	for deadline := time.Now().Add(patience / 2); ; {
		p, err := LoopbackOwner(c.(*net.TCPConn))
		if err == nil || !underWine() || time.Now().After(deadline) {
			return p, err
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLoopbackOwner(t *testing.T) {
	for network, addr := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		l, err := net.Listen(network, addr)
		if err != nil {
			fmt.Printf("%s: %v\n", network, err)
			continue
		}
		defer l.Close()
		_, out := program(t, "dial-tcp "+l.Addr().String())
		within(t, network, func() {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if network == "tcp6" && underWine() { // Wine 8 names no process in this table
				owner, err := LoopbackOwner(c.(*net.TCPConn))
				if !errors.Is(err, ErrNoPeer) || owner.Known {
					t.Errorf("a connection of no process belongs to %+v, %v", owner, err)
				}
				fmt.Fprint(c, "hello")
				return
			}
			owner, err := ownerOfConn(c)
			if err != nil || !owner.Same(Self()) || owner.Session != Self().Session || owner.Class != Self().Class || owner.PID != 0 {
				t.Errorf("%s: owner is %+v, %v; this is %+v", network, owner, err, Self())
			}
			fmt.Fprint(c, "hello")
			c.Close()
			if said, err := io.ReadAll(out); string(said) != `heard "hello"` {
				t.Errorf("%s: the program said %q, %v", network, said, err)
			}
		})
	}
}

func TestLoopbackOwnerIsGone(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, _ := program(t, "dial-tcp "+l.Addr().String())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := ownerOfConn(c); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	p.Wait()
	within(t, "the end of its process", func() { io.ReadAll(c) })
	if owner, err := LoopbackOwner(c.(*net.TCPConn)); !errors.Is(err, ErrNoPeer) || owner.Known {
		t.Errorf("a connection of a dead process belongs to %+v, %v", owner, err)
	}
}

// A connection that the other end reset is over, though nobody read from it yet.
func TestConnected(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := connected(server.(*net.TCPConn)); err != nil {
		t.Errorf("a connection that is there: %v", err)
	}
	client.(*net.TCPConn).SetLinger(0)
	client.Close()
	for deadline := time.Now().Add(patience / 2); ; time.Sleep(time.Millisecond) {
		if err := connected(server.(*net.TCPConn)); errors.Is(err, ErrNoPeer) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a connection that was reset is there still")
		}
	}
}
