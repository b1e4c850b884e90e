package brokerclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

// attestationLife is "exp" minus "iat": as long as a nonce lives.
const attestationLife = 60 * time.Second

// product is "swname" of an attestation (RFC 9711 section 4.2.6).
const product = "Postern"

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
	// Pause is the person's reason while everything is paused; Wanted is then
	// empty.
	Pause string
	// OnSend is told the payload of each attestation that is sent, as it was
	// signed; it may be nil. Nothing in it is secret, and it is not to be
	// written to.
	OnSend func(payload []byte)
}

// Attest signs and sends an attestation and returns the answer with the boot
// time at which the answered request was sent. Where the broker asks for it, it
// repeats with a fresh nonce, with the whole report and with a fresh access
// token: each once, the nonce once more for the whole report. A broker that
// goes on asking has decided nothing, and that is an *apiclient.Unreachable.
func (c *Client) Attest(ctx context.Context, a Attestation) (answer api.Answer, sentAt time.Duration, err error) {
	whole := a.LastDigest == "" || a.Report.Digest() != a.LastDigest
	tried := map[string]bool{}
	for {
		answer, sentAt, err = c.attestOnce(ctx, a, whole)
		var no *apiclient.Rejected
		if !errors.As(err, &no) {
			return answer, sentAt, err
		}
		again := !tried[no.Code]
		tried[no.Code] = true
		switch no.Code {
		case api.CodeUseNonce, api.CodeUnauthorized:
		case api.CodeNeedReport:
			whole = true
			delete(tried, api.CodeUseNonce)
		case api.CodeUseDPoPNonce: // the transport has repeated it already
			again = false
		default:
			return answer, sentAt, c.heard(err)
		}
		if again {
			continue
		}
		if no.Code != api.CodeUnauthorized {
			err = &apiclient.Unreachable{Err: fmt.Errorf("the broker keeps asking: %s", no.Code)}
		}
		return answer, sentAt, err
	}
}

// attestOnce makes one attempt. It keeps the nonce for the next one: that of
// the answer, that of a refusal which brings one, or, where the attempt may not
// have spent it, the one it had.
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
	if a.OnSend != nil {
		payload, err := attest.Payload(token)
		if err != nil {
			return answer, 0, err
		}
		a.OnSend(payload)
	}
	sent, err := c.cfg.API.Do(ctx, apiclient.Call{Method: http.MethodPost, Path: api.PathAttestations, Token: access, Type: api.TypeEAT, Body: []byte(token)}, &answer)
	var no *apiclient.Rejected
	switch {
	case err == nil:
		c.setNonce(answer.NextNonce)
	case errors.As(err, &no) && no.Code == api.CodeUseNonce:
		c.setNonce(no.Nonce)
	case claims.Nonce != placeholderNonce:
		c.giveBack(claims.Nonce)
	}
	if no != nil && no.Code == api.CodeUnauthorized {
		c.drop(access)
	}
	return answer, sent, err
}

func (c *Client) setNonce(n string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonce = n
}

// giveBack returns a nonce that may be unspent, unless there is a newer one.
func (c *Client) giveBack(n string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nonce == "" {
		c.nonce = n
	}
}

// takeNonce gives the nonce to one attempt, and nobody else.
func (c *Client) takeNonce() (nonce, ueid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nonce, ueid = c.nonce, c.record.UEID
	c.nonce = ""
	if nonce == "" {
		nonce = placeholderNonce
	}
	return nonce, ueid
}

func (c *Client) claims(a Attestation, whole bool) (attest.Claims, error) {
	seq, err := c.seq.take()
	if err != nil {
		return attest.Claims{}, err
	}
	nonce, ueid := c.takeNonce()
	now := c.cfg.API.Now()
	claims := attest.Claims{
		Nonce: nonce, UEID: ueid, Audience: c.cfg.API.Base(), IssuedAt: now.Unix(), Expires: now.Add(attestationLife).Unix(),
		Software: product, Version: []string{c.cfg.Version, "semver"},
		Key: attest.KeyClaims{Protection: string(c.cfg.KeyKind), Scope: c.cfg.Scope}, Hardware: c.cfg.Hardware,
		Seq: seq, Wanted: a.Wanted, Pause: a.Pause,
	}
	report := inBrokerTime(a.Report, now.Sub(c.cfg.Clock.Now()))
	if whole {
		claims.Report = report
	} else {
		claims.Renewal = &attest.Renewal{Digest: a.LastDigest, ObservedAt: oldest(*report)}
	}
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
