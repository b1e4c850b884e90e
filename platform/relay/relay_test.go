package relay

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
)

// pair is two ends of a real stream socket.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		done <- c
	}()
	client, err = net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server = <-done
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestJoinPassesOrderlyEnds(t *testing.T) {
	client, near := pair(t)
	far, server := pair(t)
	ended := make(chan error, 1)
	go func() { ended <- Join(near, far) }()
	sent := bytes.Repeat([]byte("request "), 100_000)
	go func() {
		client.Write(sent)
		client.(*net.UnixConn).CloseWrite()
	}()
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes of %d came: %v", len(got), len(sent), err)
	}
	if _, err := server.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if got, err = io.ReadAll(client); err != nil || string(got) != "answer" {
		t.Fatalf("%q %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// failing is a connection whose read fails when told to.
type failing struct {
	net.Conn
	fail chan struct{}
}

var errShut = errors.New("shut")

func (f failing) Read([]byte) (int, error)  { <-f.fail; return 0, errShut }
func (f failing) Write([]byte) (int, error) { <-f.fail; return 0, errShut }
func (f failing) Close() error              { return nil }

func TestAnErrorEndsBoth(t *testing.T) {
	far, server := pair(t)
	f := failing{fail: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Join(f, far) }()
	close(f.fail)
	if err := <-ended; !errors.Is(err, errShut) {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); err == nil {
		t.Fatal("the other side goes on")
	}
}
