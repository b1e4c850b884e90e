// Package relay joins two connections until both directions have ended.
package relay

import (
	"errors"
	"io"
	"net"
	"sync"
)

// bufferSize of one direction, in bytes.
const bufferSize = 64 << 10

// halfCloser is a connection whose sending side can end alone, as TCP and
// Unix stream sockets can.
type halfCloser interface{ CloseWrite() error }

// Join copies both ways. An orderly end on one side is passed on to the other
// as an orderly end of that direction; an error on either side resets both at
// once, and is what Join returns. Both connections are closed when it returns.
func Join(a, b net.Conn) error {
	var once sync.Once
	var first error
	fail := func(err error) {
		once.Do(func() {
			first = err
			if err == nil {
				a.Close()
				b.Close()
				return
			}
			Reset(a)
			Reset(b)
		})
	}
	var wg sync.WaitGroup
	wg.Go(func() { oneWay(a, b, fail) })
	wg.Go(func() { oneWay(b, a, fail) })
	wg.Wait()
	fail(nil)
	return first
}

func oneWay(to, from net.Conn, fail func(error)) {
	// A plain copy loop: io.Copy would hand the buffer's size to the kernel's
	// splice, which holds data back inside a pipe when one side stalls.
	buf := make([]byte, bufferSize)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				fail(werr)
				return
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fail(err)
			return
		}
	}
	if h, ok := to.(halfCloser); ok {
		if err := h.CloseWrite(); err == nil {
			return
		}
	}
	fail(nil)
}

// Reset closes a connection so that its peer gets an error and not an orderly
// end (TCP: RST), because what was read so far may not be all there was.
func Reset(c net.Conn) error {
	if t, ok := c.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	return c.Close()
}
