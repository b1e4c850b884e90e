package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/postern-zt/postern/broker/api"
)

// Opener opens a store over one database: calls within one test are like
// several brokers on it.
type Opener func(t *testing.T) Store

// Conformance is what every Store must do. fresh returns an Opener over an
// empty database.
func Conformance(t *testing.T, fresh func(t *testing.T) Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"Device":            testDevice,
		"DeviceState":       testDeviceState,
		"Accept":            testAccept,
		"AcceptRace":        testAcceptRace,
		"EnrolmentToken":    testEnrolmentToken,
		"EnrolmentRace":     testEnrolmentRace,
		"Session":           testSession,
		"Rotate":            testRotate,
		"RotateOvertaken":   testRotateOvertaken,
		"Revoke":            testRevoke,
		"Tunnel":            testTunnel,
		"TunnelInner":       testTunnelInner,
		"TunnelRace":        testTunnelRace,
		"TunnelExpiry":      testTunnelExpiry,
		"TunnelAfterRevoke": testTunnelAfterRevoke,
		"Gateways":          testGateways,
		"AppAddress":        testAppAddress,
		"Secret":            testSecret,
		"Observations":      testObservations,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func device(id string) Device {
	return Device{
		ID: id, JKT: "jkt-" + id, PublicJWK: `{"kty":"EC"}`, UEID: "AQ", Name: "laptop of " + id, Platform: "linux",
		AgentVersion: "1.0.0", Scope: api.ScopeSystem, KeyProtection: api.KeyTPM, KeyAttested: api.AttestedNone,
		HardwareID: api.HardwareNone, HardwareReason: "one of three", State: StateActive, EnrolledAt: 1000,
	}
}

func session(id, deviceID string) Session {
	return Session{
		ID: id, DeviceID: deviceID, JKT: "jkt-" + deviceID, AuthTime: 900, ACR: "pwd", Handle: Hash(id + "/1"),
		Person:  api.Person{Subject: "s", Issuer: "https://idp.test", Email: "a@example.test", Name: "Ä", Groups: []string{"g1", "g2"}},
		Started: 1000, Ends: 100_000, LastRefresh: 1000,
	}
}

func tunnel(id string) Tunnel {
	return Tunnel{
		ID: id, DeviceID: "d", SessionID: "s", AppID: "app-" + id, GatewayID: "g1", PublicKey: "key-" + id,
		LeaseID: "l-" + id, StandsOn: []string{"firewall.enabled", "edr[*].running"}, Created: 2000, LeaseEnds: 60_000,
	}
}

// signedIn is a store with device d and session s.
func signedIn(t *testing.T, open Opener) Store {
	t.Helper()
	s := open(t)
	ok(t, s.AddDevice(t.Context(), device("d")))
	ok(t, s.AddSession(t.Context(), session("s", "d")))
	return s
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error is %v, want %v", err, target)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("(-want +got)\n%s", d)
	}
}

// race runs f n times at once, over two stores on one database.
func race(t *testing.T, open Opener, n int, f func(s Store, i int)) {
	t.Helper()
	stores := []Store{open(t), open(t)}
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			f(stores[i%2], i)
		})
	}
	close(start)
	all.Wait()
}

func testDevice(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	d := device("d")
	ok(t, s.AddDevice(ctx, d))
	got, err := s.DeviceByID(ctx, "d")
	ok(t, err)
	same(t, got, d)
	got, err = s.DeviceByJKT(ctx, "jkt-d")
	ok(t, err)
	same(t, got, d)
	_, err = s.DeviceByID(ctx, "jkt-d")
	want(t, err, ErrNotFound)
	_, err = s.DeviceByJKT(ctx, "d")
	want(t, err, ErrNotFound)

	twin := device("e")
	twin.JKT = d.JKT
	want(t, s.AddDevice(ctx, twin), ErrExists)
	twin = device("d")
	twin.JKT = "another"
	want(t, s.AddDevice(ctx, twin), ErrExists)

	e := device("e")
	e.EnrolledAt, e.Report, e.ReportDigest = 500, []byte(`{}`), "x"
	ok(t, s.AddDevice(ctx, e))
	all, err := s.ListDevices(ctx)
	ok(t, err)
	e.Report = nil
	same(t, all, []Device{e, d})
}

