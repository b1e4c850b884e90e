//go:build linux || darwin

package localserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
)

func TestUnknownCallerIsRefused(t *testing.T) {
	s := New(newMemory(), Options{Scope: "system"})
	for path, rt := range s.routes {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(rt.method, path, nil)) // no connection, no caller
		want := http.StatusForbidden
		if path == localapi.PathVersion {
			want = http.StatusOK
		}
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	// The zero Peer must not become an owner by being equal to nobody.
	s = New(newMemory(), Options{Scope: "user"})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", localapi.PathStatus, nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("an agent of nobody answers nobody with %d", w.Code)
	}
}

// raw sends a request as the owner and gives the status and refusal.
func raw(t *testing.T, socket string, edit func(*http.Request), method, path, body string) (int, localapi.Refused) {
	t.Helper()
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ipc.Dial(ctx, socket) }}}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://agent"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if edit != nil {
		edit(req)
	}
	res, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var no localapi.Refused
	if res.StatusCode != 200 && method != http.MethodHead {
		if err := jws.Decode(data, &no); err != nil {
			t.Fatalf("%s %s: %d %s: %v", method, path, res.StatusCode, data, err)
		}
	}
	return res.StatusCode, no
}

func TestRequests(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "user", Owner: ipc.Self()}))
	long := `{"redirect_uri":"` + strings.Repeat("x", localapi.MaxRequest) + `"}`
	for _, tc := range []struct {
		method, path, body string
		edit               func(*http.Request)
		status             int
		code               string
	}{
		{method: "GET", path: "/v1/status", status: 200},
		{method: "GET", path: "/v1/status", body: "{}", status: 400, code: localapi.CodeBadRequest},
		{method: "GET", path: "/v1/status", edit: func(r *http.Request) { r.Header.Set("Origin", "null") }, status: 403, code: localapi.CodeFromPage},
		{method: "GET", path: "/v1/version", edit: func(r *http.Request) { r.Header.Set("Origin", "https://x.example") }, status: 403, code: localapi.CodeFromPage},
		{method: "POST", path: "/v1/status", status: 405, code: localapi.CodeBadMethod},
		{method: "GET", path: "/v1/signout", status: 405, code: localapi.CodeBadMethod},
		{method: "PUT", path: "/v1/posture", body: "{}", status: 405, code: localapi.CodeBadMethod},
		{method: "GET", path: "/v1/facts", status: 404, code: localapi.CodeNotFound},
		{method: "GET", path: "/v1/status/", status: 404, code: localapi.CodeNotFound},
		{method: "GET", path: "/v1/status?after=x&wait=1", status: 400, code: localapi.CodeBadRequest},
		{method: "GET", path: "/v1/status?after=1&wait=-1", status: 400, code: localapi.CodeBadRequest},
		{method: "GET", path: "/v1/status?after=1", status: 400, code: localapi.CodeBadRequest},
		{method: "GET", path: "/v1/status?after=%zz", status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://127.0.0.1:1/callback"}`, status: 200},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://[::1]:1/callback"}`, status: 200},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://[::1]:1/callback","form_post":true}`, status: 200},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://[::1]:1/callback","form_post":"yes"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://localhost:1/callback"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"https://127.0.0.1:1/callback"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://127.0.0.1/callback"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://10.0.0.1:1/callback"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://127.0.0.1:1@x.example/"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://127.0.0.1:1/?a=b"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{"Redirect_URI":"http://127.0.0.1:1/callback"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: `{}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin", body: long, status: 413, code: localapi.CodeTooLarge},
		{method: "POST", path: "/v1/signin", body: `{"redirect_uri":"http://127.0.0.1:1/"}`, edit: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin/finish", body: `{"id":"x","state":"s"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin/finish", body: `{"id":"x","state":"s","code":"c","error":"e"}`, status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signin/finish", body: `{"id":"x","state":"s","code":"c"}`, status: 404, code: localapi.CodeSignInUnknown},
		{method: "POST", path: "/v1/signout", body: "x", status: 400, code: localapi.CodeBadRequest},
		{method: "POST", path: "/v1/signout", status: 200},
	} {
		status, no := raw(t, socket, tc.edit, tc.method, tc.path, tc.body)
		if status != tc.status || no.Code != tc.code {
			t.Errorf("%s %s %.60s: %d %+v, want %d %s", tc.method, tc.path, tc.body, status, no, tc.status, tc.code)
		}
	}
	for _, call := range m.noted() {
		if !strings.HasPrefix(call, "start") && !strings.HasPrefix(call, "signout") {
			t.Errorf("the backend was asked to %s", call)
		}
	}
}

func TestErrorsOfTheBackend(t *testing.T) {
	m := newMemory()
	var log bytes.Buffer
	socket := serve(t, New(m, Options{Scope: "user", Owner: ipc.Self(), Log: slog.New(slog.NewTextHandler(&log, nil))}))
	m.fail = &localapi.Refused{Code: localapi.CodeUnreachable, Message: "The broker cannot be reached.", Hint: "Try later."}
	if status, no := raw(t, socket, nil, "GET", "/v1/posture", ""); status != 503 || no != *m.fail.(*localapi.Refused) {
		t.Errorf("%d %+v", status, no)
	}
	m.fail = errors.New("read /var/lib/postern/x: inner matter")
	status, no := raw(t, socket, nil, "GET", "/v1/posture", "")
	if status != 500 || no.Code != localapi.CodeInternal || strings.Contains(no.Message+no.Hint, "inner") {
		t.Errorf("%d %+v", status, no)
	}
	if !strings.Contains(log.String(), "inner matter") || !strings.Contains(log.String(), "uid 0") {
		t.Errorf("logged %q", log.String())
	}
}

func TestLongPoll(t *testing.T) {
	m := newMemory()
	socket := serve(t, New(m, Options{Scope: "user", Owner: ipc.Self()}))
	c := localapi.Dial(socket)
	defer c.Close()
	m.session(ipc.Self())
	if s, err := c.WaitStatus(t.Context(), 99, 30*time.Second); err != nil || s.Revision != 1 {
		t.Fatalf("another revision is answered at once: %+v, %v", s, err)
	}
	if s, err := c.WaitStatus(t.Context(), 1, 20*time.Millisecond); err != nil || s.Revision != 1 {
		t.Fatalf("the wait ends: %+v, %v", s, err)
	}
	<-m.waiting
	got := make(chan localapi.Status, 1)
	go func() {
		s, err := c.WaitStatus(t.Context(), 1, 30*time.Second)
		if err != nil {
			t.Error(err)
		}
		got <- s
	}()
	<-m.waiting
	m.session(ipc.Peer{})
	if s := <-got; s.Revision != 2 || s.State != localapi.StateSignedOut {
		t.Errorf("got %+v", s)
	}
}

// A body that does not come ends the call; once it is there, the answer may
// take its time.
func TestSlowBody(t *testing.T) {
	m := newMemory()
	s := New(m, Options{Scope: "user", Owner: ipc.Self()})
	s.slow = 50 * time.Millisecond
	socket := serve(t, s)
	for _, start := range []string{"POST /v1/signout", "POST /v1/nothing", "GET /v1/status", "DELETE /v1/status"} {
		conn, err := ipc.Dial(t.Context(), socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, start+" HTTP/1.1\r\nHost: agent\r\nContent-Length: 9\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode/100 != 4 {
			t.Fatalf("%s, a body that does not come: %v, %v", start, res, err)
		}
	}

	m.pause = 6 * s.slow
	c := localapi.Dial(socket)
	defer c.Close()
	if s, err := c.StartSignIn(t.Context(), localapi.SignInRequest{RedirectURI: redirect, FormPost: true}); err != nil || !strings.HasSuffix(s.URL, "&posted") {
		t.Errorf("a slow answer: %v", err)
	}
}

func TestServeEnds(t *testing.T) {
	m := newMemory()
	l, err := ipc.Listen(t.TempDir()+"/s/agent.sock", ipc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(m, Options{Scope: "user", Owner: ipc.Self()}).Serve(ctx, l) }()
	c := localapi.Dial(l.Addr().String())
	go c.WaitStatus(context.Background(), 0, time.Minute)
	<-m.waiting
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a waiting call keeps the server from ending")
	}
	if _, err := c.Version(t.Context()); !errors.Is(err, localapi.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

func TestOneUserCannotTakeEveryConnection(t *testing.T) {
	m := newMemory()
	s := New(m, Options{Scope: "system"})
	s.budget = 64
	socket := serve(t, s)
	c := other(t, socket)
	var conns []net.Conn
	for range s.budget / 2 { // root's connections, held without a word
		conn, err := ipc.Dial(t.Context(), socket)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	extra, err := ipc.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	extra.SetReadDeadline(time.Now().Add(4 * time.Second)) // below headerTimeout
	if _, err := extra.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one connection too many is not hung up on: %v", err)
	}
	if got := c.do("version"); got != "ok" {
		t.Errorf("another user is answered %s", got)
	}
	for _, conn := range conns {
		conn.Close()
	}
}
