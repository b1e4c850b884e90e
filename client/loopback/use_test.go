package loopback

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// post sends an answer as a form.
func post(t *testing.T, address, kind, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.Header.Get("Location")
}

func TestPostedAnswer(t *testing.T) {
	r, got := waiting(t, t.Context())
	const kind = "application/x-www-form-urlencoded"
	good := url.Values{"code": {"c0de"}, "state": {state}}.Encode()
	for _, bad := range []struct{ kind, body string }{
		{"text/plain", good}, {"", good}, {kind, ""}, {kind, "code=c&state=other"}, {kind, good + "&code=d"},
		{kind, good + "&padding=" + strings.Repeat("x", maxForm)},
	} {
		if to := post(t, r.RedirectURI(), bad.kind, bad.body); to != "http://"+r.host+"/other" {
			t.Errorf("%q as %q leads to %q", bad.body[:min(len(bad.body), 60)], bad.kind, to)
		}
	}
	if to := post(t, r.RedirectURI(), kind+"; charset=utf-8", good); to != "http://"+r.host+"/done" {
		t.Fatalf("a good answer leads to %q", to)
	}
	if to := post(t, r.RedirectURI(), kind, good); to != "http://"+r.host+"/used" {
		t.Errorf("a second one leads to %q", to)
	}
	follow(t, "http://"+r.host+"/done")
	if o := <-got; o.err != nil || o.res.Code != "c0de" {
		t.Errorf("got %+v", o)
	}
}

// A browser that navigates is told 404, so that it hides where it came from.
func TestUnlisted(t *testing.T) {
	r, got := waiting(t, t.Context())
	ask(t, "GET", r.RedirectURI()+"?code=c&state="+state, "")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.host+"/done", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound || res.ContentLength < 512 {
		t.Errorf("%d with %d bytes; browsers put a page of their own in the place of a short one", res.StatusCode, res.ContentLength)
	}
	<-got
}

// Who forgets to close it does not keep the port for ever.
func TestClosesItself(t *testing.T) {
	r, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	r.stay = time.Millisecond
	got := make(chan outcome, 1)
	go func() { res, err := r.Wait(t.Context(), state); got <- outcome{res, err} }()
	follow(t, r.RedirectURI()+"?code=c&state="+state)
	if o := <-got; o.err != nil {
		t.Fatal(o.err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		c, err := net.DialTimeout("tcp", r.host, time.Second)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the port is still open")
		}
	}
}

func TestClosedBeforeWait(t *testing.T) {
	r, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Wait(t.Context(), state); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
