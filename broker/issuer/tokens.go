// Package issuer makes what the broker gives out: sender-constrained tokens, sessions, leases.
package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
)

// AccessTokenLife is short because the token cannot be taken back.
const AccessTokenLife = 5 * time.Minute

// Config of an Issuer.
type Config struct {
	Issuer string // the broker's own address
	Store  store.Store
	Now    func() time.Time
	Lease  time.Duration // length of a lease; 60 s unless set otherwise
}

// Issuer holds the broker's signing keys.
type Issuer struct {
	Config
	key    *ecdsa.PrivateKey // signs access tokens
	kid    string
	pskKey []byte // root of all preshared keys

	policyKey *ecdsa.PrivateKey // signs observations and nothing else
	policyKID string
}

// New makes an Issuer with the keys in the store, made on first use.
func New(ctx context.Context, cfg Config) (*Issuer, error) {
	i := &Issuer{Config: cfg}
	var err error
	if i.key, i.kid, err = signingKey(ctx, cfg.Store, "access-token-key"); err != nil {
		return nil, fmt.Errorf("read the key of the access tokens: %w", err)
	}
	if i.policyKey, i.policyKID, err = signingKey(ctx, cfg.Store, "policy-key"); err != nil {
		return nil, fmt.Errorf("read the key of the observations: %w", err)
	}
	if i.pskKey, err = cfg.Store.Secret(ctx, "psk-root", func() ([]byte, error) { return jws.UnB64(jws.Random(32)) }); err != nil {
		return nil, fmt.Errorf("read the root of the preshared keys: %w", err)
	}
	return i, nil
}

// signingKey is a key of the store with its id.
func signingKey(ctx context.Context, st store.Store, name string) (*ecdsa.PrivateKey, string, error) {
	der, err := st.Secret(ctx, name, func() ([]byte, error) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalECPrivateKey(k)
	})
	if err != nil {
		return nil, "", err
	}
	key, err := x509.ParseECPrivateKey(der)
	if err != nil {
		return nil, "", err
	}
	kid, err := jws.Thumbprint(&key.PublicKey)
	return key, kid, err
}

// JWKS is the public key set for others to verify with, each key with its
// purpose.
func (i *Issuer) JWKS() ([]byte, error) {
	var keys []json.RawMessage
	for _, k := range []struct {
		key     *ecdsa.PrivateKey
		kid     string
		purpose string
	}{{i.key, i.kid, api.PurposeAccess}, {i.policyKey, i.policyKID, api.PurposeObservations}} {
		jwk, err := jws.MarshalKey(&k.key.PublicKey, k.kid)
		if err != nil {
			return nil, err
		}
		var members map[string]any
		if err := json.Unmarshal(jwk, &members); err != nil {
			return nil, fmt.Errorf("write key: %w", err)
		}
		members["postern_purpose"] = k.purpose
		if jwk, err = json.Marshal(members); err != nil {
			return nil, fmt.Errorf("write key: %w", err)
		}
		keys = append(keys, jwk)
	}
	return json.Marshal(map[string][]json.RawMessage{"keys": keys})
}

// access signs an access token (RFC 9068) bound to a device key.
func (i *Issuer) access(c api.AccessClaims, jkt string) (string, error) {
	now := i.Now()
	c.Issuer, c.Audience, c.ID = i.Issuer, i.Issuer, jws.Random(16)
	c.IssuedAt, c.Expires = now.Unix(), now.Add(AccessTokenLife).Unix()
	c.Confirm.JKT = jkt
	return jws.Sign(i.key, c, jws.Options{Type: api.AccessTokenType, KID: i.kid})
}

// ErrToken says that an access token is not one of ours, or is over.
var ErrToken = errors.New("the access token is not valid here")

// CheckAccess verifies an access token; its binding is the caller's to compare
// with the key that proved the call.
func (i *Issuer) CheckAccess(token string) (api.AccessClaims, error) {
	var c api.AccessClaims
	s, err := jws.Parse(token, api.MaxToken)
	if err != nil {
		return c, ErrToken
	}
	if err := s.VerifyInto(&i.key.PublicKey, api.AccessTokenType, &c); err != nil {
		return c, ErrToken
	}
	now := i.Now().Unix()
	if c.Issuer != i.Issuer || c.Audience != i.Issuer || now >= c.Expires || now < c.IssuedAt-60 {
		return c, ErrToken
	}
	return c, nil
}

// DeviceToken makes the access token of a device that acts for itself.
func (i *Issuer) DeviceToken(d store.Device) (api.TokenAnswer, error) {
	tok, err := i.access(api.AccessClaims{Subject: d.ID, ClientID: d.ID, Scope: api.ScopeGatewayAPI}, d.JKT)
	if err != nil {
		return api.TokenAnswer{}, err
	}
	return api.TokenAnswer{AccessToken: tok, TokenType: api.TokenTypeDPoP, ExpiresIn: seconds(AccessTokenLife)}, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
