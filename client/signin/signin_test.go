package signin_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	. "github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/testfixtures/rig"
)

func failed(t *testing.T, err error, code string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || e.Text == "" {
		t.Errorf("error %v, want one with code %s", err, code)
	}
}

func TestWholeSignIn(t *testing.T) {
	w := newWorld(t)
	s := w.start("uid:1")
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("state") != s.State || q.Get("redirect_uri") != redirect || q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("scope") != "openid email" {
		t.Errorf("opened %v", q)
	}
	c := w.signIn(s)
	done, err := w.Finish(t.Context(), c, "uid:1")
	if err != nil {
		t.Fatal(err)
	}
	if want := bind.CommitNonce(jkt, w.provider.Issuer, rig.ClientID, done.Salt); q.Get("nonce") != want {
		t.Errorf("nonce %s does not commit to the device key", q.Get("nonce"))
	}
	if len(strings.Split(done.IDToken, ".")) != 3 {
		t.Errorf("ID token %q", done.IDToken)
	}
	// A public client: its id in the form, once, and no password.
	if len(w.token) != 1 || w.auth[0] != "" || w.token[0].Get("client_id") != rig.ClientID {
		t.Errorf("token endpoint was asked %d times, Authorization %q, client_id %q", len(w.token), w.auth, w.token[0].Get("client_id"))
	}
	// What was finished is gone; the same answer again is worth nothing.
	_, err = w.Finish(t.Context(), c, "uid:1")
	failed(t, err, CodeUnknown)
	again := w.start("uid:1")
	c.ID, c.State = again.ID, again.State
	_, err = w.Finish(t.Context(), c, "uid:1") // the code of the first
	failed(t, err, CodeRefused)
}

func TestAnswersThatAreNotOurs(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Callback)
		code   string
	}{
		{"another state", func(c *Callback) { c.State += "x" }, CodeMixedUp},
		{"no state", func(c *Callback) { c.State = "" }, CodeMixedUp},
		{"another issuer", func(c *Callback) { c.Issuer = "http://127.0.0.1:1" }, CodeMixedUp},
		{"no issuer, though announced", func(c *Callback) { c.Issuer = "" }, CodeMixedUp},
		{"no code", func(c *Callback) { c.Code = "" }, CodeMixedUp},
		{"another code", func(c *Callback) { c.Code = "guess" }, CodeRefused},
		{"refused", func(c *Callback) {
			c.Error, c.ErrorDescription = "access_denied", "not\x1b[2J today\n"+strings.Repeat("z", 4000)
		}, CodeRefused},
		{"an error of another sign-in", func(c *Callback) { c.Error, c.State = "access_denied", "x" }, CodeMixedUp},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			c := w.signIn(w.start("uid:1"))
			good := c
			tt.change(&c)
			_, err := w.Finish(t.Context(), c, "uid:1")
			failed(t, err, tt.code)
			if text := err.Error(); len(text) > 400 || strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("told: %q", text)
			}
			if good.Code != "" && strings.Contains(err.Error(), good.Code) || strings.Contains(err.Error(), good.State) {
				t.Errorf("told a secret: %v", err)
			}
			_, err = w.Finish(t.Context(), good, "uid:1")
			failed(t, err, CodeUnknown) // one attempt
		})
	}
}

func TestPersonCancelsAtTheProvider(t *testing.T) {
	w := newWorld(t)
	s := w.start("uid:1")
	c := w.browse(s.URL, url.Values{"action": {"cancel"}})
	c.ID = s.ID
	_, err := w.Finish(t.Context(), c, "uid:1")
	failed(t, err, CodeRefused)
	if !strings.Contains(err.Error(), "access_denied") || len(w.token) != 0 {
		t.Errorf("%v, token endpoint asked %d times", err, len(w.token))
	}
}

// An ID token that was made for another nonce, though for the same client and
// with the right code and verifier.
func TestIDTokenWithAnotherNonce(t *testing.T) {
	w := newWorld(t)
	s := w.start("uid:1")
	u, _ := url.Parse(s.URL)
	q := u.Query()
	q.Set("nonce", bind.CommitNonce("another device", w.provider.Issuer, rig.ClientID, "salt"))
	u.RawQuery = q.Encode()
	s.URL = u.String()
	_, err := w.Finish(t.Context(), w.signIn(s), "uid:1")
	failed(t, err, CodeMixedUp)
}

func TestIDTokenOutOfTime(t *testing.T) {
	w := newWorld(t)
	w.device(func() time.Time { return time.Now().Add(time.Hour) }) // broker time
	_, err := w.Finish(t.Context(), w.signIn(w.start("uid:1")), "uid:1")
	failed(t, err, CodeProvider)
}

