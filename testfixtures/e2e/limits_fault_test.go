package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/testfixtures/rig"
)

// endless counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.read += len(p)
	return len(p), nil
}

func TestOversizedBodies(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d, gw := w.Enrolled(rig.DeviceOptions{}), w.GatewayDevice()
	person, machine := d.Tokens().AccessToken, gatewayToken(t, gw)
	for _, c := range []struct {
		path, kind string
		limit      int
		by         *rig.Device
		token      string
	}{
		{api.PathDevices, api.TypeEnrol, api.MaxToken, d, ""},
		{api.PathToken, api.TypeForm, 2 * api.MaxToken, d, ""},
		{api.PathRevoke, api.TypeForm, 2 * api.MaxToken, d, ""},
		{api.PathAttestations, api.TypeEAT, api.MaxAttestation, d, person},
		{api.PathHeartbeat, api.TypeJSON, api.MaxAttestation, gw, machine},
		{api.PathAcks, api.TypeJSON, api.MaxAttestation, gw, machine},
	} {
		send := func(body *endless, kind string) (int, string) {
			req, err := http.NewRequest(http.MethodPost, c.path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", kind)
			req.Header.Set(api.HeaderDPoP, proofFor(t, c.by, http.MethodPost, c.path, c.token))
			if c.token != "" {
				req.Header.Set("Authorization", "DPoP "+c.token)
			}
			rec := newRecorder()
			w.Handler().ServeHTTP(rec, req)
			return rec.Code, rec.Body.String()
		}
		body := &endless{}
		if code, text := send(body, c.kind); code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", c.path, code, text)
		}
		if body.read > 4*c.limit {
			t.Errorf("%s: %d bytes were read, the limit is %d", c.path, body.read, c.limit)
		}
		if code, text := send(&endless{}, "text/plain"); code != http.StatusUnsupportedMediaType {
			t.Errorf("%s as text: %d %s", c.path, code, text)
		}
	}
}

func gatewayToken(t *testing.T, gw *rig.Device) string {
	t.Helper()
	rec, err := gw.World.Store.DeviceByJKT(t.Context(), gw.JKT)
	if err != nil {
		t.Fatal(err)
	}
	now := gw.World.Clock.Now()
	assertion, err := jws.Sign(gw.Key, api.DeviceAssertion{
		Issuer: rec.ID, Subject: rec.ID, Audience: gw.World.URL + api.PathToken, ID: jws.Random(16), IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(),
	}, jws.Options{Type: api.AssertionTyp})
	if err != nil {
		t.Fatal(err)
	}
	a, err := gw.Grant(url.Values{api.ParamGrantType: {api.GrantDevice}, api.ParamAssertionType: {api.AssertionJWT}, api.ParamAssertion: {assertion}})
	if err != nil {
		t.Fatal(err)
	}
	return a.AccessToken
}

// manyApps is a policy with as many applications as one device may want.
func manyApps() string {
	var b strings.Builder
	b.WriteString(wikiPolicy)
	for n := 1; n < attest.MaxApps; n++ {
		fmt.Fprintf(&b, "  - id: app-%d\n    name: Application %d\n    gateway: dev\n    destinations: [\"unix:${APPS}/wiki.sock\"]\n    ports: [80]\n    checks: [disk]\n", n, n)
	}
	return b.String()
}

