package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/verify"
)

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil { // only our own wire words come here
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", api.TypeJSON)
	w.WriteHeader(status)
	w.Write(data)
}

// problem answers with RFC 9457. Anything but a Refusal is our own fault: its
// text stays in the log, and the status tells a client that this is no "no".
func (s *Server) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := api.Problem{Title: "the broker has a problem of its own", Status: http.StatusInternalServerError, Code: api.CodeInternal}
	var refusal *verify.Refusal
	switch {
	case errors.As(err, &refusal):
		p = api.Problem{Title: http.StatusText(refusal.Status), Status: refusal.Status, Code: refusal.Code, Detail: refusal.Detail, Nonce: refusal.Nonce}
		if p.Status == http.StatusUnauthorized { // RFC 9449 section 7.1, and its words only
			word := api.CodeUnauthorized
			if p.Code == api.CodeBadProof {
				word = p.Code
			}
			w.Header().Set("WWW-Authenticate", `DPoP error="`+word+`", algs="ES256"`)
		}
	case errors.Is(err, bind.ErrUseNonce):
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="ES256"`)
		p = api.Problem{Title: "Unauthorized", Status: http.StatusUnauthorized, Code: api.CodeUseDPoPNonce, Detail: "repeat with the nonce of this answer"}
	case errors.Is(err, bind.ErrBusy):
		p = api.Problem{Title: "Service Unavailable", Status: http.StatusServiceUnavailable, Code: api.CodeBusy}
	default:
		s.cfg.Log.Error("answer request", "path", r.URL.Path, "error", err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", api.TypeProblem)
	w.WriteHeader(p.Status)
	w.Write(data)
}

// oauthProblem answers at the token endpoint (RFC 6749 section 5.2).
func (s *Server) oauthProblem(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *verify.Refusal
	switch {
	case errors.As(err, &refusal):
		status, code := http.StatusBadRequest, refusal.Code
		if refusal.Status == http.StatusRequestEntityTooLarge || refusal.Status == http.StatusUnsupportedMediaType {
			status, code = refusal.Status, api.OAuthInvalidRequest
		}
		writeJSON(w, status, api.OAuthError{Error: code, Description: refusal.Detail})
	case errors.Is(err, bind.ErrUseNonce):
		writeJSON(w, http.StatusBadRequest, api.OAuthError{Error: api.OAuthUseDPoPNonce, Description: "repeat with the nonce of this answer"})
	case errors.Is(err, bind.ErrBusy):
		w.WriteHeader(http.StatusServiceUnavailable)
	case errors.Is(err, verify.ErrProvider): // no "no": nobody has looked at the sign-in
		s.cfg.Log.Warn("verify a sign-in", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, api.OAuthError{Error: api.OAuthServerError, Description: "the identity provider cannot be asked"})
	default:
		s.cfg.Log.Error("answer token request", "error", err)
		writeJSON(w, http.StatusInternalServerError, api.OAuthError{Error: api.OAuthServerError})
	}
}

// bodyTime is how long a caller may take to send a body.
const bodyTime = 15 * time.Second

// readBody takes a body of the wanted media type and of at most limit bytes;
// more is refused before anything is parsed.
func readBody(w http.ResponseWriter, r *http.Request, kind string, limit int64) ([]byte, error) {
	return readBodyWithin(w, r, kind, limit, bodyTime)
}

func readBodyWithin(w http.ResponseWriter, r *http.Request, kind string, limit int64, within time.Duration) ([]byte, error) {
	if got, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); got != kind {
		return nil, &verify.Refusal{Status: http.StatusUnsupportedMediaType, Code: api.CodeUnsupportedMedia, Detail: "want content of type " + kind}
	}
	// Strangers get here. A reader that knows no deadline just has none.
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(within))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		// In HTTP/1.1 it is the connection's. After an error it stays: the
		// server reads on for a while, to use the connection again.
		_ = rc.SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &verify.Refusal{Status: http.StatusRequestEntityTooLarge, Code: api.CodeTooLarge, Detail: "the body is larger than this address takes"}
	case err != nil:
		return nil, &verify.Refusal{Status: http.StatusBadRequest, Code: api.CodeBadRequest, Detail: "the body ended early or took too long"}
	}
	return body, nil
}
