package api

// Names of the events in a gateway's feed.
const (
	FeedSnapshot  = "snapshot"  // Snapshot: everything that lives now
	FeedGrant     = "grant"     // Grant: replaces all tunnels of that grant
	FeedRenew     = "renew"     // Renewal
	FeedHeartbeat = "heartbeat" // Heartbeat, echoed
)

// GatewayHello announces what agents must know of a gateway; sent with each heartbeat.
type GatewayHello struct {
	Epoch     string   `json:"epoch"`      // random per start
	PublicKey string   `json:"public_key"` // WireGuard, base64
	Endpoints []string `json:"endpoints"`  // host:port, UDP
}

// Heartbeat is what a gateway sends to PathHeartbeat and gets back in its
// feed. The time the gateway sent the last echoed one is the start of every
// ttl_ms that follows it, so that a delay can only shorten a lease.
type Heartbeat struct {
	Seq   int64        `json:"seq"`
	Hello GatewayHello `json:"hello"`
}

// Snapshot starts a feed.
type Snapshot struct {
	Seq    int64   `json:"seq"`
	Grants []Grant `json:"grants"`
}

// Grant is all leases of one device and person at this gateway.
type Grant struct {
	Seq     int64           `json:"seq"`
	ID      string          `json:"id"`
	Tunnels []GatewayTunnel `json:"tunnels"` // empty: the grant has ended
	Audit   AuditLabels     `json:"audit"`
}

// GatewayTunnel is one admitted WireGuard peer.
type GatewayTunnel struct {
	ID           string        `json:"id"`
	Lease        string        `json:"lease"`
	App          string        `json:"app"`
	PublicKey    string        `json:"public_key"`
	PresharedKey string        `json:"preshared_key"`
	Addresses    []string      `json:"addresses"`
	TTLMS        int64         `json:"ttl_ms"`
	Routes       []VirtualPort `json:"routes"`
}

// VirtualPort maps a virtual address and port to the real destination.
type VirtualPort struct {
	Virtual []string `json:"virtual"` // addresses
	Port    int      `json:"port"`
	// Destination is tcp:host:port or unix:/path, resolved at the gateway.
	Destination string `json:"destination"`
}

// AuditLabels name whose grant it is in the gateway's records.
type AuditLabels struct {
	Device string `json:"device"`
	Person string `json:"person"`
}

// Renewal extends leases of a grant and changes nothing else.
type Renewal struct {
	Seq   int64           `json:"seq"`
	Grant string          `json:"grant"`
	TTLs  []RenewedTunnel `json:"tunnels"`
}

// RenewedTunnel is the new remaining time of one tunnel.
type RenewedTunnel struct {
	ID    string `json:"id"`
	TTLMS int64  `json:"ttl_ms"`
}

// Acks tells the broker what the gateway has done.
type Acks struct {
	Epoch   string         `json:"epoch"`
	Applied int64          `json:"applied_seq"` // every feed event up to here is in force
	Closed  []ClosedTunnel `json:"closed,omitempty"`
}

// ClosedTunnel is a tunnel the gateway shut, and why.
type ClosedTunnel struct {
	ID       string `json:"id"`
	Cause    string `json:"cause"`     // expired, revoked, gateway-stopping
	ClosedAt string `json:"closed_at"` // RFC 3339 with milliseconds
}

// Causes of a closed tunnel.
const (
	CauseExpired  = "expired"
	CauseRevoked  = "revoked"
	CauseStopping = "gateway-stopping"
	CausePaused   = "paused" // the person's own wish; only the broker's record says so
)