// TestLargest sends the largest attestation there can be, wanting as many
// applications as there can be.
func TestLargest(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: manyApps()})
	d := w.Enrolled(rig.DeviceOptions{})
	access := d.Tokens().AccessToken
	apps := []string{"wiki"}
	for n := 1; n < attest.MaxApps; n++ {
		apps = append(apps, fmt.Sprintf("app-%d", n))
	}
	c := d.Claims(d.Nonce(access), 1, apps...)
	report := rig.Change(*c.Report, fact.SignalEDR, func(s *fact.Signal) {
		s.Truncated = true
		s.Facts = nil
		for n := range fact.MaxEntries {
			key := fmt.Sprintf("product-%02d", n)
			s.Facts = append(s.Facts, fact.Fact{Field: "installed", Key: key, Value: fact.Bool(true)}, fact.Fact{Field: "running", Key: key, Value: fact.Bool(true)}, fact.Fact{Field: "origin", Key: key, Value: fact.Str(fact.OriginBuiltIn)})
		}
	})
	c.Report = &report
	for n := 0; ; n++ { // signals of a newer agent, until it is full
		if n == fact.MaxEntries {
			t.Fatal("the attestation did not get full")
		}
		fill := fact.Signal{Name: fmt.Sprintf("newer-%d", n), State: fact.Observed, Source: strings.Repeat("s", fact.MaxString), Collector: strings.Repeat("c", fact.MaxString), ObservedAt: report.Signals[0].ObservedAt}
		for k := range 2 {
			fill.Facts = append(fill.Facts, fact.Fact{Field: fmt.Sprintf("f%d", k), Value: fact.Str(strings.Repeat("v", fact.MaxString))})
		}
		more := fact.Report{Signals: append(append([]fact.Signal{}, report.Signals...), fill)}
		c.Report = &more
		if _, err := attest.Sign(d.Key, c); err != nil {
			c.Report = &report
			break
		}
		report = more
	}
	eat := d.Sign(c)
	if len(eat) < attest.MaxSize-4096 {
		t.Fatalf("%d bytes are not nearly %d", len(eat), attest.MaxSize)
	}
	a, err := d.Post(access, eat)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Leases) != attest.MaxApps || len(a.Denied) != 0 {
		t.Fatalf("%d leases, denied %v", len(a.Leases), a.Denied)
	}
	opens(t, d, rig.LeaseOf(t, a, "wiki"))
	c.Nonce, c.Seq = a.NextNonce, 2
	c.Report, c.Renewal = nil, &attest.Renewal{Digest: a.ReportDigest, ObservedAt: d.API.Now()}
	if a, err = d.Post(access, d.Sign(c)); err != nil || len(a.Leases) != attest.MaxApps {
		t.Fatalf("renewed: %d leases, %v", len(a.Leases), err)
	}
}

// spoilt changes the first occurrence of a text in a JSON document.
func spoilt(t *testing.T, doc, old, new string) string {
	t.Helper()
	if !strings.Contains(doc, old) {
		t.Fatalf("%s is not in %s", old, doc)
	}
	return strings.Replace(doc, old, new, 1)
}

// memberCases are the ways to misspell a member.
func memberCases(name, value string) map[string][2]string {
	m := `"` + name + `":` + value
	return map[string][2]string{
		"missing": {m, `"x_` + name + `":` + value},
		"twice":   {m, m + `,` + m},
		"case":    {m, `"` + strings.ToUpper(name) + `":` + value},
	}
}

func TestMembersAtTheBroker(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.Enrolled(rig.DeviceOptions{})
	access := d.Tokens().AccessToken
	sign := func(doc string) string {
		t.Helper()
		tok, err := jws.Sign(d.Key, json.RawMessage(doc), jws.Options{Type: attest.Type, Embed: true})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	claims := func() string {
		c := d.Claims(d.Nonce(access), 1)
		c.Profile, c.Confirm = attest.Profile, attest.Confirm{JKT: d.JKT}
		doc, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(doc)
	}
	for what, change := range memberCases("postern_seq", "1") {
		_, err := d.Post(access, sign(spoilt(t, claims(), change[0], change[1])))
		if no := wantNo(t, err, api.CodeBadAttestation); !strings.Contains(strings.ToLower(no.Detail), "postern_seq") {
			t.Errorf("%s: the member is not named: %s", what, no.Detail)
		}
	}
	for what, change := range memberCases("collector", `"rig/1"`) { // deep inside
		_, err := d.Post(access, sign(spoilt(t, claims(), change[0], change[1])))
		if no := wantNo(t, err, api.CodeBadAttestation); !strings.Contains(strings.ToLower(no.Detail), "collector") {
			t.Errorf("%s: the member is not named: %s", what, no.Detail)
		}
	}
	if _, err := d.Post(access, sign(spoilt(t, claims(), `"postern_seq":1`, `"postern_seq":1,"of_a_newer_peer":{"a":[1]}`))); err != nil {
		t.Error("an unknown member:", err)
	}
	gw := w.GatewayDevice()
	beat := `{"seq":1,"hello":{"epoch":"e","public_key":"` + rig.RandomKey() + `","endpoints":["127.0.0.1:1"]}}`
	tok := gatewayToken(t, gw)
	post := func(doc string) error {
		_, err := gw.API.Do(w.Context(), apiclient.Call{Method: http.MethodPost, Path: api.PathHeartbeat, Token: tok, Type: api.TypeJSON, Body: []byte(doc)}, nil)
		return err
	}
	for what, change := range memberCases("epoch", `"e"`) {
		if no := wantNo(t, post(spoilt(t, beat, change[0], change[1])), api.CodeBadRequest); !strings.Contains(strings.ToLower(no.Detail), "epoch") {
			t.Errorf("%s: the member is not named: %s", what, no.Detail)
		}
	}
	if err := post(spoilt(t, beat, `{"seq"`, `{"newer":1,"seq"`)); err != nil {
		t.Error("an unknown member:", err)
	}
	for _, bad := range []string{`"127.0.0.1"`, `"0.0.0.0:1"`, `"[::]:1"`, `"127.0.0.1:0"`, `"host:1"`, ``} {
		wantNo(t, post(spoilt(t, beat, `"127.0.0.1:1"`, bad)), api.CodeBadRequest)
	}
	wantNo(t, post(spoilt(t, beat, `"public_key":"`, `"public_key":"!`)), api.CodeBadRequest)
}

func TestMembersInAnswers(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.Device(rig.DeviceOptions{})
	change := [2]string{}
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
		rec := newRecorder()
		broker.ServeHTTP(rec, r)
		rw.Header().Set("Content-Type", api.TypeJSON)
		rw.Write(bytes.Replace(rec.Body.Bytes(), []byte(change[0]), []byte(change[1]), 1))
	})
	for what, c := range memberCases("lease_ms", "60000") {
		change = c
		_, err := d.API.Discover(w.Context())
		wantUnreachable(t, err)
		if !strings.Contains(strings.ToLower(err.Error()), "lease_ms") {
			t.Errorf("%s: the member is not named: %v", what, err)
		}
	}
	change = [2]string{`{"issuer"`, `{"newer":{"issuer":1},"issuer"`}
	if _, err := d.API.Discover(w.Context()); err != nil {
		t.Error("an unknown member:", err)
	}
}

