package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

// Evidence is an accepted attestation: it counts only for this device and the
// tunnel keys inside it.
type Evidence struct {
	Device    store.Device // after acceptance
	Report    fact.Report
	Digest    string
	Wanted    map[string]string // app → WireGuard public key
	Unusable  []string
	NextNonce string
}

// Attestation checks an attestation that came over a call proven by the key
// with thumbprint jkt, and accepts it: its nonce and sequence are then spent.
func (v *Verifier) Attestation(ctx context.Context, jkt, token string) (Evidence, error) {
	d, err := v.deviceFor(ctx, jkt)
	if err != nil {
		return Evidence{}, err
	}
	c, err := attest.Verify(token, attest.Expected{JKT: d.JKT, Audience: v.issuer, Now: v.now()})
	if err != nil {
		return Evidence{}, refuse(http.StatusBadRequest, api.CodeBadAttestation, "%s", err)
	}
	if c.UEID != d.UEID {
		return Evidence{}, refuse(http.StatusBadRequest, api.CodeBadAttestation, "the attestation names another device")
	}
	gen, ok := v.generation(d, c.Nonce)
	if !ok {
		return Evidence{}, v.useNonce(d)
	}
	a, report, err := v.acceptable(d, c)
	if err != nil {
		return Evidence{}, err
	}
	a.NonceGen = gen
	if err := v.accept(ctx, d, c, a); err != nil {
		return Evidence{}, err
	}
	d.NonceGen, d.Seq, d.ReportDigest, d.ReportAt = gen, a.Seq, a.ReportDigest, a.ReportAt
	e := Evidence{Device: d, Report: report, Digest: a.ReportDigest, Wanted: map[string]string{}, Unusable: c.Unusable, NextNonce: v.Nonce(d)}
	for _, w := range c.Wanted {
		e.Wanted[w.App] = w.PublicKey
	}
	return e, nil
}

// acceptable finds the report that the claims carry or renew.
func (v *Verifier) acceptable(d store.Device, c attest.Claims) (store.Accept, fact.Report, error) {
	a := store.Accept{DeviceID: d.ID, Seq: c.Seq, Now: v.now().UnixMilli()}
	if len(c.Version) > 0 {
		a.AgentVersion = fact.Clip(c.Version[0])
	}
	var report fact.Report
	if c.Report != nil {
		data, err := json.Marshal(c.Report)
		if err != nil {
			return a, report, fmt.Errorf("keep report: %w", err)
		}
		a.Report, a.ReportDigest, a.ReportAt = data, c.Report.Digest(), v.observedAt(oldest(*c.Report)).UnixMilli()
		return a, *c.Report, nil
	}
	needed := refuse(http.StatusConflict, api.CodeNeedReport, "the broker does not hold the report that was renewed; send it whole")
	if c.Renewal.Digest != d.ReportDigest || len(d.Report) == 0 {
		return a, report, needed
	}
	if err := json.Unmarshal(d.Report, &report); err != nil {
		return a, report, needed
	}
	for i := range report.Signals {
		report.Signals[i].ObservedAt = v.observedAt(c.Renewal.ObservedAt)
	}
	a.ReportDigest, a.ReportAt = d.ReportDigest, v.observedAt(c.Renewal.ObservedAt).UnixMilli()
	return a, report, nil
}

// observedAt takes a device's word for when it read something, but never a
// moment that has not come yet.
func (v *Verifier) observedAt(t time.Time) time.Time {
	if now := v.now(); t.After(now) {
		return now
	}
	return t
}

// oldest is the oldest reading of a report.
func oldest(r fact.Report) time.Time {
	var t time.Time
	for i, s := range r.Signals {
		if i == 0 || s.ObservedAt.Before(t) {
			t = s.ObservedAt
		}
	}
	return t
}

// accept spends nonce and sequence, and recognises a cloned key.
func (v *Verifier) accept(ctx context.Context, d store.Device, c attest.Claims, a store.Accept) error {
	err := v.store.AcceptAttestation(ctx, a)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNonceSpent):
		fresh, findErr := v.store.DeviceByID(ctx, d.ID)
		if findErr != nil {
			return fmt.Errorf("find device: %w", findErr)
		}
		return v.useNonce(fresh)
	case errors.Is(err, store.ErrSeqRegressed):
		return v.regressed(ctx, d, c)
	case errors.Is(err, store.ErrReportUnknown):
		return refuse(http.StatusConflict, api.CodeNeedReport, "the broker does not hold the report that was renewed; send it whole")
	case errors.Is(err, store.ErrDeviceState):
		return refuse(http.StatusForbidden, api.CodeDeviceRevoked, "this device may not attest any more")
	}
	return fmt.Errorf("accept attestation: %w", err)
}

// regressed answers a sequence number that did not rise. With another hardware
// identity it is a copy of the key on a second machine: quarantine. Otherwise
// the device has lost its state and must enrol anew; it never guesses.
func (v *Verifier) regressed(ctx context.Context, d store.Device, c attest.Claims) error {
	if id, _ := hardwareID(c.Hardware); differ(id, d.HardwareID) {
		if err := v.quarantine(ctx, d); err != nil {
			return err
		}
		return mayAct(store.Device{State: store.StateQuarantined})
	}
	return refuse(http.StatusConflict, api.CodeSequence, "the sequence number did not rise: this device lost its state, or an older attestation arrived late")
}

func (v *Verifier) quarantine(ctx context.Context, d store.Device) error {
	if err := v.store.SetDeviceState(ctx, d.ID, store.StateQuarantined); err != nil {
		return fmt.Errorf("quarantine device: %w", err)
	}
	if err := v.store.RevokeDeviceSessions(ctx, d.ID, api.CodeQuarantined, v.now().UnixMilli()); err != nil {
		return fmt.Errorf("end the sessions of a quarantined device: %w", err)
	}
	return nil
}
