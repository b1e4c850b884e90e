package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// The only algorithm: TPM 2.0, the Secure Enclave and Windows' platform
// provider all have P-256, and a list of one cannot be downgraded.
var algorithms = []jose.SignatureAlgorithm{jose.ES256}

// Header is what a signature says about itself.
type Header struct {
	Type string // "typ"
	KID  string
	// Key is the public key embedded as "jwk", nil when there is none.
	Key *ecdsa.PublicKey
}

// Options of Sign.
type Options struct {
	Type  string // "typ", required
	KID   string // "kid", optional
	Embed bool   // put the public key into the header as "jwk"
}

// Sign makes a compact JWS (RFC 7515) with ES256 over payload as JSON. The key
// may live in hardware.
func Sign(key crypto.Signer, payload any, o Options) (string, error) {
	if _, err := publicP256(key.Public()); err != nil {
		return "", fmt.Errorf("sign %s: %w", o.Type, err)
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", o.Type, err)
	}
	opts := (&jose.SignerOptions{EmbedJWK: o.Embed}).WithType(jose.ContentType(o.Type))
	jk := jose.JSONWebKey{Key: cryptosigner.Opaque(key), KeyID: o.KID}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jk}, opts)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", o.Type, err)
	}
	sig, err := s.Sign(data)
	if err != nil {
		return "", fmt.Errorf("sign %s: %w", o.Type, err)
	}
	return sig.CompactSerialize()
}

// Signed is a parsed but not yet verified JWS.
type Signed struct {
	Header Header
	raw    *jose.JSONWebSignature
}

// ErrSignature is returned for a signature that does not verify.
var ErrSignature = errors.New("the signature does not verify")

// Parse takes a compact JWS of at most limit bytes apart. It refuses every
// algorithm but ES256, "none" included, and a header that carries a private key.
func Parse(token string, limit int) (*Signed, error) {
	if len(token) > limit {
		return nil, fmt.Errorf("parse token: %d bytes, at most %d allowed", len(token), limit)
	}
	raw, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return nil, fmt.Errorf("parse token: %w", err)
	}
	if len(raw.Signatures) != 1 {
		return nil, errors.New("parse token: want exactly one signature")
	}
	p := raw.Signatures[0].Protected
	typ, _ := p.ExtraHeaders[jose.HeaderType].(string)
	h := Header{Type: typ, KID: p.KeyID}
	if p.JSONWebKey != nil {
		if h.Key, err = publicP256(p.JSONWebKey.Key); err != nil {
			return nil, fmt.Errorf("parse token: embedded key: %w", err)
		}
	}
	return &Signed{Header: h, raw: raw}, nil
}

// Verify checks type and signature and returns the payload.
func (s *Signed) Verify(key crypto.PublicKey, typ string) ([]byte, error) {
	if s.Header.Type != typ {
		return nil, fmt.Errorf("verify token: type is %q, want %q", clip(s.Header.Type), typ)
	}
	pub, err := publicP256(key)
	if err != nil {
		return nil, fmt.Errorf("verify token: %w", err)
	}
	data, err := s.raw.Verify(pub)
	if err != nil {
		return nil, fmt.Errorf("verify token: %w", ErrSignature)
	}
	return data, nil
}

// VerifyInto verifies and strictly decodes the payload into target.
func (s *Signed) VerifyInto(key crypto.PublicKey, typ string, target any) error {
	data, err := s.Verify(key, typ)
	if err != nil {
		return err
	}
	return Decode(data, target)
}

// Thumbprint is the RFC 7638 SHA-256 thumbprint of a P-256 key, base64url.
func Thumbprint(key crypto.PublicKey) (string, error) {
	pub, err := publicP256(key)
	if err != nil {
		return "", fmt.Errorf("key thumbprint: %w", err)
	}
	sum, err := (&jose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("key thumbprint: %w", err)
	}
	return B64(sum), nil
}

// MarshalKey writes a public key as a JWK.
func MarshalKey(key crypto.PublicKey, kid string) ([]byte, error) {
	pub, err := publicP256(key)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return (jose.JSONWebKey{Key: pub, KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"}).MarshalJSON()
}

// ParseKey reads a public JWK.
func ParseKey(data []byte) (*ecdsa.PublicKey, error) {
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	return publicP256(k.Key)
}

func publicP256(key any) (*ecdsa.PublicKey, error) {
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub == nil || pub.Curve != elliptic.P256() {
		return nil, errors.New("the key is not a public P-256 key")
	}
	return pub, nil
}

// B64 is base64url without padding (RFC 7515 section 2).
func B64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// UnB64 decodes B64.
func UnB64(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// Hash is B64 of SHA-256.
func Hash(data []byte) string {
	sum := sha256.Sum256(data)
	return B64(sum[:])
}

// Random is B64 of n random bytes.
func Random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return B64(b)
}

// Equal compares two strings in constant time for equal lengths.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
