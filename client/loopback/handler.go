package loopback

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/jws"
)

// handler answers the browser.
type handler struct {
	host  string
	state string
	taken chan Result   // receives the one result
	seen  chan struct{} // closed when the last page has been written

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

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	switch {
	case r.Host != h.host: // a name that was made to lead here (DNS rebinding)
		page(w, http.StatusBadRequest, "Not a page", "There is nothing here.")
	case r.URL.Path != pathCallback && r.URL.Path != pathDone:
		page(w, http.StatusNotFound, "Not a page", "There is nothing here.")
	case r.Method != http.MethodGet:
		head.Set("Allow", http.MethodGet)
		page(w, http.StatusMethodNotAllowed, "Not a page", "There is nothing here.")
	case r.URL.Path == pathDone:
		h.done(w)
	default:
		h.callback(w, r)
	}
}

func (h *handler) callback(w http.ResponseWriter, r *http.Request) {
	res, err := parse(r.URL.RawQuery, h.state)
	h.mu.Lock()
	used := h.used
	if err == nil && !used {
		h.used, h.failed = true, res.Error != ""
		h.taken <- res
	}
	h.mu.Unlock()
	switch {
	case used:
		page(w, http.StatusGone, "Used already", "This sign-in has been used. Begin a new one if you need to.")
	case err != nil:
		page(w, http.StatusBadRequest, "Not this sign-in", "This does not belong to the sign-in under way.")
	default:
		http.Redirect(w, r, "http://"+h.host+pathDone, http.StatusSeeOther)
	}
}

func (h *handler) done(w http.ResponseWriter) {
	h.mu.Lock()
	used, failed := h.used, h.failed
	h.mu.Unlock()
	switch {
	case !used:
		page(w, http.StatusNotFound, "Not a page", "There is nothing here.")
		return
	case failed:
		page(w, http.StatusOK, "Sign-in not completed", "Your organisation's sign-in page did not let the sign-in pass. Close this window and go back to where you began: it says why.")
	default:
		page(w, http.StatusOK, "Almost there", "Close this window and go back to where you began: it says when you are signed in.")
	}
	h.shown.Do(func() { close(h.seen) })
}

// page writes a page of ours: two constant texts, no style, no script.
func page(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A browser that went away is no error of ours.
	_, _ = w.Write([]byte("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + title +
		"</title></head><body><h1>" + title + "</h1><p>" + text + "</p></body></html>\n"))
}

var (
	errQuery = errors.New("the query cannot be read")
	errState = errors.New("the state is another")
	errEnds  = errors.New("neither a code nor an error, or both")
)

// parse reads the query of a redirect. A parameter that is there twice is
// refused, as RFC 6749 section 3.1 has it; unknown ones are ignored.
func parse(rawQuery, state string) (Result, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Result{}, errQuery
	}
	var res Result
	for name, to := range map[string]*string{
		"state": &res.State, "code": &res.Code, "iss": &res.Iss, "error": &res.Error, "error_description": &res.ErrorDescription,
	} {
		values := q[name]
		if len(values) > 1 {
			return Result{}, errQuery
		}
		if len(values) == 1 {
			*to = values[0]
		}
	}
	if state == "" || !jws.Equal(res.State, state) {
		return Result{}, errState
	}
	if (res.Code == "") == (res.Error == "") {
		return Result{}, errEnds
	}
	return res, nil
}
