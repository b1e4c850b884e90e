package loopback

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// The paths: where the redirect arrives, and where the browser is sent on to
// at once, so that no code stays in its address bar or among the pages that it
// goes back to.
const (
	pathCallback = "/callback"
	pathBegin    = "/begin" // with paramTicket: on to the provider
	pathDone     = "/done"  // after the one answer
	pathUsed     = "/used"  // after another answer than the first
	pathOther    = "/other" // after what belongs to no sign-in under way
)

// paramTicket says that the browser was started by us.
const paramTicket = "ticket"

// handler answers the browser.
type handler struct {
	host    string
	state   string
	begins  func(ticket string) (string, bool)
	taken   chan Result   // receives the one result
	seen    chan struct{} // closed when the last page has been written
	answers *underWay

	mu     sync.Mutex
	used   bool
	failed bool // the result is an error of the provider
	shown  sync.Once
}

// wait gives the result once the last page is out, or time for it has passed.
func (h *handler) wait(ctx context.Context, broke <-chan error) (Result, error) {
	var res Result
	select {
	case res = <-h.taken:
	case err := <-broke:
		return Result{}, err
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	timer := time.NewTimer(lastPage)
	defer timer.Stop()
	select {
	case <-h.seen:
	case <-timer.C:
	case <-broke:
	case <-ctx.Done():
	}
	return res, nil
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.answers.begin()
	defer h.answers.end()
	secure(w.Header())
	words := wordsFor(r.Header.Values("Accept-Language"))
	switch {
	case r.Host != h.host: // a name that was made to lead here (DNS rebinding)
		words.show(w, http.StatusBadRequest, nothingHere)
	case r.URL.Path == pathCallback:
		h.callback(w, r, words)
	case r.URL.Path == pathBegin && r.Method == http.MethodGet:
		h.begin(w, r, words)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		words.show(w, http.StatusMethodNotAllowed, nothingHere)
	default:
		h.page(w, r, words)
	}
}

// callback takes what the provider sends by the browser: in the query, or
// posted as a form (OAuth 2.0 Form Post Response Mode, section 2).
func (h *handler) callback(w http.ResponseWriter, r *http.Request, words texts) {
	var raw string
	switch r.Method {
	case http.MethodGet:
		raw = r.URL.RawQuery
	case http.MethodPost:
		raw = form(w, r)
	default:
		w.Header().Set("Allow", http.MethodGet+", "+http.MethodPost)
		words.show(w, http.StatusMethodNotAllowed, nothingHere)
		return
	}
	res, err := parse(raw, h.state)
	h.mu.Lock()
	used := h.used
	if err == nil && !used {
		h.used, h.failed = true, res.Error != ""
		h.taken <- res
	}
	h.mu.Unlock()
	switch {
	case used:
		h.send(w, pathUsed)
	case err != nil:
		h.send(w, pathOther)
	default:
		h.send(w, pathDone)
	}
}

// begin takes the browser on to the provider, as long as an answer is wanted.
func (h *handler) begin(w http.ResponseWriter, r *http.Request, words texts) {
	h.mu.Lock()
	used := h.used
	h.mu.Unlock()
	link, ours := h.begins(r.URL.Query().Get(paramTicket))
	switch {
	case !ours:
		words.show(w, http.StatusNotFound, nothingHere)
	case used:
		h.send(w, pathUsed)
	default:
		lead(w, link)
	}
}

// form reads a posted answer; "" is none, and refused like one.
func form(w http.ResponseWriter, r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return ""
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return ""
	}
	return string(body)
}

// send takes the browser on to a page without a query.
func (h *handler) send(w http.ResponseWriter, path string) {
	to := url.URL{Scheme: "http", Host: h.host, Path: path}
	lead(w, to.String())
}

// lead answers with another address.
func lead(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusSeeOther)
	flush(w)
}

// page shows a page of ours.
func (h *handler) page(w http.ResponseWriter, r *http.Request, words texts) {
	h.mu.Lock()
	used, failed := h.used, h.failed
	h.mu.Unlock()
	switch {
	case r.URL.Path == pathUsed && used:
		words.show(w, unlisted(r, http.StatusGone), usedAlready)
	case r.URL.Path == pathOther:
		words.show(w, unlisted(r, http.StatusBadRequest), anotherSignIn)
	case r.URL.Path != pathDone || !used:
		words.show(w, http.StatusNotFound, nothingHere)
	case failed:
		words.show(w, unlisted(r, http.StatusOK), notCompleted)
		h.shown.Do(func() { close(h.seen) })
	default:
		words.show(w, unlisted(r, http.StatusOK), almostThere)
		h.shown.Do(func() { close(h.seen) })
	}
}

// unlisted gives a browser that navigates (W3C Fetch Metadata) status 404 for
// a page that came by way of the callback. Chromium writes every address of a
// chain of redirects into its history, the one with the code too, but hides
// those that ended at a 404 from its lists and suggestions.
func unlisted(r *http.Request, status int) int {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		return http.StatusNotFound
	}
	return status
}

// flush hands everything to the system before the answer counts as given.
func flush(w http.ResponseWriter) {
	_ = http.NewResponseController(w).Flush() // a browser that went away is no error of ours
}

// secure sets the headers that every answer has.
func secure(head http.Header) {
	head.Set("Content-Security-Policy", policy)
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
}
