package statuspage

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/view"
)

// Whatever is asked without a session, the answer is one of the files or a no,
// and the agent hears of nothing.
func FuzzHandler(f *testing.F) {
	for _, s := range [][7]string{
		{"GET", "/", "", "", "", "", ""},
		{"GET", "/api/state?after=0", "", "", "", "", ""},
		{"GET", "/api/state?after=-1", "same-origin", "x", "", "", ""},
		{"POST", "/api/do", "", "x", "application/json", `{"do":"sign_out"}`, ""},
		{"POST", "/api/enter", "", "", "application/json", `{"token":"x"}`, ""},
		{"POST", "/api/enter", "cross-site", "", "text/plain", `{"token":""}`, "http://127.0.0.1:1"},
		{"OPTIONS", "/api//state", "same-site", "", "", "", "null"},
		{"HEAD", "/page.js/../api/state", "none", "", "", "", ""},
		{"GET", "/%2e%2e/api/state", "", "", "", "\x00", ""},
	} {
		f.Add(s[0], s[1], s[2], s[3], s[4], s[5], s[6])
	}
	a := signedIn()
	page, err := indexFor("")
	if err != nil {
		f.Fatal(err)
	}
	p := &Page{opts: Options{Agent: a, Base: view.Input{System: "linux", HasPage: func(string) bool { return true }}}, host: "127.0.0.1:4000", index: page}
	real, ok := p.doors.enter(p.doors.token())
	p.doors.token()
	if !ok {
		f.Fatal("no session")
	}
	f.Fuzz(func(t *testing.T, method, target, site, session, kind, body, origin string) {
		if session == real {
			return // nobody guesses that
		}
		r, err := http.NewRequest(method, "http://127.0.0.1:4000"+target, strings.NewReader(body))
		if err != nil {
			return
		}
		for name, value := range map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", sessionHeader: session, "Content-Type": kind, "Origin": origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if w.Code == http.StatusOK && !isFile(p, w.Body.String()) {
			t.Errorf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
		if w.Code != http.StatusOK && strings.Contains(w.Body.String(), "Wiki") {
			t.Errorf("%s %s tells: %s", method, target, w.Body)
		}
		if len(a.did) > 0 {
			t.Fatalf("%s %s did %q", method, target, a.did)
		}
		if w.Header().Get("Content-Security-Policy") != policy || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: headers %v", method, target, w.Header())
		}
	})
}

func isFile(p *Page, body string) bool {
	if body == string(p.index) {
		return true
	}
	for _, f := range files {
		if data, err := assets.ReadFile("assets/" + f.name); err == nil && body == string(data) {
			return true
		}
	}
	return false
}

// Whatever comes with a session is done as one of the wishes, or refused.
func FuzzWish(f *testing.F) {
	for _, s := range []string{`{"do":"check"}`, `{"do":"fix","page":"firewall"}`, `{"do":"fix","page":"x"}`, `{"do":"pause","reason":"r","length":"tomorrow"}`, `{"do":"pause","length":"9e99"}`, `{"DO":"check"}`, `[]`, `{"do":"resume","do":"sign_out"}`, "\xff"} {
		f.Add(s)
	}
	a := signedIn()
	opened := ""
	p := wishing(a, func(page string) { opened = page })
	session, _ := p.doors.enter(p.doors.token())
	f.Fuzz(func(t *testing.T, body string) {
		opened = ""
		r := httptest.NewRequest(http.MethodPost, "http://"+p.host+"/api/do", strings.NewReader(body))
		r.Header.Set(sessionHeader, session)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		var out outcome
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || w.Code == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &out) != nil {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
		if opened != "" && opened != "firewall" {
			t.Errorf("%q opened the page %q", body, opened)
		}
		if strings.Contains(w.Body.String(), "/run/secret") {
			t.Errorf("%q: %s", body, w.Body)
		}
	})
}

// FuzzDoors plays with the doors: 'l' makes a link, a digit uses that link, 'x'
// one that was never made. A link works once, a session is one that was given.
func FuzzDoors(f *testing.F) {
	f.Add("l0")
	f.Add("l00")
	f.Add("llllllllll0123456789x")
	f.Fuzz(func(t *testing.T, moves string) {
		var d doors
		var links, sessions []string
		used := map[string]bool{}
		for _, m := range moves[:min(len(moves), 200)] {
			switch {
			case m == 'l':
				links = append(links, d.token())
			case m >= '0' && m <= '9' && int(m-'0') < len(links):
				link := links[m-'0']
				session, ok := d.enter(link)
				if ok && (used[link] || session == "") || !ok && session != "" {
					t.Fatalf("%s: a link used before is %v", moves, ok)
				}
				if ok {
					used[link] = true
					sessions = append(sessions, session)
				}
			default:
				if _, ok := d.enter(string(m)); ok || d.inside(string(m)) {
					t.Fatalf("%s: %q works", moves, m)
				}
			}
		}
		for i, s := range sessions {
			if d.inside(s) != (i >= len(sessions)-maxSessions) {
				t.Fatalf("%s: session %d of %d", moves, i, len(sessions))
			}
		}
		if len(d.tokens) > maxTokens || len(d.sessions) > maxSessions || d.inside("") {
			t.Fatalf("%d tokens, %d sessions", len(d.tokens), len(d.sessions))
		}
	})
}
