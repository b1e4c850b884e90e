// Package e2e tests the protocol between device, broker and gateway with the real rooms on each side.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/rig"
)

const wikiPolicy = `version: 1
providers:
  - issuer: ${IDP}
    client_id: postern
    scopes: [openid, email, profile]
checks:
  disk:
    expr: device.encryption_status == "ENCRYPTED"
    code: org/disk
apps:
  - id: wiki
    name: Wiki
    gateway: dev
    destinations: ["unix:${APPS}/wiki.sock"]
    ports: [80]
    checks: [disk]
`

// wantNo checks that the broker said no, with that code.
func wantNo(t *testing.T, err error, code string) *apiclient.Rejected {
	t.Helper()
	var no *apiclient.Rejected
	if !errors.As(err, &no) {
		t.Fatalf("got %v, want the broker's no with code %s", err, code)
	}
	if no.Code != code {
		t.Fatalf("got code %s (%s), want %s", no.Code, no.Detail, code)
	}
	return no
}

// wantUnreachable checks that there was no answer to believe.
func wantUnreachable(t *testing.T, err error) {
	t.Helper()
	var away *apiclient.Unreachable
	if !errors.As(err, &away) {
		t.Fatalf("got %v (%T), want no believable answer", err, err)
	}
}

// shut checks that a new connection through a tunnel does not get through.
func shut(t *testing.T, d *rig.Device, l api.Lease) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Soon)
	defer cancel()
	if page, err := rig.Get(ctx, d.Tunnel(l), l, "/"); err == nil {
		t.Fatalf("the gateway let it through: %q", page)
	}
}

func opens(t *testing.T, d *rig.Device, l api.Lease) {
	t.Helper()
	if page, err := rig.Get(d.World.Context(), d.Tunnel(l), l, "/"); err != nil || page != "hello from "+l.App.ID {
		t.Fatalf("got %q, %v", page, err)
	}
}

// proofFor makes a DPoP proof with the nonce the broker gives now.
func proofFor(t *testing.T, d *rig.Device, method, path, token string) string {
	t.Helper()
	rec := httptest.NewRecorder()
	d.World.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, api.PathDiscovery, nil))
	p, err := bind.MakeProof(d.Key, bind.Request{Method: method, URL: d.World.URL + path, AccessToken: token}, rec.Header().Get(api.HeaderDPoPNonce), d.World.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

// raw sends a request to the broker's handlers as it is.
func raw(w *rig.World, method, path, kind string, body []byte, header map[string]string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, req)
	return rec
}

func TestOpens(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	l := d.Lease("wiki")
	if l.Pending {
		t.Error("the lease is pending though the gateway is there")
	}
	opens(t, d, l)
	// A renewal keeps the lease and adds time.
	r := d.Healthy()
	a, err := d.Attest(r, "wiki")
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.Renew(r, a.ReportDigest, "wiki")
	if err != nil {
		t.Fatal(err)
	}
	if rig.LeaseOf(t, again, "wiki").ID != l.ID || again.Verdict != api.TierAffirming {
		t.Errorf("the renewal gave another lease or verdict: %+v", again)
	}
}

func TestBrokerAddress(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.Device(rig.DeviceOptions{})
	for _, base := range []string{"http://127.0.0.1:1", "https://", "https://a:b@h", "https://h/path", "https://h?", "https://h#x", "ftp://h", "h:443"} {
		if _, err := apiclient.New(apiclient.Config{Base: base, Key: d.Key, Clock: d.Clock}); err == nil {
			t.Errorf("%q was accepted", base)
		} else if strings.Contains(err.Error(), "a:b") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
	other := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	c, err := apiclient.New(apiclient.Config{Base: w.URL, Roots: other.Roots, Key: d.Key, Clock: d.Clock})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Discover(w.Context())
	wantUnreachable(t, err)
	if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the error does not speak of the certificate: %v", err)
	}
}

func TestSkewedByADay(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	for _, by := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		d := w.SignedIn(rig.DeviceOptions{Clock: rig.Skewed(by)})
		opens(t, d, d.Lease("wiki"))
		if off := (d.Broker.Skew() - by).Abs(); off > 2*time.Second {
			t.Errorf("the skew shown is %s, want %s", d.Broker.Skew(), by)
		}
	}
}

// deniedFor attests a report and wants wiki denied with the check's code.
func deniedFor(t *testing.T, d *rig.Device, what string, r fact.Report) {
	t.Helper()
	a, err := d.Attest(r, "wiki")
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if why := rig.Refused(a, "wiki"); len(why) != 1 || why[0] != "org/disk" || len(a.Leases) != 0 {
		t.Errorf("%s: leases %v, reasons %v, want none and org/disk", what, a.Leases, why)
	}
}

func TestUnknownIsNotYes(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	good := d.Healthy()
	deniedFor(t, d, "not applicable", rig.State(good, fact.SignalDisk, fact.NotApplicable, fact.ReasonClaimedNA))
	deniedFor(t, d, "left out", rig.Without(good, fact.SignalDisk))
	deniedFor(t, d, "unknown", rig.State(good, fact.SignalDisk, fact.Unknown, fact.ReasonTimeout))
	deniedFor(t, d, "conflict", rig.State(good, fact.SignalDisk, fact.Conflict, fact.ReasonDisagree))
	deniedFor(t, d, "absent", rig.State(good, fact.SignalDisk, fact.Absent, fact.ReasonNotFound))
	deniedFor(t, d, "bad", rig.Set(good, fact.SignalDisk, "system_status", fact.Str(fact.Unencrypted)))
	deniedFor(t, d, "values beside an unknown state", rig.Change(good, fact.SignalDisk, func(s *fact.Signal) { s.State, s.Reason = fact.Unknown, fact.ReasonBusy }))
	deniedFor(t, d, "values beside a claim that it does not apply", rig.Change(good, fact.SignalDisk, func(s *fact.Signal) { s.State, s.Reason = fact.NotApplicable, fact.ReasonClaimedNA }))
	// Recovery is as prompt as closing.
	delete(d.Keys, "wiki")
	opens(t, d, d.Lease("wiki"))
}

func TestWorseClosesAtTheGateway(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	l := d.Lease("wiki")
	d.Stream(d.Tunnel(l), l)
	w.Await("the flow is there", func() bool { return w.Apps["wiki"].Open() == 1 })
	deniedFor(t, d, "bad", rig.Set(d.Healthy(), fact.SignalDisk, "system_status", fact.Str(fact.Unencrypted)))
	w.Await("the flow has ended at the app", func() bool { return w.Apps["wiki"].Open() == 0 })
	shut(t, d, l)
}

func TestNoHardwareIdentity(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	none := rig.DeviceOptions{}
	h := w.Device(none).Hardware
	h.Serial, h.UUID = "", ""
	d := w.SignedIn(rig.DeviceOptions{Hardware: &h})
	r := d.Broker.Record()
	if r.HardwareID != api.HardwareNone || !strings.Contains(r.HardwareReason, "serial") || !strings.Contains(r.HardwareReason, "uuid") {
		t.Errorf("the answer says %q, %q", r.HardwareID, r.HardwareReason)
	}
	opens(t, d, d.Lease("wiki"))
}

func TestUnknownPathAndMethod(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	rec := raw(w, http.MethodGet, "/v1/nothing", "", nil, nil)
	body, _ := io.ReadAll(rec.Body)
	if rec.Code != http.StatusNotFound || rec.Header().Get("Content-Type") != api.TypeProblem || !bytes.Contains(body, []byte(api.CodeNotFound)) {
		t.Errorf("got %d %s", rec.Code, body)
	}
}
