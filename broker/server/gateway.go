package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/tunnel/wg"
)

// gatewayDevice finds the enrolled gateway that calls.
func (s *Server) gatewayDevice(r *http.Request) (store.Device, error) {
	c, err := s.authorize(r, api.ScopeGatewayAPI)
	if err != nil {
		return store.Device{}, err
	}
	return s.verify.Device(r.Context(), c.jkt)
}

// gatewayFeed streams a snapshot of all that lives, then every change.
func (s *Server) gatewayFeed(w http.ResponseWriter, r *http.Request) {
	d, err := s.gatewayDevice(r)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	f, err := s.feeds.connect(d.ID, s.snapshot(r.Context(), d.ID))
	if err != nil {
		s.problem(w, r, err)
		return
	}
	defer s.feeds.disconnect(d.ID, f)
	s.stream(w, r, f.ch, f.gone, func() bool {
		now, err := s.cfg.Store.DeviceByID(r.Context(), d.ID)
		return err == nil && now.State == store.StateActive
	})
}

// snapshot makes the event that names everything that lives at a gateway.
func (s *Server) snapshot(ctx context.Context, gateway string) snapshot {
	return func(seq int64) (any, error) {
		live, err := s.cfg.Store.LiveTunnels(ctx, gateway, s.cfg.Now().UnixMilli())
		if err != nil {
			return nil, fmt.Errorf("list tunnels: %w", err)
		}
		grants, err := s.issuer.Grants(ctx, live, s.policy.Load().App)
		if grants == nil {
			grants = []api.Grant{}
		}
		return api.Snapshot{Seq: seq, Grants: grants}, err
	}
}

// gateways lists the gateways, those heard from last first, and says which are
// away. A gateway that was set up anew leaves its old record behind.
func (s *Server) gateways(ctx context.Context) (all []store.Gateway, away map[string]bool, err error) {
	all, err = s.cfg.Store.Gateways(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("list gateways: %w", err)
	}
	slices.SortStableFunc(all, func(a, b store.Gateway) int { return cmp.Compare(b.LastSeen, a.LastSeen) })
	away = map[string]bool{}
	for _, g := range all {
		away[g.ID] = s.feeds.away(g.ID)
	}
	return all, away, nil
}

// heartbeat keeps what agents must know of the gateway and echoes the beat
// into its feed, where it marks the time that later ttl_ms count from.
func (s *Server) heartbeat(w http.ResponseWriter, r *http.Request) {
	d, err := s.gatewayDevice(r)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	var h api.Heartbeat
	if err := s.readJSON(w, r, &h); err != nil {
		s.problem(w, r, err)
		return
	}
	if err := checkHello(h.Hello); err != nil {
		s.problem(w, r, &verify.Refusal{Status: http.StatusBadRequest, Code: api.CodeBadRequest, Detail: err.Error()})
		return
	}
	if err := s.meet(r, d, h.Hello); err != nil {
		s.problem(w, r, err)
		return
	}
	s.feeds.publish(d.ID, api.FeedHeartbeat, func(int64) any { return h })
	w.WriteHeader(http.StatusNoContent)
}

// seenEvery is how often it is written down that a gateway is still there.
const seenEvery = 30 * time.Second

// meet keeps a gateway's hello; one that started anew makes every agent attest,
// so that they shake hands again at once.
func (s *Server) meet(r *http.Request, d store.Device, h api.GatewayHello) error {
	all, err := s.cfg.Store.Gateways(r.Context())
	if err != nil {
		return fmt.Errorf("list gateways: %w", err)
	}
	g := store.Gateway{ID: d.ID, DeviceID: d.ID, Name: d.Name, PublicKey: h.PublicKey, Epoch: h.Epoch, Endpoints: h.Endpoints, LastSeen: s.cfg.Now().UnixMilli()}
	known := false
	for _, old := range all {
		if old.ID == g.ID && old.Epoch == g.Epoch && old.PublicKey == g.PublicKey && slices.Equal(old.Endpoints, g.Endpoints) {
			if g.LastSeen-old.LastSeen < seenEvery.Milliseconds() {
				return nil
			}
			known = true
		}
	}
	if err := s.cfg.Store.PutGateway(r.Context(), g); err != nil {
		return fmt.Errorf("keep gateway: %w", err)
	}
	if !known {
		s.people.tellAll(api.EventLeasesChanged, api.Event{Code: "gateway_started"})
	}
	return nil
}

func checkHello(h api.GatewayHello) error {
	if h.Epoch == "" || len(h.Epoch) > 64 {
		return errors.New("epoch is missing or too long")
	}
	if _, err := wg.ParsePublicKey(h.PublicKey); err != nil {
		return err
	}
	if len(h.Endpoints) == 0 || len(h.Endpoints) > 8 {
		return errors.New("want one to eight endpoints")
	}
	for _, e := range h.Endpoints {
		at, err := netip.ParseAddrPort(e)
		if err != nil || at.Port() == 0 || at.Addr().IsUnspecified() || at.Addr().Zone() != "" {
			return errors.New("an endpoint is not an address and port that agents can reach")
		}
	}
	return nil
}

// acks notes what the gateway has done.
func (s *Server) acks(w http.ResponseWriter, r *http.Request) {
	d, err := s.gatewayDevice(r)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	var a api.Acks
	if err := s.readJSON(w, r, &a); err != nil {
		s.problem(w, r, err)
		return
	}
	s.feeds.acknowledge(d.ID, a.Applied)
	expired := map[string]bool{}
	for _, c := range a.Closed {
		s.cfg.Log.Info("gateway closed a tunnel", "gateway", d.Name, "tunnel", c.ID, "cause", c.Cause, "at", c.ClosedAt)
		expired[c.ID] = c.Cause == api.CauseExpired
	}
	if err := s.endExpired(r.Context(), d.ID, expired); err != nil {
		s.problem(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// endExpired ends what a gateway's clock ended a little before ours: it does
// not open again there, so the device is told and gets another tunnel.
func (s *Server) endExpired(ctx context.Context, gateway string, expired map[string]bool) error {
	if len(expired) == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	live, err := s.cfg.Store.LiveTunnels(ctx, gateway, s.cfg.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("list tunnels: %w", err)
	}
	return s.endTunnels(ctx, tunnelsWhere(live, func(t store.Tunnel) bool { return expired[t.ID] }), api.CauseExpired)
}

func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := readBody(w, r, api.TypeJSON, api.MaxAttestation)
	if err != nil {
		return err
	}
	if err := jws.Decode(body, v); err != nil {
		return &verify.Refusal{Status: http.StatusBadRequest, Code: api.CodeBadRequest, Detail: err.Error()}
	}
	return nil
}
