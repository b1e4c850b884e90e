package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/tunnel/plan"
	"github.com/postern-zt/postern/tunnel/wg"
)

func TestThroughTheTunnel(t *testing.T) {
	r := newRig(t, nil)
	p := r.lease(1, 1, time.Minute)
	r.Apply([]plan.Tunnel{p}, nil)
	if s := r.status("app1"); s.State != StateReady || s.Name != "APP1" || s.PublicKey != p.PublicKey.String() ||
		s.Until != p.Until || len(s.Local) != 3 || s.Primary == "" || s.Primary != s.Local[80] {
		t.Errorf("status %+v", s)
	}
	if peers, err := r.gateway.Peers(); err != nil || !peers[0].LastHandshake.IsZero() {
		t.Errorf("the tunnel is open before anyone uses it: %+v, %v", peers, err)
	}
	r.talk(r.dial("app1", 80))
	r.until("app1", func(s Status) bool { return s.State == StateOpen && s.Rx > 0 && s.Tx > 0 })

	// An end of one direction leaves the other one open.
	c := r.dial("app1", 82)
	for range 50 {
		if _, err := c.Write(make([]byte, 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || string(answer) != "500000 bytes, <nil>" {
		t.Errorf("answer %q, error %v", answer, err)
	}
}

func TestNoLeaseMeansReset(t *testing.T) {
	r := newRig(t, nil)
	r.Apply(nil, []App{{"app1", "One"}})
	s := r.status("app1")
	if s.State != StateClosed || s.Primary == "" || s.Local[0] != s.Primary {
		t.Fatalf("status %+v", s)
	}
	r.silent("app1", 0)
	// The address stays when a lease comes and goes.
	r.Apply([]plan.Tunnel{r.lease(1, 1, time.Minute)}, nil)
	if now := r.status("app1"); now.Primary != s.Primary || now.Local[80] != s.Primary {
		t.Errorf("status %+v, address was %s", now, s.Primary)
	}
	r.talk(r.dial("app1", 80))
	r.Apply(nil, nil)
	if now := r.status("app1"); now.State != StateClosed || now.Primary != s.Primary || len(now.Local) != 3 {
		t.Errorf("status %+v, address was %s", now, s.Primary)
	}
	for _, port := range ports {
		r.silent("app1", port)
	}
}

// The rest of the promise: what flows, ends; what others have, stays.
func TestApplyNothingKillsWhatFlows(t *testing.T) {
	r := newRig(t, nil)
	one, two := r.lease(1, 1, time.Minute), r.lease(2, 1, time.Minute)
	r.Apply([]plan.Tunnel{one, two}, nil)
	pouring, quiet, other := r.dial("app1", 81), r.dial("app1", 80), r.dial("app2", 80)
	r.talk(quiet)
	r.talk(other)
	ended := flowing(t, pouring)
	r.Apply([]plan.Tunnel{two}, nil)
	mustBeReset(t, ask(quiet))
	mustBeReset(t, <-ended)
	r.silent("app1", 80)
	r.talk(other)
	r.talk(r.dial("app2", 80))
	r.Apply(nil, nil)
	mustBeReset(t, ask(other))
}

func TestLeaseEndsByItself(t *testing.T) {
	r := newRig(t, nil)
	short, long := r.lease(1, 1, 30*time.Second), r.lease(2, 1, 90*time.Second)
	r.Apply([]plan.Tunnel{short, long}, nil)
	pouring, other := r.dial("app1", 81), r.dial("app2", 80)
	r.talk(other)
	ended := flowing(t, pouring)
	r.clock.Advance(30*time.Second - 1)
	select {
	case err := <-ended:
		t.Fatalf("ended too early: %v", err)
	default:
	}
	r.talk(r.dial("app1", 80))
	r.clock.Advance(1)
	mustBeReset(t, <-ended)
	r.silent("app1", 80)
	r.talk(other)
	if s := r.status("app1"); s.State != StateClosed || s.PublicKey != "" {
		t.Errorf("status %+v", s)
	}
	r.clock.Sleep(9 * time.Hour) // the machine, not the test
	cut(t, other)
	r.silent("app2", 80)
	// A plan that is over opens nothing, even if somebody still wants it.
	r.Apply([]plan.Tunnel{short, long}, nil)
	r.silent("app1", 80)
}

func TestExtendKeepsWhatFlows(t *testing.T) {
	r := newRig(t, nil)
	p := r.lease(1, 1, 30*time.Second)
	r.Apply([]plan.Tunnel{p}, nil)
	c, other := r.dial("app1", 80), r.dial("app1", 81)
	r.talk(c)
	ended := flowing(t, other)
	p.Until += 30 * time.Second
	r.Apply([]plan.Tunnel{p}, nil)
	r.clock.Advance(40 * time.Second)
	r.talk(c)
	// Fewer ports end the connections to those that are gone.
	p.Ports = []int{80}
	r.Apply([]plan.Tunnel{p}, nil)
	mustBeReset(t, <-ended)
	r.silent("app1", 81)
	r.talk(c)
	// And a shorter end counts, too.
	p.Until = r.clock.Boot() + time.Second
	r.Apply([]plan.Tunnel{p}, nil)
	r.clock.Advance(time.Second)
	cut(t, c)
}

func TestNewKeyIsANewTunnel(t *testing.T) {
	r := newRig(t, nil)
	r.Apply([]plan.Tunnel{r.lease(1, 1, time.Minute)}, nil)
	old := r.dial("app1", 80)
	r.talk(old)
	r.Apply([]plan.Tunnel{r.lease(1, 2, time.Minute)}, nil)
	mustBeReset(t, ask(old))
	r.talk(r.dial("app1", 80))
	// A lease for a key that is not ours opens nothing.
	wrong := r.lease(1, 3, time.Minute)
	wrong.PublicKey[0]++
	r.Apply([]plan.Tunnel{wrong}, nil)
	r.silent("app1", 80)
	wrong.KeyGen = 9 // which there is not
	r.Apply([]plan.Tunnel{wrong}, nil)
	r.silent("app1", 80)
}

func TestPendingGatewayIsAskedAgain(t *testing.T) {
	r := newRig(t, nil)
	p := r.unknown(1, 1, time.Minute)
	p.Pending = true
	r.Apply([]plan.Tunnel{p}, nil)
	c := r.dial("app1", 80)
	r.until("app1", func(s Status) bool { return s.State == StateConnecting })
	err := r.gateway.SetPeer(wg.Peer{Key: wg.PublicKey(p.PublicKey), PSK: wg.PresharedKey(p.Preshared),
		Addresses: p.Addresses, Allow: []netip.AddrPort{netip.AddrPortFrom(p.Virtual[0], 80)}})
	if err != nil {
		t.Fatal(err)
	}
	r.talk(c)
	// The gateway starts anew, at least as far as its epoch tells.
	before := r.status("app1").LastHandshake
	p.Pending, p.Gateway.Epoch = false, "2"
	r.Apply([]plan.Tunnel{p}, nil)
	r.until("app1", func(s Status) bool { return s.LastHandshake.After(before) })
	r.talk(c)
}

func TestAnotherUserIsRefused(t *testing.T) {
	r := newRig(t, func(c *Config) { c.OwnerOf = nil }) // as the kernel says
	p := r.lease(1, 1, time.Minute)
	r.Apply([]plan.Tunnel{p}, nil)
	r.talk(r.dial("app1", 80))
	addr := r.status("app1").Primary
	if heard := dialAs(t, 0, addr); !strings.Contains(heard, "asked: <nil>") {
		t.Errorf("the owner heard %q", heard)
	}
	if heard := dialAs(t, 65534, addr); !strings.Contains(heard, "reset") {
		t.Errorf("another user heard %q", heard)
	}
	r.talk(r.dial("app1", 80))
}

func TestNobodyOwnsByDefault(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Owner = ipc.Peer{} })
	r.Apply([]plan.Tunnel{r.lease(1, 1, time.Minute)}, nil)
	r.silent("app1", 80)
	unsaid := newRig(t, func(c *Config) {
		c.OwnerOf = func(*net.TCPConn) (ipc.Peer, error) {
			return ipc.Peer{Known: true, UID: uint32(os.Geteuid())}, ipc.ErrNoPeer
		}
	})
	unsaid.Apply([]plan.Tunnel{unsaid.lease(1, 1, time.Minute)}, nil)
	unsaid.silent("app1", 80)
}

// dialAs runs this test binary as a user who asks at addr.
func dialAs(t *testing.T, uid uint32, addr string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "program")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(exe, data, 0o755)); err != nil {
		t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p, err := os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Dir: "/", Env: []string{asProgram + "=" + addr}, Files: []*os.File{nil, w, w},
		Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { p.Kill() })
	defer late.Stop()
	heard, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return string(heard)
}