func TestOnlyWhoBeganMayFinishOrCancel(t *testing.T) {
	w := newWorld(t)
	c := w.signIn(w.start("uid:1"))
	_, err := w.Finish(t.Context(), c, "uid:2")
	failed(t, err, CodeUnknown)
	w.Cancel(c.ID, "uid:2")
	if _, err := w.Finish(t.Context(), c, "uid:1"); err != nil {
		t.Errorf("another user spoilt it: %v", err)
	}
	c = w.signIn(w.start("uid:1"))
	w.Cancel(c.ID, "uid:1")
	_, err = w.Finish(t.Context(), c, "uid:1")
	failed(t, err, CodeUnknown)
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	c := w.signIn(w.start("uid:1"))
	w.clock.SetWall(time.Now().Add(24 * time.Hour)) // no matter
	w.clock.Advance(Life)
	if _, err := w.Finish(t.Context(), c, "uid:1"); err != nil {
		t.Errorf("at the very end: %v", err)
	}
	c = w.signIn(w.start("uid:1"))
	w.clock.Sleep(Life + 1) // asleep counts
	_, err := w.Finish(t.Context(), c, "uid:1")
	failed(t, err, CodeExpired)
	_, err = w.Finish(t.Context(), c, "uid:1")
	failed(t, err, CodeUnknown)
}

func TestOneSignInOfAUserAndSoManyInAll(t *testing.T) {
	w := newWorld(t)
	first := w.start("uid:0")
	for range 3 * MaxPending {
		w.start("uid:0") // takes the place of the one before
	}
	_, err := w.Finish(t.Context(), Callback{ID: first.ID, State: first.State, Code: "x"}, "uid:0")
	failed(t, err, CodeUnknown)
	var last Started
	for n := 1; n < MaxPending; n++ {
		last = w.start(fmt.Sprint("uid:", n))
	}
	_, err = w.Start(t.Context(), w.provider, back, "uid:99")
	failed(t, err, CodeBusy)
	w.Cancel(last.ID, fmt.Sprint("uid:", MaxPending-1))
	w.start("uid:99")
	_, err = w.Start(t.Context(), w.provider, back, "uid:100")
	failed(t, err, CodeBusy)
	w.clock.Advance(Life + 1)
	w.start("uid:100")
}

func TestAddressesThatAreNotSafe(t *testing.T) {
	w := newWorld(t)
	for _, to := range []string{"", "x", "https://127.0.0.1:1/", "http://127.0.0.1/", "http://localhost:1/", "http://192.0.2.1:80/", "http://me@127.0.0.1:1/", "http://127.0.0.1.example:1/", "http://127.0.0.1:1/#f", "http://[::2]:1/"} {
		_, err := w.Start(t.Context(), w.provider, Request{Redirect: to}, "uid:1")
		failed(t, err, CodeMixedUp)
	}
	for _, from := range []string{"", "http://idp.example", "http://localhost:1", "ftp://127.0.0.1", "https://", "https://me:pw@idp.example", "//127.0.0.1", "http://10.0.0.1"} {
		_, err := w.Start(t.Context(), api.Provider{Issuer: from, ClientID: "c"}, back, "uid:1")
		failed(t, err, CodeProvider)
	}
	if _, err := w.Start(t.Context(), w.provider, Request{Redirect: "http://[::1]:7/callback"}, "uid:1"); err != nil {
		t.Error(err)
	}
	for _, member := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		for _, at := range []string{"http://idp.example/x", "javascript:alert(1)", "file:///etc/passwd", ""} {
			p := odd(t, func(string) map[string]any { return map[string]any{member: at} }, nil)
			_, err := w.Start(t.Context(), p, back, "uid:1")
			failed(t, err, CodeProvider)
		}
	}
}

// The answer is posted only where caller, provider and policy agree.
func TestWhereTheAnswerIsPosted(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		may   bool
		modes any
		mode  string
		want  string
	}{
		{may: true, modes: []string{"query", "form_post"}, want: "form_post"},
		{may: false, modes: []string{"query", "form_post"}},
		{may: true, modes: []string{"query", "fragment"}},
		{may: true}, // says nothing: query and fragment (OpenID Connect Discovery 1.0 section 3)
		{may: true, modes: []string{"form_post"}, mode: api.ResponseQuery},
		{may: true, modes: []string{"FORM_POST"}},
	} {
		p := odd(t, func(string) map[string]any {
			if tc.modes == nil {
				return nil
			}
			return map[string]any{"response_modes_supported": tc.modes}
		}, nil)
		p.ResponseMode = tc.mode
		s, err := w.Start(t.Context(), p, Request{Redirect: redirect, FormPost: tc.may}, "uid:1")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(s.URL)
		if got := u.Query().Get("response_mode"); err != nil || got != tc.want {
			t.Errorf("%+v: asked for %q, %v", tc, got, err)
		}
	}
}

