package verify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

// TestWhatEvidenceSaysOfPauseAndChange: the reason is the one in this very
// attestation, and a report is a change only where it is another one.
func TestWhatEvidenceSaysOfPauseAndChange(t *testing.T) {
	st, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Unix(1_800_000_000, 0)
	v, err := New(t.Context(), Config{Issuer: "https://broker.example", Store: st, Now: func() time.Time { return now }, Providers: func() []api.Provider { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jkt, err := jws.Thumbprint(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	d := store.Device{ID: "dev_1", JKT: jkt, UEID: attest.NewUEID(), State: store.StateActive, HardwareID: api.HardwareNone}
	if err := st.AddDevice(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	nonce := v.Nonce(d)
	report := func(on bool) *fact.Report {
		return &fact.Report{Signals: []fact.Signal{{Name: fact.SignalFirewall, State: fact.Observed, Collector: "t", ObservedAt: now,
			Facts: []fact.Fact{{Field: "enabled", Value: fact.Bool(on)}}}}}
	}
	for i, tc := range []struct {
		name    string
		pause   string
		report  *fact.Report // nil: a renewal of the good one
		changed bool
	}{
		{"the first", "", report(true), true},
		{"a pause", "lunch", nil, false},
		{"the same report, whole", "lunch", report(true), false},
		{"worse in the pause", "lunch", report(false), true},
		{"well again", "", report(true), true},
	} {
		c := attest.Claims{Nonce: nonce, UEID: d.UEID, Audience: "https://broker.example", IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(),
			Key: attest.KeyClaims{Protection: "file", Scope: "user"}, Seq: int64(i + 1), Pause: tc.pause, Report: tc.report}
		if tc.report == nil {
			c.Renewal = &attest.Renewal{Digest: report(true).Digest(), ObservedAt: now}
		}
		tok, err := attest.Sign(k, c)
		if err != nil {
			t.Fatal(err)
		}
		e, err := v.Attestation(t.Context(), jkt, tok)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if e.Pause != tc.pause || e.Changed != tc.changed {
			t.Errorf("%s: pause %q, changed %v", tc.name, e.Pause, e.Changed)
		}
		nonce = e.NextNonce
	}
}
