package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/server"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// watchedPolicy opens the wiki to a machine with a certain file and a certain
// product running.
const watchedPolicy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email, profile]}
observations:
  read:
    - {id: org/conf, kind: file, path: /etc/acme.conf, read: [sha256]}
  edr:
    - {id: org/guard, name: Acme Guard, linux: [{executable: /opt/guard/guardd}]}
checks:
  conf:
    expr: device.custom["org/conf"].sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    code: org/conf
    unknown: pass
  guard:
    expr: device.edr["org/guard"].running && device.edr["org/guard"].origin == "broker"
    code: org/guard
apps:
  - {id: wiki, name: Wiki, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [conf, guard]}
`

// machine is a device's computer with the agent's own collectors.
type machine struct {
	*rig.Device
	files *evidence.Memory
	read  *collect.Collector
}

func newMachine(t *testing.T, d *rig.Device) *machine {
	t.Helper()
	files := evidence.NewMemory(evidence.Linux, d.Clock.Now())
	return &machine{d, files, collect.New(collect.Config{Machine: files, Clock: d.Clock, Version: "1"})}
}

// observe asks the broker what to read, and reads it from now on.
func (m *machine) observe(forbid observe.Forbid) observe.Document {
	m.T.Helper()
	doc, _, err := m.Broker.Observations(m.World.Context())
	if err != nil {
		m.T.Fatal(err)
	}
	m.read.SetObservations(doc.EDR, doc.Observations, forbid)
	return doc
}

// attested reads the machine, attests it and gives the reasons of a denial.
func (m *machine) attested() (api.Answer, []string) {
	m.T.Helper()
	m.files.SetNow(m.Clock.Now())
	delete(m.Keys, "wiki")
	a, err := m.Attest(m.read.Read(m.World.Context()), "wiki")
	if err != nil {
		m.T.Fatal(err)
	}
	return a, rig.Refused(a, "wiki")
}

func (m *machine) denied(what string, reasons ...string) {
	m.T.Helper()
	a, why := m.attested()
	if len(a.Leases) != 0 || strings.Join(why, " ") != strings.Join(reasons, " ") {
		m.T.Errorf("%s: %d leases, reasons %v, want %v", what, len(a.Leases), why, reasons)
	}
}

func (m *machine) well() {
	m.files.SetFile("/etc/acme.conf", "x")
	m.files.SetFile("/opt/guard/guardd", "elf")
	m.files.SetProcesses(evidence.Process{PID: 7, Executable: "/opt/guard/guardd", Owner: "0"})
}

// From the administrator's file to the fact in the report, and what it opens.
func TestObservationOpensAndCloses(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy})
	m := newMachine(t, w.SignedIn(rig.DeviceOptions{}))
	m.well()
	m.denied("nothing is read yet", "org/conf", "org/guard")
	doc := m.observe(observe.Forbid{})
	if doc.Version < 1 || len(doc.Observations) != 1 || len(doc.EDR) != 1 {
		t.Errorf("the broker asks for %+v", doc)
	}
	a, _ := m.attested()
	l := rig.LeaseOf(t, a, "wiki")
	opens(t, m.Device, l)
	for _, address := range []string{"custom[org/conf].sha256", "edr[org/guard].running"} {
		if !strings.Contains(strings.Join(l.StandsOn, " "), address) {
			t.Errorf("the lease stands on %v, not on %s", l.StandsOn, address)
		}
	}
	m.files.SetFile("/etc/acme.conf", "y")
	m.denied("another content", "org/conf")
	shut(t, m.Device, l)
	m.files.Remove("/etc/acme.conf")
	m.denied("no such file", "org/conf")
	m.well()
	m.files.SetProcesses()
	m.denied("the product does not run", "org/guard")
	m.well()
	a, _ = m.attested()
	opens(t, m.Device, rig.LeaseOf(t, a, "wiki"))
}

// What settings forbid is unknown and never a pass, even where the policy looks
// over what is unknown.
func TestForbiddenIsNotYes(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy})
	m := newMachine(t, w.SignedIn(rig.DeviceOptions{}))
	m.well()
	m.files.Fail("/etc/acme.conf", fact.ReasonNeedsPrivilege)
	m.observe(observe.Forbid{})
	if a, why := m.attested(); len(a.Leases) != 1 {
		t.Errorf("unknown: pass does not look over what could not be read: %v", why)
	}
	for _, forbid := range []observe.Forbid{{Paths: []string{"/etc/acme.conf"}}, {Paths: []string{"/etc"}}, {Kinds: []string{observe.KindFile}}} {
		m.observe(forbid)
		m.denied("forbidden", "org/conf")
		s, _ := m.read.Last().Signal(fact.SignalCustom)
		if f, _ := s.Find("org/conf", "sha256"); s.StateOf(f) != fact.Unknown || f.Reason != fact.ReasonRefused {
			t.Errorf("%+v: %+v", forbid, f)
		}
	}
}

// Only an enrolled agent that may act is told what to read.
func TestWhoMayAskForObservations(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy, NoGateway: true})
	stranger := w.Device(rig.DeviceOptions{})
	_, _, err := stranger.Broker.Observations(w.Context())
	wantNo(t, err, api.CodeUnknownDevice)
	_, _, err = w.GatewayDevice().Broker.Observations(w.Context())
	wantNo(t, err, api.CodeForbidden)
	d := w.Enrolled(rig.DeviceOptions{}) // nobody is signed in
	if _, changed, err := d.Broker.Observations(w.Context()); err != nil || !changed {
		t.Errorf("an enrolled device: %t, %v", changed, err)
	}
	proof := proofFor(t, d, http.MethodGet, api.PathObservations, "")
	header := map[string]string{api.HeaderDPoP: proof}
	if rec := raw(w, http.MethodGet, api.PathObservations, "", nil, header); rec.Code != http.StatusOK || rec.Header().Get("ETag") == "" {
		t.Errorf("with a proof: %d", rec.Code)
	}
	for what, h := range map[string]map[string]string{"without a proof": nil, "with a used one": header, "with another call's": {api.HeaderDPoP: proofFor(t, d, http.MethodGet, api.PathEvents, "")}} {
		if rec := raw(w, http.MethodGet, api.PathObservations, "", nil, h); rec.Code != http.StatusUnauthorized || strings.Contains(rec.Body.String(), "acme") {
			t.Errorf("%s: %d %s", what, rec.Code, rec.Body)
		}
	}
	if err := w.Store.SetDeviceState(t.Context(), d.Broker.Record().DeviceID, store.StateRevoked); err != nil {
		t.Fatal(err)
	}
	_, _, err = d.Broker.Observations(w.Context())
	wantNo(t, err, api.CodeDeviceRevoked)
}

// given is what the broker answers to a device that asks, and its tag.
func given(t *testing.T, broker http.Handler, d *rig.Device, match string) (token, etag string, status int) {
	t.Helper()
	rec := httptest.NewRecorder()
	broker.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, api.PathDiscovery, nil))
	proof, err := bind.MakeProof(d.Key, bind.Request{Method: http.MethodGet, URL: d.World.URL + api.PathObservations}, rec.Header().Get(api.HeaderDPoPNonce), d.World.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, api.PathObservations, nil)
	req.Header.Set(api.HeaderDPoP, proof)
	if match != "" {
		req.Header.Set("If-None-Match", match)
	}
	rec = httptest.NewRecorder()
	broker.ServeHTTP(rec, req)
	return rec.Body.String(), rec.Header().Get("ETag"), rec.Code
}

// The number rises with the content, stays with it, and survives a restart.
func TestObservationsVersion(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy, NoGateway: true})
	d := w.Enrolled(rig.DeviceOptions{})
	first, tag, _ := given(t, w.Handler(), d, "")
	for match, want := range map[string]int{tag: 304, "*": 304, `"x", ` + tag: 304, strings.TrimPrefix(tag, "W/"): 304, `W/"x"`: 200, "": 200} {
		if body, again, status := given(t, w.Handler(), d, match); status != want || again != tag || (status == 304) != (body == "") {
			t.Errorf("If-None-Match %s: %d, tag %s, %d bytes", match, status, again, len(body))
		}
	}
	restart := func(policy string) http.Handler {
		p, err := w.LoadPolicy(policy)
		if err != nil {
			t.Fatal(err)
		}
		s, err := server.New(t.Context(), server.Config{Issuer: w.URL, Store: w.Store, Policy: p, Now: w.Clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		return s.Handler()
	}
	version := func(token string) int64 {
		var o api.Observations
		payload, err := jws.UnB64(strings.Split(token, ".")[1])
		if err != nil || jws.Decode(payload, &o) != nil {
			t.Fatalf("no document: %q", token)
		}
		return o.Version
	}
	if _, again, _ := given(t, restart(watchedPolicy), d, ""); again != tag {
		t.Errorf("after a restart the tag is %s, was %s", again, tag)
	}
	other := strings.Replace(watchedPolicy, "/etc/acme.conf", "/etc/other.conf", 1)
	second, _, _ := given(t, restart(other), d, "")
	third, _, _ := given(t, restart(watchedPolicy), d, "")
	if a, b, c := version(first), version(second), version(third); !(a < b && b < c) {
		t.Errorf("the numbers are %d, %d, %d", a, b, c)
	}
	// A change of anything else is none of the observations.
	w.SetPolicy(watchedPolicy)
	_, tag, _ = given(t, w.Handler(), d, "")
	w.SetPolicy(strings.Replace(watchedPolicy, "name: Wiki", "name: Other", 1))
	if _, again, _ := given(t, w.Handler(), d, ""); again != tag {
		t.Errorf("the tag became %s, was %s", again, tag)
	}
}

// An agent that listens is told first what to read, then to attest.
func TestObservationsChanged(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy, NoGateway: true})
	d := w.SignedIn(rig.DeviceOptions{})
	told := make(chan string, 16)
	d.Events(func(name string, _ api.Event) { told <- name })
	next := func() string {
		select {
		case name := <-told:
			return name
		case <-time.After(rig.Patience):
			return "nothing"
		}
	}
	w.SetPolicy(strings.Replace(watchedPolicy, "name: Wiki", "name: Other", 1))
	if got := next(); got != api.EventAttestNow {
		t.Errorf("told %s, though nothing else is to be read", got)
	}
	w.SetPolicy(strings.Replace(watchedPolicy, "/etc/acme.conf", "/etc/other.conf", 1))
	if a, b := next(), next(); a != api.EventObservations || b != api.EventAttestNow {
		t.Errorf("told %s and %s", a, b)
	}
}

// What somebody puts in the place of the broker's answer is not believed, and
// what was there before stays.
func TestObservationsAreNotReplaced(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy, NoGateway: true})
	d := w.SignedIn(rig.DeviceOptions{})
	old, _, _ := given(t, w.Handler(), d, "")
	w.SetPolicy(strings.Replace(watchedPolicy, "/etc/acme.conf", "/etc/other.conf", 1))
	good, _, err := d.Broker.Observations(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, _, _ := given(t, w.Handler(), d, "")
	parts := strings.Split(now, ".")
	payload, err := jws.UnB64(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(payload, &members); err != nil {
		t.Fatal(err)
	}
	members["observations"], members["version"] = []any{}, good.Version+1
	forged, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := jws.Sign(d.Key, json.RawMessage(forged), jws.Options{Type: api.ObservationsType, KID: "x", Embed: true})
	if err != nil {
		t.Fatal(err)
	}
	var answer atomic.Value
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		if r.URL.Path != api.PathObservations {
			broker.ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Content-Type", api.TypeJWT)
		io.WriteString(rw, answer.Load().(string))
	})
	for what, token := range map[string]string{
		"an older document":        old,
		"tampered":                 parts[0] + "." + jws.B64(forged) + "." + parts[2],
		"signed by the device":     stranger,
		"an access token":          d.Tokens().AccessToken,
		"no token":                 "x.y.z",
		"the header of another":    strings.Split(old, ".")[0] + "." + parts[1] + "." + strings.Split(old, ".")[2],
		"an attestation by itself": d.Sign(d.Claims("none", 1)),
	} {
		answer.Store(token)
		doc, changed, err := d.Broker.Observations(w.Context())
		if err == nil || changed || doc.Version != good.Version {
			t.Errorf("%s: %+v, %t, %v", what, doc, changed, err)
		}
		if what == "an older document" != errors.Is(err, brokerclient.ErrRolledBack) {
			t.Errorf("%s: %v", what, err)
		}
		wantUnreachable(t, err)
	}
	// Nor are they worth anything as a token.
	w.SetFault(nil)
	_, err = d.Post(now, d.Sign(d.Claims("none-yet", 1<<41)))
	wantNo(t, err, api.CodeUnauthorized)
}

// The broker's two keys are told apart.
func TestKeysHavePurposes(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: watchedPolicy, NoGateway: true})
	var set struct {
		Keys []struct {
			KID     string `json:"kid"`
			Purpose string `json:"postern_purpose"`
		} `json:"keys"`
	}
	rec := raw(w, http.MethodGet, api.PathJWKS, "", nil, nil)
	if err := json.Unmarshal(rec.Body.Bytes(), &set); err != nil || len(set.Keys) != 2 || set.Keys[0].KID == set.Keys[1].KID {
		t.Fatalf("%s, %v", rec.Body, err)
	}
	d := w.SignedIn(rig.DeviceOptions{})
	document, _, _ := given(t, w.Handler(), d, "")
	for purpose, token := range map[string]string{api.PurposeAccess: d.Tokens().AccessToken, api.PurposeObservations: document} {
		s, err := jws.Parse(token, api.MaxAnswer)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			if (k.KID == s.Header.KID) != (k.Purpose == purpose) {
				t.Errorf("%s is signed by the key for %s", purpose, k.Purpose)
			}
		}
	}
}
