package wg

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// firstError reads until it fails, and says when and how.
type firstError struct {
	at  time.Time
	err error
}

func readOn(r io.Reader) <-chan firstError {
	done := make(chan firstError, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		done <- firstError{time.Now(), err}
	}()
	return done
}

func TestClientShutDuringDownload(t *testing.T) {
	g := openGateway(t, pour)
	c := join(t, g, inner("10.9.0.2"))
	var took []time.Duration
	for range 10 {
		conn := dial(t, c, virtual)
		if _, err := io.CopyN(io.Discard, conn, 2<<20); err != nil {
			t.Fatal(err)
		}
		failed := readOn(conn)
		start := time.Now()
		c.Shut()
		call := time.Since(start)
		f := <-failed
		if !errors.Is(f.err, ErrShut) {
			t.Fatalf("reader: %v", f.err)
		}
		took = append(took, max(call, f.at.Sub(start)))
		for range 2 { // it stays an error and never becomes an EOF
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, ErrShut) {
				t.Errorf("read: %v", err)
			}
			if _, err := conn.Write([]byte{1}); !errors.Is(err, ErrShut) {
				t.Errorf("write: %v", err)
			}
		}
		if _, err := c.DialTCP(context.Background(), virtual); !errors.Is(err, ErrShut) {
			t.Errorf("dial: %v", err)
		}
		rx, _ := c.Counters()
		c.Gate().Open()
		if rx == 0 {
			t.Error("nothing was received")
		}
	}
	slices.Sort(took)
	t.Logf("from Shut to the reader's error: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if took[len(took)-1] > time.Second {
		t.Errorf("it took %v", took[len(took)-1])
	}
}

// A writer that waits for window is woken too.
func TestShutWakesABlockedWriter(t *testing.T) {
	g := openGateway(t, func(f Flow) { <-f.Done }) // never reads
	c := join(t, g, inner("10.9.0.2"))
	conn := dial(t, c, virtual)
	block := make([]byte, 64<<10)
	for full := false; !full; { // until no byte more fits
		if err := conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := conn.Write(block)
		var timeout net.Error
		full = errors.As(err, &timeout) && timeout.Timeout()
		if err != nil && !full {
			t.Fatal(err)
		}
	}
	if err := conn.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := conn.Write(block)
		failed <- err
	}()
	c.Shut()
	if err := <-failed; !errors.Is(err, ErrShut) {
		t.Errorf("write: %v", err)
	}
}

func TestShutEndsADial(t *testing.T) {
	g := openGateway(t, echo)
	c := newFar(t, g, inner("10.9.0.2")).open(t)
	for range 50 {
		c.Gate().Open()
		var dials sync.WaitGroup
		for range 4 {
			dials.Go(func() {
				if conn, err := c.DialTCP(context.Background(), virtual); !errors.Is(err, ErrShut) {
					t.Errorf("dial: %v, %v", conn, err)
				}
			})
		}
		dials.Go(c.Shut)
		dials.Go(c.Shut)
		dials.Wait()
	}
}

func TestShutPeerSparesOthers(t *testing.T) {
	type end struct {
		peer PublicKey
		err  error
		at   time.Time
	}
	ended := make(chan end, 8)
	g := openGateway(t, func(f Flow) {
		block := make([]byte, 64<<10)
		for {
			if _, err := f.Conn.Write(block); err != nil {
				_, readErr := f.Conn.Read(block)
				if !errors.Is(readErr, ErrShut) {
					err = readErr
				}
				ended <- end{f.Peer, err, time.Now()}
				return
			}
		}
	})
	gone := newFar(t, g, inner("10.9.0.2"))
	if err := g.SetPeer(gone.peer); err != nil {
		t.Fatal(err)
	}
	lost := gone.open(t)
	lost.Gate().Open()
	other := join(t, g, inner("10.9.0.3"))
	a, b := dial(t, lost, virtual), dial(t, other, virtual)
	for _, conn := range []io.Reader{a, b} {
		if _, err := io.CopyN(io.Discard, conn, 2<<20); err != nil {
			t.Fatal(err)
		}
	}
	_ = readOn(a)
	start := time.Now()
	g.ShutPeer(gone.peer.Key)
	call := time.Since(start)
	e := <-ended
	if e.peer != gone.peer.Key || !errors.Is(e.err, ErrShut) {
		t.Errorf("flow of %s ended with %v", e.peer, e.err)
	}
	t.Logf("ShutPeer took %v; the flow's error came %v after its start", call, e.at.Sub(start))
	// The other's flow runs on.
	if _, err := io.CopyN(io.Discard, b, 8<<20); err != nil {
		t.Errorf("the other peer's flow: %v", err)
	}
	select {
	case e := <-ended:
		t.Errorf("flow of %s ended too: %v", e.peer, e.err)
	default:
	}
	// The removed peer's handshakes stay unanswered.
	if err := lost.Handshake(within(t, 2*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("handshake of a removed peer: %v", err)
	}
	if peers, err := g.Peers(); err != nil || len(peers) != 1 || peers[0].Key == gone.peer.Key {
		t.Errorf("peers %+v, %v", peers, err)
	}
	// Let in again, the same key works.
	if err := g.SetPeer(gone.peer); err != nil {
		t.Fatal(err)
	}
	if err := lost.Handshake(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, dial(t, lost, virtual), 1<<20); err != nil {
		t.Error(err)
	}
	g.ShutPeer(PublicKey{9}) // unknown: nothing happens
}

// A change of what a peer may reach ends what it may no longer reach.
func TestSetPeerEndsWhatIsNoLongerAllowed(t *testing.T) {
	g := openGateway(t, echo)
	far := newFar(t, g, inner("10.9.0.2"))
	second := netip.MustParseAddrPort("100.64.0.2:22")
	far.peer.Allow = []netip.AddrPort{virtual, second}
	if err := g.SetPeer(far.peer); err != nil {
		t.Fatal(err)
	}
	c := far.open(t)
	c.Gate().Open()
	kept, lost := dial(t, c, virtual), dial(t, c, second)
	for _, conn := range []io.ReadWriter{kept, lost} {
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	failed := readOn(lost)
	far.peer.Allow = []netip.AddrPort{virtual}
	if err := g.SetPeer(far.peer); err != nil {
		t.Fatal(err)
	}
	if f := <-failed; f.err == nil {
		t.Error("the connection ended as if all were well")
	}
	if err := ask(kept); err != nil {
		t.Errorf("the other connection: %v", err)
	}
	if _, err := c.DialTCP(within(t, time.Second), second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial: %v", err)
	}
}
