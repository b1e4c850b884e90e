package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

// enrolSkew bounds "iat" of an enrolment against broker time.
const enrolSkew = 5 * time.Minute

// Enrol checks an enrolment and keeps the device. A device that enrols again
// with the same key on the same hardware (its answer was lost) gets the same
// record back; the same key on other hardware puts it into quarantine.
func (v *Verifier) Enrol(ctx context.Context, token string) (store.Device, error) {
	s, err := jws.Parse(token, api.MaxToken)
	if err != nil || s.Header.Key == nil {
		return store.Device{}, refuse(http.StatusBadRequest, api.CodeBadEnrolment, "the enrolment is not a signed token with its key inside")
	}
	var e api.Enrolment
	if err := s.VerifyInto(s.Header.Key, api.EnrolType, &e); err != nil {
		return store.Device{}, refuse(http.StatusBadRequest, api.CodeBadEnrolment, "%s", err)
	}
	if err := v.checkEnrolment(e); err != nil {
		return store.Device{}, refuse(http.StatusBadRequest, api.CodeBadEnrolment, "%s", err)
	}
	d := store.Device{UEID: e.UEID, Name: e.Name, Platform: e.Platform, AgentVersion: e.AgentVersion, Scope: e.Scope, KeyProtection: e.KeyProtection, KeyAttested: api.AttestedNone, State: store.StateActive, EnrolledAt: v.now().UnixMilli()}
	d.HardwareID, d.HardwareReason = hardwareID(e.Hardware)
	jwk, err := jws.MarshalKey(s.Header.Key, "")
	if err != nil {
		return store.Device{}, err
	}
	if d.JKT, err = jws.Thumbprint(s.Header.Key); err != nil {
		return store.Device{}, err
	}
	d.PublicJWK = string(jwk)
	return v.admit(ctx, d, e.Token)
}

func (v *Verifier) checkEnrolment(e api.Enrolment) error {
	if e.Audience != v.issuer {
		return errors.New("made for another broker")
	}
	if age := v.now().Sub(time.Unix(e.IssuedAt, 0)); age > enrolSkew || age < -enrolSkew {
		return fmt.Errorf("iat is %s away from the broker's clock, at most %s allowed", age.Round(time.Second), enrolSkew)
	}
	for _, s := range []string{e.UEID, e.Name, e.Platform, e.AgentVersion, e.Hardware.Serial, e.Hardware.UUID, e.Hardware.EKHash} {
		if len(s) > fact.MaxString {
			return fmt.Errorf("a string is longer than %d bytes", fact.MaxString)
		}
	}
	if e.UEID == "" || e.Name == "" {
		return errors.New("ueid or device_name is empty")
	}
	if !slices.Contains([]string{api.ScopeSystem, api.ScopeUser, api.ScopeGateway}, e.Scope) {
		return fmt.Errorf("scope %q is not system, user or gateway", fact.Clip(e.Scope))
	}
	if !slices.Contains([]api.KeyProtection{api.KeyTPM, api.KeySecureEnclave, api.KeyOSKeystore, api.KeyFile}, e.KeyProtection) {
		return fmt.Errorf("key_protection %q is not one of the four", fact.Clip(string(e.KeyProtection)))
	}
	return nil
}

// admit applies the admission rule: a token an administrator made.
func (v *Verifier) admit(ctx context.Context, d store.Device, token string) (store.Device, error) {
	old, err := v.store.DeviceByJKT(ctx, d.JKT)
	if err == nil {
		return v.again(ctx, old, d)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return d, fmt.Errorf("find device: %w", err)
	}
	scope, err := v.store.UseEnrolmentToken(ctx, store.Hash(token), d.EnrolledAt)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return d, refuse(http.StatusForbidden, api.CodeAdmission, "the enrolment token is not known here")
	case errors.Is(err, store.ErrTokenSpent):
		return d, refuse(http.StatusForbidden, api.CodeAdmission, "the enrolment token is used up or past its time")
	case err != nil:
		return d, fmt.Errorf("use enrolment token: %w", err)
	}
	if (scope == api.ScopeGateway) != (d.Scope == api.ScopeGateway) {
		return d, refuse(http.StatusForbidden, api.CodeAdmission, "the enrolment token is for another kind of device")
	}
	d.ID = "dev_" + jws.Random(12)
	err = v.store.AddDevice(ctx, d)
	if errors.Is(err, store.ErrExists) { // the same device asked twice at once
		if old, err = v.store.DeviceByJKT(ctx, d.JKT); err == nil {
			return v.again(ctx, old, d)
		}
	}
	if err != nil {
		return d, fmt.Errorf("keep device: %w", err)
	}
	return d, nil
}

// again answers an enrolment with a key that is known.
func (v *Verifier) again(ctx context.Context, old, d store.Device) (store.Device, error) {
	if err := mayAct(old); err != nil {
		return old, err
	}
	if differ(old.HardwareID, d.HardwareID) {
		return old, v.quarantine(ctx, old)
	}
	if old.UEID != d.UEID || old.Scope != d.Scope {
		return old, refuse(http.StatusConflict, api.CodeBadEnrolment, "this key is enrolled as another device; make a new key")
	}
	return old, nil
}

// hardwareID names the machine by at least two identifiers, or says none with
// the reason: a single one is too easily shared to compare. The identifiers
// stay apart in it (kind, dash, half of the SHA-256 of what the device sent),
// so that one which cannot be read today is not taken for another machine.
func hardwareID(h api.Hardware) (id, reason string) {
	var parts, missing []string
	for _, p := range []struct{ kind, value string }{{"serial", h.Serial}, {"uuid", h.UUID}, {"ek", h.EKHash}} {
		if p.value == "" {
			missing = append(missing, p.kind)
			continue
		}
		parts = append(parts, p.kind+"-"+jws.Hash([]byte(p.value))[:22])
	}
	if len(parts) < 2 {
		return api.HardwareNone, "fewer than two identifiers could be read; missing: " + strings.Join(missing, ", ")
	}
	return strings.Join(parts, "."), ""
}

// differ reports whether two hardware identities are of two machines: both are
// known, and an identifier that both have is not the same.
func differ(a, b string) bool {
	kinds := map[string]string{}
	for part := range strings.SplitSeq(a, ".") {
		kind, value, _ := strings.Cut(part, "-")
		kinds[kind] = value
	}
	for part := range strings.SplitSeq(b, ".") {
		kind, value, _ := strings.Cut(part, "-")
		if was, both := kinds[kind]; both && was != value {
			return true
		}
	}
	return false
}
