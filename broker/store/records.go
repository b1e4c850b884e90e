package store

import "github.com/postern-zt/postern/broker/api"

// States of a device. Only an active device may attest.
const (
	StateActive      = "active"
	StatePending     = "pending"     // waits for an administrator
	StateQuarantined = "quarantined" // two machines seem to share its key
	StateRevoked     = "revoked"     // final
)

func knownState(s string) bool {
	return s == StateActive || s == StatePending || s == StateQuarantined || s == StateRevoked
}

// Device is one enrolled agent or gateway.
type Device struct {
	ID, JKT, PublicJWK, UEID, Name, Platform, AgentVersion string

	Scope          string // api.ScopeSystem, ScopeUser or ScopeGateway
	KeyProtection  api.KeyProtection
	KeyAttested    api.KeyAttested
	HardwareID     string // api.HardwareNone when too little is known
	HardwareReason string
	State          string
	Seq            int64  // of the last accepted attestation
	NonceGen       int64  // highest spent generation of attestation nonces
	ReportDigest   string // of Report
	Report         []byte // last accepted, JSON; nil when none was
	ReportAt       int64
	EnrolledAt     int64
	LastSeenAt     int64
}

// Accept is one verified attestation that is to be accepted.
type Accept struct {
	DeviceID string
	NonceGen int64 // must be above the device's
	Seq      int64 // must be above the device's
	// ReportDigest names the report; without a Report, a renewal, it must be
	// that of the report held.
	ReportDigest string
	Report       []byte
	ReportAt     int64  // when the report was true, for a renewal too
	AgentVersion string // "" leaves the one held
	Now          int64
}

// Session is one sign-in of a person on a device.
type Session struct {
	ID, DeviceID, JKT string
	Person            api.Person
	AuthTime          int64 // milliseconds, as all times here
	ACR               string
	Handle            string // Hash of the newest refresh handle
	PrevHandle        string // Hash of the one it was traded for
	Started, Ends     int64
	LastRefresh       int64
	Revoked           int64
	RevokedWhy        string
}

// Generation says how old a refresh handle is.
type Generation string

// The generations. The zero value is none of them and good for nothing.
const (
	HandleCurrent  Generation = "current"  // not yet used
	HandlePrevious Generation = "previous" // used, but no successor of it is
	HandleOlder    Generation = "older"    // presented by a thief, or to one
)

// Tunnel is a tunnel with its lease, in force or ended.
type Tunnel struct {
	ID, DeviceID, SessionID, AppID, GatewayID string

	PublicKey string   // the device's WireGuard key, base64
	Inner     int64    // index of the inner address, from 1
	LeaseID   string   // of the lease that keeps it
	StandsOn  []string // addresses of the facts the lease stands on
	Created   int64
	LeaseEnds int64
	Ended     int64  // 0 while in force
	EndCause  string // why it ended
}

// LeaseUpdate renews the lease of one tunnel.
type LeaseUpdate struct {
	TunnelID string
	LeaseID  string
	Ends     int64
	StandsOn []string
}

// Gateway is what agents must know of a gateway, as it last said.
type Gateway struct {
	ID, DeviceID, Name, PublicKey, Epoch string
	Endpoints                            []string // host:port, UDP
	LastSeen                             int64
}
