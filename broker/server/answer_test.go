package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/verify"
)

// TestSlowBody: a stranger who sends a body and never ends it must not keep
// anything here for longer than a body takes; and what comes after it on the
// same connection has its own time.
func TestSlowBody(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		took := make(chan error, 1)
		waited := make(chan error, 1)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := readBodyWithin(w, r, api.TypeForm, 1<<10, 100*time.Millisecond)
			took <- err
			if err == nil {
				ctx, cancel := context.WithTimeout(r.Context(), 300*time.Millisecond)
				defer cancel()
				<-ctx.Done()
				waited <- context.Cause(ctx)
			}
		}))
		s.EnableHTTP2 = http2
		s.StartTLS()
		post := func(body io.Reader) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", api.TypeForm)
			if res, err := s.Client().Do(req); err == nil {
				res.Body.Close()
			}
		}
		body, write := io.Pipe()
		posted := make(chan struct{})
		go func() {
			defer close(posted)
			post(body)
		}()
		select {
		case err := <-took:
			var refusal *verify.Refusal
			if !errors.As(err, &refusal) || refusal.Code != api.CodeBadRequest {
				t.Errorf("HTTP/2 %t: %v", http2, err)
			}
		case <-time.After(5 * time.Second):
			t.Errorf("HTTP/2 %t: a body without an end is waited for", http2)
		}
		write.Close()
		<-posted
		post(http.NoBody)
		if err := <-took; err != nil {
			t.Errorf("HTTP/2 %t: %v", http2, err)
		} else if err := <-waited; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("HTTP/2 %t: the body's time ended the request: %v", http2, err)
		}
		s.Close()
	}
}
