package apiclient

import (
	"errors"
	"fmt"
	"io"
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
// well-formed problem, or OAuth error where OAuth is spoken, is a "no"; a 4xx
// of somebody in between (a proxy, a captive portal) is not the broker's word.
func problem(res *http.Response, path string) error {
	vague := &Unreachable{Err: fmt.Errorf("%s answered with status %d", path, res.StatusCode)}
	switch {
	case res.StatusCode < 400 || res.StatusCode >= 500:
		return vague
	case res.StatusCode == http.StatusRequestTimeout || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusProxyAuthRequired:
		return vague
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, api.MaxToken))
	if err != nil {
		return vague
	}
	if no := parseProblem(mediaType(res), path == api.PathToken || path == api.PathRevoke, body); no != nil {
		no.Status = res.StatusCode
		return no
	}
	return vague
}

// parseProblem reads the broker's "no", or nil when the body is none.
func parseProblem(kind string, oauth bool, body []byte) *Rejected {
	var p api.Problem
	var o api.OAuthError
	switch {
	case kind == api.TypeProblem && jws.Decode(body, &p) == nil && p.Code != "":
		return &Rejected{Code: p.Code, Detail: p.Detail, Nonce: p.Nonce}
	case kind == api.TypeJSON && oauth && jws.Decode(body, &o) == nil && o.Error != "":
		return &Rejected{Code: o.Error, Detail: o.Description}
	}
	return nil
}

// plain drops the method and address that net/http puts before every error.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