func TestRememberedAddress(t *testing.T) {
	// A port that was free a moment ago stands for one remembered.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l.Close()
	r := newRig(t, nil)
	r.remember("app1", 0, free)
	r.remember("app2", 0, taken.Addr().String())
	r.remember("app3", 0, "0.0.0.0:12345")
	r.remember("app4", 0, "no address")
	apps := []App{{"app1", ""}, {"app2", ""}, {"app3", ""}, {"app4", ""}}
	r.Apply(nil, apps)
	if got := r.status("app1").Primary; got != free {
		t.Errorf("address %s, remembered was %s", got, free)
	}
	for _, app := range apps {
		got := r.status(app.ID).Primary
		if !strings.HasPrefix(got, "127.0.0.1:") || got == taken.Addr().String() {
			t.Errorf("%s got %q", app.ID, got)
		}
		// Nobody else can take it.
		if thief, err := net.Listen("tcp", got); err == nil {
			thief.Close()
			t.Errorf("%s is free for others", got)
		}
	}
	r.Apply([]plan.Tunnel{r.lease(2, 1, time.Minute)}, apps)
	s := r.status("app2")
	r.Close()
	for port, addr := range map[int]string{0: s.Primary, 80: s.Local[80], 81: s.Local[81]} {
		if got := r.recall("app2", port); got != addr {
			t.Errorf("remembered for port %d is %q, was %s", port, got, addr)
		}
	}
}

