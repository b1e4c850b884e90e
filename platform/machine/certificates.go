package machine

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"time"
)

// maxCertificates bounds the certificates of one store.
const maxCertificates = 2048

// certificate is one element of the answer to AskCertificates.
type certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"` // lower-case hex
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"` // of the whole certificate, lower-case hex
}

// describe reads one certificate in DER; ok is false for what is none.
func describe(der []byte) (c certificate, ok bool) {
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return certificate{}, false
	}
	sum := sha256.Sum256(parsed.Raw)
	return certificate{
		Subject: parsed.Subject.String(), Issuer: parsed.Issuer.String(), Serial: parsed.SerialNumber.Text(16),
		NotBefore: parsed.NotBefore.UTC(), NotAfter: parsed.NotAfter.UTC(), SHA256: hex.EncodeToString(sum[:]),
	}, true
}

// certificatesInPEM reads the certificates in a text and passes over all else.
func certificatesInPEM(text []byte) []certificate {
	out := []certificate{}
	for len(out) < maxCertificates {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if c, ok := describe(block.Bytes); ok && block.Type == "CERTIFICATE" {
			out = append(out, c)
		}
	}
	return out
}
