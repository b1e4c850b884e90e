package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/server"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

const benchIssuer = "https://broker.bench"

// bench is one signed-in device at a broker inside this process.
type bench struct {
	handler http.Handler
	key     *ecdsa.PrivateKey
	token   string
	ueid    string
	nonce   string // attestation
	proof   string // DPoP server nonce
	report  fact.Report
	seq     int64
}

// decisions measures attestations verified and decided per second on one core,
// through the broker's own handler and SQLite. The peer does nothing but the
// three signature checks that each of them needs.
func decisions(ctx context.Context, dir string, _ io.Writer) ([]Line, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b, err := newBench(ctx, dir)
	if err != nil {
		return nil, err
	}
	var failed error
	ours := testing.Benchmark(func(tb *testing.B) {
		// Signing is the device's work: it is prepared outside the clock.
		for range tb.N {
			tb.StopTimer()
			req, err := b.request()
			if err != nil {
				failed = err
				tb.FailNow()
			}
			rec := httptest.NewRecorder()
			tb.StartTimer()
			b.handler.ServeHTTP(rec, req)
			if err := b.take(rec); err != nil {
				failed = err
				tb.FailNow()
			}
		}
	})
	if failed != nil {
		return nil, failed
	}
	req, err := b.request()
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	peer := testing.Benchmark(func(tb *testing.B) {
		for range tb.N {
			for range 3 {
				s, err := jws.Parse(string(body), api.MaxAttestation)
				if err == nil {
					_, err = s.Verify(&b.key.PublicKey, attest.Type)
				}
				if err != nil {
					failed = err
					tb.FailNow()
				}
			}
		}
	})
	return []Line{{Name: "attestations per second, one core", Unit: "1/s", Ours: perSecond(ours), Peer: perSecond(peer), N: ours.N, note: "three signature checks"}}, failed
}

func perSecond(r testing.BenchmarkResult) float64 { return float64(r.N) / r.T.Seconds() }

func newBench(ctx context.Context, dir string) (*bench, error) {
	st, err := store.OpenSQLite(ctx, filepath.Join(dir, "bench.db"))
	if err != nil {
		return nil, err
	}
	p, err := policy.Load("bench", []byte(benchPolicy))
	if err != nil {
		return nil, err
	}
	srv, err := server.New(ctx, server.Config{Issuer: benchIssuer, Store: st, Policy: p, Now: time.Now, Audit: audit.Discard(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	b := &bench{handler: srv.Handler(), ueid: attest.NewUEID(), nonce: "none-yet"}
	if b.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	jkt, err := jws.Thumbprint(&b.key.PublicKey)
	if err != nil {
		return nil, err
	}
	d := store.Device{ID: "dev_bench", JKT: jkt, PublicJWK: "{}", UEID: b.ueid, Name: "bench", Platform: "linux", Scope: api.ScopeUser, KeyProtection: api.KeyFile, KeyAttested: api.AttestedNone, HardwareID: api.HardwareNone, State: store.StateActive}
	if err := st.AddDevice(ctx, d); err != nil {
		return nil, err
	}
	iss, err := issuer.New(ctx, issuer.Config{Issuer: benchIssuer, Store: st, Now: time.Now, Lease: time.Minute})
	if err != nil {
		return nil, err
	}
	answer, err := iss.OpenSession(ctx, d, issuer.SignedIn{Person: api.Person{Subject: "bench", Issuer: "https://idp.bench"}, AuthTime: time.Now()})
	if err != nil {
		return nil, err
	}
	b.token, b.report = answer.AccessToken, benchReport()
	req, err := b.request() // brings both nonces
	if err != nil {
		return nil, err
	}
	for range 3 {
		rec := httptest.NewRecorder()
		b.handler.ServeHTTP(rec, req)
		if err = b.take(rec); err == nil {
			return b, nil
		}
		if req, err = b.request(); err != nil {
			return nil, err
		}
	}
	return b, fmt.Errorf("the broker takes no attestation")
}

func benchReport() fact.Report {
	now := time.Now()
	return fact.Report{Signals: []fact.Signal{
		{Name: fact.SignalOS, State: fact.Observed, Collector: "bench", ObservedAt: now, Facts: []fact.Fact{{Field: "type", Value: fact.Str(fact.OSLinux)}, {Field: "version", Value: fact.Str("12.8")}}},
		{Name: fact.SignalFirewall, State: fact.Observed, Collector: "bench", ObservedAt: now, Facts: []fact.Fact{{Field: "enabled", Value: fact.Bool(true)}, {Field: "default_inbound", Value: fact.Str(fact.InboundDrop)}}},
	}}
}

// request makes the next whole attestation with its proof.
func (b *bench) request() (*http.Request, error) {
	b.seq++
	now := time.Now()
	token, err := attest.Sign(b.key, attest.Claims{
		Nonce: b.nonce, UEID: b.ueid, Audience: benchIssuer, IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(), Software: "Postern", Version: []string{"0", "semver"},
		Key: attest.KeyClaims{Protection: "file", Scope: api.ScopeUser}, Seq: b.seq, Report: &b.report,
	})
	if err != nil {
		return nil, err
	}
	req := httptest.NewRequest(http.MethodPost, benchIssuer+api.PathAttestations, strings.NewReader(token))
	proof, err := bind.MakeProof(b.key, bind.Request{Method: http.MethodPost, URL: benchIssuer + api.PathAttestations, AccessToken: b.token}, b.proof, now)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", api.TypeEAT)
	req.Header.Set("Authorization", api.TokenTypeDPoP+" "+b.token)
	req.Header.Set(api.HeaderDPoP, proof)
	return req, nil
}

// take keeps the nonces of an answer; anything but a success is an error.
func (b *bench) take(rec *httptest.ResponseRecorder) error {
	b.proof = rec.Header().Get(api.HeaderDPoPNonce)
	if rec.Code == http.StatusOK {
		var a api.Answer
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
			return err
		}
		b.nonce = a.NextNonce
		return nil
	}
	var p api.Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		return err
	}
	if p.Nonce != "" {
		b.nonce = p.Nonce
	}
	return fmt.Errorf("the broker answered %d %s", rec.Code, p.Code)
}

const benchPolicy = `version: 1
providers:
  - {issuer: "https://idp.bench", client_id: postern, scopes: [openid]}
checks:
  os: {expr: 'versionAtLeast(device.os_version, "12")', code: org/os-too-old}
  firewall: {expr: device.firewall.enabled, code: org/firewall-off}
  inbound: {expr: 'device.firewall.default_inbound == "drop"', code: org/inbound-open}
apps:
  - {id: wiki, name: Wiki, destinations: ["tcp:127.0.0.1:1"], ports: [80], checks: [os, firewall, inbound]}
`
