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
	"github.com/postern-zt/postern/tunnel/wg"
)

// Evidence is an accepted attestation: it counts only for this device and the
// tunnel keys inside it.
type Evidence struct {
	Device    store.Device // after acceptance
	Report    fact.Report
	Digest    string
	Changed   bool              // the report is another than the one accepted before
	Wanted    map[string]string // app → WireGuard public key
	Unusable  []string
	Pause     string // the person's reason for having everything closed; "" when not paused
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
	// Fresh, and signed by this key on other hardware: there are two of it.
	if id, _ := hardwareID(c.Hardware); differ(id, d.HardwareID) {
		return Evidence{}, v.quarantine(ctx, d)
	}
	wanted, err := tunnelKeys(c.Wanted)
	if err != nil {
		return Evidence{}, refuse(http.StatusBadRequest, api.CodeBadAttestation, "%s", err)
	}
	a, report, err := v.acceptable(d, c)
	if err != nil {
		return Evidence{}, err
	}
	a.NonceGen = gen
	if err := v.accept(ctx, d, a); err != nil {
		return Evidence{}, err
	}
	changed := a.ReportDigest != d.ReportDigest
	d.NonceGen, d.Seq, d.ReportDigest, d.ReportAt = gen, a.Seq, a.ReportDigest, a.ReportAt
	return Evidence{Device: d, Report: report, Digest: a.ReportDigest, Changed: changed, Wanted: wanted, Unusable: c.Unusable, Pause: c.Pause, NextNonce: v.Nonce(d)}, nil
}

// tunnelKeys takes the keys of the wanted apps in the one spelling that a
// gateway takes: what it would refuse must be refused here, and one key must
// not pass for two.
func tunnelKeys(wanted []attest.Wanted) (map[string]string, error) {
	out := map[string]string{}
	for _, w := range wanted {
		k, err := wg.ParsePublicKey(w.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("wanted app %q: %w", w.App, err)
		}
		out[w.App] = k.String()
	}
	return out, nil
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

// accept spends nonce and sequence.
func (v *Verifier) accept(ctx context.Context, d store.Device, a store.Accept) error {
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
		// On other hardware it would be in quarantine by now. On its own the
		// device has lost its state and must enrol anew; it never guesses.
		return refuse(http.StatusConflict, api.CodeSequence, "the sequence number did not rise: this device lost its state, or an older attestation arrived late")
	case errors.Is(err, store.ErrReportUnknown):
		return refuse(http.StatusConflict, api.CodeNeedReport, "the broker does not hold the report that was renewed; send it whole")
	case errors.Is(err, store.ErrDeviceState):
		return v.nowRefused(ctx, d)
	}
	return fmt.Errorf("accept attestation: %w", err)
}

// nowRefused says why a device that was active a moment ago may not attest.
func (v *Verifier) nowRefused(ctx context.Context, d store.Device) error {
	now, err := v.store.DeviceByID(ctx, d.ID)
	if err != nil {
		return fmt.Errorf("find device: %w", err)
	}
	if err := mayAct(now); err != nil {
		return err
	}
	return refuse(http.StatusForbidden, api.CodeDeviceRevoked, "this device may not attest any more")
}

// quarantine stops a device whose key was seen on two machines and returns the
// refusal.
func (v *Verifier) quarantine(ctx context.Context, d store.Device) error {
	if err := v.store.SetDeviceState(ctx, d.ID, store.StateQuarantined); err != nil {
		return fmt.Errorf("quarantine device: %w", err)
	}
	if err := v.store.RevokeDeviceSessions(ctx, d.ID, api.CodeQuarantined, v.now().UnixMilli()); err != nil {
		return fmt.Errorf("end the sessions of a quarantined device: %w", err)
	}
	return mayAct(store.Device{State: store.StateQuarantined})
}
