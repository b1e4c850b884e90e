package statuspage

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Where a request comes from, as browsers say it (W3C Fetch Metadata), decides
// what it gets: of pages elsewhere a link to the page itself and no more.
func TestFromHere(t *testing.T) {
	a := signedIn()
	p := wishing(a, nil)
	const none = "none"
	for _, tc := range []struct {
		path, site, mode, dest, origin string
		want                           bool
	}{
		{"/", "", "", "", "", true},
		{"/page.js", "same-origin", "cors", "script", "", true},
		{"/page.js", "same-origin", "cors", "script", "http://127.0.0.1:4000", true},
		{"/", none, "navigate", "document", "", true},
		{"/", "cross-site", "navigate", "document", "", true},
		{"/", "same-site", "navigate", "document", "", true},
		{"/", "cross-site", "navigate", "iframe", "", false},
		{"/", "cross-site", "navigate", "embed", "", false},
		{"/", "cross-site", "navigate", "", "", false},
		{"/", "cross-site", "no-cors", "document", "", false},
		{"/", "cross-site", "", "document", "", false},
		{"/", "same-site", "no-cors", "empty", "", false},
		{"/page.js", "cross-site", "navigate", "document", "", false},
		{"/page.js", "same-site", "no-cors", "script", "", false},
		{"/api/state", "same-site", "navigate", "document", "", false},
		{"/", "elsewhere", "navigate", "document", "", false},
		{"/", "Same-Origin", "navigate", "document", "", false},
		{"/", "same-origin", "navigate", "document", "null", false},
		{"/", "", "", "", "null", false},
		{"/", "", "", "", "http://127.0.0.1:4001", false},
		{"/", "", "", "", "https://127.0.0.1:4000", false},
		{"/", "", "", "", "http://127.0.0.1:4000.evil.example", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+p.host+tc.path, nil)
		for name, value := range map[string]string{"Sec-Fetch-Site": tc.site, "Sec-Fetch-Mode": tc.mode, "Sec-Fetch-Dest": tc.dest, "Origin": tc.origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if got := w.Code != http.StatusForbidden; got != tc.want {
			t.Errorf("%+v: %d", tc, w.Code)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if w.Header().Get(name) != want {
				t.Errorf("%+v: %s is %q", tc, name, w.Header().Get(name))
			}
		}
	}
}

// Only what the page's script sends is taken: by POST, as JSON, and short. A
// form of another origin cannot send that without being asked first. What is
// refused spends no link.
func TestOnlyTheScriptsForm(t *testing.T) {
	a := signedIn()
	p := wishing(a, func(string) { a.note("fix") })
	session, _ := p.doors.enter(p.doors.token())
	link := p.doors.token()
	const json = "application/json"
	ask := func(method, path, kind, body string) int {
		r := httptest.NewRequest(method, "http://"+p.host+path, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.Header.Set(sessionHeader, session)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w.Code
	}
	enter := `{"token":"` + link + `"}`
	long := strings.Repeat(" ", maxBody)
	for path, body := range map[string]string{"/api/enter": enter, "/api/do": `{"do":"resume"}`} {
		for _, tc := range []struct{ method, kind, body string }{
			{http.MethodGet, json, body}, {http.MethodPut, json, body}, {http.MethodHead, json, body}, {"post", json, body},
			{http.MethodPost, "text/plain", body}, {http.MethodPost, "", body}, {http.MethodPost, "application/x-www-form-urlencoded", body},
			{http.MethodPost, "multipart/form-data", body}, {http.MethodPost, "application/json; charset=utf-8", body},
			{http.MethodPost, json, body + long}, {http.MethodPost, json, long + body}, {http.MethodPost, json, body + body}, {http.MethodPost, json, ""},
		} {
			if got := ask(tc.method, path, tc.kind, tc.body); got == http.StatusOK {
				t.Errorf("%s %s as %q with %d bytes is answered %d", tc.method, path, tc.kind, len(tc.body), got)
			}
		}
	}
	if len(a.did) > 0 {
		t.Errorf("done was %q", a.did)
	}
	if got := ask(http.MethodPost, "/api/enter", json, enter); got != http.StatusOK {
		t.Errorf("the link is spent: %d", got)
	}
}

// A settings page is opened by an id that is there, and where that can be said.
func TestFixNeedsAPage(t *testing.T) {
	a := signedIn()
	opened := 0
	p := wishing(a, func(string) { opened++ })
	fix := func(page string) error { _, err := p.carryOut(t.Context(), wish{Do: "fix", Page: page}); return err }
	if err := fix("firewall"); err != nil || opened != 1 {
		t.Fatalf("%v, opened %d", err, opened)
	}
	p.opts.Base.HasPage = func(string) bool { return true }
	if err := fix(""); err == nil {
		t.Error("no page at all is opened")
	}
	p.opts.Base.HasPage = nil
	if err := fix("firewall"); err == nil {
		t.Error("a page of which nobody knows is opened")
	}
	p.opts.Fix = nil
	p.opts.Base.HasPage = func(string) bool { return true }
	if err := fix("firewall"); err == nil || opened != 1 {
		t.Errorf("%v, opened %d", err, opened)
	}
	if s := p.drawn(1, p.opts.Base, nil); s.Can.Fix || s.Can.SignIn {
		t.Errorf("it says that it can: %+v", s.Can)
	}
	if _, err := p.carryOut(t.Context(), wish{Do: "sign_in"}); err == nil {
		t.Error("a sign-in is begun")
	}
}

// What a program can make the page hold is bounded, in size and in time.
func TestLimits(t *testing.T) {
	p := newPage(t, signedIn())
	dial := func(t *testing.T) net.Conn {
		c, err := net.Dial("tcp", p.host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(4 * headerTimeout))
		return c
	}
	t.Run("group", func(t *testing.T) { // waits for those beside each other
		t.Run("size", func(t *testing.T) {
			t.Parallel()
			c := dial(t)
			go fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n", strings.Repeat("x", 2*maxHeader), p.host)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("an endless address: %v, %v", res, err)
			}
		})
		for name, said := range map[string]string{
			"silence":                  "",
			"half a header":            "GET /api/sta",
			"a body that does not end": "POST /api/enter HTTP/1.1\r\nHost: " + p.host + "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := dial(t)
				fmt.Fprint(c, said)
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Errorf("not hung up on: %v", err)
				}
			})
		}
	})
}
