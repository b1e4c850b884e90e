package bind

import (
	"crypto"
	"fmt"
	"net/url"
	"time"

	"github.com/postern-zt/postern/platform/jws"
)

// ProofType is the JWS "typ" of a proof (RFC 9449 section 4.2).
const ProofType = "dpop+jwt"

// maxProof is far above any proof this protocol makes.
const maxProof = 4 << 10

// Request is the call a proof speaks for.
type Request struct {
	Method      string
	URL         string // absolute; query and fragment do not count
	AccessToken string // the token presented beside the proof, if any
}

type proofClaims struct {
	ID       string `json:"jti"`
	Method   string `json:"htm"`
	URL      string `json:"htu"`
	IssuedAt int64  `json:"iat"`
	Token    string `json:"ath,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
}

// MakeProof signs a DPoP proof with the device key; now is in the time of the
// server that will check it, nonce the newest it gave, or empty.
func MakeProof(key crypto.Signer, r Request, nonce string, now time.Time) (string, error) {
	u, err := plainURL(r.URL)
	if err != nil {
		return "", fmt.Errorf("make DPoP proof: %w", err)
	}
	c := proofClaims{ID: jws.Random(16), Method: r.Method, URL: u, IssuedAt: now.Unix(), Nonce: nonce}
	if r.AccessToken != "" {
		c.Token = jws.Hash([]byte(r.AccessToken))
	}
	return jws.Sign(key, c, jws.Options{Type: ProofType, Embed: true})
}

// plainURL drops query and fragment (RFC 9449 section 4.2, "htu").
func plainURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "", fmt.Errorf("%q is not an absolute address", raw)
	}
	u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = "", "", "", false
	return u.String(), nil
}
