package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-zt/postern/tunnel/plan"
)

// localPort is a TCP port on 127.0.0.1 that leads to one port of an
// application. It is held as long as the engine lives, so that no other
// program can answer in the application's name.
type localPort struct {
	listener *net.TCPListener
	addr     string
	app      *app
	port     int // at the application; 0 not known yet; under the engine's lock
}

// listen makes the local ports that are missing. The engine's lock is held.
func (e *Engine) listen() {
	for _, a := range e.apps {
		if a.tunnel == nil {
			if len(a.ports) == 0 {
				e.listenFor(a, 0)
			}
			continue
		}
		p := a.tunnel.plan
		if l := a.ports[0]; l != nil && a.ports[p.Primary] == nil {
			// Now the number is known of what was only the primary port.
			delete(a.ports, 0)
			l.port = p.Primary
			a.ports[p.Primary] = l
			e.remember(a.ID, p.Primary, l.addr)
		}
		for _, port := range p.Ports {
			if a.ports[port] == nil {
				e.listenFor(a, port)
			}
		}
		if l := a.ports[p.Primary]; l != nil && a.primary != p.Primary {
			a.primary = p.Primary
			e.remember(a.ID, 0, l.addr)
		}
	}
}

// listenFor opens one local port, the remembered one if that can be had.
func (e *Engine) listenFor(a *app, port int) {
	l, err := bind(e.cfg.LocalAddress(a.ID, port))
	if err != nil {
		// The next Apply tries again; meanwhile the application has no address.
		e.cfg.Log.Error("open local port", "app", a.ID, "port", port, "err", err)
		return
	}
	p := &localPort{listener: l, addr: l.Addr().String(), app: a, port: port}
	a.ports[port] = p
	e.remember(a.ID, port, p.addr)
	e.work.Go(func() { e.accept(p) })
	poke(e.news)
}

// bind listens on the remembered address, or on any free port of 127.0.0.1.
func bind(remembered string) (*net.TCPListener, error) {
	any := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	if at, err := netip.ParseAddrPort(remembered); err == nil && at.Addr() == any.Addr() && at.Port() != 0 {
		if l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(at)); err == nil {
			return l, nil
		}
	}
	return net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(any))
}

// accept takes connections until the engine is closed. It asks whose each one
// is before it takes the next, so that another user's crowd of them is a queue
// and nothing more.
func (e *Engine) accept(p *localPort) {
	for {
		c, err := p.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely: others may give some back.
			e.cfg.Log.Warn("accept local connection", "app", p.app.ID, "err", err)
			select {
			case <-e.done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		v, err := e.admit(p, c)
		if err != nil {
			reset(c)
			e.cfg.Log.Debug("local connection refused", "app", p.app.ID, "err", err)
			continue
		}
		e.work.Go(func() { e.serve(v) })
	}
}

// visit is an admitted connection with the tunnel that it came to.
type visit struct {
	conn   *net.TCPConn
	app    *app
	tunnel *tunnel
	plan   plan.Tunnel
	to     netip.AddrPort
}

// errNoLease is why most refused connections are refused.
var errNoLease = errors.New("no lease")

// admit lets a connection in, if it is the owner's and there is a lease at
// this very moment that has the port. From then on it ends with the tunnel.
func (e *Engine) admit(p *localPort, c *net.TCPConn) (visit, error) {
	if !e.leased(p.app) {
		return visit{}, errNoLease // spares the question whose it is
	}
	owner, err := e.cfg.OwnerOf(c)
	if err != nil {
		return visit{}, err
	}
	if !owner.Same(e.cfg.Owner) {
		return visit{}, fmt.Errorf("connection of %s", owner)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t := p.app.tunnel
	if t == nil || t.plan.Until <= e.cfg.Clock.Boot() || !slices.Contains(t.plan.Ports, p.port) {
		return visit{}, errNoLease
	}
	if p.app.busy >= MaxConnections {
		return visit{}, fmt.Errorf("%d connections, no more allowed", MaxConnections)
	}
	p.app.busy++
	t.conns[c] = p.port
	to := netip.AddrPortFrom(t.plan.Virtual[0], uint16(p.port))
	return visit{conn: c, app: p.app, tunnel: t, plan: t.plan, to: to}, nil
}

func (e *Engine) leased(a *app) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return a.tunnel != nil
}

// serve takes an admitted connection to its end.
func (e *Engine) serve(v visit) {
	err := v.carry()
	if err != nil {
		reset(v.conn)
		e.cfg.Log.Debug("local connection reset", "app", v.app.ID, "err", err)
	} else {
		_ = v.conn.Close() // both ends have said that they are done
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	v.app.busy--
	delete(v.tunnel.conns, v.conn)
}

func (v visit) carry() error {
	t := v.tunnel
	client, err := t.open(v.plan)
	if err != nil {
		t.engine.cfg.Log.Warn("tunnel does not open", "app", v.app.ID, "err", err)
		return err
	}
	ctx, cancel := context.WithTimeout(t.ctx, dialLimit)
	defer cancel()
	if err := t.awaitGateway(ctx); err != nil {
		return err
	}
	far, err := client.DialTCP(ctx, v.to)
	if err != nil {
		return err
	}
	return t.splice(v.conn, far)
}

// splice passes bytes both ways. An end of one direction is passed on as such;
// a failure of one is a failure of both.
func (t *tunnel) splice(local *net.TCPConn, far net.Conn) error {
	defer far.Close()
	ended := make(chan error, 2)
	pass := func(dst, src net.Conn) {
		err := t.copyUntil(dst, src)
		if err == nil {
			err = closeWrite(dst)
		}
		if err != nil { // wakes the other direction
			reset(local)
			_ = far.Close()
		}
		ended <- err
	}
	go pass(far, local) // ends with its connections; we wait for it below
	go pass(local, far)
	return errors.Join(<-ended, <-ended)
}

func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("connection cannot be half closed")
	}
	return half.CloseWrite()
}

// orderly turns the end of a stream into nil.
func orderly(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
