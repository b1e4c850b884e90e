package api

import "github.com/postern-zt/postern/posture/attest"

// KeyProtection is the device's own claim about where its key lives.
type KeyProtection string

// Where a device key may live (protocol, "Enrol").
const (
	KeyTPM           KeyProtection = "tpm"
	KeySecureEnclave KeyProtection = "secure-enclave"
	KeyOSKeystore    KeyProtection = "os-keystore"
	KeyFile          KeyProtection = "file"
)

// KeyAttested is what the broker could prove of that claim; policy uses this.
type KeyAttested string

// The assurance ladder, lowest first.
const (
	AttestedNone     KeyAttested = "none"
	AttestedEKTofu   KeyAttested = "ek-tofu"
	AttestedEKChain  KeyAttested = "ek-chain"
	AttestedVerified KeyAttested = "verified"
)

// Level is the rung on the ladder, 0 for none; an unknown word is -1, below all.
func (k KeyAttested) Level() int {
	switch k {
	case AttestedNone:
		return 0
	case AttestedEKTofu:
		return 1
	case AttestedEKChain:
		return 2
	case AttestedVerified:
		return 3
	}
	return -1
}

// Scope of an agent: the whole machine, or one user's own agent.
const (
	ScopeSystem  = "system"
	ScopeUser    = "user"
	ScopeGateway = "gateway" // not a person's machine: enforcement
)

// EnrolType is the JWS "typ" of an enrolment.
const EnrolType = "postern-enrol+jwt"

// Enrolment is the payload of the JWS sent to PathDevices, signed by the
// device key whose JWK is in the header.
type Enrolment struct {
	Audience      string        `json:"aud"` // the broker's issuer
	IssuedAt      int64         `json:"iat"` // Unix seconds, broker time
	ID            string        `json:"jti"`
	UEID          string        `json:"ueid"` // RFC 9711 section 4.2.1, base64url of 0x01 and 16 to 32 random bytes
	Name          string        `json:"device_name"`
	Platform      string        `json:"platform"` // linux, windows, darwin
	AgentVersion  string        `json:"agent_version"`
	Scope         string        `json:"scope"`
	KeyProtection KeyProtection `json:"key_protection"`
	Token         string        `json:"enrolment_token,omitempty"`
	Hardware      Hardware      `json:"hardware"`
}

// Hardware carries what identifies the machine, hashed.
type Hardware = attest.Hardware

// HardwareNone is the hardware identity of a machine that shows fewer than two
// usable identifiers: nothing is compared and no clone inferred.
const HardwareNone = "none"

// Enrolled is the answer to an enrolment.
type Enrolled struct {
	DeviceID         string      `json:"device_id"`
	KeyAttested      KeyAttested `json:"key_attested"`
	HardwareID       string      `json:"hardware_id"`
	HardwareReason   string      `json:"hardware_reason,omitempty"`
	AttestationNonce string      `json:"attestation_nonce"`
	// PseudonymKey replaces names in diagnostics, base64url of 32 bytes.
	PseudonymKey string `json:"pseudonym_key,omitempty"`
	// HelpdeskKey is the organisation's public key for bundles.
	HelpdeskKey string `json:"helpdesk_key,omitempty"`
}

// Grant types and token types of PathToken.
const (
	GrantExchange        = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	GrantRefresh         = "refresh_token"
	GrantDevice          = "client_credentials" // with a client assertion by the device key (RFC 7523)
	TypeIDToken          = "urn:ietf:params:oauth:token-type:id_token"
	TypeAccessToken      = "urn:ietf:params:oauth:token-type:access_token"
	AssertionJWT         = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	ParamGrantType       = "grant_type"
	ParamSubjectToken    = "subject_token"
	ParamSubjectType     = "subject_token_type"
	ParamSalt            = "postern_nonce_salt" // the random part of the nonce commitment
	ParamRefresh         = "refresh_token"
	ParamAssertion       = "client_assertion"
	ParamAssertionType   = "client_assertion_type"
	TokenTypeDPoP        = "DPoP"
	AccessTokenType      = "at+jwt" // RFC 9068
	AssertionTyp         = "postern-device+jwt"
	HeaderDPoP           = "DPoP"
	HeaderDPoPNonce      = "DPoP-Nonce"
	HeaderLastEventID    = "Last-Event-ID"
	HeaderGatewaySession = "Postern-Gateway-Session"
)

// DeviceAssertion is the payload of a client assertion (RFC 7523 section 3).
type DeviceAssertion struct {
	Issuer   string `json:"iss"` // device id
	Subject  string `json:"sub"` // device id
	Audience string `json:"aud"` // the token endpoint
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// TokenAnswer is the success answer of PathToken.
type TokenAnswer struct {
	AccessToken     string  `json:"access_token"`
	TokenType       string  `json:"token_type"`
	ExpiresIn       int64   `json:"expires_in"` // seconds
	IssuedTokenType string  `json:"issued_token_type,omitempty"`
	RefreshToken    string  `json:"refresh_token,omitempty"`
	SessionEndsIn   int64   `json:"session_ends_in,omitempty"` // seconds until a new sign-in is needed
	Person          *Person `json:"person,omitempty"`
}

// Person is who signed in.
type Person struct {
	Subject string   `json:"sub"`
	Issuer  string   `json:"iss"`
	Email   string   `json:"email,omitempty"`
	Name    string   `json:"name,omitempty"`
	Groups  []string `json:"groups,omitempty"`
}

// AccessClaims is the payload of an access token (RFC 9068, RFC 9449 section 6).
type AccessClaims struct {
	Issuer   string       `json:"iss"`
	Subject  string       `json:"sub"` // the person, or the device for a device token
	Audience string       `json:"aud"`
	ClientID string       `json:"client_id"` // device id
	ID       string       `json:"jti"`
	IssuedAt int64        `json:"iat"`
	Expires  int64        `json:"exp"`
	Scope    string       `json:"scope"`
	Session  string       `json:"sid,omitempty"`
	AuthTime int64        `json:"auth_time,omitempty"`
	ACR      string       `json:"acr,omitempty"`
	Confirm  Confirmation `json:"cnf"`
}

// Confirmation binds a token to a key by its RFC 7638 thumbprint.
type Confirmation struct {
	JKT string `json:"jkt"`
}

// Scopes of access tokens.
const (
	ScopeAttest     = "postern:attest"
	ScopeGatewayAPI = "postern:gateway"
)
