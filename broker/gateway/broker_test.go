package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/tunnel/wg"
)

const patience = 20 * time.Second

// scripted is a broker that says what the test says, when the test says it.
type scripted struct {
	t       *testing.T
	clock   *clock.Fake
	gateway *Gateway
	stop    context.CancelFunc
	stopped chan error

	feeds  chan *line // a feed was opened
	beats  chan api.Heartbeat
	acks   chan api.Acks
	enrols chan struct{}
	tokens chan struct{}

	mu   sync.Mutex
	deny *api.Problem // the answer to the next request for a feed
}

// line is one open feed.
type line struct {
	t    *testing.T
	send chan string
	hang chan struct{}
}

func script(t *testing.T) *scripted {
	t.Helper()
	events, err := audit.Open(filepath.Join(t.TempDir(), "audit.jsonl"), audit.MaxFile, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	return scriptWith(t, events)
}

func scriptWith(t *testing.T, events *audit.Log) *scripted {
	t.Helper()
	s := &scripted{
		t: t, clock: clock.NewFake(time.Now()), stopped: make(chan error, 1),
		feeds: make(chan *line, 64), beats: make(chan api.Heartbeat, 1024), acks: make(chan api.Acks, 1024), enrols: make(chan struct{}, 64), tokens: make(chan struct{}, 64),
	}
	https := httptest.NewUnstartedServer(nil)
	https.Config.Handler = s.handler("https://" + https.Listener.Addr().String())
	https.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelDebug)
	https.StartTLS()
	t.Cleanup(https.Close)
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client, err := apiclient.New(apiclient.Config{Base: https.URL, Roots: roots, Key: key, Clock: s.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	private, err := wg.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	s.gateway, err = New(Config{
		Name: "gw", UEID: attest.NewUEID(), Key: key, WireGuard: private, Listen: netip.MustParseAddrPort("127.0.0.1:0"),
		Client: client, Clock: s.clock, Audit: events, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.stopped <- s.gateway.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-s.stopped
		https.CloseClientConnections()
	})
	return s
}

func (s *scripted) handler(issuer string) http.Handler {
	mux := http.NewServeMux()
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", api.TypeJSON)
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc(api.PathDiscovery, func(w http.ResponseWriter, _ *http.Request) {
		write(w, api.Discovery{Issuer: issuer, ProtocolVersions: []int{api.Version}, HeartbeatMS: 5000, Providers: []api.Provider{}})
	})
	mux.HandleFunc(api.PathDevices, func(w http.ResponseWriter, _ *http.Request) {
		s.enrols <- struct{}{}
		write(w, api.Enrolled{DeviceID: "dev_gw"})
	})
	mux.HandleFunc(api.PathToken, func(w http.ResponseWriter, _ *http.Request) {
		s.tokens <- struct{}{}
		write(w, api.TokenAnswer{AccessToken: jws.Random(8), TokenType: api.TokenTypeDPoP, ExpiresIn: 300})
	})
	mux.HandleFunc(api.PathHeartbeat, func(w http.ResponseWriter, r *http.Request) {
		var h api.Heartbeat
		json.NewDecoder(r.Body).Decode(&h)
		s.beats <- h
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc(api.PathAcks, func(w http.ResponseWriter, r *http.Request) {
		var a api.Acks
		json.NewDecoder(r.Body).Decode(&a)
		s.acks <- a
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc(api.PathGatewayFeed, s.serveFeed)
	return mux
}

func (s *scripted) serveFeed(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	deny := s.deny
	s.deny = nil
	s.mu.Unlock()
	if deny != nil {
		w.Header().Set("Content-Type", api.TypeProblem)
		w.WriteHeader(deny.Status)
		json.NewEncoder(w).Encode(deny)
		return
	}
	l := &line{t: s.t, send: make(chan string), hang: make(chan struct{})}
	w.Header().Set("Content-Type", api.TypeEvents)
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	s.feeds <- l
	for {
		select {
		case text := <-l.send:
			io.WriteString(w, text)
			w.(http.Flusher).Flush()
		case <-l.hang:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// next waits for something and fails the test when it does not come.
func next[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	panic("unreachable")
}

// feed waits for the next feed. While the gateway waits before it tries again,
// its clock is moved.
func (s *scripted) feed() *line {
	s.t.Helper()
	late := time.After(patience)
	for {
		select {
		case l := <-s.feeds:
			return l
		case <-time.After(20 * time.Millisecond):
			s.clock.Advance(100 * time.Millisecond)
		case <-late:
			s.t.Fatal("the gateway opened no feed")
		}
	}
}

// retry moves the clock until the answer that was set for the next request has
// been given.
func (s *scripted) retry() {
	s.t.Helper()
	for late := time.Now().Add(patience); time.Now().Before(late); s.clock.Advance(100 * time.Millisecond) {
		s.mu.Lock()
		given := s.deny == nil
		s.mu.Unlock()
		if given {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	s.t.Fatal("the gateway did not try again")
}

func (l *line) raw(text string) {
	l.t.Helper()
	select {
	case l.send <- text:
	case <-time.After(patience):
		l.t.Fatal("the feed takes nothing")
	}
}

func (l *line) event(name string, v any) {
	l.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	l.raw(fmt.Sprintf("event: %s\ndata: %s\n\n", name, data))
}

// applied waits until everything up to seq is in force, and gives the tunnels
// that were closed on the way.
func (s *scripted) applied(seq int64) (closed []api.ClosedTunnel) {
	s.t.Helper()
	for {
		a := next(s.t, fmt.Sprintf("acknowledgement of %d", seq), s.acks)
		closed = append(closed, a.Closed...)
		if a.Applied >= seq {
			return closed
		}
	}
}

// closed waits for the end of a tunnel.
func (s *scripted) closed(id string) string {
	s.t.Helper()
	for {
		for _, c := range next(s.t, "the end of "+id, s.acks).Closed {
			if c.ID == id {
				return c.Cause
			}
		}
	}
}

// beatNow makes the gateway send a heartbeat, however its clock stands.
func (s *scripted) beatNow() {
	select {
	case s.gateway.begun <- struct{}{}:
	default:
	}
}

// echo makes the gateway send a heartbeat at this moment of the clock, and
// sends it back.
func (s *scripted) echo(l *line) {
	s.t.Helper()
	s.beatNow()
	for {
		h := next(s.t, "a heartbeat", s.beats)
		b := &s.gateway.beats
		b.mu.Lock()
		at := b.sent[h.Seq]
		b.mu.Unlock()
		if at == s.clock.Boot() {
			l.event(api.FeedHeartbeat, h)
			return
		}
	}
}

// admitted reports whether the gateway lets a tunnel in.
func (s *scripted) admitted(t api.GatewayTunnel) bool {
	s.t.Helper()
	all, err := s.gateway.wg.Peers()
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.ContainsFunc(all, func(p wg.PeerStatus) bool { return p.Key.String() == t.PublicKey && p.Open })
}

// tunnelAt is a tunnel with an inner address of its own.
func tunnelAt(t testing.TB, n int, ttl time.Duration) api.GatewayTunnel {
	t.Helper()
	k, err := wg.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return api.GatewayTunnel{
		ID: fmt.Sprintf("tun_%d", n), Lease: "lea", App: "wiki", PublicKey: k.Public().String(), PresharedKey: base64.StdEncoding.EncodeToString(make([]byte, 32)),
		Addresses: []string{fmt.Sprintf("100.96.0.%d", n)}, TTLMS: ttl.Milliseconds(),
		Routes: []api.VirtualPort{{Virtual: []string{"100.112.0.1"}, Port: 80, Destination: "tcp:127.0.0.1:9"}},
	}
}

func grantOf(seq int64, id string, tunnels ...api.GatewayTunnel) api.Grant {
	return api.Grant{Seq: seq, ID: id, Tunnels: append([]api.GatewayTunnel{}, tunnels...)}
}
