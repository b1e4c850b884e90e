package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
	"github.com/postern-zt/postern/platform/jws"
)

// caller is who made a call: the device whose key proved it, and the session
// its access token names.
type caller struct {
	jkt     string
	claims  api.AccessClaims
	session store.Session // zero for a device that acts for itself
}

var errToken = &verify.Refusal{Status: http.StatusUnauthorized, Code: api.CodeUnauthorized, Detail: "the access token is missing, expired or not bound to this key"}

var errSignedOut = &verify.Refusal{Status: http.StatusUnauthorized, Code: api.CodeSignedOut, Detail: "this sign-in has ended; sign in again"}

// proven checks the DPoP proof of a call whose key admit lets in.
func (s *Server) proven(r *http.Request, accessToken string, admit func(bind.Proven) error) (bind.Proven, error) {
	p, err := s.proofs.Check(r.Header.Values(api.HeaderDPoP), bind.Request{Method: r.Method, URL: s.cfg.Issuer + r.URL.Path, AccessToken: accessToken}, admit)
	var bad *bind.ProofError
	if errors.As(err, &bad) && !errors.Is(err, bind.ErrBusy) {
		return p, &verify.Refusal{Status: http.StatusUnauthorized, Code: api.CodeBadProof, Detail: err.Error()}
	}
	return p, err
}

// enrolled lets in the keys of devices that may act.
func (s *Server) enrolled(ctx context.Context) func(bind.Proven) error {
	return func(p bind.Proven) error {
		_, err := s.verify.Device(ctx, p.JKT)
		return err
	}
}

// authorize checks token, proof, their binding, the scope, and that session
// and device still live.
func (s *Server) authorize(r *http.Request, scope string) (caller, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), api.TokenTypeDPoP+" ")
	if !ok {
		return caller{}, errToken
	}
	var c api.AccessClaims
	p, err := s.proven(r, token, func(p bind.Proven) error {
		var err error
		if c, err = s.issuer.CheckAccess(token); err != nil || !jws.Equal(c.Confirm.JKT, p.JKT) || c.Scope != scope {
			return errToken
		}
		return s.enrolled(r.Context())(p)
	})
	if err != nil {
		return caller{}, err
	}
	out := caller{jkt: p.JKT, claims: c}
	if c.Session == "" {
		return out, nil
	}
	out.session, err = s.issuer.LiveSession(r.Context(), c.Session)
	switch {
	case errors.Is(err, store.ErrSessionEnded), errors.Is(err, store.ErrNotFound):
		return caller{}, errSignedOut
	case err != nil:
		return caller{}, err
	}
	return out, nil
}
