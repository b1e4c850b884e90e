package loopback

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const state = "st-4f2e"

type outcome struct {
	res Result
	err error
}

// waiting starts a receiver and its Wait.
func waiting(t *testing.T, ctx context.Context) (*Receiver, <-chan outcome) {
	t.Helper()
	r, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	got := make(chan outcome, 1)
	go func() { res, err := r.Wait(ctx, state); got <- outcome{res, err} }()
	return r, got
}

// ask sends one request without following redirects.
func ask(t *testing.T, method, address, host string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestSignIn(t *testing.T) {
	r, got := waiting(t, t.Context())
	if !strings.HasPrefix(r.RedirectURI(), "http://127.0.0.1:") || !strings.HasSuffix(r.RedirectURI(), "/callback") {
		t.Errorf("redirect URI %s", r.RedirectURI())
	}
	q := url.Values{"code": {"c0de"}, "state": {state}, "iss": {"https://idp.example"}, "session_state": {"x"}}
	res, body := ask(t, "GET", r.RedirectURI()+"?"+q.Encode(), "")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "http://"+r.host+"/done" {
		t.Fatalf("%d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	page, text := ask(t, "GET", res.Header.Get("Location"), "")
	if page.StatusCode != 200 || !strings.Contains(text, "Go back to where you began") {
		t.Errorf("last page: %d %s", page.StatusCode, text)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": policy,
		"Referrer-Policy":         "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if res.Header.Get(name) != want || page.Header.Get(name) != want {
			t.Errorf("%s: %q and %q", name, res.Header.Get(name), page.Header.Get(name))
		}
	}
	if strings.Contains(body+text+res.Header.Get("Location"), "c0de") || strings.Contains(body+text, state) || strings.Contains(text, "script") {
		t.Errorf("a page says too much: %s %s", body, text)
	}
	o := <-got
	if o.err != nil || o.res != (Result{Code: "c0de", State: state, Iss: "https://idp.example"}) {
		t.Errorf("got %+v", o)
	}
	if _, err := r.Wait(t.Context(), state); !errors.Is(err, ErrUsed) {
		t.Errorf("a second use: %v", err)
	}
	// Until it is closed it says so to other tabs, and takes nothing.
	if status, text := follow(t, r.RedirectURI()+"?code=other&state="+state); status != http.StatusGone || !strings.Contains(text, "another tab") {
		t.Errorf("a second tab sees %d %s", status, text)
	}
	if status, text := follow(t, "http://"+r.host+"/done"); status != http.StatusOK || !strings.Contains(text, "Go back to where you began") {
		t.Errorf("the last page again: %d %s", status, text)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	shut(t, r)
}

// Who brings the ticket is led to the provider, until there is an answer.
func TestBegin(t *testing.T) {
	r, got := waiting(t, t.Context())
	const link = "https://idp.example/authorize?state=" + state
	for _, address := range []string{"http://" + r.host + "/begin?ticket=", "http://" + r.host + "/begin?ticket=" + r.ticket} {
		if res, _ := ask(t, "GET", address, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("before there is a link: %d", res.StatusCode)
		}
	}
	address := r.Begin(link)
	if strings.Contains(address, state) || strings.Contains(address, "idp.example") {
		t.Errorf("the address tells: %s", address)
	}
	for _, tc := range []struct {
		method, address, host string
		status                int
		to                    string
	}{
		{"GET", "http://" + r.host + "/begin", "", http.StatusNotFound, ""},
		{"GET", address + "x", "", http.StatusNotFound, ""},
		{"GET", address, "rebound.example", http.StatusBadRequest, ""},
		{"POST", address, "", http.StatusMethodNotAllowed, ""},
		{"GET", address, "", http.StatusSeeOther, link},
		{"GET", address, "", http.StatusSeeOther, link}, // the tab was closed
	} {
		res, body := ask(t, tc.method, tc.address, tc.host)
		if res.StatusCode != tc.status || res.Header.Get("Location") != tc.to || res.Header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(body, state) {
			t.Errorf("%s %s: %d to %q: %s", tc.method, tc.address, res.StatusCode, res.Header.Get("Location"), body)
		}
	}
	follow(t, r.RedirectURI()+"?code=c&state="+state)
	if o := <-got; o.err != nil {
		t.Fatal(o.err)
	}
	if status, text := follow(t, address); status != http.StatusGone || !strings.Contains(text, "another tab") {
		t.Errorf("after the answer: %d %s", status, text)
	}
}

// shut wants nobody to listen any more.
func shut(t *testing.T, r *Receiver) {
	t.Helper()
	if c, err := net.DialTimeout("tcp", r.host, time.Second); err == nil {
		c.Close()
		t.Error("the port is still open")
	}
}

// follow goes where it is sent, as a browser does.
func follow(t *testing.T, address string) (int, string) {
	t.Helper()
	res, body := ask(t, "GET", address, "")
	if res.StatusCode == http.StatusSeeOther {
		res, body = ask(t, "GET", res.Header.Get("Location"), "")
	}
	return res.StatusCode, body
}

func TestStrangersStopNothing(t *testing.T) {
	r, got := waiting(t, t.Context())
	good := "?code=c&state=" + state
	for _, tc := range []struct {
		method, address, host string
		status                int
	}{
		{"GET", r.RedirectURI() + good, "rebound.example", 400},
		{"GET", r.RedirectURI() + good, "localhost:" + strings.TrimPrefix(r.host, "127.0.0.1:"), 400},
		{"GET", r.RedirectURI() + good, "127.0.0.1", 400},
		{"GET", r.RedirectURI() + good, r.host + ".", 400},
		{"GET", "http://" + r.host + "/done", "rebound.example", 400},
		{"GET", "http://" + r.host + "/done", "", 404},
		{"GET", "http://" + r.host + "/", "", 404},
		{"GET", "http://" + r.host + "/favicon.ico", "", 404},
		{"GET", "http://" + r.host + "/callback/" + good, "", 404},
		{"GET", "http://" + r.host + "/x/../callback" + good, "", 404},
		{"HEAD", r.RedirectURI() + good, "", 405},
		{"PUT", r.RedirectURI() + good, "", 405},
		{"POST", "http://" + r.host + "/done", "", 405},
		{"GET", "http://" + r.host + "/used", "", 404},
		{"GET", "http://" + r.host + "/other", "", 400},
		{"POST", r.RedirectURI() + good, "", 303}, // what is posted is not in the address
		{"GET", r.RedirectURI(), "", 303},
		{"GET", r.RedirectURI() + "?code=c", "", 303},
		{"GET", r.RedirectURI() + "?code=c&state=", "", 303},
		{"GET", r.RedirectURI() + "?code=c&state=st-4f2f", "", 303},
		{"GET", r.RedirectURI() + "?code=c&state=" + state + "x", "", 303},
		{"GET", r.RedirectURI() + "?state=" + state, "", 303},
		{"GET", r.RedirectURI() + good + "&error=e", "", 303},
		{"GET", r.RedirectURI() + good + "&state=" + state, "", 303},
		{"GET", r.RedirectURI() + good + "&code=d", "", 303},
		{"GET", r.RedirectURI() + good + "&iss=https://idp.example&iss=https://other.example", "", 303},
		{"GET", r.RedirectURI() + "?code=%zz&state=" + state, "", 303},
	} {
		res, body := ask(t, tc.method, tc.address, tc.host)
		if res.StatusCode != tc.status || strings.Contains(body, state) {
			t.Errorf("%s %s Host %q: %d %s, want %d", tc.method, tc.address, tc.host, res.StatusCode, body, tc.status)
		}
		if to := res.Header.Get("Location"); tc.status == 303 && to != "http://"+r.host+"/other" {
			t.Errorf("%s %s leads to %q", tc.method, tc.address, to)
		}
	}
	select {
	case o := <-got:
		t.Fatalf("a stranger ended the wait: %+v", o)
	default:
	}
	if res, _ := ask(t, "GET", r.RedirectURI()+good, ""); res.StatusCode != http.StatusSeeOther || !strings.HasSuffix(res.Header.Get("Location"), "/done") {
		t.Fatalf("the right one is answered %d", res.StatusCode)
	}
	// Before the last page is fetched: a second use, the same or another.
	for _, again := range []string{good, "?code=other&state=" + state, "?code=c&state=wrong"} {
		if status, _ := follow(t, r.RedirectURI()+again); status != http.StatusGone {
			t.Errorf("%s is answered %d", again, status)
		}
	}
	ask(t, "GET", "http://"+r.host+"/done", "")
	if o := <-got; o.err != nil || o.res.Code != "c" {
		t.Errorf("got %+v", o)
	}
}

func TestErrorOfTheProvider(t *testing.T) {
	r, got := waiting(t, t.Context())
	q := url.Values{"error": {"access_denied"}, "error_description": {"<script>x</script>"}, "state": {state}}
	ask(t, "GET", r.RedirectURI()+"?"+q.Encode(), "")
	if _, text := ask(t, "GET", "http://"+r.host+"/done", ""); !strings.Contains(text, "not completed") || strings.Contains(text, "script") {
		t.Errorf("last page: %s", text)
	}
	if o := <-got; o.err != nil || o.res.Error != "access_denied" || o.res.ErrorDescription != "<script>x</script>" {
		t.Errorf("got %+v", o)
	}
}

func TestBrowserThatNeverFetchesTheLastPage(t *testing.T) {
	r, got := waiting(t, t.Context())
	ask(t, "GET", r.RedirectURI()+"?code=c&state="+state, "")
	if o := <-got; o.err != nil || o.res.Code != "c" {
		t.Errorf("got %+v", o)
	}
}

func TestWaitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, got := waiting(t, ctx)
	ask(t, "GET", "http://"+r.host+"/", "") // it is answering
	silent, err := net.Dial("tcp", r.host)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	began := time.Now()
	cancel()
	if o := <-got; !errors.Is(o.err, context.Canceled) {
		t.Errorf("got %+v", o)
	}
	if took := time.Since(began); took > lastPage/2 {
		t.Errorf("a connection that never asks held the end up for %s", took)
	}
	shut(t, r)
	if r2, err := Listen(); err != nil {
		t.Error(err)
	} else if _, err := r2.Wait(t.Context(), ""); err == nil {
		t.Error("an empty state is waited for")
	}
}

func FuzzCallback(f *testing.F) {
	f.Add("code=c&state=" + state)
	f.Add("error=e&state=" + state + "&error_description=%00")
	f.Add("code=c&code=d&state=" + state)
	f.Add("code=%zz;state=" + state)
	f.Fuzz(func(t *testing.T, query string) {
		res, err := parse(query, state)
		if err == nil && (res.State != state || (res.Code == "") == (res.Error == "")) {
			t.Errorf("%q gives %+v", query, res)
		}
		// Whatever comes, the answer is one of ours and says nothing of it.
		h := &handler{host: "127.0.0.1:1", state: state, taken: make(chan Result, 1), seen: make(chan struct{}), answers: &underWay{}}
		r := httptest.NewRequest("GET", "http://127.0.0.1:1/callback", nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		to := map[bool]string{true: "/done", false: "/other"}[err == nil]
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "http://127.0.0.1:1"+to || w.Body.Len() > 0 {
			t.Errorf("%q is answered %d, %q and %d bytes", query, w.Code, w.Header(), w.Body.Len())
		}
	})
}
