package api

import "github.com/postern-zt/postern/posture/observe"

// ObservationsType is the JWS "typ" of observations, and no other token's.
const ObservationsType = "postern-observations+jwt"

// Purposes of the broker's keys, in the member postern_purpose of its key set:
// what is signed by a key of another purpose counts for nothing.
const (
	PurposeAccess       = "access-tokens"
	PurposeObservations = "observations"
)

// Document is what to read, without who says so.
type Document = observe.Document

// Observations is the payload of the JWS that PathObservations answers with:
// what a device shall read beyond the built-in signals. It never says which
// value is a good one.
type Observations struct {
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"` // Unix seconds; of the signature, not of the content
	Document
}
