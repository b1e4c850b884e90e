package verify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	// idTokenAge is how old an ID token may be when it is exchanged.
	idTokenAge      = 5 * time.Minute
	providerTimeout = 10 * time.Second
)

// SignIn is a person whose ID token was accepted.
type SignIn struct {
	Person   api.Person
	AuthTime time.Time
	ACR      string
}

// people verifies ID tokens of the policy's providers, whose keys it fetches
// when first needed: a provider that is down must not stop the broker.
type people struct {
	providers func() []api.Provider
	http      *http.Client
	now       func() time.Time

	mu    sync.Mutex
	known map[string]*oidc.Provider // by issuer
}

func newPeople(providers func() []api.Provider, hc *http.Client, now func() time.Time) *people {
	if hc == nil {
		hc = &http.Client{Timeout: providerTimeout}
	}
	return &people{providers: providers, http: hc, now: now, known: map[string]*oidc.Provider{}}
}

// idClaims are the claims of an ID token that are used. Providers add many
// others and each spells its own, so unknown ones are ignored.
type idClaims struct {
	Issuer   string   `json:"iss"`
	Nonce    string   `json:"nonce,omitempty"`
	IssuedAt int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	Email    string   `json:"email,omitempty"`
	Name     string   `json:"name,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// Person verifies an ID token: a provider of the policy signed it for our
// client, at most five minutes ago, with a nonce that commits to the key that
// proved this call. Without the commitment it is somebody else's sign-in.
func (v *Verifier) Person(ctx context.Context, jkt, idToken, salt string) (SignIn, error) {
	bad := func(format string, args ...any) (SignIn, error) {
		return SignIn{}, refuse(http.StatusBadRequest, api.OAuthInvalidGrant, format, args...)
	}
	if len(idToken) > api.MaxToken || len(salt) < 16 || len(salt) > fact.MaxString {
		return bad("the ID token is too large or its salt has a wrong length")
	}
	c, err := readClaims(idToken)
	if err != nil {
		return bad("the ID token's claims: %s", err)
	}
	prov, ok := v.people.find(c.Issuer)
	if !ok {
		return bad("the ID token's issuer is not a provider of this organisation")
	}
	tok, err := v.people.verify(ctx, prov, idToken)
	if err != nil {
		return bad("%s", err)
	}
	if age := v.now().Sub(tok.IssuedAt); age > idTokenAge || age < -time.Minute {
		return bad("the ID token was issued %s ago, at most %s allowed", age.Round(time.Second), idTokenAge)
	}
	if !jws.Equal(tok.Nonce, bind.CommitNonce(jkt, prov.Issuer, prov.ClientID, salt)) {
		return bad("the ID token was made for another device: its nonce does not commit to this key")
	}
	in := SignIn{ACR: c.ACR, AuthTime: tok.IssuedAt, Person: api.Person{Subject: tok.Subject, Issuer: prov.Issuer, Email: c.Email, Name: c.Name, Groups: c.Groups}}
	if c.AuthTime > 0 {
		in.AuthTime = time.Unix(c.AuthTime, 0)
	}
	return in, nil
}

// readClaims strictly decodes the payload of a compact JWS. Nothing in it is
// believed before the provider's signature over the same bytes is verified.
func readClaims(token string) (idClaims, error) {
	var c idClaims
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := jws.UnB64(payload)
	if err != nil {
		return c, err
	}
	return c, jws.Decode(raw, &c)
}

func (p *people) find(issuer string) (api.Provider, bool) {
	for _, prov := range p.providers() {
		if prov.Issuer == issuer {
			return prov, true
		}
	}
	return api.Provider{}, false
}

func (p *people) verify(ctx context.Context, prov api.Provider, raw string) (*oidc.IDToken, error) {
	ctx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	prv, err := p.provider(ctx, prov.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the provider's keys cannot be read: %w", err)
	}
	// Most providers sign with RS256; both are asymmetric, and keys and
	// algorithm come from the provider's own key set.
	ver := prv.Verifier(&oidc.Config{ClientID: prov.ClientID, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256}, Now: p.now})
	return ver.Verify(ctx, raw)
}

func (p *people) provider(ctx context.Context, issuer string) (*oidc.Provider, error) {
	p.mu.Lock()
	prv := p.known[issuer]
	p.mu.Unlock()
	if prv != nil {
		return prv, nil
	}
	// The provider keeps this context for fetching keys later: no deadline in it.
	prv, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.http), issuer)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.known[issuer] = prv
	p.mu.Unlock()
	return prv, nil
}
