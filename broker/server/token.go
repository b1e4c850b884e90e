package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/verify"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, api.TypeEnrol, api.MaxToken)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	d, err := s.verify.Enrol(r.Context(), string(body))
	if err != nil {
		s.afterRefusal(r.Context(), d.ID, err)
		s.problem(w, r, err)
		return
	}
	key, err := s.cfg.Store.Secret(r.Context(), "pseudonym-key", func() ([]byte, error) { return jws.UnB64(jws.Random(32)) })
	if err != nil {
		s.problem(w, r, err)
		return
	}
	writeJSON(w, http.StatusCreated, api.Enrolled{
		DeviceID: d.ID, KeyAttested: d.KeyAttested, HardwareID: d.HardwareID, HardwareReason: d.HardwareReason,
		AttestationNonce: s.verify.Nonce(d), PseudonymKey: jws.B64(key),
	})
}

func oauthRefusal(code, detail string) error {
	return &verify.Refusal{Status: http.StatusBadRequest, Code: code, Detail: detail}
}

// token is the OAuth token endpoint; every grant needs a DPoP proof, and the
// key of the proof is what everything is bound to.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	answer, err := s.grant(w, r)
	if err != nil {
		s.oauthProblem(w, r, err)
		return
	}
	w.Header().Set("Pragma", "no-cache")
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) grant(w http.ResponseWriter, r *http.Request) (api.TokenAnswer, error) {
	form, p, err := s.provenForm(w, r)
	if err != nil {
		return api.TokenAnswer{}, err
	}
	switch form.Get(api.ParamGrantType) {
	case api.GrantExchange:
		return s.exchange(r.Context(), form, p)
	case api.GrantRefresh:
		return s.refresh(r.Context(), form, p)
	case api.GrantDevice:
		return s.deviceGrant(r.Context(), form, p)
	}
	return api.TokenAnswer{}, oauthRefusal(api.OAuthUnsupportedGrant, "this grant type is not served here")
}

// provenForm reads a form and the key that proved the call.
func (s *Server) provenForm(w http.ResponseWriter, r *http.Request) (url.Values, bind.Proven, error) {
	body, err := readBody(w, r, api.TypeForm, 2*api.MaxToken)
	if err != nil {
		return nil, bind.Proven{}, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, bind.Proven{}, oauthRefusal(api.OAuthInvalidRequest, "the form cannot be read")
	}
	for name, values := range form {
		if len(values) > 1 { // RFC 6749 section 3.2
			return nil, bind.Proven{}, oauthRefusal(api.OAuthInvalidRequest, "the parameter "+fact.Clip(name)+" is there twice")
		}
	}
	p, err := s.proven(r, "", s.enrolled(r.Context()))
	var refusal *verify.Refusal
	if errors.As(err, &refusal) && refusal.Code == api.CodeBadProof {
		err = oauthRefusal(api.OAuthInvalidDPoP, refusal.Detail)
	}
	return form, p, err
}

func (s *Server) exchange(ctx context.Context, form url.Values, p bind.Proven) (api.TokenAnswer, error) {
	if form.Get(api.ParamSubjectType) != api.TypeIDToken {
		return api.TokenAnswer{}, oauthRefusal(api.OAuthInvalidRequest, "want a subject token of type id_token")
	}
	d, err := s.verify.Device(ctx, p.JKT)
	if err != nil {
		return api.TokenAnswer{}, err
	}
	if d.Scope == api.ScopeGateway {
		return api.TokenAnswer{}, oauthRefusal(api.OAuthInvalidClient, "nobody signs in on a gateway")
	}
	in, err := s.verify.Person(ctx, p.JKT, form.Get(api.ParamSubjectToken), form.Get(api.ParamSalt))
	if err != nil {
		if !errors.Is(err, verify.ErrProvider) {
			s.recordSignIn(d, in, api.OAuthInvalidGrant)
		}
		return api.TokenAnswer{}, err
	}
	// One person at a time on a device: an older sign-in ends with the new one.
	defer s.locks.lock("device " + d.ID)()
	if err := s.endDeviceSessions(ctx, d.ID, "signed in again"); err != nil {
		return api.TokenAnswer{}, err
	}
	s.recordSignIn(d, in, "")
	return s.issuer.OpenSession(ctx, d, issuer.SignedIn{Person: in.Person, AuthTime: in.AuthTime, ACR: in.ACR})
}

func (s *Server) refresh(ctx context.Context, form url.Values, p bind.Proven) (api.TokenAnswer, error) {
	if _, err := s.verify.Device(ctx, p.JKT); err != nil {
		return api.TokenAnswer{}, err
	}
	answer, revoked, err := s.issuer.Refresh(ctx, p.JKT, form.Get(api.ParamRefresh))
	if revoked != "" {
		if endErr := s.endSession(ctx, revoked); endErr != nil {
			s.cfg.Log.Error("end session after a stolen refresh handle", "error", endErr)
		}
	}
	if errors.Is(err, issuer.ErrHandle) {
		return answer, oauthRefusal(api.OAuthInvalidGrant, "the refresh handle is not valid any more; sign in again")
	}
	return answer, err
}

// deviceGrant gives an enrolled gateway its own token (RFC 7523).
func (s *Server) deviceGrant(ctx context.Context, form url.Values, p bind.Proven) (api.TokenAnswer, error) {
	bad := oauthRefusal(api.OAuthInvalidClient, "the client assertion is not valid")
	d, err := s.verify.Device(ctx, p.JKT)
	if err != nil {
		return api.TokenAnswer{}, err
	}
	if form.Get(api.ParamAssertionType) != api.AssertionJWT || d.Scope != api.ScopeGateway {
		return api.TokenAnswer{}, bad
	}
	t, err := jws.Parse(form.Get(api.ParamAssertion), api.MaxToken)
	if err != nil {
		return api.TokenAnswer{}, bad
	}
	var a api.DeviceAssertion
	if err := t.VerifyInto(p.Key, api.AssertionTyp, &a); err != nil {
		return api.TokenAnswer{}, bad
	}
	now := s.cfg.Now()
	if a.Issuer != d.ID || a.Subject != d.ID || a.Audience != s.cfg.Issuer+api.PathToken || now.Unix() >= a.Expires || now.Add(time.Minute).Unix() < a.IssuedAt {
		return api.TokenAnswer{}, bad
	}
	return s.issuer.DeviceToken(d)
}

// revoke ends the session of a refresh handle (RFC 7009). A handle that is not
// known is answered the same, as the standard demands.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	form, p, err := s.provenForm(w, r)
	if err != nil {
		s.oauthProblem(w, r, err)
		return
	}
	session, found, err := s.issuer.SessionOf(r.Context(), p.JKT, form.Get("token"))
	if err == nil && found {
		err = s.signOut(r.Context(), session, "signed out")
	}
	if err != nil {
		s.oauthProblem(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}
