package api

import "github.com/postern-zt/postern/posture/fact"

// Tier is the overall verdict in the words of AR4SI (draft-ietf-rats-ar4si).
type Tier string

// The tiers. The zero value gives nothing.
const (
	TierNone            Tier = "none"
	TierAffirming       Tier = "affirming"
	TierWarning         Tier = "warning"
	TierContraindicated Tier = "contraindicated"
)

// Outcome of one check.
type Outcome string

// The outcomes.
const (
	Pass    Outcome = "pass"
	Fail    Outcome = "fail"
	Unclear Outcome = "unknown" // a fact it needs is not known; counts as failed unless the policy says otherwise
)

// Answer is the broker's answer to an accepted attestation.
type Answer struct {
	Verdict       Tier        `json:"verdict"`
	Checks        []Check     `json:"checks"`
	Leases        []Lease     `json:"leases"`
	Denied        []DeniedApp `json:"denied"`
	Forecast      []Forecast  `json:"forecast,omitempty"`
	Needs         []AppNeeds  `json:"needs,omitempty"` // what applications ask for; an application without an entry: not told
	KeyAttested   KeyAttested `json:"key_attested"`
	NextNonce     string      `json:"next_nonce"`
	AttestAfterMS int64       `json:"attest_after_ms"`
	ReportDigest  string      `json:"report_digest"`
	SkewMS        int64       `json:"clock_skew_ms,omitempty"` // device clock minus broker clock, when it matters
}

// Check is one check's outcome with a reason code, never the value compared.
type Check struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Outcome  Outcome  `json:"outcome"`
	Enforced bool     `json:"enforced"`          // false: reported only, or not yet in force
	Missing  []string `json:"missing,omitempty"` // fact addresses that were not known, with unknown
	Remedy   Remedy   `json:"remedy,omitzero"`
	From     string   `json:"from,omitempty"`  // RFC 3339: when it begins to decide, if it does not yet; without it one that is not enforced only reports
	Parts    []Part   `json:"parts,omitempty"` // what it asks for; none: not told
}

// Remedy is how to get well again.
type Remedy struct {
	Text   string `json:"text,omitempty"`
	Target string `json:"target,omitempty"` // id of a settings page in the client's fixed table
}

// AppInfo names an application for people.
type AppInfo struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Open string `json:"open,omitempty"` // what to open: scheme and path, "http:/" by default
}

// DeniedApp is an application without a lease, and why.
type DeniedApp struct {
	App     AppInfo  `json:"app"`
	Reasons []string `json:"reasons"`
}

// Reason codes the broker itself gives beside the policy's org/… codes.
const (
	ReasonKeyAssurance = "key-assurance-too-low"
	ReasonNotInGroup   = "not-in-group"
	ReasonTooOld       = "posture-too-old"
	ReasonACR          = "sign-in-too-weak" // weaker than the app asks for (RFC 9470); a new sign-in with the app's acr helps
	ReasonNoGateway    = "no-gateway"
	ReasonNoTunnelKey  = "no-tunnel-key"   // the attestation carried no key for this app
	ReasonKeyUsed      = "tunnel-key-used" // the attestation carried a key that served a tunnel before
)

// Forecast tells what will fail when a dated rule starts.
type Forecast struct {
	Code   string   `json:"code"`
	Name   string   `json:"name"`
	From   string   `json:"from"` // RFC 3339
	Apps   []string `json:"apps"`
	Remedy Remedy   `json:"remedy,omitzero"`
}

// Lease lets one person's device use one application for a short time.
type Lease struct {
	ID      string  `json:"id"`
	App     AppInfo `json:"app"`
	Tunnel  Tunnel  `json:"tunnel"`
	TTLMS   int64   `json:"ttl_ms"` // counts on the receiver's boot clock from when it sent the request
	Limited bool    `json:"limited,omitempty"`
	Pending bool    `json:"pending,omitempty"` // the gateway has not yet acknowledged
	// StandsOn lists the addresses of the facts the decision used; "[*]" means any entry.
	StandsOn []string `json:"stands_on"`
}

// Tunnel outlives the renewals of its lease.
type Tunnel struct {
	ID           string          `json:"id"`
	PublicKey    string          `json:"public_key"` // the device's end, base64
	Gateway      GatewayEndpoint `json:"gateway"`
	PresharedKey string          `json:"preshared_key"` // base64; never logged
	Addresses    []string        `json:"addresses"`     // inner addresses of the device, v4 and v6
	Virtual      []string        `json:"virtual"`       // virtual addresses of the app
	DNSNames     []string        `json:"dns_names,omitempty"`
	Ports        []int           `json:"ports"` // TCP ports at the virtual addresses
	Primary      int             `json:"primary_port"`
}

// GatewayEndpoint is where the other end of a tunnel listens.
type GatewayEndpoint struct {
	ID        string   `json:"id"`
	Epoch     string   `json:"epoch"` // changes when the gateway starts anew: shake hands again
	PublicKey string   `json:"public_key"`
	Endpoints []string `json:"endpoints"` // host:port, UDP
}

// ReportLimits gives the list and string limits to clients in other languages.
const (
	ReportMaxEntries = fact.MaxEntries
	ReportMaxString  = fact.MaxString
)

// Names of the events of PathEvents.
const (
	EventAttestNow     = "attest_now"
	EventLeaseRevoked  = "lease_revoked"
	EventLeasesChanged = "leases_changed"
	EventObservations  = "observations_changed"
	EventSignedOut     = "signed_out"
	EventMessage       = "message"
)

// Event is the data of one server-sent event to an agent.
type Event struct {
	Lease string `json:"lease,omitempty"`
	Code  string `json:"code,omitempty"`
	Text  string `json:"text,omitempty"`
}
