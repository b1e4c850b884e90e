package devidp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCodeRefused(t *testing.T) {
	w := start(t)
	for name, change := range map[string][]string{
		"other client":    {"client_id", "other"},
		"other redirect":  {"redirect_uri", "http://127.0.0.1:40001/callback"},
		"no redirect":     {"redirect_uri", ""},
		"other verifier":  {"code_verifier", strings.Repeat("x", 43)},
		"no verifier":     {"code_verifier", ""},
		"long verifier":   {"code_verifier", strings.Repeat("x", 129)},
		"challenge again": {"code_verifier", asked().Get("code_challenge")},
	} {
		code := w.code(asked())
		if _, got := w.tokens(trade(code, change...)); got != "invalid_grant" {
			t.Errorf("%s: %q", name, got)
		}
		if _, got := w.tokens(trade(code)); got != "invalid_grant" {
			t.Errorf("%s: the code is good after it: %q", name, got)
		}
	}
	for name, change := range map[string][]string{
		"unknown code": {"code", random()}, "no code": {"code", ""},
	} {
		if _, got := w.tokens(trade(w.code(asked()), change...)); got != "invalid_grant" {
			t.Errorf("%s: %q", name, got)
		}
	}
	code := w.code(asked())
	w.ahead.Store(int64(codeLife - time.Second))
	if _, got := w.tokens(trade(code)); got != "" {
		t.Errorf("a code of 59 s: %q", got)
	}
	code = w.code(asked())
	w.ahead.Add(int64(codeLife))
	if _, got := w.tokens(trade(code)); got != "invalid_grant" {
		t.Errorf("a code of 60 s: %q", got)
	}
}

func TestCodeTwice(t *testing.T) {
	w := start(t)
	code := w.code(asked())
	got, failed := w.tokens(trade(code))
	if failed != "" {
		t.Fatal(failed)
	}
	if _, failed := w.tokens(trade(code)); failed != "invalid_grant" {
		t.Fatalf("second use: %q", failed)
	}
	if _, failed := w.tokens(refreshing(got.RefreshToken)); failed != "invalid_grant" {
		t.Fatalf("what the code was traded for is still good: %q", failed)
	}
}

func TestRefresh(t *testing.T) {
	w := start(t)
	first, _ := w.tokens(trade(w.code(asked())))
	stranger := refreshing(first.RefreshToken)
	stranger.Set("client_id", "other")
	if _, failed := w.tokens(stranger); failed != "invalid_grant" {
		t.Fatalf("another client: %q", failed)
	}
	second, failed := w.tokens(refreshing(first.RefreshToken))
	if failed != "" {
		t.Fatal(failed)
	}
	third, failed := w.tokens(refreshing(second.RefreshToken))
	if failed != "" {
		t.Fatal(failed)
	}
	if _, failed := w.tokens(refreshing(first.RefreshToken)); failed != "invalid_grant" {
		t.Fatalf("an old one: %q", failed)
	}
	if _, failed := w.tokens(refreshing(third.RefreshToken)); failed != "invalid_grant" {
		t.Fatalf("the family outlived a replay: %q", failed)
	}
	other, _ := w.tokens(trade(w.code(asked())))
	for _, none := range []string{"", ".", "x.y", strings.Replace(other.RefreshToken, ".", "", 1)} {
		if _, failed := w.tokens(refreshing(none)); failed != "invalid_grant" {
			t.Errorf("%q: %q", none, failed)
		}
	}
	other, failed = w.tokens(refreshing(other.RefreshToken))
	if failed != "" {
		t.Fatal(failed)
	}
	w.ahead.Store(int64(refreshLife))
	if _, failed := w.tokens(refreshing(other.RefreshToken)); failed != "invalid_grant" {
		t.Fatalf("after its time: %q", failed)
	}
}