func TestSameAgainChangesNothing(t *testing.T) {
	r := newRig(t, nil)
	p := r.lease(1, 1, time.Minute)
	p.Pending = true
	apps := []App{{"app1", "One"}}
	r.Apply([]plan.Tunnel{p}, apps)
	c := r.dial("app1", 80)
	r.talk(c)
	r.until("app1", func(s Status) bool { return s.State == StateOpen })
	before := r.status("app1")
	for range 10 {
		r.Apply([]plan.Tunnel{p}, apps)
	}
	r.talk(c)
	if now := r.status("app1"); now.LastHandshake != before.LastHandshake || now.Primary != before.Primary {
		t.Errorf("was %+v, is %+v", before, now)
	}
}

func TestAfterClose(t *testing.T) {
	r := newRig(t, nil)
	p := r.lease(1, 1, time.Minute)
	r.Apply([]plan.Tunnel{p}, nil)
	c, addr := r.dial("app1", 80), r.status("app1").Primary
	r.talk(c)
	r.Close()
	mustBeReset(t, ask(c))
	r.Apply([]plan.Tunnel{p}, nil)
	r.Close()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("the local port outlives the engine")
	}
}

// twin is a client that goes nowhere: its dials hang until their end.
type twin struct {
	gate   wg.Gate
	dialed chan struct{}
	closed func()
}

func (c *twin) Gate() *wg.Gate { return &c.gate }
func (c *twin) DialTCP(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
	if !c.gate.IsOpen() {
		return nil, wg.ErrShut
	}
	c.dialed <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}
func (c *twin) Handshake(context.Context) error  { return nil }
func (c *twin) LastHandshake() (time.Time, bool) { return time.Unix(1, 0), true }
func (c *twin) Counters() (rx, tx uint64)        { return 1, 2 }
func (c *twin) Shut()                            { c.gate.Shut() }
func (c *twin) Close() error                     { c.closed(); return nil }

// twins opens twins and counts those that are open.
type twins struct {
	mu     sync.Mutex
	open   int
	dialed chan struct{}
}

func (s *twins) Open(wg.ClientConfig) (Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	return &twin{dialed: s.dialed, closed: func() {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
	}}, nil
}