// TestSomebodyInBetween: what a captive portal or a proxy says is no word of
// the broker.
func TestSomebodyInBetween(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy})
	d := w.SignedIn(rig.DeviceOptions{})
	for _, c := range []struct {
		status     int
		kind, body string
	}{
		{200, "text/html", "<html>Welcome to our network</html>"},
		{200, "", "ok"},
		{302, "text/html", ""},
		{401, "text/html", "<html>Sign in</html>"},
		{403, "text/html", "<html>Blocked</html>"},
		{403, api.TypeJSON, `{"error":"forbidden"}`},
		{403, api.TypeJSON, `{"message":"forbidden"}`},
		{403, api.TypeProblem, `{"title":"no","status":403}`},
		{403, api.TypeProblem, `{`},
		{404, api.TypeProblem, strings.Repeat(" ", 1<<20)},
		{407, api.TypeProblem, `{"title":"x","status":407,"code":"forbidden"}`},
		{408, "", ""}, {429, api.TypeProblem, `{"title":"x","status":429,"code":"busy"}`},
		{500, api.TypeProblem, `{"title":"x","status":500,"code":"device_revoked"}`},
		{502, "text/html", "<html>Bad gateway</html>"}, {503, "", ""},
	} {
		w.SetFault(func(rw http.ResponseWriter, r *http.Request, broker http.Handler) {
			if r.URL.Path == api.PathToken {
				broker.ServeHTTP(rw, r)
				return
			}
			rw.Header().Set("Content-Type", c.kind)
			rw.Header().Set("Location", "https://portal.example/")
			rw.WriteHeader(c.status)
			rw.Write([]byte(c.body))
		})
		_, err := d.Attest(d.Healthy(), "wiki")
		wantUnreachable(t, err)
		wantUnreachable(t, d.Broker.Events(w.Context(), func(string, api.Event) {}))
		if c.kind == "text/html" || c.status != 200 {
			_, err := d.API.Do(w.Context(), apiclient.Call{Method: http.MethodPost, Path: api.PathHeartbeat, Type: api.TypeJSON}, nil)
			wantUnreachable(t, err)
		}
	}
}

// TestNonceForEver: a broker that always wants another nonce has said no "no".
func TestNonceForEver(t *testing.T) {
	w := rig.New(t, rig.Options{Policy: wikiPolicy, NoGateway: true})
	d := w.Device(rig.DeviceOptions{})
	calls := 0
	w.SetFault(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) {
		calls++
		rw.Header().Set("Content-Type", api.TypeJSON)
		rw.Header().Set(api.HeaderDPoPNonce, fmt.Sprint(calls))
		rw.WriteHeader(http.StatusBadRequest)
		rw.Write([]byte(`{"error":"use_dpop_nonce"}`))
	})
	_, err := d.Refresh("x")
	wantUnreachable(t, err)
	if calls < 2 || calls > 3 {
		t.Errorf("it was asked %d times", calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.API.Do(ctx, apiclient.Call{Method: http.MethodGet, Path: api.PathDiscovery}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
}