func TestTokenRequestRefused(t *testing.T) {
	w := start(t)
	code := w.code(asked())
	twice := trade(code)
	twice.Add("code", code)
	for name, test := range map[string]struct {
		form   url.Values
		header []string
		status int
		code   string
	}{
		"unknown client": {trade(code, "client_id", "nobody"), nil, 401, "invalid_client"},
		"with a secret":  {trade(code), []string{"Authorization", "Basic cG9zdGVybjo="}, 401, "invalid_client"},
		"grant type":     {trade(code, "grant_type", "password"), nil, 400, "unsupported_grant_type"},
		"twice":          {twice, nil, 400, "invalid_request"},
		"not a form":     {trade(code), []string{"Content-Type", "application/json"}, 400, "invalid_request"},
		"too large":      {trade(code, "x", strings.Repeat("x", maxRequest)), nil, 400, "invalid_request"},
	} {
		res, body := w.call("POST", "/token", test.form, test.header...)
		if res.StatusCode != test.status || !strings.Contains(body, `"error":"`+test.code+`"`) {
			t.Errorf("%s: status %d %s", name, res.StatusCode, body)
		}
	}
	if res, _ := w.call("GET", "/token?"+trade(code).Encode(), nil); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", res.StatusCode)
	}
	if _, failed := w.tokens(trade(code)); failed != "" {
		t.Errorf("a refused request spent the code: %q", failed)
	}
}

func TestBounds(t *testing.T) {
	k, now := kept[int]{}, time.Now()
	for i := range 3 * maxKept {
		k.put(fmt.Sprint(i), i, now, now.Add(time.Duration(i+1)*time.Minute))
	}
	if len(k) != maxKept {
		t.Fatalf("%d are kept", len(k))
	}
	if _, _, ok := k.get(fmt.Sprint(3*maxKept-1), now); !ok {
		t.Error("the newest is gone")
	}
	if _, _, ok := k.get("0", now); ok {
		t.Error("the oldest is there")
	}
	k.put("late", 1, now.Add(1000*time.Hour), now.Add(2000*time.Hour))
	if len(k) != 1 {
		t.Errorf("%d are kept past their time", len(k)-1)
	}
}

// Whatever a client sends, the answer is a form, a dead end, or a redirect to
// that client on loopback with iss and without a code.
func FuzzAuthorize(f *testing.F) {
	p, err := New(Config{Issuer: "http://127.0.0.1:1", Clients: []Client{{"postern", "/callback"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(asked().Encode())
	f.Add(asked("redirect_uri", redirect6).Encode())
	f.Add(asked("prompt", "none").Encode())
	f.Add(asked("redirect_uri", "http://127.0.0.1:1@192.0.2.1/callback").Encode())
	f.Add(asked("state", "\r\nLocation: x").Encode())
	f.Add("client_id=postern&client_id=x;redirect_uri=%zz")
	f.Add(asked("code_challenge", "-").Encode() + "&nonce=2")
	f.Fuzz(func(t *testing.T, query string) {
		for _, method := range []string{"GET", "POST"} {
			target, body := &url.URL{Path: "/authorize", RawQuery: query}, ""
			if method == "POST" {
				target.RawQuery, body = "", query
			}
			r := (&http.Request{Method: method, URL: target, Host: "127.0.0.1:1", RemoteAddr: "127.0.0.1:2", Header: http.Header{},
				Body: http.NoBody, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(context.Background())
			if method == "POST" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Body = httptest.NewRequest("POST", "/", strings.NewReader(body)).Body
			}
			w := httptest.NewRecorder()
			p.ServeHTTP(w, r)
			checkAnswer(t, w)
		}
	})
}

func checkAnswer(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	location := w.Header().Get("Location")
	switch w.Code {
	case http.StatusOK, http.StatusBadRequest:
		if location != "" || (w.Code == http.StatusOK) != strings.Contains(w.Body.String(), "<form") {
			t.Fatalf("status %d to %q\n%s", w.Code, location, w.Body)
		}
	case http.StatusSeeOther:
		to, err := url.Parse(location)
		if err != nil || to.Scheme != "http" || to.User != nil || to.Path != "/callback" || to.Hostname() != "127.0.0.1" && to.Hostname() != "::1" {
			t.Fatalf("redirect to %q", location)
		}
		q := to.Query()
		if q.Get("iss") != "http://127.0.0.1:1" || q.Get("error") == "" || q.Has("code") || strings.ContainsAny(location, "\r\n") {
			t.Fatalf("redirect to %q", location)
		}
	default:
		t.Fatalf("status %d", w.Code)
	}
}
