// Package engine carries out which tunnels are wanted: local ports that are always there, tunnels behind them that end on time.
package engine

import (
	"log/slog"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/tunnel/plan"
	"github.com/postern-zt/postern/tunnel/wg"
)

// Bounds of one engine. What is beyond them is refused.
const (
	MaxApps        = 256 // applications with local ports
	MaxClients     = 64  // WireGuard devices at a time
	MaxConnections = 512 // connections of one application at a time
)

// Config says what an engine works with. All functions may be called from
// several goroutines at once; Key, Clock and Owner are needed.
type Config struct {
	Clock clock.Clock
	// Key gives the private key of one generation of an application's keys.
	Key func(app string, gen int) (wg.PrivateKey, error)
	// Owner is whose connections the local ports take. Nobody else's: those
	// of other users of the machine, and those of which the system does not
	// say whose they are, are reset.
	Owner ipc.Peer
	// OwnerOf tells whose the other end of a connection is; an error refuses
	// it. nil: ipc.LoopbackOwner.
	OwnerOf func(*net.TCPConn) (ipc.Peer, error)
	// LocalAddress gives the local address that a port of an application had
	// before, as "127.0.0.1:port", or "". Port 0 is the primary port while
	// its number is not known.
	// It must answer from memory.
	LocalAddress func(app string, port int) string
	// Remember takes a local address for later. It may take its time.
	Remember func(app string, port int, addr string)
	// OnChange is called, never two at a time and never within another call,
	// when Status may differ. Close waits for it and for Remember, so neither
	// may call Close.
	OnChange func()
	Open     Opener       // nil: WireGuard
	Log      *slog.Logger // nil: silent
}

// App is an application that may be used, now or later.
type App struct{ ID, Name string }

// Engine holds the local ports and tunnels of one person's applications. All
// methods may be called concurrently.
type Engine struct {
	cfg   Config
	slots chan struct{} // one for each WireGuard device
	done  chan struct{} // closed by Close
	wake  chan struct{} // the earliest end may have changed
	news  chan struct{} // OnChange is due
	work  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	apps   map[string]*app
	memos  []memo // for Remember
}

// memo is a local address to remember.
type memo struct {
	app  string
	port int
	addr string
}

// app is one application, with its tunnel while there is a lease.
type app struct {
	App
	ports   map[int]*localPort // by port at the application; 0: primary, number not known yet
	primary int
	tunnel  *tunnel // nil without a lease
	busy    int     // admitted connections that have not ended
}

