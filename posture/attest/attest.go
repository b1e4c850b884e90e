// Package attest builds, signs and verifies the posture attestation: an EAT (RFC 9711) as a JWS.
package attest

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	// Profile names these claims and rules (RFC 9711 section 6). An unknown
	// profile is refused, never read as far as it goes.
	Profile = "tag:postern-zt.github.io,2026:posture#1"
	// Type is the JWS "typ", and with "application/" the media type (RFC 9782).
	Type = "eat+jwt"
	// MaxSize of a signed attestation in bytes.
	MaxSize = 64 << 10
	// MaxApps is the most applications one attestation may want.
	MaxApps = 64
	// MaxAge is how old, and how far ahead, "iat" may be in broker time.
	MaxAge = 60 * time.Second
)

// Claims of an attestation. A † in the protocol marks those that are ours.
type Claims struct {
	Profile  string    `json:"eat_profile"`
	Nonce    string    `json:"eat_nonce"`
	UEID     string    `json:"ueid"`
	Audience string    `json:"aud"`
	IssuedAt int64     `json:"iat"` // Unix seconds in broker time
	Expires  int64     `json:"exp"`
	Confirm  Confirm   `json:"cnf"`
	Software string    `json:"swname"`
	Version  []string  `json:"swversion"` // version and scheme (RFC 9711 section 4.2.7)
	HWModel  string    `json:"hwmodel,omitempty"`
	Key      KeyClaims `json:"postern_key"`
	Hardware Hardware  `json:"postern_hardware,omitzero"`
	Seq      int64     `json:"postern_seq"`
	Unusable []string  `json:"postern_unusable,omitempty"` // address prefixes this device cannot use
	Wanted   []Wanted  `json:"postern_wanted,omitempty"`
	// Pause is the reason a person gave for having everything closed for a
	// while; nothing is wanted then.
	Pause string `json:"postern_pause,omitempty"`
	// Exactly one of Report and Renewal is there.
	Report  *fact.Report `json:"postern_report,omitempty"`
	Renewal *Renewal     `json:"postern_renewal,omitempty"`
}

// Confirm binds the claims to the key that signed them.
type Confirm struct {
	JKT string `json:"jkt"`
}

// KeyClaims is what the device says about its key; the broker proves its own.
type KeyClaims struct {
	Protection string `json:"protection"`
	Scope      string `json:"scope"`
}

// Hardware carries what identifies the machine. Each value is a base64url
// SHA-256 of the value read, so that the broker can compare and not know.
type Hardware struct {
	Serial string `json:"serial,omitempty"`
	UUID   string `json:"uuid,omitempty"`
	EKHash string `json:"ek_hash,omitempty"`
}

// Wanted is an application this device wants, with the public key of the
// tunnel made for it. Only keys that were in here are ever admitted.
type Wanted struct {
	App       string `json:"app"`
	PublicKey string `json:"wg_public_key"` // base64
}

// Renewal stands for an unchanged report: its digest, and when its oldest
// signal was truly read.
type Renewal struct {
	Digest     string    `json:"digest"`
	ObservedAt time.Time `json:"observed_at"`
}

// Sign checks and signs the claims with the device key. The key's public half
// travels in the header so that a verifier can find the device by it.
func Sign(key crypto.Signer, c Claims) (string, error) {
	jkt, err := jws.Thumbprint(key.Public())
	if err != nil {
		return "", fmt.Errorf("sign attestation: %w", err)
	}
	c.Profile, c.Confirm = Profile, Confirm{JKT: jkt}
	if err := c.validate(); err != nil {
		return "", fmt.Errorf("sign attestation: %w", err)
	}
	tok, err := jws.Sign(key, c, jws.Options{Type: Type, Embed: true})
	if err != nil {
		return "", err
	}
	if len(tok) > MaxSize {
		return "", fmt.Errorf("sign attestation: %d bytes, at most %d allowed", len(tok), MaxSize)
	}
	return tok, nil
}

// Payload is the claims of a signed attestation as they were signed, JSON,
// without any check: it is for showing one's own.
func Payload(token string) ([]byte, error) {
	_, rest, _ := strings.Cut(token, ".")
	middle, _, ok := strings.Cut(rest, ".")
	payload, err := jws.UnB64(middle)
	if !ok || err != nil {
		return nil, errors.New("read attestation: it is not three parts of base64url")
	}
	return payload, nil
}

// Expected is what the verifier demands of an attestation.
type Expected struct {
	JKT      string    // the key of the access token that came with it
	Audience string    // the verifier's own issuer
	Now      time.Time // broker time
}

