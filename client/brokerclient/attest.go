package brokerclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

// attestationLife is "exp" minus "iat": as long as a nonce lives.
const attestationLife = 60 * time.Second

// placeholderNonce goes into an attestation when no nonce is known; the broker
// answers it with a fresh one.
const placeholderNonce = "none-yet"

// Attestation is what shall be attested.
type Attestation struct {
	Report fact.Report
	Wanted []attest.Wanted
	// LastDigest is the digest of the last accepted report; when the report
	// still has it, a renewal is sent in its place.
	LastDigest string
}

// Attest signs and sends an attestation and returns the answer with the boot
// time at which the answered request was sent. It repeats once for a fresh
// nonce, once with the whole report, and once with a fresh access token.
func (c *Client) Attest(ctx context.Context, a Attestation) (answer api.Answer, sentAt time.Duration, err error) {
	whole := a.LastDigest == "" || a.Report.Digest() != a.LastDigest
	tried := map[string]bool{}
	for {
		answer, sentAt, err = c.attestOnce(ctx, a, whole)
		var no *apiclient.Rejected
		if err == nil || !errors.As(err, &no) || tried[no.Code] {
			break
		}
		tried[no.Code] = true
		switch no.Code {
		case api.CodeUseNonce:
			c.setNonce(no.Nonce)
			continue
		case api.CodeNeedReport:
			whole = true
			c.setNonce("")
			continue
		case api.CodeUnauthorized:
			c.dropToken()
			continue
		}
		break
	}
	if err == nil {
		c.setNonce(answer.NextNonce)
	}
	return answer, sentAt, err
}

func (c *Client) setNonce(n string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonce = n
}

func (c *Client) attestOnce(ctx context.Context, a Attestation, whole bool) (api.Answer, time.Duration, error) {
	var answer api.Answer
	access, err := c.token(ctx)
	if err != nil {
		return answer, 0, err
	}
	claims, err := c.claims(a, whole)
	if err != nil {
		return answer, 0, err
	}
	token, err := attest.Sign(c.cfg.Key, claims)
	if err != nil {
		return answer, 0, err
	}
	sent, err := c.cfg.API.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: api.PathAttestations, Token: access, Type: api.TypeEAT, Body: []byte(token)}, &answer)
	return answer, sent, err
}

func (c *Client) claims(a Attestation, whole bool) (attest.Claims, error) {
	seq, err := c.seq.take()
	if err != nil {
		return attest.Claims{}, err
	}
	c.mu.Lock()
	nonce, ueid := c.nonce, c.record.UEID
	c.nonce = "" // used: the answer brings the next
	c.mu.Unlock()
	if nonce == "" {
		nonce = placeholderNonce
	}
	now := c.cfg.API.Now()
	claims := attest.Claims{
		Nonce: nonce, UEID: ueid, Audience: c.cfg.API.Base(), IssuedAt: now.Unix(), Expires: now.Add(attestationLife).Unix(),
		Software: buildinfo.Product, Version: []string{buildinfo.Version(), "semver"},
		Key: attest.KeyClaims{Protection: string(c.cfg.Key.Protection()), Scope: c.cfg.Scope}, Hardware: c.cfg.Hardware,
		Seq: seq, Wanted: a.Wanted,
	}
	if whole {
		claims.Report = inBrokerTime(a.Report, now.Sub(c.cfg.Clock.Now()))
		return claims, nil
	}
	claims.Renewal = &attest.Renewal{Digest: a.LastDigest, ObservedAt: oldest(*inBrokerTime(a.Report, now.Sub(c.cfg.Clock.Now())))}
	return claims, nil
}

// inBrokerTime moves the times of reading from the local wall clock to the
// broker's, so that they mean the same there at any skew. Timestamps that are
// facts stay as the machine wrote them.
func inBrokerTime(r fact.Report, offset time.Duration) *fact.Report {
	out := fact.Report{Signals: append([]fact.Signal(nil), r.Signals...)}
	for i := range out.Signals {
		out.Signals[i].ObservedAt = out.Signals[i].ObservedAt.Add(offset)
	}
	return &out
}

func oldest(r fact.Report) time.Time {
	var t time.Time
	for i, s := range r.Signals {
		if i == 0 || s.ObservedAt.Before(t) {
			t = s.ObservedAt
		}
	}
	return t
}
