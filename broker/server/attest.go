package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
)

// ackWait is how long an answer waits for the gateways of new leases.
const ackWait = 250 * time.Millisecond

// attest is the heart: evidence in, decision, leases out.
func (s *Server) attest(w http.ResponseWriter, r *http.Request) {
	c, err := s.authorize(r, api.ScopeAttest)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	body, err := readBody(w, r, api.TypeEAT, api.MaxAttestation)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	origin, _ := netip.ParseAddrPort(r.RemoteAddr)
	// A listener for both families names IPv4 callers in IPv6.
	answer, waits, err := s.decide(r.Context(), c, string(body), origin.Addr().Unmap().WithZone(""))
	if err != nil {
		s.afterRefusal(r.Context(), c.claims.ClientID, err)
		s.problem(w, r, err)
		return
	}
	s.await(r.Context(), answer.Leases, waits)
	writeJSON(w, http.StatusOK, answer)
}

// waits maps a gateway to the feed event that opens new leases there.
type waits map[string]int64

// decide verifies, decides and tells the gateways, in one step per session.
// Once a nonce is spent the work is finished even if the caller has gone.
func (s *Server) decide(ctx context.Context, c caller, token string, origin netip.Addr) (api.Answer, waits, error) {
	defer s.locks.lock(c.session.ID)()
	ctx = context.WithoutCancel(ctx)
	e, err := s.verify.Attestation(ctx, c.jkt, token)
	if err != nil {
		return api.Answer{}, nil, err
	}
	now := s.cfg.Now()
	d := s.policy.Load().Decide(policy.Input{
		Report: e.Report, Person: c.session.Person, Now: now, Horizon: s.cfg.Lease, Origin: origin, ACR: c.session.ACR,
		Device: policy.Device{ID: e.Device.ID, KeyAttested: e.Device.KeyAttested, KeyProtection: e.Device.KeyProtection, HardwareID: e.Device.HardwareID},
	})
	gws, away, err := s.gateways(ctx)
	if err != nil {
		return api.Answer{}, nil, err
	}
	g, err := s.issuer.Lease(ctx, issuer.Ask{Device: e.Device, Session: c.session, Apps: d.Apps, Wanted: e.Wanted, Gateways: gws, Away: away})
	if err != nil {
		s.tellGateways(ctx, c.session.ID, g, true)
		return api.Answer{}, nil, s.whyNoLease(ctx, c, err)
	}
	w := s.tellGateways(ctx, c.session.ID, g, false)
	s.recordDecision(ctx, e, c.session.Person, d, g)
	return s.answer(d, g, e), w, nil
}

// whyNoLease tells a session or device that ended in the meantime from a fault.
func (s *Server) whyNoLease(ctx context.Context, c caller, err error) error {
	switch {
	case errors.Is(err, store.ErrSessionEnded):
		return errSignedOut
	case errors.Is(err, store.ErrDeviceState):
		if _, refused := s.verify.Device(ctx, c.jkt); refused != nil {
			return refused
		}
	}
	return err
}

// tellGateways sends a whole grant where a tunnel came or went, and a renewal
// where only time was added. After an error it sends what the store holds.
func (s *Server) tellGateways(ctx context.Context, session string, g issuer.Given, failed bool) waits {
	changed, opened := map[string]bool{}, map[string]bool{}
	for _, t := range g.Ended {
		changed[t.GatewayID] = true
	}
	for _, t := range g.Opened {
		changed[t.GatewayID], opened[t.GatewayID] = true, true
	}
	if failed {
		if err := s.sendGrants(ctx, session, changed, g.Ended); err != nil {
			s.cfg.Log.Error("send grants after an error", "error", err)
		}
		return nil
	}
	w := waits{}
	for gw := range changed {
		mine := tunnelsWhere(g.Live, func(t store.Tunnel) bool { return t.GatewayID == gw })
		if seq := s.sendGrant(ctx, gw, session, mine); opened[gw] {
			w[gw] = seq
		}
	}
	for gw, ts := range byGateway(g.Live) {
		if !changed[gw] {
			s.feeds.publish(gw, api.FeedRenew, func(seq int64) any {
				return api.Renewal{Seq: seq, Grant: session, TTLs: s.issuer.Renewals(ts)}
			})
		}
	}
	return w
}

func byGateway(ts []store.Tunnel) map[string][]store.Tunnel {
	out := map[string][]store.Tunnel{}
	for _, t := range ts {
		out[t.GatewayID] = append(out[t.GatewayID], t)
	}
	return out
}

// await marks the new leases whose gateway has not acknowledged in time.
func (s *Server) await(ctx context.Context, leases []api.Lease, w waits) {
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	for gw, seq := range w {
		if seq != 0 && s.feeds.wait(ctx, gw, seq) {
			continue
		}
		for n := range leases {
			if leases[n].Tunnel.Gateway.ID == gw {
				leases[n].Pending = true
			}
		}
	}
}

func (s *Server) answer(d policy.Decision, g issuer.Given, e verify.Evidence) api.Answer {
	a := api.Answer{
		Verdict: d.Tier, Checks: d.Checks, Leases: g.Leases, Denied: g.Denied, Forecast: d.Forecast, Needs: d.Needs,
		KeyAttested: e.Device.KeyAttested, NextNonce: e.NextNonce, ReportDigest: e.Digest,
	}
	shortest := s.cfg.Lease
	for _, l := range g.Leases {
		shortest = min(shortest, time.Duration(l.TTLMS)*time.Millisecond)
	}
	a.AttestAfterMS = (shortest / 2).Milliseconds()
	if a.Checks == nil {
		a.Checks = []api.Check{}
	}
	if a.Leases == nil {
		a.Leases = []api.Lease{}
	}
	if a.Denied == nil {
		a.Denied = []api.DeniedApp{}
	}
	return a
}
