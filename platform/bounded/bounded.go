// Package bounded cuts HTTP answers that are longer than a caller is ready to read.
package bounded

import (
	"io"
	"net/http"
)

// Transport lets at most Limit bytes of each answer through, for libraries
// that read answers of strangers whole. What is cut ends like a short answer,
// which then does not parse.
type Transport struct {
	Next  http.RoundTripper
	Limit int64 // bytes
}

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.Next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, t.Limit), res.Body}
	}
	return res, err
}
