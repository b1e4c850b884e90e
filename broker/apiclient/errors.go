package apiclient

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
)

// Rejected means the broker was asked and said no. It closes at once.
type Rejected struct {
	Status int
	Code   string // stable, api.Code… or an OAuth error word
	Detail string
	Nonce  string // a fresh attestation nonce, with code use_attestation_nonce
}

// Error names code and detail.
func (r *Rejected) Error() string {
	if r.Detail == "" {
		return "the broker refused: " + r.Code
	}
	return fmt.Sprintf("the broker refused: %s (%s)", r.Detail, r.Code)
}

// Unreachable means there is no answer that can be believed: no network, a
// wrong certificate, a broken or overloaded server. It changes nothing until
// a lease's own end.
type Unreachable struct{ Err error }

// Error says what was in the way.
func (u *Unreachable) Error() string { return "the broker cannot be reached: " + u.Err.Error() }

// Unwrap gives the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// problem turns an answer that is no success into an error. Only a 4xx with a
// well-formed problem or OAuth error is a "no"; a 4xx of somebody in between
// (a proxy, a captive portal) is not the broker's word.
func problem(res *http.Response) error {
	vague := &Unreachable{Err: fmt.Errorf("%s answered with status %d", res.Request.URL.Path, res.StatusCode)}
	if res.StatusCode < 400 || res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
		return vague
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, api.MaxToken))
	if err != nil {
		return vague
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch kind {
	case api.TypeProblem:
		var p api.Problem
		if jws.Decode(body, &p) != nil || p.Code == "" {
			return vague
		}
		return &Rejected{Status: res.StatusCode, Code: p.Code, Detail: p.Detail, Nonce: p.Nonce}
	case api.TypeJSON:
		var o api.OAuthError
		if jws.Decode(body, &o) != nil || o.Error == "" {
			return vague
		}
		return &Rejected{Status: res.StatusCode, Code: o.Error, Detail: o.Description}
	}
	return vague
}

// plain drops the method and address that net/http puts before every error.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
