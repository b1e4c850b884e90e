// Package api holds the words that agent, broker and gateway send each other, and nothing else.
package api

// Version of the protocol these words belong to.
const Version = 1

// Paths of the broker. What a broker does not serve it does not announce.
const (
	PathDiscovery    = "/.well-known/postern-broker"
	PathJWKS         = "/v1/jwks"
	PathDevices      = "/v1/devices"
	PathToken        = "/v1/token"
	PathRevoke       = "/v1/revoke" // RFC 7009
	PathAttestations = "/v1/attestations"
	PathEvents       = "/v1/events"
	PathObservations = "/v1/observations"
	PathGatewayFeed  = "/v1/gateway/leases"
	PathHeartbeat    = "/v1/gateway/heartbeat"
	PathAcks         = "/v1/gateway/acks"
)

// Media types.
const (
	TypeJSON    = "application/json"
	TypeProblem = "application/problem+json" // RFC 9457
	TypeEAT     = "application/eat+jwt"      // RFC 9782
	TypeEnrol   = "application/jwt"
	TypeJWT     = "application/jwt"
	TypeForm    = "application/x-www-form-urlencoded"
	TypeEvents  = "text/event-stream"
)

// Size limits in bytes; larger bodies are refused before they are parsed.
const (
	MaxAttestation = 64 << 10
	MaxToken       = 16 << 10
	MaxAnswer      = 1 << 20 // of observations with their signature, too
)

// Discovery is the answer of PathDiscovery.
type Discovery struct {
	Issuer           string     `json:"issuer"`
	ProtocolVersions []int      `json:"protocol_versions"`
	JWKSURI          string     `json:"jwks_uri"`
	Endpoints        Endpoints  `json:"endpoints"`
	Providers        []Provider `json:"identity_providers"`
	LeaseMS          int64      `json:"lease_ms"`
	HeartbeatMS      int64      `json:"heartbeat_ms"` // how often a gateway reports
	MinAgentVersion  string     `json:"minimum_agent_version,omitempty"`
}

// Endpoints are absolute addresses; one that is missing is not served.
type Endpoints struct {
	Devices      string `json:"devices"`
	Token        string `json:"token"`
	Revoke       string `json:"revocation"`
	Attestations string `json:"attestations"`
	Events       string `json:"events,omitempty"`
	Observations string `json:"observations,omitempty"`
	GatewayFeed  string `json:"gateway_leases,omitempty"`
	Heartbeat    string `json:"gateway_heartbeat,omitempty"`
	Acks         string `json:"gateway_acks,omitempty"`
}

// Provider is an OpenID provider that people of this organisation sign in with.
type Provider struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
	// ResponseMode is ResponseQuery where answers must not be posted although the
	// provider says that it can; "" leaves it to the provider.
	ResponseMode string `json:"response_mode,omitempty"`
}

// How a provider's answer reaches the device (OAuth 2.0 Multiple Response Type
// Encoding Practices section 2.1, OAuth 2.0 Form Post Response Mode).
const (
	ResponseQuery    = "query"
	ResponseFormPost = "form_post"
)

// Problem is an error answer (RFC 9457) with a stable code.
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"`
	// Nonce is a fresh attestation nonce, with code use_attestation_nonce.
	Nonce string `json:"attestation_nonce,omitempty"`
}

// Codes of problems. The sentences are in posture/catalogue.
const (
	CodeUseNonce         = "use_attestation_nonce"
	CodeBadAttestation   = "bad_attestation"
	CodeSequence         = "sequence_regressed"
	CodeUnknownDevice    = "unknown_device"
	CodeDeviceRevoked    = "device_revoked"
	CodeQuarantined      = "device_quarantined"
	CodeAdmission        = "admission_refused"
	CodeBadEnrolment     = "bad_enrolment"
	CodeNeedReport       = "report_needed" // a renewal named a report the broker does not hold
	CodeSignedOut        = "signed_out"
	CodeTooLarge         = "too_large"
	CodeBadRequest       = "bad_request"
	CodeUnauthorized     = "invalid_token"
	CodeUseDPoPNonce     = "use_dpop_nonce"
	CodeBadProof         = "invalid_dpop_proof"
	CodeForbidden        = "forbidden"
	CodeNotFound         = "not_found"
	CodeBusy             = "busy"
	CodeInternal         = "internal"
	CodeUnsupportedMedia = "unsupported_media_type"
)

// OAuthError is the error answer of PathToken (RFC 6749 section 5.2).
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// OAuth error words this broker uses (RFC 6749, RFC 9449).
const (
	OAuthInvalidRequest   = "invalid_request"
	OAuthInvalidGrant     = "invalid_grant"
	OAuthInvalidClient    = "invalid_client"
	OAuthUnsupportedGrant = "unsupported_grant_type"
	OAuthUseDPoPNonce     = "use_dpop_nonce"
	OAuthInvalidDPoP      = "invalid_dpop_proof"
	OAuthServerError      = "server_error"
)
