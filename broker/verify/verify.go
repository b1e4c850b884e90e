// Package verify turns what a stranger sent into accepted evidence: enrolments, sign-ins, attestations.
package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
)

// Refusal is a definite no, with the code and the detail that may travel.
type Refusal struct {
	Status int    // HTTP
	Code   string // api.Code…
	Detail string // a sentence without anything the administrator configured
	Nonce  string // a fresh attestation nonce, with api.CodeUseNonce
}

// Error names detail and code.
func (r *Refusal) Error() string { return fmt.Sprintf("%s (%s)", r.Detail, r.Code) }

func refuse(status int, code, format string, args ...any) error {
	return &Refusal{Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Verifier checks evidence against the broker's memory.
type Verifier struct {
	issuer string
	store  store.Store
	now    func() time.Time
	secret []byte // of the attestation nonces, shared by all replicas
	people *people
}

// Config of a Verifier.
type Config struct {
	Issuer    string // the broker's own address: the audience of all evidence
	Store     store.Store
	Now       func() time.Time
	Providers func() []api.Provider // those of the policy in force
	HTTP      *http.Client          // for the providers; nil: a client with a deadline
}

// New makes a Verifier; its nonce secret lives in the store.
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	secret, err := cfg.Store.Secret(ctx, "attestation-nonce", func() ([]byte, error) { return jws.UnB64(jws.Random(32)) })
	if err != nil {
		return nil, fmt.Errorf("read the secret of the attestation nonces: %w", err)
	}
	v := &Verifier{issuer: cfg.Issuer, store: cfg.Store, now: cfg.Now, secret: secret}
	v.people = newPeople(cfg.Providers, cfg.HTTP, cfg.Now)
	return v, nil
}

// deviceFor finds the device of a key and checks that it may act.
func (v *Verifier) deviceFor(ctx context.Context, jkt string) (store.Device, error) {
	d, err := v.store.DeviceByJKT(ctx, jkt)
	if errors.Is(err, store.ErrNotFound) {
		return d, refuse(http.StatusForbidden, api.CodeUnknownDevice, "this device is not enrolled here")
	}
	if err != nil {
		return d, fmt.Errorf("find device: %w", err)
	}
	return d, mayAct(d)
}

// mayAct says why a device that is not active may do nothing.
func mayAct(d store.Device) error {
	switch d.State {
	case store.StateActive:
		return nil
	case store.StateQuarantined:
		return refuse(http.StatusForbidden, api.CodeQuarantined, "this device is in quarantine: its key was seen on two machines")
	case store.StateRevoked:
		return refuse(http.StatusForbidden, api.CodeDeviceRevoked, "this device was revoked")
	}
	return refuse(http.StatusForbidden, api.CodeAdmission, "this device waits for an administrator's approval")
}

// Device finds the active device of a proven key.
func (v *Verifier) Device(ctx context.Context, jkt string) (store.Device, error) {
	return v.deviceFor(ctx, jkt)
}
