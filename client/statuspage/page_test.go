package statuspage

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"reflect"

	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/fact"
)

// agent is a twin of the agent's client.
type agent struct {
	mu     sync.Mutex
	status localapi.Status
	err    error
	did    []string
}

func (a *agent) WaitStatus(ctx context.Context, after int64, wait time.Duration) (localapi.Status, error) {
	a.mu.Lock()
	st, err := a.status, a.err
	a.mu.Unlock()
	if err == nil && st.Revision == after && wait > 0 {
		<-ctx.Done()
	}
	return st, err
}

func (a *agent) note(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.did = append(a.did, what)
}

func (a *agent) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{Report: fact.Report{Signals: []fact.Signal{{
		Name: fact.SignalDisk, State: fact.Observed, ObservedAt: time.Now(),
		Facts: []fact.Fact{{Field: "system_status", Value: fact.Str("UNENCRYPTED")}}}}}}, nil
}

func (a *agent) Timeline(context.Context) (localapi.Timeline, error) {
	return localapi.Timeline{Events: []localapi.Happening{{At: time.Now(), Event: localapi.EventSignedIn}}}, nil
}

func (a *agent) Sent(context.Context) (localapi.Sent, error) { return localapi.Sent{}, nil }

func (a *agent) Check(context.Context) (localapi.Checked, error) {
	a.note("check")
	return localapi.Checked{Status: a.status}.Filled(), nil
}

func (a *agent) Pause(_ context.Context, p localapi.PauseRequest) (localapi.Status, error) {
	a.note("pause " + p.Reason + " " + (time.Duration(p.ForMS) * time.Millisecond).String())
	return a.status, nil
}

func (a *agent) Resume(context.Context) (localapi.Status, error) {
	a.note("resume")
	return a.status, nil
}

func (a *agent) SignOut(context.Context) (localapi.Status, error) {
	a.note("sign out")
	return localapi.Status{}, errors.New("the socket broke: /run/secret")
}

