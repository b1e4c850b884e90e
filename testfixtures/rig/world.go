// Package rig is an in-process world for tests: a real broker, provider, gateway and application, and devices made of the product's own rooms.
package rig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/devidp"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/server"
	"github.com/postern-zt/postern/broker/store"
)

// Patience is how long the rig waits for what must happen.
const Patience = 20 * time.Second

// Enrolment tokens that every world knows.
const (
	DeviceToken  = "device-token-of-the-rig"
	GatewayToken = "gateway-token-of-the-rig"
)

// The person that every world's provider knows.
const (
	User     = "alice"
	Password = "wonderland"
	Subject  = "alice-1"
	ClientID = "postern"
)

// Options of a World.
type Options struct {
	// Policy is the policy file; ${IDP} and ${APPS} in it stand for the
	// provider's address and the folder of the applications' sockets.
	Policy string
	Apps   []string      // served on ${APPS}/name.sock; "wiki" when empty
	Lease  time.Duration // 0: the broker's default
	// Store, if not nil, is put around the real store.
	Store     func(store.Store) store.Store
	NoGateway bool // do not start one
}

// World is a broker with everything around it. It ends with its test.
type World struct {
	T      testing.TB
	Broker *server.Server
	Store  *store.SQLite
	Clock  *Clock // the broker's and the provider's wall clock
	URL    string // the broker
	IDP    string // the provider
	Roots  *x509.CertPool
	Apps   map[string]*App
	// Gateway is the one that New started, nil with NoGateway.
	Gateway *Gateway

	dir     string
	opts    Options
	handler http.Handler
	https   *httptest.Server
	idp     *httptest.Server
	fault   atomic.Pointer[Fault]
	log     *slog.Logger

	mu      sync.Mutex
	changed chan struct{}
	opening []chan<- struct{} // who waits for event streams to open
}

// Fault stands between callers and the broker.
type Fault func(w http.ResponseWriter, r *http.Request, broker http.Handler)

