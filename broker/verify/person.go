package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/platform/bounded"
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
	known map[string]oidc.KeySet // by issuer
}

// ErrProvider says that an identity provider could not be asked. It is no "no":
// nothing has been said about the ID token.
var ErrProvider = errors.New("the identity provider's keys cannot be read")

func newPeople(providers func() []api.Provider, hc *http.Client, now func() time.Time) *people {
	if hc == nil {
		hc = &http.Client{Timeout: providerTimeout, Transport: bounded.Transport{Next: http.DefaultTransport, Limit: maxProvider}}
	}
	return &people{providers: providers, http: hc, now: now, known: map[string]oidc.KeySet{}}
}

// maxProvider bounds what is read of any answer of a provider, in bytes. Key
// sets have thousands.
const maxProvider = 1 << 20

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
	// Verified is raw because some providers write it as a string.
	Verified json.RawMessage `json:"email_verified,omitempty"`
}

// email is the address, unless the provider itself says that it has not
// verified it: policy may give access by it. Providers that verify every
// address may leave the claim out.
func (c idClaims) email() string {
	switch string(c.Verified) {
	case "", "null", "true", `"true"`:
		return c.Email
	}
	return ""
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
	if errors.Is(err, ErrProvider) {
		return SignIn{}, err
	}
	if err != nil {
		return bad("%s", err)
	}
	if age := v.now().Sub(tok.IssuedAt); age > idTokenAge || age < -time.Minute {
		return bad("the ID token was issued %s ago, at most %s allowed", age.Round(time.Second), idTokenAge)
	}
	if !jws.Equal(tok.Nonce, bind.CommitNonce(jkt, prov.Issuer, prov.ClientID, salt)) {
		return bad("the ID token was made for another device: its nonce does not commit to this key")
	}
	in := SignIn{ACR: c.ACR, AuthTime: tok.IssuedAt, Person: api.Person{Subject: tok.Subject, Issuer: prov.Issuer, Email: c.email(), Name: c.Name, Groups: c.Groups}}
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
	known, err := p.keys(ctx, prov.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	keys := &askedKeys{KeySet: known}
	// Most providers sign with RS256; both are asymmetric, and keys and
	// algorithm come from the provider's own key set.
	ver := oidc.NewVerifier(prov.Issuer, keys, &oidc.Config{ClientID: prov.ClientID, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256}, Now: p.now})
	tok, err := ver.Verify(ctx, raw)
	if err != nil && keys.unread != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, keys.unread)
	}
	return tok, err
}

// askedKeys remembers whether a signature was found wrong or could not be
// looked at: the verifier's error tells it no more.
type askedKeys struct {
	oidc.KeySet
	unread error
}

// VerifySignature implements oidc.KeySet.
func (a *askedKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := a.KeySet.VerifySignature(ctx, jwt)
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys") { // go-oidc's words, oidc/jwks.go
		a.unread = err
	}
	return payload, err
}

// keys finds the key set of a provider, from its discovery document the first
// time. The set itself fetches keys again when it meets one it does not know.
func (p *people) keys(ctx context.Context, issuer string) (oidc.KeySet, error) {
	p.mu.Lock()
	k := p.known[issuer]
	p.mu.Unlock()
	if k != nil {
		return k, nil
	}
	prv, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), issuer)
	if err != nil {
		return nil, err
	}
	var meta struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := prv.Claims(&meta); err != nil || meta.JWKS == "" {
		return nil, errors.New("the provider's discovery document names no jwks_uri")
	}
	// The set outlives this call, and so must its context.
	k = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), p.http), meta.JWKS)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[issuer] = k
	return k, nil
}