func (s *twins) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func TestAtMostSoManyConnections(t *testing.T) {
	s := &twins{dialed: make(chan struct{}, 2*MaxConnections)}
	r := newRig(t, func(c *Config) { c.Open = s.Open })
	r.Apply([]plan.Tunnel{r.unknown(1, 1, time.Minute), r.unknown(2, 1, time.Minute)}, nil)
	var conns []net.Conn
	for range MaxConnections {
		conns = append(conns, r.dial("app1", 80))
		<-s.dialed
	}
	r.silent("app1", 80)
	other := r.dial("app2", 80)
	<-s.dialed
	if s.count() != 2 {
		t.Errorf("%d clients", s.count())
	}
	if got := r.status("app1"); got.State != StateOpen || got.Rx != 1 || got.Tx != 2 {
		t.Errorf("status %+v", got)
	}
	// Shutting ends dials that hang, too.
	r.Apply(nil, nil)
	for _, c := range append(conns, other) {
		mustBeReset(t, ask(c))
	}
	r.Close()
	if s.count() != 0 {
		t.Errorf("%d clients left", s.count())
	}
}

func TestAtMostSoManyClients(t *testing.T) {
	s := &twins{dialed: make(chan struct{}, 2*MaxClients)}
	r := newRig(t, func(c *Config) { c.Open = s.Open })
	var wanted []plan.Tunnel
	for n := range byte(MaxClients + 1) {
		wanted = append(wanted, r.unknown(n+1, 1, time.Minute))
	}
	r.Apply(wanted, nil)
	for _, w := range wanted[:MaxClients] {
		r.dial(w.App, 80)
		<-s.dialed
	}
	last := wanted[MaxClients].App
	r.silent(last, 80)
	// One that ends makes room.
	r.Apply(wanted[1:], nil)
	deadline := time.After(10 * time.Second)
	for s.count() == MaxClients {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("the client of a shut tunnel stays open")
		}
	}
	r.dial(last, 80)
	select {
	case <-s.dialed:
	case <-deadline:
		t.Fatal("no room was made")
	}
}

func TestShutWhileOpening(t *testing.T) {
	s := &twins{dialed: make(chan struct{}, 10)}
	opening, goOn := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(c *Config) {
		c.Open = func(cfg wg.ClientConfig) (Client, error) {
			opening <- struct{}{}
			<-goOn
			return s.Open(cfg)
		}
	})
	r.Apply([]plan.Tunnel{r.unknown(1, 1, time.Minute)}, nil)
	c := r.dial("app1", 80)
	<-opening
	r.Apply(nil, nil) // returns although the opening hangs
	mustBeReset(t, ask(c))
	close(goOn)
	r.Close()
	if s.count() != 0 || len(s.dialed) != 0 {
		t.Errorf("%d clients left, %d dials", s.count(), len(s.dialed))
	}
}

func TestFailingOpener(t *testing.T) {
	tries := make(chan netip.AddrPort, 10)
	r := newRig(t, func(c *Config) {
		c.Open = func(cfg wg.ClientConfig) (Client, error) {
			tries <- cfg.Endpoint
			return nil, errors.New("no such family")
		}
	})
	p := r.unknown(1, 1, time.Minute)
	second := netip.MustParseAddrPort("[::1]:9")
	p.Gateway.Endpoints = append(p.Gateway.Endpoints, second)
	r.Apply([]plan.Tunnel{p}, nil)
	for range MaxClients + 1 { // a failure must not use up a place
		r.silent("app1", 80)
		if <-tries; <-tries != second {
			t.Fatal("the second endpoint was not tried")
		}
	}
	if s := r.status("app1"); s.State != StateReady {
		t.Errorf("status %+v", s)
	}
}

func TestManyAtOnce(t *testing.T) {
	r := newRig(t, nil)
	var tunnels []plan.Tunnel
	for n := range byte(4) {
		tunnels = append(tunnels, r.lease(n+1, 1, time.Hour))
	}
	r.Apply(tunnels, nil)
	stop := make(chan struct{})
	var work sync.WaitGroup
	for n := range 4 {
		addr := r.status(fmt.Sprint("app", n+1)).Primary
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := net.Dial("tcp", addr); err == nil {
					_ = c.SetDeadline(time.Now().Add(5 * time.Second))
					_ = ask(c) // cut off or not: it may not hang
					c.Close()
				}
			}
		})
	}
	for i := range 60 {
		r.Apply(tunnels[i%4:], nil)
		r.Status()
		r.clock.Advance(time.Second)
	}
	close(stop)
	work.Wait()
	r.Apply(tunnels, nil)
	r.talk(r.dial("app1", 80))
}
