package server

import (
	"context"

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
	cause := api.CauseRevoked
	if e.Pause != "" {
		cause = api.CausePaused
	}
	for _, t := range g.Ended {
		s.recordTunnel(ctx, audit.TunnelClose, t, cause, e.Pause)
	}
	for _, t := range g.Opened {
		s.recordTunnel(ctx, audit.TunnelOpen, t, "", "")
	}
	if len(g.Ended)+len(g.Opened) == 0 {
		return
	}
	for _, c := range d.Checks {
		activity := audit.Found
		if c.Outcome == api.Pass {
			activity = audit.Solved
		}
		s.noted(s.cfg.Audit.ComplianceFinding(audit.ComplianceFinding{
			Activity: activity, Device: auditDevice(e.Device), Person: person, Code: c.Code, Name: c.Name, Outcome: c.Outcome, Enforced: c.Enforced, Missing: c.Missing, Remedy: c.Remedy.Text,
		}))
	}
}
