package apiclient

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/clock"
)

func TestFetch(t *testing.T) {
	const kind, path = "application/jwt", "/v1/observations"
	c := client(t, clock.System(), func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("If-None-Match") {
		case `"same"`:
			w.WriteHeader(http.StatusNotModified)
		case `"odd"`:
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("x"))
		case `"long"`:
			w.Header().Set("Content-Type", kind)
			w.Write([]byte(strings.Repeat("x", api.MaxAnswer+1)))
		case `"new"`:
			w.Header().Set("Content-Type", kind)
			w.Header().Set("ETag", `"next"`)
			w.Write([]byte("document"))
		default: // says "unchanged" to who has nothing
			w.WriteHeader(http.StatusNotModified)
		}
	})
	call := Call{Method: http.MethodGet, Path: path}
	if got, err := c.Fetch(t.Context(), call, kind, `"same"`); err != nil || got.Body != nil || got.ETag != `"same"` {
		t.Errorf("unchanged: %+v, %v", got, err)
	}
	if got, err := c.Fetch(t.Context(), call, kind, `"new"`); err != nil || string(got.Body) != "document" || got.ETag != `"next"` {
		t.Errorf("another: %+v, %v", got, err)
	}
	for _, tag := range []string{`"odd"`, `"long"`, ""} {
		var unreachable *Unreachable
		if got, err := c.Fetch(t.Context(), call, kind, tag); !errors.As(err, &unreachable) {
			t.Errorf("answer to %q: %+v, %v", tag, got, err)
		}
	}
}