// Who wants to be somebody else is asked by the provider, in a way that it knows.
func TestSwitchAsksWho(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		wanted  bool
		prompts any
		want    string
	}{
		{wanted: false, prompts: []string{"select_account"}},
		{wanted: true, prompts: []string{"none", "login", "select_account"}, want: "select_account"},
		{wanted: true, prompts: []string{"none", "login"}, want: "login"},
		{wanted: true, want: "login"},
	} {
		p := odd(t, func(string) map[string]any {
			if tc.prompts == nil {
				return nil
			}
			return map[string]any{"prompt_values_supported": tc.prompts}
		}, nil)
		s, err := w.Start(t.Context(), p, Request{Redirect: redirect, Switch: tc.wanted}, "uid:1")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(s.URL)
		if got := u.Query().Get("prompt"); err != nil || got != tc.want {
			t.Errorf("%+v: asked with prompt %q, %v", tc, got, err)
		}
	}
	for issuer, want := range map[string]string{
		"https://accounts.google.com": "select_account", "https://login.microsoftonline.com/contoso/v2.0": "select_account",
		"https://accounts.google.com.example": "login", "https://login.example.com": "login",
	} {
		if got := WhoPrompt(issuer); got != want {
			t.Errorf("%s: %s", issuer, got)
		}
	}
}

func TestProviderThatIsNotWell(t *testing.T) {
	w := newWorld(t)
	// Down.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = w.Start(t.Context(), api.Provider{Issuer: "http://" + l.Addr().String(), ClientID: "c"}, back, "uid:1")
	failed(t, err, CodeProvider)
	// Another one than it was called.
	_, err = w.Start(t.Context(), odd(t, func(string) map[string]any { return map[string]any{"issuer": "https://idp.example"} }, nil), back, "uid:1")
	failed(t, err, CodeProvider)
	// Talks without end: only so much is read, only a line of it told.
	_, err = w.Start(t.Context(), odd(t, func(string) map[string]any {
		return map[string]any{"issuer": "x\n" + strings.Repeat("y", 4*MaxBody)}
	}, nil), back, "uid:1")
	failed(t, err, CodeProvider)
	if len(err.Error()) > 400 || strings.Contains(err.Error(), "\n") {
		t.Errorf("told %d bytes", len(err.Error()))
	}
	// Fails with the code in hand.
	c := w.signIn(w.start("uid:1"))
	w.mu.Lock()
	w.broken = true
	w.mu.Unlock()
	_, err = w.Finish(t.Context(), c, "uid:1")
	failed(t, err, CodeProvider)
	if strings.Contains(err.Error(), c.Code) {
		t.Errorf("told the code: %v", err)
	}
}

// A provider that does not answer costs its deadline and no more.
func TestProviderThatHangs(t *testing.T) {
	if d := Patience(); d <= 0 || d > 10*time.Second {
		t.Errorf("calls last up to %v", d)
	}
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.SetPatience(50 * time.Millisecond)
	_, err = w.Start(t.Context(), api.Provider{Issuer: "http://" + l.Addr().String(), ClientID: "c"}, back, "uid:1")
	failed(t, err, CodeProvider)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Start(ctx, w.provider, back, "uid:1")
	failed(t, err, CodeProvider)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// The code and its verifier go where the provider's description said, wherever
// that points to then.
func TestTokenEndpointThatPointsElsewhere(t *testing.T) {
	led := make(chan string, 4)
	elsewhere := odd(t, nil, func(rw http.ResponseWriter, r *http.Request) { led <- r.URL.String() })
	p := odd(t, nil, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, elsewhere.Issuer+"/token", http.StatusTemporaryRedirect)
	})
	w := newWorld(t)
	s, err := w.Start(t.Context(), p, back, "uid:1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Finish(t.Context(), Callback{ID: s.ID, State: s.State, Code: "the-code"}, "uid:1")
	failed(t, err, CodeProvider)
	if len(led) != 0 {
		t.Errorf("the code went to %s", <-led)
	}
}

func TestAnswersWithoutAnIDToken(t *testing.T) {
	for _, body := range []string{
		`{"access_token":"a","token_type":"Bearer"}`,
		`{"access_token":"a","token_type":"Bearer","id_token":7}`,
		`{"access_token":"a","token_type":"Bearer","id_token":"` + strings.Repeat("x", api.MaxToken+1) + `"}`,
		`{"access_token":"a","token_type":"Bearer","id_token":"e30.e30.e30"}`,
		`not json`, ``,
	} {
		w := newWorld(t)
		p := odd(t, nil, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Write([]byte(body))
		})
		s, err := w.Start(t.Context(), p, back, "uid:1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Finish(t.Context(), Callback{ID: s.ID, State: s.State, Code: "the-code"}, "uid:1")
		failed(t, err, CodeProvider)
		if strings.Contains(err.Error(), "the-code") || len(err.Error()) > 400 {
			t.Errorf("told %v", err)
		}
	}
}

// A server that closes idle connections never has the code sent into one.
func TestConnectionsAreFresh(t *testing.T) {
	var mu sync.Mutex
	connections, asked := 0, 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		http.NotFound(w, r)
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if s == http.StateNew {
			connections++
		}
	}
	srv.Start()
	defer srv.Close()
	s := New(jkt, clock.NewFake(time.Now()).Boot, time.Now)
	for range 3 {
		_, err := s.Start(t.Context(), api.Provider{Issuer: srv.URL, ClientID: "c"}, back, "uid:1")
		failed(t, err, CodeProvider)
	}
	mu.Lock()
	defer mu.Unlock()
	if asked != 3 || connections != asked {
		t.Errorf("%d questions by %d connections", asked, connections)
	}
}
