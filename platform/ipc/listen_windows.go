package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"time"

	"github.com/Microsoft/go-winio"
)

const (
	// pipeBuffer is what the system holds in each direction before a writer
	// waits, in bytes.
	pipeBuffer = 16 << 10
	// maxGreeting is how many callers may be silent at a time. The one who has
	// been so longest makes room for the next, so that nobody who is silent on
	// purpose keeps another from being heard.
	maxGreeting = 128
	// lingering is how long a listener waits for the callers of an ended one to
	// let go of its pipe: while one of them holds its end, the name is taken.
	lingering = 5 * time.Second
	// again is how long to wait before trying what the system refused just now.
	again = 50 * time.Millisecond
	// closing bounds how long ending a pipe may take.
	closing = 5 * time.Second
	// maxFailures is how many times in a row accepting may fail.
	maxFailures = 20
)

// Listener accepts connections on a named pipe.
type Listener struct {
	l       net.Listener
	anyUser bool
	self    Peer
	greeter *greeter
	callers chan *Conn    // who has said who he is
	leaving chan struct{} // closed by Close
	ended   chan struct{} // closed when nobody is accepted any more
	err     error         // why; read after ended
	close   func() error
}

// Listen listens on the named pipe of that name; elsewhere it is the path of a
// Unix socket. While another process listens, the error is an *InUseError; so
// it is if somebody else has taken the name. A pipe ends with its listener and
// leaves nothing behind.
func Listen(path string, o Options) (*Listener, error) {
	if err := checkPipeName(path); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	self := Self()
	if !self.Known {
		return nil, fmt.Errorf("listen on %s: own user: %w", path, ErrNoPeer)
	}
	// The system makes sure of it too, by failing to make a first instance; it
	// does not say so in words. A name that is there and answers nobody is held
	// by a caller of a listener that has ended.
	if holder := holderOf(path); holder != "" {
		return nil, &InUseError{Path: path, Holder: holder}
	}
	pipe, err := makePipe(path, pipeSecurity(o, self))
	if err != nil {
		return nil, err
	}
	l := &Listener{
		l: pipe, anyUser: o.AnyUser, self: self, greeter: newGreeter(maxGreeting),
		callers: make(chan *Conn), leaving: make(chan struct{}), ended: make(chan struct{}),
	}
	l.close = sync.OnceValue(l.shut)
	go l.accept()
	return l, nil
}

// makePipe makes the first instance of the pipe.
func makePipe(path, security string) (net.Listener, error) {
	cfg := &winio.PipeConfig{SecurityDescriptor: security, InputBufferSize: pipeBuffer, OutputBufferSize: pipeBuffer}
	deadline := time.Now().Add(lingering)
	for {
		l, err := winio.ListenPipe(path, cfg)
		if err == nil {
			return l, settle(path, l)
		}
		switch {
		case !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("listen on %s: %w", path, err)
		case time.Now().After(deadline) && Exists(path):
			return nil, &InUseError{Path: path, Holder: holderOf(path)}
		case time.Now().After(deadline):
			return nil, fmt.Errorf("listen on %s: a caller of an earlier listener still holds it: %w", path, err)
		}
		if holder := holderOf(path); holder != "" {
			return nil, &InUseError{Path: path, Holder: holder}
		}
		time.Sleep(again) // nothing tells when the last of them has let go
	}
}

// accept takes connections until the pipe is closed. It always has one call of
// Accept under way, for without one closing a pipe has hung in the library.
func (l *Listener) accept() {
	defer close(l.ended)
	var greeting sync.WaitGroup
	defer greeting.Wait()
	defer l.greeter.end()
	for failures := 0; ; {
		c, err := l.l.Accept()
		switch {
		case err == nil:
			failures = 0
			greeting.Go(func() { l.greet(c) })
			continue
		case errors.Is(err, net.ErrClosed), l.isLeaving():
			l.err = net.ErrClosed
			return
		}
		if failures++; failures > maxFailures {
			l.err = err
			return
		}
		select { // the system may be short of something for a moment
		case <-time.After(again):
		case <-l.leaving:
		}
	}
}

func (l *Listener) isLeaving() bool {
	select {
	case <-l.leaving:
		return true
	default:
		return false
	}
}

// greet takes the caller's first byte, asks who he is, and hands him to Accept.
func (l *Listener) greet(c net.Conn) {
	if !l.greeter.hear(c) {
		return
	}
	peer, err := callerOf(c)
	if err != nil || !admits(peer, l.self, l.anyUser) {
		c.Close()
		return
	}
	select {
	case l.callers <- &Conn{Conn: c, Peer: peer}:
	case <-l.leaving:
		c.Close()
	}
}

// Accept waits for a connection and returns it, a *Conn, with who is calling.
// A caller whom the system does not identify, or who may not connect under the listener's options, is hung up on and never
// returned. After Close the error has net.ErrClosed in its chain.
func (l *Listener) Accept() (net.Conn, Peer, error) {
	if l.isLeaving() {
		return nil, Peer{}, l.failed(net.ErrClosed)
	}
	select {
	case c := <-l.callers:
		return c, c.Peer, nil
	case <-l.leaving:
		return nil, Peer{}, l.failed(net.ErrClosed)
	case <-l.ended:
		return nil, Peer{}, l.failed(l.err)
	}
}

func (l *Listener) failed(err error) error {
	return fmt.Errorf("accept on %s: %w", l.l.Addr(), err)
}

// Addr returns the pipe's name.
func (l *Listener) Addr() net.Addr { return l.l.Addr() }

// Close stops listening. Connections already accepted live on. It may be called
// more than once.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) shut() error {
	close(l.leaving)
	closed := make(chan error, 1)
	go func() {
		err := l.l.Close()
		<-l.ended
		closed <- err
	}()
	select {
	case err := <-closed:
		return err
	case <-time.After(closing):
		return fmt.Errorf("close %s: the system has not let go of it", l.l.Addr())
	}
}