// New starts an engine that knows no application.
func New(cfg Config) *Engine {
	if cfg.Open == nil {
		cfg.Open = openWireGuard
	}
	if cfg.OwnerOf == nil {
		cfg.OwnerOf = ipc.LoopbackOwner
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.LocalAddress == nil {
		cfg.LocalAddress = func(string, int) string { return "" }
	}
	if cfg.Remember == nil {
		cfg.Remember = func(string, int, string) {}
	}
	if cfg.OnChange == nil {
		cfg.OnChange = func() {}
	}
	e := &Engine{
		cfg: cfg, apps: map[string]*app{}, slots: make(chan struct{}, MaxClients),
		done: make(chan struct{}), wake: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
	e.work.Go(e.endOnTime)
	e.work.Go(e.tell)
	return e
}

// Apply makes the wanted tunnels the only ones. When it returns, every other
// one is shut and its connections are aborted; what takes longer goes on by
// itself. Known applications get their local ports, which stay until Close.
// The same call again changes nothing.
func (e *Engine) Apply(wanted []plan.Tunnel, apps []App) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	boot := e.cfg.Clock.Boot()
	var now, want []plan.Tunnel
	for _, a := range e.apps {
		if a.tunnel != nil {
			now = append(now, a.tunnel.plan)
		}
	}
	for _, w := range wanted {
		if w.Until > boot {
			want = append(want, w.Clone())
		}
	}
	steps := plan.Diff(now, want)
	e.shut(func(t *tunnel) bool {
		return slices.ContainsFunc(steps.Shut, func(s plan.Tunnel) bool { return s.App == t.plan.App })
	})
	for _, w := range steps.Extend {
		e.apps[w.App].tunnel.extend(w)
	}
	for _, w := range steps.Rehandshake {
		e.apps[w.App].tunnel.shakeHands(true)
	}
	known := slices.Clone(apps)
	for _, w := range want {
		known = append(known, App{w.App, w.Name})
	}
	e.meet(known)
	for _, w := range steps.Open {
		if a := e.apps[w.App]; a != nil {
			a.tunnel = newTunnel(e, w)
		}
	}
	e.listen()
	poke(e.wake)
	// Time that is added to a tunnel is no news: its end is counted down anyway.
	if len(steps.Shut)+len(steps.Open)+len(steps.Rehandshake) > 0 {
		poke(e.news)
	}
}

// meet makes applications known, as many as there may be.
func (e *Engine) meet(apps []App) {
	for _, known := range apps {
		a := e.apps[known.ID]
		if a == nil {
			if known.ID == "" || len(e.apps) >= MaxApps {
				e.cfg.Log.Warn("application gets no local port", "app", known.ID)
				continue
			}
			a = &app{App: known, ports: map[int]*localPort{}}
			e.apps[known.ID] = a
			poke(e.news)
		}
		if known.Name != "" {
			a.Name = known.Name
		}
	}
}

// shut ends the tunnels that match. First the flag of every one of them is
// set, at which each connection and dial looks; then their gates are shut and
// their connections reset; the rest needs no hurry.
func (e *Engine) shut(match func(*tunnel) bool) {
	var doomed []*tunnel
	for _, a := range e.apps {
		if a.tunnel != nil && match(a.tunnel) {
			a.tunnel.over.Store(true)
			doomed = append(doomed, a.tunnel)
			a.tunnel = nil
		}
	}
	for _, t := range doomed {
		t.abort()
	}
	if len(doomed) > 0 {
		poke(e.news)
	}
}

// endOnTime ends each tunnel at its own moment, whoever else is asleep.
func (e *Engine) endOnTime() {
	for {
		timer := e.cfg.Clock.NewTimer(e.earliest())
		select {
		case <-timer.C():
			e.mu.Lock()
			boot := e.cfg.Clock.Boot()
			e.shut(func(t *tunnel) bool { return t.plan.Until <= boot })
			e.mu.Unlock()
		case <-e.wake:
		case <-e.done:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// earliest is the next moment at which a tunnel ends.
func (e *Engine) earliest() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := time.Duration(math.MaxInt64)
	for _, a := range e.apps {
		if a.tunnel != nil {
			at = min(at, a.tunnel.plan.Until)
		}
	}
	return at
}

// tell calls Remember and OnChange from a goroutine that holds nothing.
func (e *Engine) tell() {
	for {
		var closed bool
		select {
		case <-e.news:
		case <-e.done:
			closed = true
		}
		e.mu.Lock()
		memos := e.memos
		e.memos = nil
		e.mu.Unlock()
		for _, m := range memos {
			e.cfg.Remember(m.app, m.port, m.addr)
		}
		if closed {
			return
		}
		e.cfg.OnChange()
	}
}

// remember keeps a local address for Remember. The engine's lock is held.
func (e *Engine) remember(app string, port int, addr string) {
	e.memos = append(e.memos, memo{app, port, addr})
	poke(e.news)
}

// poke leaves a sign, if there is none yet.
func poke(sign chan struct{}) {
	select {
	case sign <- struct{}{}:
	default:
	}
}

// Close shuts every tunnel, gives up the local ports and waits until nothing
// is left. It may be called twice.
func (e *Engine) Close() {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		e.shut(func(*tunnel) bool { return true })
		for _, a := range e.apps {
			for _, p := range a.ports {
				_ = p.listener.Close() // nobody is there to be told
			}
		}
		close(e.done)
	}
	e.mu.Unlock()
	e.work.Wait()
}

// reset ends a connection so that its other end sees an error, never an
// orderly end.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // fails only on a connection that is closed already
	_ = c.Close()
}
