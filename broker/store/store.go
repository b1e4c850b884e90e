// Package store keeps what the broker remembers, behind one interface with one conformance suite.
//
// Times are Unix milliseconds in UTC, and 0 means "not yet". What a client
// presents as a secret (refresh handles, enrolment tokens) is kept as its
// SHA-256 only, see Hash. A method either did all of what it says or nothing.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Errors that a caller may look for with errors.Is.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("already there")
	ErrNotHashed = errors.New("not a SHA-256 in lower-case hex")

	// Why an attestation was refused.
	ErrNonceSpent    = errors.New("attestation nonce is spent")
	ErrSeqRegressed  = errors.New("attestation sequence did not rise")
	ErrDeviceState   = errors.New("the state of the device does not allow it")
	ErrReportUnknown = errors.New("the report renewed is not the one held")

	ErrTokenSpent   = errors.New("enrolment token is used up or past its time")
	ErrHandleSpent  = errors.New("refresh handle is two generations old or more")
	ErrSessionEnded = errors.New("session has ended")
	ErrKeyUsed      = errors.New("tunnel key was used before")
	ErrLeaseEnded   = errors.New("lease has ended")

	// ErrNewer is returned on opening a database that a newer version wrote.
	ErrNewer = errors.New("the database was written by a newer version")
)

// Store is everything the broker remembers. All methods are safe for
// concurrent use, by several brokers on one database too.
type Store interface {
	Devices
	Enrolment
	Sessions
	Tunnels
	Fleet

	// Secret returns the broker's own secret of that name, made by make and
	// kept on the first call; of several first calls all get the same bytes.
	Secret(ctx context.Context, name string, make func() ([]byte, error)) ([]byte, error)
	// NumberObservations is the number of a content, given by its digest: that
	// which it has if it was the last to be numbered, and otherwise the higher
	// of least and one above the last. So it rises after a database was lost,
	// too, where least is the time.
	NumberObservations(ctx context.Context, digest string, least int64) (int64, error)
	// Close ends all use. Nothing may be called after it.
	Close() error
}

// Devices is the part of Store about enrolled devices.
type Devices interface {
	// AddDevice keeps a new device; ErrExists when its ID or JKT is there.
	AddDevice(ctx context.Context, d Device) error
	// DeviceByID and DeviceByJKT return ErrNotFound when there is none.
	DeviceByID(ctx context.Context, id string) (Device, error)
	DeviceByJKT(ctx context.Context, jkt string) (Device, error)
	// ListDevices returns all devices in order of enrolment, without Report.
	ListDevices(ctx context.Context) ([]Device, error)
	// AcceptAttestation spends a nonce generation and a sequence number in one
	// compare-and-swap: of several attestations with one nonce exactly one is
	// accepted. Refused with ErrNotFound, ErrDeviceState, ErrNonceSpent,
	// ErrSeqRegressed or ErrReportUnknown, looked for in this order.
	AcceptAttestation(ctx context.Context, a Accept) error
	// SetDeviceState moves a device; ErrNotFound, or ErrDeviceState when the
	// state is no state or the device is revoked, which is final.
	SetDeviceState(ctx context.Context, id, state string) error
}

// Enrolment is the part of Store about enrolment tokens.
type Enrolment interface {
	// AddEnrolmentToken keeps the Hash of a token that admits uses devices of
	// a scope until expires; ErrExists when it is there.
	AddEnrolmentToken(ctx context.Context, hash, note, scope string, uses int, expires int64) error
	// UseEnrolmentToken takes one use and returns the scope; ErrNotFound, or
	// ErrTokenSpent when none is left or it is past its time.
	UseEnrolmentToken(ctx context.Context, hash string, now int64) (scope string, err error)
}

// Sessions is the part of Store about signed-in people.
type Sessions interface {
	// AddSession keeps a new session with its first handle; ErrExists when its
	// ID or handle is there, ErrNotFound when its device is not.
	AddSession(ctx context.Context, s Session) error
	// SessionByID returns ErrNotFound when there is none, and ended sessions too.
	SessionByID(ctx context.Context, id string) (Session, error)
	// SessionByHandle finds the session a handle was ever given out for, and
	// how old the handle is. It says nothing of whether the session lives.
	SessionByHandle(ctx context.Context, hash string) (Session, Generation, error)
	// RotateHandle trades a handle for the next. A current handle becomes the
	// previous one. A previous one, presented again because the answer was
	// lost, is answered again and stays good until one of its successors is
	// used. An older one is refused with ErrHandleSpent, and the caller revokes
	// the session; ErrSessionEnded, ErrNotFound, ErrExists otherwise.
	RotateHandle(ctx context.Context, sessionID, fromHash, newHash string, now int64) error
	// RevokeSession ends a session; of several reasons the first stands.
	RevokeSession(ctx context.Context, id, why string, now int64) error
	// RevokeDeviceSessions ends every live session of a device.
	RevokeDeviceSessions(ctx context.Context, deviceID, why string, now int64) error
}

// Tunnels is the part of Store about tunnels and their leases.
type Tunnels interface {
	// LiveTunnel returns the tunnel that has not been ended, of which there is
	// at most one; its lease may be past its time all the same. ErrNotFound.
	LiveTunnel(ctx context.Context, deviceID, sessionID, appID string) (Tunnel, error)
	// OpenTunnel keeps a new tunnel and gives it the lowest Inner index, from
	// 1, that no tunnel in force holds. ErrKeyUsed when any tunnel ever had
	// its PublicKey, ErrExists when the device, session and app have a tunnel
	// that has not been ended, ErrDeviceState and ErrSessionEnded when the
	// device or the session does not allow it at t.Created.
	OpenTunnel(ctx context.Context, t Tunnel) (Tunnel, error)
	// ExtendLease renews the leases of tunnels, all or none: ErrLeaseEnded when
	// one is ended or past its time at now, ErrDeviceState, ErrSessionEnded.
	ExtendLease(ctx context.Context, updates []LeaseUpdate, now int64) error
	// EndTunnels ends those of the tunnels that have not been ended.
	EndTunnels(ctx context.Context, ids []string, cause string, now int64) error
	// LiveTunnels lists the tunnels of a gateway, of all gateways when it is
	// "", whose lease runs at now.
	LiveTunnels(ctx context.Context, gatewayID string, now int64) ([]Tunnel, error)
	// ExpireTunnels ends the tunnels whose lease is past its time, with cause
	// "expired" and Ended as the end of the lease, and returns them.
	ExpireTunnels(ctx context.Context, now int64) ([]Tunnel, error)
}

// Fleet is the part of Store about gateways and applications.
type Fleet interface {
	// PutGateway adds a gateway or replaces what is known of it; ErrNotFound
	// when its device is not there.
	PutGateway(ctx context.Context, g Gateway) error
	// Gateways lists by ID the gateways whose device may act: nobody must be
	// led to one that was revoked.
	Gateways(ctx context.Context) ([]Gateway, error)
	// AppAddress is the index, from 1, of an application's virtual address:
	// given on first use, the same ever after.
	AppAddress(ctx context.Context, appID string) (int64, error)
}

// Hash is the form in which a secret that a client presents is kept: SHA-256
// in lower-case hex. It suits random secrets of 128 bits and more, not passwords.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// isHash guards against keeping a secret itself where its hash belongs.
func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}
