package statuspage

import (
	"embed"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/postern-zt/postern/platform/jws"
)

//go:embed assets
var assets embed.FS

// policy lets the page load its own files and speak to its own server, and
// nothing else. Texts of the view never become markup: there is no way to
// (Trusted Types), and the scripts do not try.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// sessionHeader carries the session. A page of another origin cannot send it
// without being asked first (Fetch, "CORS-preflight fetch"), and we never agree.
const sessionHeader = "Postern-Session"

// index is the path of the page itself; it is written in the person's language.
const index = "/"

// files are what is served to everybody who gets here: they hold nothing of
// this computer.
var files = map[string]struct{ name, kind string }{
	"/page.js":  {"page.js", "text/javascript; charset=utf-8"},
	"/draw.js":  {"draw.js", "text/javascript; charset=utf-8"},
	"/dom.js":   {"dom.js", "text/javascript; charset=utf-8"},
	"/page.css": {"page.css", "text/css; charset=utf-8"},

	"/app.svg":        {"icons/app.svg", "image/svg+xml"},
	"/attention.svg":  {"icons/attention.svg", "image/svg+xml"},
	"/closed.svg":     {"icons/closed.svg", "image/svg+xml"},
	"/connecting.svg": {"icons/connecting.svg", "image/svg+xml"},
	"/healthy.svg":    {"icons/healthy.svg", "image/svg+xml"},
	"/offline.svg":    {"icons/offline.svg", "image/svg+xml"},
	"/signed_out.svg": {"icons/signed_out.svg", "image/svg+xml"},
}

// ServeHTTP answers one request of the browser.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Origin-Agent-Cluster", "?1")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), clipboard-write=(self)")
	if !p.fromHere(r) {
		http.Error(w, "There is nothing here.", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		p.api(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "There is nothing here.", http.StatusMethodNotAllowed)
	default:
		p.file(w, r.URL.Path)
	}
}

// fromHere refuses names that were made to lead here (DNS rebinding) and pages
// of other origins.
func (p *Page) fromHere(r *http.Request) bool {
	if r.Host != p.host {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+p.host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	case "cross-site", "same-site": // a link that somebody followed: the empty page, no more
		return r.URL.Path == index && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	}
	return false
}

func (p *Page) file(w http.ResponseWriter, path string) {
	if path == index {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(p.index) // a browser that went away is no error of ours
		return
	}
	f := files[path]
	data, err := assets.ReadFile("assets/" + f.name)
	if f.name == "" || err != nil {
		http.Error(w, "There is nothing here.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", f.kind)
	_, _ = w.Write(data)
}

// api answers the page's scripts.
func (p *Page) api(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/")
	if path == "enter" && r.Method == http.MethodPost {
		p.enter(w, r)
		return
	}
	if !p.doors.inside(r.Header.Get(sessionHeader)) {
		answer(w, http.StatusUnauthorized, refusal{"session"})
		return
	}
	defer p.looks.begin()()
	switch {
	case path == "state" && r.Method == http.MethodGet:
		p.state(w, r)
	case path == "do" && r.Method == http.MethodPost:
		p.do(w, r)
	default:
		answer(w, http.StatusNotFound, refusal{"path"})
	}
}

func (p *Page) enter(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token string `json:"token"`
	}
	if err := decode(r, &in); err != nil {
		answer(w, http.StatusBadRequest, refusal{"request"})
		return
	}
	session, ok := p.doors.enter(in.Token)
	if !ok {
		answer(w, http.StatusUnauthorized, refusal{"token"})
		return
	}
	p.looks.glance()
	answer(w, http.StatusOK, struct {
		Session string `json:"session"`
	}{session})
}

var errForm = errors.New("not a request of the page")

// decode reads what the page's scripts send, strictly.
func decode(r *http.Request, in any) error {
	if r.Header.Get("Content-Type") != "application/json" {
		return errForm
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return errForm
	}
	return jws.Decode(data, in)
}

// refusal is the body of every answer that is not 200.
type refusal struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
