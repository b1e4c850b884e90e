package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
)

// Every way a session or a tunnel ends before its lease goes through here: the
// store first, then agent and gateway. A caller that hangs up half way changes
// nothing: what has begun to end ends.

// endDeviceSessions ends all sign-ins of a device. Its agent knows why.
func (s *Server) endDeviceSessions(ctx context.Context, device, why string) error {
	if err := s.cfg.Store.RevokeDeviceSessions(ctx, device, why, s.cfg.Now().UnixMilli()); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return s.endDevice(ctx, device, "")
}

// endDevice ends the tunnels and streams of a device whose sessions are over.
// The tunnels are listed after that: none can be opened any more. A code says
// what its agent is told; without one it knows.
func (s *Server) endDevice(ctx context.Context, device, code string) error {
	ctx = context.WithoutCancel(ctx)
	s.people.endDevice(device, code)
	live, err := s.cfg.Store.LiveTunnels(ctx, "", s.cfg.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("list tunnels: %w", err)
	}
	return s.endTunnels(ctx, tunnelsWhere(live, func(t store.Tunnel) bool { return t.DeviceID == device }), api.CauseRevoked)
}

// afterRefusal ends what a device had that has just gone into quarantine.
func (s *Server) afterRefusal(ctx context.Context, device string, err error) {
	var refusal *verify.Refusal
	if !errors.As(err, &refusal) || refusal.Code != api.CodeQuarantined || device == "" {
		return
	}
	if err := s.endDevice(ctx, device, api.CodeQuarantined); err != nil {
		s.cfg.Log.Error("end what a quarantined device had", "device", device, "error", err)
	}
}

// signOut ends one session and all its tunnels.
func (s *Server) signOut(ctx context.Context, session, why string) error {
	if err := s.cfg.Store.RevokeSession(ctx, session, why, s.cfg.Now().UnixMilli()); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return s.endSession(ctx, session)
}

// endSession ends the tunnels of a session that is over and tells its agent.
func (s *Server) endSession(ctx context.Context, session string) error {
	ctx = context.WithoutCancel(ctx)
	s.people.end(session, api.CodeSignedOut)
	live, err := s.cfg.Store.LiveTunnels(ctx, "", s.cfg.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("list tunnels: %w", err)
	}
	return s.endTunnels(ctx, tunnelsWhere(live, func(t store.Tunnel) bool { return t.SessionID == session }), api.CauseRevoked)
}

func tunnelsWhere(all []store.Tunnel, want func(store.Tunnel) bool) []store.Tunnel {
	var out []store.Tunnel
	for _, t := range all {
		if want(t) {
			out = append(out, t)
		}
	}
	return out
}

// endTunnels ends tunnels of any sessions and sends each touched grant anew.
func (s *Server) endTunnels(ctx context.Context, tunnels []store.Tunnel, cause string) error {
	sessions := map[string][]store.Tunnel{}
	for _, t := range tunnels {
		sessions[t.SessionID] = append(sessions[t.SessionID], t)
	}
	var failed error
	for session, ts := range sessions { // each is tried, whatever happened to the others
		unlock := s.locks.lock(session)
		failed = errors.Join(failed, s.endLocked(ctx, session, ts, cause))
		unlock()
	}
	return failed
}

func (s *Server) endLocked(ctx context.Context, session string, ts []store.Tunnel, cause string) error {
	var ids []string
	gateways := map[string]bool{}
	for _, t := range ts {
		ids = append(ids, t.ID)
		gateways[t.GatewayID] = true
	}
	if err := s.cfg.Store.EndTunnels(ctx, ids, cause, s.cfg.Now().UnixMilli()); err != nil {
		// The gateway is told all the same; it shuts what the store still names.
		return errors.Join(fmt.Errorf("end tunnels: %w", err), s.sendGrants(ctx, session, gateways, ts))
	}
	for _, t := range ts {
		s.people.tell(session, api.EventLeaseRevoked, api.Event{Lease: t.LeaseID})
	}
	err := s.sendGrants(ctx, session, gateways, nil)
	for _, t := range ts { // last: a disk that takes nothing must not delay the closing
		s.recordTunnel(ctx, audit.TunnelClose, t, cause, "")
	}
	return err
}

// sendGrants sends what now lives of a session to the gateways, but not the
// ended; an empty grant where nothing lives. When the store does not answer it
// sends empty grants: a gateway must not go on with what may have ended.
func (s *Server) sendGrants(ctx context.Context, session string, gateways map[string]bool, ended []store.Tunnel) error {
	live, err := s.cfg.Store.LiveTunnels(ctx, "", s.cfg.Now().UnixMilli())
	if err != nil {
		live = nil
	}
	for gw := range gateways {
		mine := tunnelsWhere(live, func(t store.Tunnel) bool {
			return t.SessionID == session && t.GatewayID == gw && !slices.ContainsFunc(ended, func(e store.Tunnel) bool { return e.ID == t.ID })
		})
		s.sendGrant(ctx, gw, session, mine)
	}
	return err
}

// sendGrant sends one grant whole and returns its sequence number. It is
// written where it gets its place among the events, like a snapshot: one that
// was written earlier, under another policy, would undo what a reload sent.
func (s *Server) sendGrant(ctx context.Context, gateway, session string, tunnels []store.Tunnel) int64 {
	return s.feeds.publish(gateway, api.FeedGrant, func(seq int64) any {
		g := api.Grant{ID: session, Tunnels: []api.GatewayTunnel{}}
		grants, err := s.issuer.Grants(ctx, tunnels, s.policy.Load().App)
		if err != nil {
			s.cfg.Log.Error("write grant", "error", err)
		} else if len(grants) == 1 {
			g = grants[0]
		}
		g.Seq = seq
		return g
	})
}
