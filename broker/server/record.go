package server

import (
	"context"
	"slices"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
)

// noted logs an audit event that could not be written. Access does not hang on
// it: the promise of the product is the closing, not the record.
func (s *Server) noted(err error) {
	if err != nil {
		s.cfg.Log.Error("write audit event", "error", err)
	}
}

func auditDevice(d store.Device) audit.Device {
	return audit.Device{ID: d.ID, Name: d.Name, Platform: d.Platform}
}

func (s *Server) recordSignIn(d store.Device, in verify.SignIn, refused string) {
	s.noted(s.cfg.Audit.Authentication(audit.Authentication{Activity: audit.Logon, Person: in.Person, Device: auditDevice(d), ACR: in.ACR, Refused: refused}))
}

func (s *Server) recordTunnel(ctx context.Context, activity int, t store.Tunnel, cause, detail string) {
	a := audit.TunnelActivity{
		Activity: activity, Cause: cause, Detail: detail, Tunnel: t.ID, App: t.AppID, Gateway: t.GatewayID, Device: audit.Device{ID: t.DeviceID},
		Session: t.SessionID, PublicKey: t.PublicKey, Lease: t.LeaseID, LeaseEnds: t.LeaseEnds,
	}
	if ses, err := s.cfg.Store.SessionByID(ctx, t.SessionID); err == nil {
		a.Person = ses.Person
	}
	s.noted(s.cfg.Audit.TunnelActivity(a))
}

// recordDecision writes what changed; a plain renewal changes nothing.
func (s *Server) recordDecision(ctx context.Context, e verify.Evidence, person api.Person, d policy.Decision, g issuer.Given) {
	for _, t := range g.Ended {
		cause, detail := causeOf(t, e, d)
		s.recordTunnel(ctx, audit.TunnelClose, t, cause, detail)
	}
	for _, t := range g.Opened {
		s.recordTunnel(ctx, audit.TunnelOpen, t, "", "")
	}
	moved := len(g.Ended)+len(g.Opened) > 0
	for _, c := range d.Checks {
		// What fails while nothing is open, as in a pause, closes nothing, and
		// must not go by unseen all the same.
		if !moved && (!e.Changed || len(g.Live) > 0 || c.Outcome == api.Pass) {
			continue
		}
		s.recordCheck(e.Device, person, c)
	}
}

// causeOf is why a tunnel ended: by the person's wish only if policy would have
// let it live. The wish is the device's word, and the rest is ours.
func causeOf(t store.Tunnel, e verify.Evidence, d policy.Decision) (cause, detail string) {
	allowed := slices.ContainsFunc(d.Apps, func(a policy.AppDecision) bool { return a.App.ID == t.AppID && a.Allowed })
	if e.Pause != "" && allowed {
		return api.CausePaused, e.Pause
	}
	return api.CauseRevoked, ""
}

func (s *Server) recordCheck(device store.Device, person api.Person, c api.Check) {
	activity := audit.Found
	if c.Outcome == api.Pass {
		activity = audit.Solved
	}
	s.noted(s.cfg.Audit.ComplianceFinding(audit.ComplianceFinding{
		Activity: activity, Device: auditDevice(device), Person: person, Code: c.Code, Name: c.Name, Outcome: c.Outcome, Enforced: c.Enforced, Missing: c.Missing, Remedy: c.Remedy.Text,
	}))
}