func newPage(t *testing.T, a *agent) *Page {
	t.Helper()
	p, err := Listen(Options{Agent: a, Base: view.Input{Language: "en", System: "linux", Version: "1", HasPage: func(id string) bool { return id == "firewall" }},
		Fix: func(_ context.Context, page string) error { a.note("fix " + page); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

func signedIn() *agent {
	return &agent{status: localapi.Status{Revision: 7, State: localapi.StateCompliant, User: &localapi.User{Name: "Ada"},
		Apps: []localapi.App{{ID: "wiki", Name: "Wiki", State: localapi.AppReady, URL: "http://127.0.0.1:4000/", LocalAddress: "127.0.0.1:4000"}}}.Filled()}
}

// call asks the page as its script would, with what header says besides.
func call(t *testing.T, p *Page, method, path, body string, header map[string]string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		if k == "Host" {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if res.Header.Get(name) != want {
			t.Errorf("%s %s: %s is %q", method, path, name, res.Header.Get(name))
		}
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
			t.Errorf("%s %s sends %s", method, path, name)
		}
	}
	var out map[string]any
	_ = json.Unmarshal(data, &out) // pages are not JSON
	return res.StatusCode, out
}

func tokenOf(link string) string {
	_, fragment, _ := strings.Cut(link, "#")
	token, _, _ := strings.Cut(fragment, ".")
	return token
}

// enter gives the header of a session.
func enter(t *testing.T, p *Page) map[string]string {
	t.Helper()
	status, out := call(t, p, "POST", "/api/enter", `{"token":"`+tokenOf(p.Link(""))+`"}`, nil)
	session, _ := out["session"].(string)
	if status != http.StatusOK || len(session) < 40 {
		t.Fatalf("enter: %d %v", status, out)
	}
	return map[string]string{sessionHeader: session}
}

func TestState(t *testing.T) {
	p := newPage(t, signedIn())
	status, out := call(t, p, "GET", "/api/state?after=0", "", enter(t, p))
	if status != http.StatusOK || out["Revision"].(float64) != 7 {
		t.Fatalf("%d %v", status, out)
	}
	v := out["View"].(map[string]any)
	if v["Headline"] == "" || len(v["Apps"].([]any)) != 1 || len(out["Signals"].([]any)) != 1 || len(out["Timeline"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
}

func TestTokenWorksOnce(t *testing.T) {
	p := newPage(t, signedIn())
	link := p.Link("wrong")
	if !strings.HasPrefix(link, "http://127.0.0.1:") || !strings.HasSuffix(link, ".wrong") || strings.Contains(strings.SplitN(link, "#", 2)[0], tokenOf(link)) {
		t.Errorf("link %s", link)
	}
	body := `{"token":"` + tokenOf(link) + `"}`
	if status, _ := call(t, p, "POST", "/api/enter", body, nil); status != http.StatusOK {
		t.Fatalf("first: %d", status)
	}
	for _, again := range []string{body, `{"token":""}`, `{"token":"x"}`} {
		if status, out := call(t, p, "POST", "/api/enter", again, nil); status != http.StatusUnauthorized || out["session"] != nil {
			t.Errorf("%s: %d %v", again, status, out)
		}
	}
	for _, bad := range []string{"", "{", `{"token":"x","token":"y"}`, `{"Token":"x"}`, strings.Repeat(" ", maxBody+1)} {
		if status, _ := call(t, p, "POST", "/api/enter", bad, nil); status != http.StatusBadRequest {
			t.Errorf("%.20q: %d", bad, status)
		}
	}
}

func TestTokenRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d doors
		late, inTime := d.token(), ""
		time.Sleep(tokenLife / 2) // of the bubble's clock
		inTime = d.token()
		time.Sleep(tokenLife / 2)
		if _, ok := d.enter(late); ok {
			t.Error("a token works after its time")
		}
		if _, ok := d.enter(inTime); !ok {
			t.Error("a token does not work in its time")
		}
	})
}

func TestDoorsAreBounded(t *testing.T) {
	var d doors
	first := d.token()
	for range maxTokens {
		d.token()
	}
	if _, ok := d.enter(first); ok || len(d.tokens) > maxTokens {
		t.Error("tokens are not bounded")
	}
	var sessions []string
	for range maxSessions + 1 {
		s, _ := d.enter(d.token())
		sessions = append(sessions, s)
	}
	if d.inside(sessions[0]) || !d.inside(sessions[1]) || d.inside("") || len(d.sessions) != maxSessions {
		t.Error("sessions are not bounded")
	}
}

func TestWhoIsRefused(t *testing.T) {
	a := signedIn()
	p := newPage(t, a)
	good := enter(t, p)
	with := func(more ...string) map[string]string {
		h := map[string]string{sessionHeader: good[sessionHeader]}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	for _, tc := range []struct {
		name, method, path, body string
		header                   map[string]string
		want                     int
	}{
		{"good", "GET", "/api/state?after=0", "", good, 200},
		{"no session", "GET", "/api/state?after=0", "", nil, 401},
		{"another session", "GET", "/api/state?after=0", "", map[string]string{sessionHeader: strings.Repeat("A", 43)}, 401},
		{"rebound name", "GET", "/api/state?after=0", "", with("Host", "evil.example"), 403},
		{"rebound page", "GET", "/", "", map[string]string{"Host": "localhost:" + strings.Split(p.host, ":")[1]}, 403},
		{"other origin", "POST", "/api/do", `{"do":"sign_out"}`, with("Origin", "http://127.0.0.1:4000"), 403},
		{"null origin", "POST", "/api/do", `{"do":"sign_out"}`, with("Origin", "null"), 403},
		{"own origin", "POST", "/api/do", `{"do":"resume"}`, with("Origin", "http://"+p.host, "Sec-Fetch-Site", "same-origin"), 200},
		{"cross site", "GET", "/api/state?after=0", "", with("Sec-Fetch-Site", "cross-site"), 403},
		{"same site, another port", "GET", "/page.js", "", with("Sec-Fetch-Site", "same-site"), 403},
		{"a followed link", "GET", "/", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"a frame of another page", "GET", "/", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"a settings page that is not here", "POST", "/api/do", `{"do":"fix","page":"disk-encryption"}`, good, 400},
		{"no settings page", "POST", "/api/do", `{"do":"fix"}`, good, 400},
		{"preflight", "OPTIONS", "/api/state", "", nil, 401},
		{"form", "POST", "/api/do", "do=check", with("Content-Type", "application/x-www-form-urlencoded"), 400},
		{"wish unknown", "POST", "/api/do", `{"do":"explode"}`, good, 400},
		{"a pause as long as nobody offers", "POST", "/api/do", `{"do":"pause","reason":"x","length":"2h"}`, good, 400},
		{"sign in where it cannot", "POST", "/api/do", `{"do":"sign_in"}`, good, 400},
		{"state by POST", "POST", "/api/state", "{}", good, 404},
		{"no such file", "GET", "/assets/index.html", "", nil, 404},
		{"up", "GET", "/../page_test.go", "", nil, 404},
		{"POST of a file", "POST", "/", "", nil, 405},
		{"script", "GET", "/page.js", "", nil, 200},
	} {
		if status, _ := call(t, p, tc.method, tc.path, tc.body, tc.header); status != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, status, tc.want)
		}
	}
	for _, did := range a.did {
		if did != "resume" {
			t.Errorf("a refused request did %q", did)
		}
	}
}

func TestWishes(t *testing.T) {
	a := signedIn()
	p := newPage(t, a)
	session := enter(t, p)
	for body, want := range map[string]string{
		`{"do":"check"}`: "check", `{"do":"pause","reason":"lunch","length":"4h"}`: "pause lunch 4h0m0s", `{"do":"resume"}`: "resume", `{"do":"fix","page":"firewall"}`: "fix firewall",
	} {
		a.did = nil
		status, out := call(t, p, "POST", "/api/do", body, session)
		if status != 200 || out["Failed"] != nil || !reflect.DeepEqual(a.did, []string{want}) {
			t.Errorf("%s: %d %v, did %v", body, status, out, a.did)
		}
	}
	_, out := call(t, p, "POST", "/api/do", `{"do":"sign_out"}`, session)
	if text, _ := out["Failed"].(string); text == "" || strings.Contains(text, "/run/secret") {
		t.Errorf("a failure says %v", out)
	}
}

func TestAgentGone(t *testing.T) {
	a := &agent{err: localapi.ErrNotRunning}
	p := newPage(t, a)
	session := enter(t, p)
	status, out := call(t, p, "GET", "/api/state?after=5", "", session)
	v, _ := out["View"].(map[string]any)
	if status != 200 || out["Revision"].(float64) != float64(revisionOf(view.NotRunning)) || v["Trouble"] != string(view.NotRunning) || v["Headline"] == "" {
		t.Errorf("%d %v", status, out)
	}
}

func TestIdleEnds(t *testing.T) {
	p, err := Listen(Options{Agent: signedIn(), Idle: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(t.Context()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on though nobody looks")
	}
}
