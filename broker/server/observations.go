package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/verify"
)

// published is what devices are given to read.
type published struct {
	issuer.SignedObservations
	etag string
}

// publish signs what a policy asks devices to read.
func (s *Server) publish(ctx context.Context, p *policy.Policy) (*published, error) {
	signed, err := s.issuer.SignObservations(ctx, p.Observations())
	if err != nil {
		return nil, err
	}
	// Weak: another signature of the same content is as good.
	return &published{signed, `W/"` + strconv.FormatInt(signed.Version, 10) + `"`}, nil
}

// observations answers an enrolled agent, whether or not somebody is signed in
// there: the proof of the device key is enough, since the machine is read
// before the first sign-in, too.
func (s *Server) observations(w http.ResponseWriter, r *http.Request) {
	_, err := s.proven(r, "", func(p bind.Proven) error {
		d, err := s.verify.Device(r.Context(), p.JKT)
		if err == nil && d.Scope == api.ScopeGateway {
			return &verify.Refusal{Status: http.StatusForbidden, Code: api.CodeForbidden, Detail: "observations are for agents"}
		}
		return err
	})
	if err != nil {
		s.problem(w, r, err)
		return
	}
	now := s.published.Load()
	w.Header().Set("ETag", now.etag)
	if known(r.Header.Values("If-None-Match"), now.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", api.TypeJWT)
	w.Write([]byte(now.Token))
}

// known is the weak comparison of RFC 9110 section 13.1.2.
func known(headers []string, etag string) bool {
	for _, h := range headers {
		for tag := range strings.SplitSeq(h, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}
