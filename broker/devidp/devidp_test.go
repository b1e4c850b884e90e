package devidp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
)

const (
	redirect  = "http://127.0.0.1:40000/callback"
	redirect6 = "http://[::1]:40000/callback"
)

// world is a provider on a real socket, a browser and a clock that can be moved.
type world struct {
	*testing.T
	provider *Provider
	browser  *http.Client
	ahead    atomic.Int64 // nanoseconds
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func start(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.provider, err = New(Config{
		Issuer:  "http://" + l.Addr().String(),
		Clients: []Client{{"postern", "/callback"}, {"other", "/"}},
		Users: []User{
			{"anna", "correct horse", "s-anna", "anna@example.test", "Anna <b>", []string{"dev", "ops"}},
			{"bo", "staple", "s-bo", "", "", nil},
		},
		Clock: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w.provider}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	w.browser = newBrowser(t)
	return w
}

func newBrowser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call does a request and reads its body.
func (w *world) call(method, path string, form url.Values, header ...string) (*http.Response, string) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.provider.Issuer()+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := w.browser.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return res, string(body)
}

const verifier = "0123456789012345678901234567890123456789012"

// asked is a good authorization request with some parameters changed; "-" drops one.
func asked(change ...string) url.Values {
	q := url.Values{
		"client_id": {"postern"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid email"},
		"state": {"st&te"}, "nonce": {"n0nce"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "-" {
			q.Del(change[i])
		}
	}
	return q
}

var ticketInput = regexp.MustCompile(`name="ticket" value="([^"]+)"`)

// form opens the sign-in form and returns its ticket.
func (w *world) form(q url.Values) string {
	w.Helper()
	res, body := w.call("GET", "/authorize?"+q.Encode(), nil)
	return w.ticket(res, body, http.StatusOK)
}

func (w *world) ticket(res *http.Response, body string, status int) string {
	w.Helper()
	m := ticketInput.FindStringSubmatch(body)
	if res.StatusCode != status || m == nil {
		w.Fatalf("status %d, no form:\n%s", res.StatusCode, body)
	}
	return m[1]
}

func (w *world) send(ticket, username, password string, header ...string) (*http.Response, string) {
	w.Helper()
	return w.call("POST", "/login", url.Values{"ticket": {ticket}, "username": {username}, "password": {password}}, header...)
}

// back takes a redirect to the client apart.
func (w *world) back(res *http.Response, body string) url.Values {
	w.Helper()
	at, q, _ := strings.Cut(res.Header.Get("Location"), "?")
	answer, err := url.ParseQuery(q)
	if err != nil || res.StatusCode != http.StatusSeeOther || at != redirect {
		w.Fatalf("status %d to %q, want a redirect to the client:\n%s", res.StatusCode, at, body)
	}
	if answer.Get("iss") != w.provider.Issuer() || answer.Get("state") != "st&te" {
		w.Fatalf("the answer lacks iss or state: %v", answer)
	}
	return answer
}

// code signs Anna in.
func (w *world) code(q url.Values) string {
	w.Helper()
	code := w.back(w.send(w.form(q), "anna", "correct horse")).Get("code")
	if code == "" {
		w.Fatal("no code")
	}
	return code
}

func trade(code string, change ...string) url.Values {
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"postern"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

func refreshing(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {"postern"}, "refresh_token": {token}}
}

// tokens trades a code or a refresh token; code is the error code, "" for success.
func (w *world) tokens(form url.Values) (got tokens, code string) {
	w.Helper()
	res, body := w.call("POST", "/token", form)
	var failed oauthError
	if err := errors.Join(json.Unmarshal([]byte(body), &got), json.Unmarshal([]byte(body), &failed)); err != nil {
		w.Fatal(err)
	}
	if (res.StatusCode == http.StatusOK) != (failed.Error == "") || res.Header.Get("Cache-Control") != "no-store" {
		w.Fatalf("status %d, cache %q: %s", res.StatusCode, res.Header.Get("Cache-Control"), body)
	}
	return got, failed.Error
}

// The whole flow, as the libraries of a real client see it.
func TestFlow(t *testing.T) {
	w := start(t)
	ctx := oidc.ClientContext(t.Context(), &http.Client{Timeout: 10 * time.Second})
	provider, err := oidc.NewProvider(ctx, w.provider.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	cfg := oauth2.Config{ClientID: "postern", Endpoint: provider.Endpoint(), RedirectURL: redirect, Scopes: []string{"openid", "email"}}
	secret := oauth2.GenerateVerifier()
	to, err := url.Parse(cfg.AuthCodeURL("st&te", oidc.Nonce("n0nce"), oauth2.S256ChallengeOption(secret)))
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Unix()
	code := w.code(to.Query())
	token, err := cfg.Exchange(ctx, code, oauth2.VerifierOption(secret))
	if err != nil {
		t.Fatal(err)
	}
	first := verified(t, ctx, provider, token)
	authTime, _ := first["auth_time"].(float64)
	if int64(authTime) < before || int64(authTime) > time.Now().Unix() {
		t.Errorf("auth_time %v", first["auth_time"])
	}
	if exp, iat := first["exp"].(float64), first["iat"].(float64); exp-iat != IDTokenLife.Seconds() {
		t.Errorf("lives %v s", exp-iat)
	}
	for _, changing := range []string{"auth_time", "exp", "iat"} {
		delete(first, changing)
	}
	if d := cmp.Diff(map[string]any{
		"iss": w.provider.Issuer(), "sub": "s-anna", "aud": "postern", "nonce": "n0nce", "amr": []any{"pwd"}, "email": "anna@example.test",
		"email_verified": true, "name": "Anna <b>", "preferred_username": "anna", "groups": []any{"dev", "ops"},
	}, first); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}

	again, err := cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	if again.RefreshToken == token.RefreshToken {
		t.Error("the refresh token did not rotate")
	}
	second := verified(t, ctx, provider, again)
	if second["auth_time"] != authTime || second["nonce"] != "n0nce" || second["sub"] != "s-anna" {
		t.Errorf("after refresh: %v", second)
	}
}

func verified(t *testing.T, ctx context.Context, provider *oidc.Provider, token *oauth2.Token) map[string]any {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: "postern"}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestDiscovery(t *testing.T) {
	w := start(t)
	_, body := w.call("GET", "/.well-known/openid-configuration", nil)
	var d map[string]any
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"issuer": w.provider.Issuer(), "authorization_response_iss_parameter_supported": true,
		"code_challenge_methods_supported": []any{"S256"}, "id_token_signing_alg_values_supported": []any{"ES256"},
		"token_endpoint_auth_methods_supported": []any{"none"},
	} {
		if diff := cmp.Diff(want, d[name]); diff != "" {
			t.Errorf("%s\n%s", name, diff)
		}
	}
	_, body = w.call("GET", "/jwks", nil)
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatal(body)
	}
	if set.Keys[0]["d"] != "" || set.Keys[0]["kty"] != "EC" || set.Keys[0]["use"] != "sig" {
		t.Fatalf("%v", set.Keys[0])
	}
}

// What may not be told to the client is told to the person, on a dead end.
func TestAuthorizeRefusedHere(t *testing.T) {
	w := start(t)
	for name, q := range map[string]url.Values{
		"no client":         asked("client_id", "-"),
		"unknown client":    asked("client_id", "<script>"),
		"no redirect":       asked("redirect_uri", "-"),
		"localhost":         asked("redirect_uri", "http://localhost:40000/callback"),
		"other host":        asked("redirect_uri", "http://192.0.2.1:40000/callback"),
		"host as user":      asked("redirect_uri", "http://127.0.0.1:1@192.0.2.1/callback"),
		"host prefix":       asked("redirect_uri", "http://127.0.0.1.example.test:1/callback"),
		"other loopback":    asked("redirect_uri", "http://127.0.0.2:40000/callback"),
		"https":             asked("redirect_uri", "https://127.0.0.1:40000/callback"),
		"no port":           asked("redirect_uri", "http://127.0.0.1/callback"),
		"port zero":         asked("redirect_uri", "http://127.0.0.1:0/callback"),
		"port sign":         asked("redirect_uri", "http://127.0.0.1:+80/callback"),
		"port zeroes":       asked("redirect_uri", "http://127.0.0.1:0080/callback"),
		"port too high":     asked("redirect_uri", "http://127.0.0.1:65536/callback"),
		"other path":        asked("redirect_uri", "http://127.0.0.1:40000/callback2"),
		"path below":        asked("redirect_uri", "http://127.0.0.1:40000/callback/x"),
		"path up":           asked("redirect_uri", "http://127.0.0.1:40000/x/../callback"),
		"query":             asked("redirect_uri", redirect+"?x=1"),
		"fragment":          asked("redirect_uri", redirect+"#x"),
		"line break":        asked("redirect_uri", redirect+"\r\nX: y"),
		"other client's":    asked("client_id", "other"),
		"mapped":            asked("redirect_uri", "http://[::ffff:127.0.0.1]:40000/callback"),
		"two clients":       {"client_id": {"postern", "other"}, "redirect_uri": {redirect}},
		"two redirect URIs": {"client_id": {"postern"}, "redirect_uri": {redirect, redirect}},
	} {
		for _, method := range []string{"GET", "POST"} {
			path, form := "/authorize?"+q.Encode(), url.Values(nil)
			if method == "POST" {
				path, form = "/authorize", q
			}
			res, body := w.call(method, path, form)
			if res.StatusCode != http.StatusBadRequest || res.Header.Get("Location") != "" || strings.Contains(body, "<form") || strings.Contains(body, "<script>") {
				t.Errorf("%s: status %d to %q\n%s", name, res.StatusCode, res.Header.Get("Location"), body)
			}
		}
	}
}

func TestAuthorizeRefusedThere(t *testing.T) {
	w := start(t)
	twice := asked()
	twice.Add("nonce", "another")
	unknownTwice := asked()
	unknownTwice["x\r\ny"] = []string{"1", "2"}
	for name, test := range map[string]struct {
		q    url.Values
		code string
	}{
		"no response type": {asked("response_type", "-"), "invalid_request"},
		"implicit":         {asked("response_type", "token"), "unsupported_response_type"},
		"hybrid":           {asked("response_type", "code id_token"), "unsupported_response_type"},
		"fragment":         {asked("response_mode", "fragment"), "invalid_request"},
		"no scope":         {asked("scope", "-"), "invalid_scope"},
		"not openid":       {asked("scope", "email openid2"), "invalid_scope"},
		"no PKCE":          {asked("code_challenge", "-", "code_challenge_method", "-"), "invalid_request"},
		"PKCE plain":       {asked("code_challenge_method", "plain"), "invalid_request"},
		"PKCE default":     {asked("code_challenge_method", "-"), "invalid_request"},
		"PKCE short":       {asked("code_challenge", "abc"), "invalid_request"},
		"PKCE padded":      {asked("code_challenge", oauth2.S256ChallengeFromVerifier(verifier)+"="), "invalid_request"},
		"silent":           {asked("prompt", "none"), "login_required"},
		"silent and not":   {asked("prompt", "none login"), "invalid_request"},
		"request object":   {asked("request", "e30."), "request_not_supported"},
		"request address":  {asked("request_uri", "http://192.0.2.1/"), "request_uri_not_supported"},
		"max_age":          {asked("max_age", "soon"), "invalid_request"},
		"max_age negative": {asked("max_age", "-1"), "invalid_request"},
		"long nonce":       {asked("nonce", strings.Repeat("n", maxNonce+1)), "invalid_request"},
		"nonce twice":      {twice, "invalid_request"},
		"unknown twice":    {unknownTwice, "invalid_request"},
	} {
		res, body := w.call("GET", "/authorize?"+test.q.Encode(), nil)
		if got := w.back(res, body); got.Get("error") != test.code || got.Get("error_description") == "" || got.Has("code") {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, good := range []url.Values{asked("prompt", "login"), asked("max_age", "0"), asked("response_mode", "query"), asked("nonce", "-"), asked("ui_locales", "de")} {
		w.form(good)
	}
	res, body := w.call("POST", "/authorize", asked())
	w.ticket(res, body, http.StatusOK)
}

func TestLogin(t *testing.T) {
	w := start(t)
	first := w.form(asked())
	res, body := w.send(first, "anna", "wrong <b>")
	second := w.ticket(res, body, http.StatusForbidden)
	if first == second || !strings.Contains(body, "The user name or the password is not right.") || strings.Contains(body, "wrong") || !strings.Contains(body, `value="anna"`) {
		t.Errorf("after a wrong password:\n%s", body)
	}
	res, body = w.send(second, `"><script>`, "staple")
	third := w.ticket(res, body, http.StatusForbidden)
	if strings.Contains(body, "<script>") {
		t.Error("a user name became markup")
	}
	for _, nobody := range [][2]string{{"", ""}, {"anna", ""}, {"nobody", ""}, {"anna", "staple"}, {"Anna", "correct horse"}} {
		res, body = w.send(third, nobody[0], nobody[1])
		third = w.ticket(res, body, http.StatusForbidden)
	}
	w.back(w.send(third, "anna", "correct horse"))

	refused := func(what string, res *http.Response, body string) {
		t.Helper()
		if res.StatusCode != http.StatusForbidden || res.Header.Get("Location") != "" || strings.Contains(body, "<form") {
			t.Errorf("%s: status %d to %q\n%s", what, res.StatusCode, res.Header.Get("Location"), body)
		}
	}
	res, body = w.send(third, "anna", "correct horse")
	refused("a form sent twice", res, body)
	res, body = w.send(first, "anna", "correct horse")
	refused("a form behind the newest", res, body)
	res, body = w.send("", "anna", "correct horse")
	refused("no ticket", res, body)
	for _, site := range []string{"cross-site", "same-site", "none"} {
		res, body = w.send(w.form(asked()), "anna", "correct horse", "Sec-Fetch-Site", site)
		refused("sent from "+site, res, body)
	}
	w.back(w.send(w.form(asked()), "anna", "correct horse", "Sec-Fetch-Site", "same-origin", "Origin", "null"))

	// Somebody else's form, sent by this browser (login CSRF), and left spent.
	foreign := w.form(asked())
	mine := w.browser
	w.browser = newBrowser(t)
	w.form(asked()) // it has a cookie of its own
	res, body = w.send(foreign, "anna", "correct horse")
	refused("another browser", res, body)
	w.browser = mine
	res, body = w.send(foreign, "anna", "correct horse")
	refused("a spent form", res, body)

	old := w.form(asked())
	w.ahead.Store(int64(loginLife))
	res, body = w.send(old, "anna", "correct horse")
	refused("an old form", res, body)
}

func TestTwoTabs(t *testing.T) {
	w := start(t)
	one, two := w.form(asked()), w.form(asked())
	w.back(w.send(one, "anna", "correct horse"))
	w.back(w.send(two, "bo", "staple"))
}

func TestCancel(t *testing.T) {
	w := start(t)
	res, body := w.call("POST", "/login", url.Values{"ticket": {w.form(asked())}, "action": {"cancel"}})
	if got := w.back(res, body); got.Get("error") != "access_denied" || got.Has("code") {
		t.Fatalf("%v", got)
	}
}

func TestPage(t *testing.T) {
	w := start(t)
	for at, form := range map[string]string{redirect: "http://127.0.0.1:40000", redirect6: "http:"} {
		res, body := w.call("GET", "/authorize?"+asked("redirect_uri", at, "login_hint", "anna&<").Encode(), nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " + form,
			"Referrer-Policy":         "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "DENY", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		cookie := res.Header.Get("Set-Cookie")
		if cookie != "" && (!strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax")) {
			t.Errorf("cookie %q", cookie)
		}
		for _, want := range []string{`<html lang="en">`, `<title>Sign in`, `<label for="username">`, `<label for="password">`, `autocomplete="current-password"`,
			`value="` + html.EscapeString("anna&<") + `"`, "trying things out", "<strong>postern</strong>"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page has no %s:\n%s", want, body)
			}
		}
		for _, no := range []string{"<script", "<style", " style=", "http://", "https://"} {
			if strings.Contains(body, no) {
				t.Errorf("the page has %q", no)
			}
		}
	}
}

func TestForThisMachineOnly(t *testing.T) {
	w := start(t)
	for _, host := range []string{"rebound.example.test", "localhost", "127.0.0.1"} {
		if res, _ := w.call("GET", "/jwks", nil, "Host", host); res.StatusCode != http.StatusForbidden {
			t.Errorf("asked as %s: status %d", host, res.StatusCode)
		}
	}
	for peer, want := range map[string]int{"127.0.0.1:9": 200, "[::1]:9": 200, "192.0.2.1:9": 403, "[2001:db8::1]:9": 403, "@": 403, "": 403} {
		r := httptest.NewRequest("GET", w.provider.Issuer()+"/jwks", nil)
		r.RemoteAddr = peer
		got := httptest.NewRecorder()
		w.provider.ServeHTTP(got, r)
		if got.Code != want {
			t.Errorf("asked by %q: status %d", peer, got.Code)
		}
	}
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "localhost:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0", "[::1%lo]:0", "127.0.0.1", "", "127.1:0", "example.test:0"} {
		l, err := Listen(addr)
		if !errors.Is(err, ErrNotLoopback) {
			t.Errorf("listen on %q: %v", addr, err)
		}
		if l != nil {
			l.Close()
		}
	}
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		t.Errorf("listens on %v", l.Addr())
	}
}

func TestNewRefuses(t *testing.T) {
	good := func() Config {
		return Config{Issuer: "http://127.0.0.1:1", Clients: []Client{{"c", "/"}}, Users: []User{{Username: "u", Password: "p", Subject: "s"}}}
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no issuer":      func(c *Config) { c.Issuer = "" },
		"public issuer":  func(c *Config) { c.Issuer = "http://192.0.2.1" },
		"named issuer":   func(c *Config) { c.Issuer = "http://localhost:1" },
		"https":          func(c *Config) { c.Issuer = "https://127.0.0.1:1" },
		"issuer's slash": func(c *Config) { c.Issuer = "http://127.0.0.1:1/" },
		"client id":      func(c *Config) { c.Clients[0].ID = "" },
		"client twice":   func(c *Config) { c.Clients = append(c.Clients, c.Clients[0]) },
		"client path":    func(c *Config) { c.Clients[0].RedirectPath = "callback" },
		"client host":    func(c *Config) { c.Clients[0].RedirectPath = "//x/callback" },
		"client query":   func(c *Config) { c.Clients[0].RedirectPath = "/callback?x" },
		"no password":    func(c *Config) { c.Users[0].Password = "" },
		"no subject":     func(c *Config) { c.Users[0].Subject = "" },
		"no name":        func(c *Config) { c.Users[0].Username = "" },
		"user twice":     func(c *Config) { c.Users = append(c.Users, User{Username: "u", Password: "p", Subject: "t"}) },
		"subject twice":  func(c *Config) { c.Users = append(c.Users, User{Username: "v", Password: "p", Subject: "s"}) },
		"other curve":    func(c *Config) { c.Key = p384 },
	} {
		cfg := good()
		spoil(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
