package engine

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/tunnel/plan"
	"github.com/postern-zt/postern/tunnel/wg"
)

// The rig's applications speak by port: 80 says back what it hears, 81 pours
// bytes until the connection fails, 82 hears to the end and then answers with
// the count.
var ports = []int{80, 81, 82}

// asProgram names the environment variable that makes this test binary dial
// an address and tell how that went.
const asProgram = "POSTERN_TEST_DIAL"

func TestMain(m *testing.M) {
	addr := os.Getenv(asProgram)
	if addr == "" {
		os.Exit(m.Run())
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		fmt.Println("dial:", err)
		os.Exit(0)
	}
	fmt.Println("asked:", ask(c))
}

// rig is a gateway, an engine and the keys between them.
type rig struct {
	*Engine
	t       *testing.T
	clock   *clock.Fake
	gateway *wg.Gateway

	mu      sync.Mutex
	keys    map[string]wg.PrivateKey
	memory  map[string]string
	changes chan struct{}
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	before := runtime.NumGoroutine()
	r := &rig{t: t, clock: clock.NewFake(time.Unix(1_800_000_000, 0)), keys: map[string]wg.PrivateKey{},
		memory: map[string]string{}, changes: make(chan struct{}, 1)}
	gatewayKey, err := wg.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	r.gateway, err = wg.OpenGateway(wg.GatewayConfig{
		PrivateKey: gatewayKey, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Accept: speak})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Clock: r.clock, Key: r.key, Owner: ipc.Peer{Known: true, UID: uint32(os.Geteuid())},
		LocalAddress: r.recall, Remember: r.remember,
		OwnerOf: func(*net.TCPConn) (ipc.Peer, error) { // whose they are has tests of its own
			return ipc.Peer{Known: true, UID: uint32(os.Geteuid())}, nil
		},
		OnChange: func() { poke(r.changes) },
		Log:      slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&cfg)
	}
	r.Engine = New(cfg)
	t.Cleanup(func() {
		r.Close()
		if err := r.gateway.Close(); err != nil {
			t.Error(err)
		}
		settle(t, before)
		if n := r.clock.Pending(); n != 0 {
			t.Errorf("%d timers left", n)
		}
	})
	return r
}

func speak(f wg.Flow) {
	switch f.To.Port() {
	case 80:
		_, _ = io.Copy(f.Conn, f.Conn)
	case 81:
		block := make([]byte, 16<<10)
		for {
			if _, err := f.Conn.Write(block); err != nil {
				return
			}
		}
	case 82:
		n, err := io.Copy(io.Discard, f.Conn)
		fmt.Fprintf(f.Conn, "%d bytes, %v", n, err)
	}
}

func (r *rig) key(app string, gen int) (wg.PrivateKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[fmt.Sprint(app, gen)]
	if !ok {
		return wg.PrivateKey{}, errors.New("no such key")
	}
	return k, nil
}

func (r *rig) recall(app string, port int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.memory[fmt.Sprint(app, port)]
}

func (r *rig) remember(app string, port int, addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.memory[fmt.Sprint(app, port)] = addr
}

// lease makes a tunnel of that app that both ends know, for so long.
func (r *rig) lease(n byte, gen int, ttl time.Duration) plan.Tunnel {
	r.t.Helper()
	p := r.unknown(n, gen, ttl)
	peer := wg.Peer{Key: wg.PublicKey(p.PublicKey), PSK: wg.PresharedKey(p.Preshared), Addresses: p.Addresses}
	for _, port := range p.Ports {
		peer.Allow = append(peer.Allow, netip.AddrPortFrom(p.Virtual[0], uint16(port)))
	}
	if err := r.gateway.SetPeer(peer); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// unknown is lease without telling the gateway.
func (r *rig) unknown(n byte, gen int, ttl time.Duration) plan.Tunnel {
	r.t.Helper()
	k, err := wg.NewPrivateKey()
	if err != nil {
		r.t.Fatal(err)
	}
	app := fmt.Sprintf("app%d", n)
	r.mu.Lock()
	r.keys[fmt.Sprint(app, gen)] = k
	r.mu.Unlock()
	p := plan.Tunnel{
		App: app, Name: strings.ToUpper(app), KeyGen: gen, Lease: "l", TunnelID: fmt.Sprint(app, gen),
		Until: r.clock.Boot() + ttl, PublicKey: plan.Key(k.Public()),
		Gateway:   plan.Gateway{PublicKey: plan.Key(r.gateway.PublicKey()), Endpoints: []netip.AddrPort{r.gateway.ListenAddr()}},
		Addresses: []netip.Addr{netip.AddrFrom4([4]byte{100, 64, byte(gen), n})},
		Virtual:   []netip.Addr{netip.AddrFrom4([4]byte{100, 127, 0, n})},
		Ports:     ports, Primary: 80,
	}
	if _, err := rand.Read(p.Preshared[:]); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// status is the status of one application.
func (r *rig) status(app string) Status {
	r.t.Helper()
	for _, s := range r.Status() {
		if s.App == app {
			return s
		}
	}
	r.t.Fatalf("%s is not known", app)
	return Status{}
}

func (r *rig) dial(app string, port int) net.Conn {
	r.t.Helper()
	addr := r.status(app).Local[port]
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// talk checks that the application answers.
func (r *rig) talk(c net.Conn) {
	r.t.Helper()
	if err := ask(c); err != nil {
		r.t.Fatalf("the application does not answer: %v", err)
	}
}

// silent checks that a connection to the application's port is reset.
func (r *rig) silent(app string, port int) {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", r.status(app).Local[port], 5*time.Second)
	if err == nil { // the reset may come before the dial has noticed its success
		defer c.Close()
		err = errors.Join(c.SetDeadline(time.Now().Add(20*time.Second)), ask(c))
	}
	mustBeReset(r.t, err)
}

// mustBeReset wants the error of a connection that was cut: no timeout, no
// refusal and no orderly end.
func mustBeReset(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("error %v, want a reset", err)
	}
}

// ask sends a byte and waits for it to come back.
func ask(c net.Conn) error {
	if _, err := c.Write([]byte{42}); err != nil {
		return err
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		return err
	}
	return nil
}

// flowing reads from a pouring connection until it ends and tells how. It
// returns when bytes flow.
func flowing(t *testing.T, c net.Conn) <-chan error {
	t.Helper()
	if _, err := io.ReadFull(c, make([]byte, 256<<10)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

// until waits for a status that fits.
func (r *rig) until(app string, fits func(Status) bool) {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for !fits(r.status(app)) {
		select {
		case <-r.changes:
		case <-deadline:
			r.t.Fatalf("status stays %+v", r.status(app))
		}
	}
}

// cut checks that a connection ends, now or in a moment, by a reset.
func cut(t *testing.T, c net.Conn) {
	t.Helper()
	var err error
	for err == nil {
		err = ask(c)
	}
	mustBeReset(t, err)
}

// settle waits until there are no more goroutines than before.
func settle(t *testing.T, before int) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		case <-time.After(5 * time.Millisecond):
		}
	}
}
