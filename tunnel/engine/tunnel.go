package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/tunnel/plan"
	"github.com/postern-zt/postern/tunnel/wg"
)

const (
	// dialLimit bounds how long a person waits for a connection.
	dialLimit = 10 * time.Second
	// shakeLimit bounds one attempt to agree on keys.
	shakeLimit = 30 * time.Second
	// keepaliveSeconds keeps the way back open through NAT while a connection
	// is quiet (WireGuard, "NAT and Firewall Traversal Persistence").
	keepaliveSeconds = 25
)

// Client is one WireGuard tunnel, as *wg.Client is. Its gate begins shut.
type Client interface {
	Gate() *wg.Gate
	DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	Handshake(ctx context.Context) error
	LastHandshake() (time.Time, bool)
	Counters() (rx, tx uint64)
	Shut() // shuts the gate and ends all connections, without waiting
	Close() error
}

// Opener makes a tunnel with its gate shut.
type Opener func(wg.ClientConfig) (Client, error)

func openWireGuard(cfg wg.ClientConfig) (Client, error) {
	c, err := wg.OpenClient(cfg)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// tunnel is an application's tunnel from lease to end. The WireGuard device is
// made with the first connection.
type tunnel struct {
	engine *Engine
	app    string
	over   atomic.Bool     // set first; nothing passes any more
	ctx    context.Context // ends with the tunnel
	cancel context.CancelFunc

	// Under the engine's lock:
	plan  plan.Tunnel
	conns map[*net.TCPConn]int // accepted connections with the port they are for

	opening   sync.Mutex // one attempt to make the device at a time
	mu        sync.Mutex
	client    Client // nil before the first connection and after the end
	shaking   bool   // an attempt to agree on keys runs
	wantShake bool   // one is to run

	shaken     chan struct{} // closed when the gateway has answered once
	shakenOnce sync.Once
}

func newTunnel(e *Engine, p plan.Tunnel) *tunnel {
	t := &tunnel{engine: e, app: p.App, plan: p, conns: map[*net.TCPConn]int{}, shaken: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// extend takes over what may change while a tunnel lives. Connections to ports
// that are gone end. The engine's lock is held.
func (t *tunnel) extend(p plan.Tunnel) {
	t.plan = p
	for c, port := range t.conns {
		if !slices.Contains(p.Ports, port) {
			reset(c)
		}
	}
}

// current is the device, nil if there is none.
func (t *tunnel) current() Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.client
}

// open gives the device, and makes it the first time. p is the tunnel's plan.
func (t *tunnel) open(p plan.Tunnel) (Client, error) {
	t.opening.Lock()
	defer t.opening.Unlock()
	if c := t.current(); c != nil {
		return c, nil
	}
	if t.over.Load() {
		return nil, wg.ErrShut
	}
	select {
	case t.engine.slots <- struct{}{}:
	default:
		return nil, fmt.Errorf("open tunnel: %d are open, no more allowed", MaxClients)
	}
	c, err := t.make(p)
	if err != nil {
		<-t.engine.slots
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// abort sets the flag before it asks for the device under this lock, so
	// either we see the flag or it sees the device.
	if t.over.Load() {
		t.discard(c)
		return nil, wg.ErrShut
	}
	t.client = c
	c.Gate().Open()
	poke(t.engine.news)
	return c, nil
}

func (t *tunnel) make(p plan.Tunnel) (Client, error) {
	key, err := t.engine.cfg.Key(p.App, p.KeyGen)
	if err != nil {
		return nil, fmt.Errorf("open tunnel: %w", err)
	}
	if plan.Key(key.Public()) != p.PublicKey {
		return nil, errors.New("open tunnel: the lease is for another key than ours")
	}
	cfg := wg.ClientConfig{
		PrivateKey: key, PeerKey: wg.PublicKey(p.Gateway.PublicKey), PSK: wg.PresharedKey(p.Preshared),
		Addresses: p.Addresses, KeepaliveSeconds: keepaliveSeconds, Log: t.engine.cfg.Log,
	}
	for _, v := range p.Virtual {
		cfg.AllowedIPs = append(cfg.AllowedIPs, netip.PrefixFrom(v, v.BitLen()))
	}
	var errs []error
	for _, endpoint := range p.Gateway.Endpoints { // a machine may lack one of the families
		cfg.Endpoint = endpoint
		c, err := t.engine.cfg.Open(cfg)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// discard frees a device without keeping anybody waiting. The lock mu or the
// engine's is held by someone whom Close waits for.
func (t *tunnel) discard(c Client) {
	t.engine.work.Go(func() {
		if err := c.Close(); err != nil {
			t.engine.cfg.Log.Debug("close tunnel", "app", t.app, "err", err)
		}
		<-t.engine.slots
	})
}

// shakeHands asks the gateway to agree on keys, unless nobody uses the tunnel
// yet. One attempt runs at a time; with anew, another follows the one that runs.
func (t *tunnel) shakeHands(anew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil {
		return
	}
	if t.shaking {
		t.wantShake = t.wantShake || anew
		return
	}
	t.shaking, t.wantShake = true, true
	t.engine.work.Go(func() {
		for c := t.nextShake(); c != nil; c = t.nextShake() {
			ctx, cancel := context.WithTimeout(t.ctx, shakeLimit)
			var err error
			if !t.answeredFirst(ctx, c) {
				err = c.Handshake(ctx)
			}
			cancel()
			if err == nil {
				t.shakenOnce.Do(func() { close(t.shaken) })
			} else if t.ctx.Err() == nil {
				t.engine.cfg.Log.Info("the gateway does not answer", "app", t.app, "err", err)
			}
			poke(t.engine.news)
		}
	})
}

// awaitGateway waits until the gateway has answered once. A packet sent before
// would begin a handshake of its own, and of two at a time neither may succeed.
func (t *tunnel) awaitGateway(ctx context.Context) error {
	select {
	case <-t.shaken:
		return nil
	default:
	}
	t.shakeHands(false)
	select {
	case <-t.shaken:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the gateway: %w", ctx.Err())
	}
}

// answeredFirst leaves a moment to WireGuard's own first attempt, which it
// begins for the keepalive as the device comes up: a second initiation that
// crosses the answer to the first one can leave keys that fit nobody's.
func (t *tunnel) answeredFirst(ctx context.Context, c Client) bool {
	select {
	case <-t.shaken: // the first time is over
		return false
	default:
	}
	for wait := time.Millisecond; wait < 200*time.Millisecond; wait *= 2 {
		if _, ever := c.LastHandshake(); ever {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
	return false
}

// nextShake gives the device to shake hands on, nil when that is done.
func (t *tunnel) nextShake() Client {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.wantShake || t.client == nil {
		t.shaking = false
		return nil
	}
	t.wantShake = false
	return t.client
}

// abort ends everything that flows. The flag over is set and the engine's
// lock is held.
func (t *tunnel) abort() {
	t.mu.Lock()
	c := t.client
	t.client = nil
	t.mu.Unlock()
	if c != nil {
		c.Shut()
	}
	for conn := range t.conns {
		reset(conn)
	}
	t.cancel()
	if c != nil {
		t.discard(c)
	}
}

// copyUntil passes bytes on until src ends, one side fails or the tunnel is
// over. Only an orderly end gives nil.
func (t *tunnel) copyUntil(dst, src net.Conn) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if t.over.Load() {
			return wg.ErrShut
		}
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return orderly(err)
		}
	}
}
