// Package bind ties things to the device key: DPoP proofs (RFC 9449) and the nonce commitment of a sign-in.
package bind

import (
	"crypto/sha256"

	"github.com/postern-zt/postern/platform/jws"
)

// commitLabel separates this hash from every other use of SHA-256.
const commitLabel = "postern/oidc-nonce/v1"

// CommitNonce is the OpenID Connect nonce that commits an ID token to a device
// key, so that the ID token of any ordinary provider is worth something only
// beside that key: base64url of SHA-256 over label, key thumbprint (RFC 7638),
// issuer, client id and salt, separated by NUL bytes.
func CommitNonce(jkt, issuer, clientID, salt string) string {
	h := sha256.New()
	for _, part := range []string{commitLabel, jkt, issuer, clientID, salt} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return jws.B64(h.Sum(nil))
}
