package signin

import (
	"net/http"
	"time"
)

// What tests need to know and to turn.
const (
	MaxPending = maxPending
	MaxBody    = maxBody
)

// Patience is how long a call to a provider lasts at most.
func Patience() time.Duration { return providerClient().Timeout }

// SetPatience makes it another for one device.
func (s *SignIns) SetPatience(d time.Duration) { s.http.Timeout = d }

// WhoPrompt is the prompt for a provider that announces none.
func WhoPrompt(issuer string) string { return metadata{}.whoPrompt(issuer) }

// Through puts f between a device and the providers.
func (s *SignIns) Through(f func(next http.RoundTripper) http.RoundTripper) {
	s.http.Transport = f(s.http.Transport)
}