func testDeviceState(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	ok(t, s.AddDevice(ctx, device("d")))
	want(t, s.SetDeviceState(ctx, "none", StateActive), ErrNotFound)
	want(t, s.SetDeviceState(ctx, "d", ""), ErrDeviceState)
	want(t, s.SetDeviceState(ctx, "d", "Active"), ErrDeviceState)
	for _, state := range []string{StatePending, StateQuarantined, StateActive, StateRevoked, StateRevoked} {
		ok(t, s.SetDeviceState(ctx, "d", state))
		d, err := s.DeviceByID(ctx, "d")
		ok(t, err)
		same(t, d.State, state)
	}
	want(t, s.SetDeviceState(ctx, "d", StateActive), ErrDeviceState)
	bad := device("e")
	bad.State = ""
	if err := s.AddDevice(ctx, bad); err == nil {
		t.Fatal("a device without a state was added")
	}
}

func testAccept(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	ok(t, s.AddDevice(ctx, device("d")))
	full := Accept{DeviceID: "d", NonceGen: 5, Seq: 10, ReportDigest: "r1", Report: []byte(`{"a":1}`), ReportAt: 2000, Now: 2001, AgentVersion: "1.1.0"}
	renewal := func(gen, seq int64, digest string) Accept {
		return Accept{DeviceID: "d", NonceGen: gen, Seq: seq, ReportDigest: digest, ReportAt: 3000, Now: 3001}
	}
	want(t, s.AcceptAttestation(ctx, renewal(1, 1, "r1")), ErrReportUnknown)
	want(t, s.AcceptAttestation(ctx, renewal(1, 1, "")), ErrReportUnknown)
	ok(t, s.AcceptAttestation(ctx, full))

	d := device("d")
	d.NonceGen, d.Seq, d.ReportDigest, d.Report = 5, 10, "r1", []byte(`{"a":1}`)
	d.ReportAt, d.LastSeenAt, d.AgentVersion = 2000, 2001, "1.1.0"
	got, err := s.DeviceByID(ctx, "d")
	ok(t, err)
	same(t, got, d)

	want(t, s.AcceptAttestation(ctx, full), ErrNonceSpent)
	want(t, s.AcceptAttestation(ctx, renewal(5, 11, "r1")), ErrNonceSpent)
	want(t, s.AcceptAttestation(ctx, renewal(4, 11, "r1")), ErrNonceSpent)
	want(t, s.AcceptAttestation(ctx, renewal(6, 10, "r1")), ErrSeqRegressed)
	want(t, s.AcceptAttestation(ctx, renewal(6, 9, "r1")), ErrSeqRegressed)
	want(t, s.AcceptAttestation(ctx, renewal(6, 11, "r2")), ErrReportUnknown)
	other := full
	other.DeviceID = "none"
	want(t, s.AcceptAttestation(ctx, other), ErrNotFound)
	got, err = s.DeviceByID(ctx, "d")
	ok(t, err)
	same(t, got, d) // a refusal changes nothing

	ok(t, s.AcceptAttestation(ctx, renewal(6, 11, "r1")))
	d.NonceGen, d.Seq, d.ReportAt, d.LastSeenAt = 6, 11, 3000, 3001
	got, err = s.DeviceByID(ctx, "d")
	ok(t, err)
	same(t, got, d) // with the report it renewed

	for _, state := range []string{StatePending, StateQuarantined, StateRevoked} {
		ok(t, s.SetDeviceState(ctx, "d", state))
		want(t, s.AcceptAttestation(ctx, renewal(7, 12, "r1")), ErrDeviceState)
	}
}

func testAcceptRace(t *testing.T, open Opener) {
	ok(t, open(t).AddDevice(t.Context(), device("d")))
	for round := range int64(20) {
		var mu sync.Mutex
		won := 0
		race(t, open, 8, func(s Store, i int) {
			err := s.AcceptAttestation(context.Background(), Accept{
				DeviceID: "d", NonceGen: round + 1, Seq: round*100 + int64(i) + 1,
				ReportDigest: fmt.Sprint(i), Report: []byte("{}"), Now: 1,
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, ErrNonceSpent) {
				t.Error(err)
			}
		})
		if won != 1 {
			t.Fatalf("round %d: %d of 8 attestations with one nonce were accepted", round, won)
		}
	}
}

func testEnrolmentToken(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	want(t, s.AddEnrolmentToken(ctx, "the token itself", "", api.ScopeSystem, 1, 100), ErrNotHashed)
	ok(t, s.AddEnrolmentToken(ctx, Hash("a"), "laptops", api.ScopeSystem, 2, 100))
	want(t, s.AddEnrolmentToken(ctx, Hash("a"), "", api.ScopeSystem, 9, 900), ErrExists)
	_, err := s.UseEnrolmentToken(ctx, Hash("b"), 1)
	want(t, err, ErrNotFound)
	for range 2 {
		scope, err := s.UseEnrolmentToken(ctx, Hash("a"), 99)
		ok(t, err)
		same(t, scope, api.ScopeSystem)
	}
	_, err = s.UseEnrolmentToken(ctx, Hash("a"), 99)
	want(t, err, ErrTokenSpent)
	ok(t, s.AddEnrolmentToken(ctx, Hash("c"), "", api.ScopeGateway, 2, 100))
	_, err = s.UseEnrolmentToken(ctx, Hash("c"), 100)
	want(t, err, ErrTokenSpent)
}

func testEnrolmentRace(t *testing.T, open Opener) {
	ok(t, open(t).AddEnrolmentToken(t.Context(), Hash("a"), "", api.ScopeSystem, 3, 100))
	var mu sync.Mutex
	won := 0
	race(t, open, 8, func(s Store, _ int) {
		_, err := s.UseEnrolmentToken(context.Background(), Hash("a"), 1)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			won++
		} else if !errors.Is(err, ErrTokenSpent) {
			t.Error(err)
		}
	})
	same(t, won, 3)
}

