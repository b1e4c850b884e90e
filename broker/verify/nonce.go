package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
)

// NonceLife is how long an attestation nonce is good for.
const NonceLife = 60 * time.Second

// An attestation nonce needs no table: it is expiry and generation, and a MAC
// over both and the device. It is single-use because accepting it raises the
// generation on the device's row, in the same statement as the sequence. All
// nonces given out between two attestations have the same generation, so a
// device may hold several and use one.

// Nonce makes the next nonce for a device.
func (v *Verifier) Nonce(d store.Device) string {
	return v.nonce(d.ID, v.now().Add(NonceLife).UnixMilli(), d.NonceGen+1)
}

func (v *Verifier) nonce(device string, expires, gen int64) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(expires))
	b = binary.BigEndian.AppendUint64(b, uint64(gen))
	h := hmac.New(sha256.New, v.secret)
	h.Write(b)
	h.Write([]byte(device))
	return jws.B64(append(b, h.Sum(nil)[:16]...))
}

// generation checks MAC and expiry and returns the generation.
func (v *Verifier) generation(d store.Device, nonce string) (int64, bool) {
	raw, err := jws.UnB64(nonce)
	if err != nil || len(raw) != 32 {
		return 0, false
	}
	expires := int64(binary.BigEndian.Uint64(raw))
	gen := int64(binary.BigEndian.Uint64(raw[8:]))
	if !jws.Equal(nonce, v.nonce(d.ID, expires, gen)) || v.now().UnixMilli() > expires {
		return 0, false
	}
	return gen, true
}

// useNonce asks the device to sign again over a fresh nonce.
func (v *Verifier) useNonce(d store.Device) error {
	return &Refusal{Status: http.StatusBadRequest, Code: api.CodeUseNonce, Detail: "the attestation's nonce is spent, foreign or expired", Nonce: v.Nonce(d)}
}
