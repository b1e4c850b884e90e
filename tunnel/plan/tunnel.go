// Package plan turns leases into wanted tunnels and tells what to change to get there; it does nothing itself.
package plan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// Key is a Curve25519 public key: the name of one end of a tunnel.
type Key [32]byte

// String is the key in standard base64, as the protocol and WireGuard's own
// tools write it.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// Secret is a tunnel's preshared key. No formatting verb, logger or text
// encoding prints it.
type Secret [32]byte

const hidden = "(preshared key)"

// String never gives the key.
func (Secret) String() string { return hidden }

// Format answers every verb, %x and %d too, with the same fixed words.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hidden) }

// LogValue keeps the key out of structured logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText always fails, so that no encoder writes the key by accident.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("encode preshared key: refused, it is secret")
}

// Gateway is the far end of a tunnel.
type Gateway struct {
	ID        string
	PublicKey Key
	Epoch     string           // changes when the gateway started anew
	Endpoints []netip.AddrPort // outer UDP addresses, at least one
}

// Tunnel is one application's wanted tunnel, as a lease describes it. Values
// come from FromLease; their slices are never written to.
type Tunnel struct {
	App      string // application id
	Name     string // application name, for people
	KeyGen   int    // which of our key pairs of this application it uses
	Lease    string
	TunnelID string
	Until    time.Duration // boot time at which the lease ends

	PublicKey Key    // our end
	Preshared Secret // all zeroes: none
	Gateway   Gateway

	Addresses []netip.Addr // our inner addresses, at least one
	Virtual   []netip.Addr // the application's virtual addresses, at least one
	Ports     []int        // TCP ports at the virtual addresses, ascending, at least one
	Primary   int          // the port that a person opens; one of Ports
	Pending   bool         // the gateway has not yet acknowledged: shake hands until it answers
}

// Clone copies t so that the copy shares nothing with it.
func (t Tunnel) Clone() Tunnel {
	t.Gateway.Endpoints = slices.Clone(t.Gateway.Endpoints)
	t.Addresses = slices.Clone(t.Addresses)
	t.Virtual = slices.Clone(t.Virtual)
	t.Ports = slices.Clone(t.Ports)
	return t
}

// Same reports whether t and o are one tunnel, so that going from one to the
// other needs no new WireGuard device: the same two ends, secrets and
// addresses. Time, ports, names and the gateway's epoch may differ.
func (t Tunnel) Same(o Tunnel) bool {
	return t.App == o.App && t.TunnelID == o.TunnelID &&
		t.KeyGen == o.KeyGen && t.PublicKey == o.PublicKey && t.Preshared == o.Preshared &&
		t.Gateway.ID == o.Gateway.ID && t.Gateway.PublicKey == o.Gateway.PublicKey &&
		slices.Equal(t.Gateway.Endpoints, o.Gateway.Endpoints) &&
		slices.Equal(t.Addresses, o.Addresses) && slices.Equal(t.Virtual, o.Virtual)
}

// equal reports whether nothing at all differs.
func (t Tunnel) equal(o Tunnel) bool {
	return t.Same(o) && t.Name == o.Name && t.Lease == o.Lease && t.Until == o.Until &&
		t.Gateway.Epoch == o.Gateway.Epoch && slices.Equal(t.Ports, o.Ports) &&
		t.Primary == o.Primary && t.Pending == o.Pending
}
