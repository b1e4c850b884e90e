package brokerclient

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// reply is one answer of the broker's twin: a problem when code is set.
type reply struct {
	status int
	code   string
	nonce  string
	oauth  bool
	body   any
}

// broker is the other side's twin. Its hooks run under no lock.
type broker struct {
	*httptest.Server
	t     *testing.T
	clock *clock.Fake
	skew  time.Duration // local clock minus the broker's

	mu      sync.Mutex
	forms   []url.Values
	claims  []attest.Claims
	tokens  []string // access tokens of attestations
	enrols  []string
	revoked []string

	onToken  func(ctx context.Context, form url.Values, n int) reply
	onAttest func(c attest.Claims, n int) reply
	onEnrol  func(n int) reply
	onEvents http.HandlerFunc
	key      hwkey.Key
}

// now is the broker's time, which nobody here can set.
func (b *broker) now() time.Time { return day.Add(b.clock.Boot() - time.Hour - b.skew) }

func newBroker(t *testing.T) *broker {
	t.Helper()
	key, err := hwkey.NewMemory()
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, clock: clock.NewFake(day), key: key}
	b.onToken = func(_ context.Context, form url.Values, n int) reply {
		return reply{status: 200, body: b.answerN(n, form.Get(api.ParamGrantType) == api.GrantExchange)}
	}
	b.onAttest = func(attest.Claims, int) reply {
		return reply{status: 200, body: api.Answer{Verdict: api.TierAffirming, NextNonce: "next"}}
	}
	b.onEnrol = func(int) reply {
		return reply{status: 201, body: api.Enrolled{DeviceID: "dev_1", KeyAttested: api.AttestedNone, HardwareID: api.HardwareNone, HardwareReason: "why", AttestationNonce: "first"}}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.PathDiscovery, func(w http.ResponseWriter, r *http.Request) {
		b.send(w, reply{status: 200, body: api.Discovery{Issuer: b.URL, ProtocolVersions: []int{api.Version}, Providers: []api.Provider{{Issuer: "https://idp.example", ClientID: "c"}}}})
	})
	mux.HandleFunc("POST "+api.PathDevices, func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.enrols = append(b.enrols, "")
		n := len(b.enrols)
		b.mu.Unlock()
		b.send(w, b.onEnrol(n))
	})
	mux.HandleFunc("POST "+api.PathToken, b.token)
	mux.HandleFunc("POST "+api.PathAttestations, b.attest)
	mux.HandleFunc("GET "+api.PathEvents, func(w http.ResponseWriter, r *http.Request) { b.onEvents(w, r) })
	mux.HandleFunc("POST "+api.PathRevoke, func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		b.mu.Lock()
		b.revoked = append(b.revoked, r.PostForm.Get("token"))
		b.mu.Unlock()
	})
	b.Server = httptest.NewTLSServer(mux)
	t.Cleanup(b.Close)
	return b
}

// answerN are the tokens of the n-th grant.
func (b *broker) answerN(n int, person bool) api.TokenAnswer {
	a := api.TokenAnswer{AccessToken: numbered("access", n), TokenType: api.TokenTypeDPoP, ExpiresIn: 300, RefreshToken: numbered("handle", n), SessionEndsIn: 3600}
	if person {
		a.Person = &api.Person{Issuer: "https://idp.example", Subject: "kim", Email: "kim@example.com"}
	}
	return a
}

func numbered(s string, n int) string { return s + "-" + string(rune('0'+n)) }

func (b *broker) send(w http.ResponseWriter, r reply) {
	w.Header().Set("Date", b.now().UTC().Format(http.TimeFormat))
	kind, body := api.TypeJSON, r.body
	switch {
	case r.code != "" && r.oauth:
		body = api.OAuthError{Error: r.code, Description: "told"}
	case r.code != "":
		kind, body = api.TypeProblem, api.Problem{Status: r.status, Code: r.code, Detail: "told", Nonce: r.nonce}
	}
	data, err := json.Marshal(body)
	if err != nil {
		b.t.Error(err)
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(r.status)
	w.Write(data)
}

func (b *broker) token(w http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	b.mu.Lock()
	b.forms = append(b.forms, r.PostForm)
	n := len(b.forms)
	b.mu.Unlock()
	b.send(w, b.onToken(r.Context(), r.PostForm, n))
}

func (b *broker) attest(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, api.MaxAttestation)
	n, _ := r.Body.Read(body)
	for err := error(nil); err == nil; {
		var m int
		m, err = r.Body.Read(body[n:])
		n += m
	}
	jkt, err := jws.Thumbprint(b.key.Public())
	if err != nil {
		b.t.Error(err)
	}
	c, err := attest.Verify(string(body[:n]), attest.Expected{JKT: jkt, Audience: b.URL, Now: b.now()})
	if err != nil {
		b.t.Errorf("attestation: %v", err)
	}
	b.mu.Lock()
	b.claims = append(b.claims, c)
	b.tokens = append(b.tokens, r.Header.Get("Authorization"))
	count := len(b.claims)
	b.mu.Unlock()
	b.send(w, b.onAttest(c, count))
}

func (b *broker) attested() []attest.Claims {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]attest.Claims(nil), b.claims...)
}

func (b *broker) granted() []url.Values {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]url.Values(nil), b.forms...)
}

// device is one machine's folder and secrets.
type device struct {
	dir     string
	secrets secret.Store
}

func newDevice(t *testing.T) device { return device{t.TempDir(), secret.NewMemory()} }

func (b *broker) open(d device) (*Client, error) {
	pool := x509.NewCertPool()
	pool.AddCert(b.Certificate())
	conn, err := apiclient.New(apiclient.Config{Base: b.URL, Roots: pool, Key: b.key, Clock: b.clock})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(conn.Close)
	return Open(Config{API: conn, Key: b.key, KeyKind: api.KeyProtection(b.key.Protection()), Version: "1.0.0", Secrets: d.secrets, State: d.dir, Clock: b.clock, Scope: api.ScopeUser, Name: "box", Token: "t"})
}

func (b *broker) client(d device) *Client {
	b.t.Helper()
	c, err := b.open(d)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// signedIn is an enrolled client with a session.
func (b *broker) signedIn(d device) *Client {
	b.t.Helper()
	c := b.client(d)
	if err := c.Enrol(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.exchange(c)
	return c
}

func (b *broker) exchange(c *Client) Session {
	b.t.Helper()
	s, err := c.Exchange(b.t.Context(), "id", "salt", "uid:1")
	if err != nil {
		b.t.Fatal(err)
	}
	if err := c.Begin(s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

func report(on bool) fact.Report {
	return fact.Report{Signals: []fact.Signal{
		{Name: fact.SignalFirewall, State: fact.Observed, Collector: "firewall@1", ObservedAt: day, Facts: []fact.Fact{{Field: "enabled", Value: fact.Bool(on)}}},
		{Name: fact.SignalOS, State: fact.Unknown, Reason: fact.ReasonTimeout, Collector: "os@1", ObservedAt: day.Add(-time.Minute)},
	}}
}

func rejected(t *testing.T, err error, code string) {
	t.Helper()
	var no *apiclient.Rejected
	if !errors.As(err, &no) || no.Code != code {
		t.Errorf("error %v, want the refusal %s", err, code)
	}
}

func unreachable(t *testing.T, err error) {
	t.Helper()
	var un *apiclient.Unreachable
	var no *apiclient.Rejected
	if !errors.As(err, &un) || errors.As(err, &no) {
		t.Errorf("error %v, want unreachable", err)
	}
}

func (d device) file(name string) string { return filepath.Join(d.dir, name) }