// Verify checks signature, profile, key, audience, times and form. Nonce and
// sequence are the caller's to check against its own memory.
func Verify(token string, want Expected) (Claims, error) {
	s, err := jws.Parse(token, MaxSize)
	if err != nil {
		return Claims{}, fmt.Errorf("verify attestation: %w", err)
	}
	if s.Header.Key == nil {
		return Claims{}, errors.New("verify attestation: no key in the header")
	}
	jkt, err := jws.Thumbprint(s.Header.Key)
	if err != nil {
		return Claims{}, fmt.Errorf("verify attestation: %w", err)
	}
	if !jws.Equal(jkt, want.JKT) {
		return Claims{}, errors.New("verify attestation: signed by another key than the one the call is bound to")
	}
	var c Claims
	if err := s.VerifyInto(s.Header.Key, Type, &c); err != nil {
		return Claims{}, fmt.Errorf("verify attestation: %w", err)
	}
	if err := c.check(jkt, want); err != nil {
		return Claims{}, fmt.Errorf("verify attestation: %w", err)
	}
	return c, nil
}

func (c Claims) check(jkt string, want Expected) error {
	if c.Profile != Profile {
		return fmt.Errorf("profile %q is not %q", fact.Clip(c.Profile), Profile)
	}
	if !jws.Equal(c.Confirm.JKT, jkt) {
		return errors.New("cnf names another key than the one that signed")
	}
	if c.Audience != want.Audience {
		return fmt.Errorf("made for %q, not for this broker", fact.Clip(c.Audience))
	}
	iat, exp := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	if d := want.Now.Sub(iat); d > MaxAge || d < -MaxAge {
		return fmt.Errorf("iat is %s away from the broker's clock, at most %s allowed", d.Round(time.Second), MaxAge)
	}
	if !exp.After(want.Now) {
		return errors.New("expired")
	}
	return c.validate()
}

// validate checks what both ends can check.
func (c Claims) validate() error {
	if err := validateUEID(c.UEID); err != nil {
		return err
	}
	if c.Nonce == "" || len(c.Nonce) > 88 { // RFC 9711 section 4.1: 8 to 88 characters
		return errors.New("eat_nonce is empty or longer than 88 characters")
	}
	if c.Seq <= 0 {
		return errors.New("sequence number is not positive")
	}
	if (c.Report == nil) == (c.Renewal == nil) {
		return errors.New("want either a report or a renewal")
	}
	if err := c.validateWanted(); err != nil {
		return err
	}
	for _, h := range []string{c.Hardware.Serial, c.Hardware.UUID, c.Hardware.EKHash, c.HWModel} {
		if len(h) > fact.MaxString {
			return fmt.Errorf("a hardware claim is longer than %d bytes", fact.MaxString)
		}
	}
	for _, p := range c.Unusable {
		if _, err := netip.ParsePrefix(p); err != nil || len(c.Unusable) > fact.MaxEntries {
			return fmt.Errorf("unusable prefix %q is not a prefix, or there are more than %d", fact.Clip(p), fact.MaxEntries)
		}
	}
	if err := c.validatePause(); err != nil {
		return err
	}
	if c.Report != nil {
		return c.Report.Validate()
	}
	return nil
}

// MaxPause is the longest reason of a pause in bytes: 200 characters.
const MaxPause = 800

func (c Claims) validatePause() error {
	switch {
	case len(c.Pause) > MaxPause || strings.ContainsFunc(c.Pause, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the reason of a pause is longer than %d bytes, or has characters that cannot be shown", MaxPause)
	case c.Pause != "" && len(c.Wanted) > 0:
		return errors.New("paused, and yet it wants applications")
	}
	return nil
}

func (c Claims) validateWanted() error {
	if len(c.Wanted) > MaxApps {
		return fmt.Errorf("wants %d apps, at most %d allowed", len(c.Wanted), MaxApps)
	}
	apps, keys := map[string]bool{}, map[string]bool{}
	for _, w := range c.Wanted {
		if w.App == "" || len(w.App) > fact.MaxString || apps[w.App] {
			return fmt.Errorf("wanted app %q is empty, too long or there twice", fact.Clip(w.App))
		}
		raw, err := base64.StdEncoding.DecodeString(w.PublicKey)
		if err != nil || len(raw) != 32 || keys[w.PublicKey] {
			return fmt.Errorf("wanted app %q: its tunnel key is not 32 bytes of base64, or serves two apps", w.App)
		}
		apps[w.App], keys[w.PublicKey] = true, true
	}
	return nil
}

// validateUEID checks RFC 9711 section 4.2.1.1: type byte 0x01 (RAND) and 16,
// 24 or 32 random bytes.
func validateUEID(s string) error {
	raw, err := jws.UnB64(s)
	if err != nil || len(raw) == 0 || raw[0] != 0x01 {
		return errors.New("ueid is not base64url of a RAND identifier")
	}
	if n := len(raw) - 1; n != 16 && n != 24 && n != 32 {
		return fmt.Errorf("ueid has %d random bytes, want 16, 24 or 32", n)
	}
	return nil
}

// NewUEID makes a random universal entity identifier.
func NewUEID() string {
	random, _ := jws.UnB64(jws.Random(16))
	return jws.B64(append([]byte{0x01}, random...))
}