func testGateways(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	g := Gateway{ID: "g2", DeviceID: "d", Name: "north", PublicKey: "k", Epoch: "e1", Endpoints: []string{"192.0.2.1:51820"}, LastSeen: 5}
	want(t, s.PutGateway(ctx, g), ErrNotFound)
	ok(t, s.AddDevice(ctx, device("d")))
	ok(t, s.PutGateway(ctx, g))
	other := Gateway{ID: "g1", DeviceID: "d"}
	ok(t, s.PutGateway(ctx, other))
	g.Epoch, g.Endpoints, g.LastSeen = "e2", []string{"[2001:db8::1]:1", "192.0.2.2:2"}, 6
	ok(t, s.PutGateway(ctx, g))
	all, err := s.Gateways(ctx)
	ok(t, err)
	same(t, all, []Gateway{other, g})
	ok(t, s.SetDeviceState(ctx, "d", StateRevoked))
	all, err = s.Gateways(ctx)
	ok(t, err)
	same(t, len(all), 0)
}

func testAppAddress(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	for want, app := range []string{"wiki", "git", "crm"} {
		for range 2 {
			index, err := s.AppAddress(ctx, app)
			ok(t, err)
			same(t, index, int64(want)+1)
		}
	}
	var mu sync.Mutex
	seen := map[int64]int{}
	race(t, open, 16, func(s Store, i int) {
		index, err := s.AppAddress(context.Background(), fmt.Sprint("app", i/4))
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[index]++
	})
	same(t, seen, map[int64]int{4: 4, 5: 4, 6: 4, 7: 4})
}

func testSecret(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	broken := errors.New("no randomness")
	_, err := s.Secret(ctx, "token", func() ([]byte, error) { return nil, broken })
	want(t, err, broken)
	if _, err = s.Secret(ctx, "token", func() ([]byte, error) { return nil, nil }); err == nil {
		t.Fatal("an empty secret was kept")
	}
	var mu sync.Mutex
	seen := map[string]int{}
	race(t, open, 8, func(s Store, i int) {
		secret, err := s.Secret(context.Background(), "token", func() ([]byte, error) { return []byte{byte(i), 0}, nil })
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[string(secret)]++
	})
	if len(seen) != 1 {
		t.Fatalf("%d different secrets under one name", len(seen))
	}
	other, err := s.Secret(ctx, "nonce", func() ([]byte, error) { return []byte("other"), nil })
	ok(t, err)
	same(t, other, []byte("other"))
}

// The number of the observations rises with the content, with the time, after a
// restart, and never falls.
func testObservations(t *testing.T, open Opener) {
	s, ctx := open(t), t.Context()
	number := func(s Store, digest string, least int64) int64 {
		t.Helper()
		n, err := s.NumberObservations(ctx, digest, least)
		ok(t, err)
		return n
	}
	same(t, number(s, "a", 0), int64(1))
	same(t, number(s, "a", 100), int64(1))
	same(t, number(s, "b", 100), int64(100))
	same(t, number(s, "a", 50), int64(101)) // the clock was set back
	same(t, number(open(t), "a", 0), int64(101))
	same(t, number(open(t), "b", 0), int64(102))
	var mu sync.Mutex
	seen := map[int64]string{}
	race(t, open, 16, func(s Store, i int) {
		n, err := s.NumberObservations(context.Background(), fmt.Sprint("c", i), 0)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if by := seen[n]; by != "" {
			t.Errorf("%s and %d got the number %d", by, i, n)
		}
		seen[n] = fmt.Sprint(i)
	})
}
