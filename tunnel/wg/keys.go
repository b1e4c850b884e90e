// Package wg runs WireGuard tunnels in user mode: one client end per application, one gateway end for all, with a gate on each.
package wg

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// PrivateKey is a Curve25519 private key, clamped as RFC 7748 section 5 asks.
// No formatting verb, logger or text encoding prints it.
type PrivateKey [32]byte

// PublicKey is a Curve25519 public key: the name of a WireGuard peer.
type PublicKey [32]byte

// PresharedKey is WireGuard's symmetric key that is mixed into every
// handshake. All zeroes means none. It is never printed.
type PresharedKey [32]byte

// errSecret is what any encoding of a secret key gives instead of the key.
var errSecret = errors.New("encode key: refused, it is secret")

// NewPrivateKey makes a key from the system's random source.
func NewPrivateKey() (PrivateKey, error) {
	var k PrivateKey
	if _, err := rand.Read(k[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("make private key: %w", err)
	}
	k[0] &= 248
	k[31] = k[31]&127 | 64
	return k, nil
}

// Public gives the public half of k. The zero PrivateKey gives the zero
// PublicKey, which no peer can have.
func (k PrivateKey) Public() PublicKey {
	if k == (PrivateKey{}) {
		return PublicKey{}
	}
	private, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil { // only a wrong length can fail, and the length is in the type
		return PublicKey{}
	}
	return PublicKey(private.PublicKey().Bytes())
}

// String is the key in standard base64, as WireGuard's own tools write it.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// ParsePublicKey reads a key in standard base64 (44 characters) and refuses
// the all-zero key.
func ParsePublicKey(s string) (PublicKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	// The decoder skips line ends, so the text's length is checked as well.
	if err != nil || len(raw) != 32 || len(s) != base64.StdEncoding.EncodedLen(32) {
		return PublicKey{}, errors.New("parse public key: not 32 bytes in standard base64")
	}
	key := PublicKey(raw)
	if key == (PublicKey{}) {
		return PublicKey{}, errors.New("parse public key: all zeroes")
	}
	return key, nil
}

// String never gives the key.
func (PrivateKey) String() string { return "(private key)" }

// Format answers every verb, %x and %d too, with the same fixed words.
func (k PrivateKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// LogValue keeps the key out of structured logs.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText always fails, so that no encoder writes the key by accident.
func (PrivateKey) MarshalText() ([]byte, error) { return nil, errSecret }

// String never gives the key.
func (PresharedKey) String() string { return "(preshared key)" }

// Format answers every verb, %x and %d too, with the same fixed words.
func (k PresharedKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// LogValue keeps the key out of structured logs.
func (k PresharedKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText always fails, so that no encoder writes the key by accident.
func (PresharedKey) MarshalText() ([]byte, error) { return nil, errSecret }