// New makes a world for the length of a test.
func New(t testing.TB, o Options) *World {
	t.Helper()
	if len(o.Apps) == 0 {
		o.Apps = []string{"wiki"}
	}
	dir, err := os.MkdirTemp("", "rig") // short, for the sockets in it
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &World{T: t, dir: dir, opts: o, Clock: &Clock{}, Apps: map[string]*App{}, changed: make(chan struct{}), log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, name := range o.Apps {
		w.Apps[name] = w.startApp(name)
	}
	w.startProvider()
	w.startBroker()
	if !o.NoGateway {
		w.Gateway = w.StartGateway(GatewayOptions{Name: "dev"})
	}
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *World) startProvider() {
	s := httptest.NewUnstartedServer(nil)
	w.IDP = "http://" + s.Listener.Addr().String()
	p, err := devidp.New(devidp.Config{
		Issuer: w.IDP, Clock: w.Clock.Now,
		Clients: []devidp.Client{{ID: ClientID, RedirectPath: "/callback"}, {ID: "another-client", RedirectPath: "/callback"}},
		Users:   []devidp.User{{Username: User, Password: Password, Subject: Subject, Email: "alice@example.test", Name: "Alice", Groups: []string{"staff"}}},
	})
	must(w.T, err)
	s.Config.Handler = p
	s.Start()
	w.idp = s
	w.T.Cleanup(s.Close)
}

// LoadPolicy reads a policy text for this world.
func (w *World) LoadPolicy(text string) (*policy.Policy, error) {
	text = strings.NewReplacer("${IDP}", w.IDP, "${APPS}", w.dir).Replace(text)
	return policy.Load("policy.yaml", []byte(text))
}

// SetPolicy puts another policy in force.
func (w *World) SetPolicy(text string) {
	w.T.Helper()
	p, err := w.LoadPolicy(text)
	must(w.T, err)
	must(w.T, w.Broker.SetPolicy(w.T.Context(), p))
}

func (w *World) startBroker() {
	t := w.T
	s := httptest.NewUnstartedServer(nil)
	w.URL = "https://" + s.Listener.Addr().String()
	var err error
	w.Store, err = store.OpenSQLite(t.Context(), filepath.Join(w.dir, "broker.db"))
	must(t, err)
	t.Cleanup(func() { w.Store.Close() })
	w.addTokens()
	events, err := audit.Open(filepath.Join(w.dir, "audit.jsonl"), audit.MaxFile, time.Now)
	must(t, err)
	t.Cleanup(func() { events.Close() })
	p, err := w.LoadPolicy(w.opts.Policy)
	must(t, err)
	var st store.Store = w.Store
	if w.opts.Store != nil {
		st = w.opts.Store(st)
	}
	w.Broker, err = server.New(t.Context(), server.Config{Issuer: w.URL, Store: st, Policy: p, Now: w.Clock.Now, Lease: w.opts.Lease, Audit: events, Log: w.log})
	must(t, err)
	w.handler = w.Broker.Handler()
	cert, roots := certificate(t)
	w.Roots = roots
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	s.EnableHTTP2 = true
	s.Config.Handler = http.HandlerFunc(w.serve)
	s.Config.ErrorLog = slog.NewLogLogger(w.log.Handler(), slog.LevelDebug)
	s.StartTLS()
	w.https = s
	t.Cleanup(func() {
		w.Broker.Close()
		s.Close()
	})
}

func (w *World) addTokens() {
	until := time.Now().Add(1000 * time.Hour).UnixMilli()
	for scope, token := range map[string]string{api.ScopeUser: DeviceToken, api.ScopeGateway: GatewayToken} {
		must(w.T, w.Store.AddEnrolmentToken(w.T.Context(), store.Hash(token), "rig", scope, 1000, until))
	}
}

// SetFault puts f between all callers and the broker; nil takes it away.
func (w *World) SetFault(f Fault) {
	if f == nil {
		w.fault.Store(nil)
		return
	}
	w.fault.Store(&f)
}

func (w *World) serve(rw http.ResponseWriter, r *http.Request) {
	defer w.Poke()
	if r.URL.Path == api.PathEvents {
		rw = &opener{ResponseWriter: rw, opened: w.opened}
	}
	if f := w.fault.Load(); f != nil {
		(*f)(rw, r, w.handler)
		return
	}
	w.handler.ServeHTTP(rw, r)
}

// Poke says that something may have changed: every Await looks again.
func (w *World) Poke() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

// Await waits until cond holds. It is looked at again after every call to the
// broker, every change of an application's connections and every Poke.
func (w *World) Await(what string, cond func() bool) {
	w.T.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if cond() {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			w.T.Fatalf("waited %s in vain: %s", Patience, what)
		}
	}
}

// Context ends with the rig's patience.
func (w *World) Context() context.Context {
	ctx, cancel := context.WithTimeout(w.T.Context(), Patience)
	w.T.Cleanup(cancel)
	return ctx
}

// StopProvider makes the provider go away.
func (w *World) StopProvider() { w.idp.Close() }

// Cut closes every connection to the broker, streams too.
func (w *World) Cut() { w.https.CloseClientConnections() }

// Handler is the broker without the network.
func (w *World) Handler() http.Handler { return w.handler }

// opener says when the first bytes of an answer are written.
type opener struct {
	http.ResponseWriter
	once   sync.Once
	opened func()
}

// Write implements io.Writer.
func (o *opener) Write(p []byte) (int, error) {
	o.once.Do(o.opened)
	return o.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (o *opener) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// listening closes c when the next event stream has opened.
func (w *World) listening(c chan<- struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opening = append(w.opening, c)
}

func (w *World) opened() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.opening) > 0 {
		close(w.opening[0])
		w.opening = w.opening[1:]
	}
}
