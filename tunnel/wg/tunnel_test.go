package wg

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestDialThrough(t *testing.T) {
	flows := make(chan Flow, 4)
	g := openGateway(t, func(f Flow) {
		flows <- f
		echo(f)
	})
	far := newFar(t, g, inner("10.9.0.2"), inner("fd00::2"))
	if err := g.SetPeer(far.peer); err != nil {
		t.Fatal(err)
	}
	c := far.open(t)
	c.Gate().Open()
	for _, to := range []netip.AddrPort{virtual, virtual6} {
		conn := dial(t, c, to)
		if err := ask(conn); err != nil {
			t.Fatal(err)
		}
		f := <-flows
		if f.Peer != far.peer.Key || f.To != to || f.From.String() != conn.LocalAddr().String() {
			t.Errorf("flow %+v, dialled %s from %s", f, to, conn.LocalAddr())
		}
		if conn.RemoteAddr().String() != to.String() || f.Conn.LocalAddr().String() != to.String() {
			t.Errorf("ends %s and %s, want %s", conn.RemoteAddr(), f.Conn.LocalAddr(), to)
		}
	}
	if _, ok := c.LastHandshake(); !ok {
		t.Error("no handshake is reported")
	}
	peers, err := g.Peers()
	if err != nil || len(peers) != 1 {
		t.Fatalf("peers %+v, %v", peers, err)
	}
	rx, tx := c.Counters()
	p := peers[0]
	if p.Key != far.peer.Key || !p.Open || p.Flows != 2 || p.LastHandshake.IsZero() || !p.Endpoint.IsValid() || p.Rx == 0 || p.Tx == 0 || rx == 0 || tx == 0 {
		t.Errorf("status %+v, client counters %d %d", p, rx, tx)
	}
}

// Both directions at once, each checked by its hash at the other end.
func TestLargeTransfer(t *testing.T) {
	const size = 16 << 20
	got := make(chan [32]byte, 1)
	sent := make(chan [32]byte, 1)
	g := openGateway(t, func(f Flow) {
		var both sync.WaitGroup
		both.Go(func() { got <- sum(f.Conn) })
		both.Go(func() {
			sent <- send(f.Conn, size, 1)
			_ = f.Conn.(interface{ CloseWrite() error }).CloseWrite()
		})
		both.Wait()
	})
	conn := dial(t, join(t, g, inner("10.9.0.2")), virtual)
	received := make(chan [32]byte, 1)
	go func() { received <- sum(conn) }()
	up := send(conn, size, 2)
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if up != <-got {
		t.Error("upload arrived changed")
	}
	if <-sent != <-received {
		t.Error("download arrived changed")
	}
}

func sum(r io.Reader) [32]byte {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return [32]byte{}
	}
	return [32]byte(h.Sum(nil))
}

func send(w io.Writer, size int, seed byte) [32]byte {
	h := sha256.New()
	source := rand.NewChaCha8([32]byte{seed})
	if _, err := io.CopyN(io.MultiWriter(w, h), source, int64(size)); err != nil {
		return [32]byte{0xff}
	}
	return [32]byte(h.Sum(nil))
}

func TestGateStartsShut(t *testing.T) {
	g := openGateway(t, echo)
	far := newFar(t, g, inner("10.9.0.2"))
	if err := g.SetPeer(far.peer); err != nil {
		t.Fatal(err)
	}
	c := far.open(t)
	if c.Gate().IsOpen() {
		t.Fatal("open from the start")
	}
	start := time.Now()
	if _, err := c.DialTCP(within(t, 10*time.Second), virtual); !errors.Is(err, ErrShut) {
		t.Errorf("dial: %v", err)
	}
	if d := time.Since(start); d > 100*time.Millisecond {
		t.Errorf("the refusal took %v", d)
	}
	c.Gate().Open()
	if err := ask(dial(t, c, virtual)); err != nil {
		t.Error(err)
	}
}

func TestDialElsewhere(t *testing.T) {
	g := openGateway(t, echo)
	c := join(t, g, inner("10.9.0.2"))
	for _, to := range []string{"100.64.1.1:443", "10.9.0.2:443", "[fd00:1::1]:443", "100.64.0.1:0"} {
		if _, err := c.DialTCP(within(t, time.Second), netip.MustParseAddrPort(to)); !errors.Is(err, ErrUnreachable) {
			t.Errorf("dial %s: %v", to, err)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	g := openGateway(t, echo)
	c := newFar(t, g, inner("10.9.0.2")).open(t) // a key the gateway does not know
	c.Gate().Open()
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() {
		_, err := c.DialTCP(ctx, virtual)
		result <- err
	}()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v", err)
	}
}

func TestHandshake(t *testing.T) {
	g := openGateway(t, echo)
	far := newFar(t, g, inner("10.9.0.2"))
	c := far.open(t)
	if err := c.Handshake(within(t, 500*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("handshake with a gateway that does not know us: %v", err)
	}
	// The gateway learns of us late; WireGuard alone would try again after 5 s.
	if err := g.SetPeer(far.peer); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := c.Handshake(within(t, 4*time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Logf("handshake after an unanswered one: %v", time.Since(start))
	c.Gate().Open()
	conn := dial(t, c, virtual)
	if err := ask(conn); err != nil {
		t.Fatal(err)
	}
	first, _ := c.LastHandshake()
	if err := c.Handshake(within(t, 4*time.Second)); err != nil {
		t.Fatal(err)
	}
	if second, ok := c.LastHandshake(); !ok || !second.After(first) {
		t.Errorf("handshake at %v, then at %v", first, second)
	}
	if err := ask(conn); err != nil {
		t.Errorf("the connection did not survive a new handshake: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Handshake(within(t, 4*time.Second)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("handshake of a closed tunnel: %v", err)
	}
}

func TestNothingIsLeftAfterClose(t *testing.T) {
	before := runtime.NumGoroutine()
	g := openGateway(t, pour)
	clients := []*Client{join(t, g, inner("10.9.0.2")), join(t, g, inner("10.9.0.3"))}
	var conns []net.Conn
	for _, c := range clients {
		conn := dial(t, c, virtual)
		if _, err := io.CopyN(io.Discard, conn, 1<<20); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	// One end of each kind is closed under load, none of the connections.
	for _, c := range clients {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := g.SetPeer(Peer{Key: PublicKey{1}, Addresses: []netip.Addr{inner("10.9.0.4")}}); !errors.Is(err, ErrClosed) {
		t.Errorf("SetPeer after Close: %v", err)
	}
	if _, err := clients[0].DialTCP(context.Background(), virtual); !errors.Is(err, ErrShut) {
		t.Errorf("dial after Close: %v", err)
	}
	for _, conn := range conns {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, ErrShut) {
			t.Errorf("read after Close: %v", err)
		}
	}
	settle(t, before)
}
