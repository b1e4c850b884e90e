// Package server answers the broker's routes: who calls, may they, and which room does the work.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/bind"
	"github.com/postern-zt/postern/broker/issuer"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/broker/verify"
)

// DefaultLease is the length of a lease unless the administrator sets another.
const DefaultLease = 60 * time.Second

// Config of a Server.
type Config struct {
	Issuer string // https://host[:port], what discovery says and every token names
	Store  store.Store
	Policy *policy.Policy
	Now    func() time.Time
	Lease  time.Duration // 0: DefaultLease
	Audit  *audit.Log
	Log    *slog.Logger
}

// Server is the broker's HTTP side.
type Server struct {
	cfg    Config
	policy atomic.Pointer[policy.Policy]

	published atomic.Pointer[published]

	verify *verify.Verifier
	issuer *issuer.Issuer
	proofs *bind.Checker
	feeds  *feeds
	people *listeners
	locks  *locks
	done   chan struct{}
	once   sync.Once
}

// New makes a Server over a store.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Lease == 0 {
		cfg.Lease = DefaultLease
	}
	s := &Server{cfg: cfg, proofs: bind.NewChecker(cfg.Now), feeds: newFeeds(cfg.Now), people: newListeners(), locks: newLocks(), done: make(chan struct{})}
	s.policy.Store(cfg.Policy)
	var err error
	s.verify, err = verify.New(ctx, verify.Config{Issuer: cfg.Issuer, Store: cfg.Store, Now: cfg.Now, Providers: func() []api.Provider { return s.policy.Load().Providers() }})
	if err != nil {
		return nil, err
	}
	s.issuer, err = issuer.New(ctx, issuer.Config{Issuer: cfg.Issuer, Store: cfg.Store, Now: cfg.Now, Lease: cfg.Lease})
	if err != nil {
		return nil, err
	}
	if err := s.numberApps(ctx, cfg.Policy); err != nil {
		return nil, err
	}
	first, err := s.publish(ctx, cfg.Policy)
	s.published.Store(first)
	return s, err
}

// numberApps gives each app of a policy its virtual address, in file order.
func (s *Server) numberApps(ctx context.Context, p *policy.Policy) error {
	for _, a := range p.Apps() {
		if _, err := s.cfg.Store.AppAddress(ctx, a.ID); err != nil {
			return fmt.Errorf("give %s a virtual address: %w", a.ID, err)
		}
	}
	return nil
}

// SetPolicy puts a new policy in force: apps it does not have lose their
// tunnels at once, and every agent is asked to attest under it. From there on
// it is in force, and a step that fails keeps none of the others from being
// taken.
func (s *Server) SetPolicy(ctx context.Context, p *policy.Policy) error {
	if err := s.numberApps(ctx, p); err != nil {
		return err
	}
	next, err := s.publish(ctx, p)
	if err != nil {
		return err
	}
	s.policy.Store(p)
	before := s.published.Swap(next)
	failed := s.endWithoutApp(ctx, p)
	// Ports and destinations may have changed for tunnels that live on.
	if err := s.feeds.refresh(func(gateway string) snapshot { return s.snapshot(ctx, gateway) }); err != nil {
		failed = errors.Join(failed, err)
	}
	// First what to read, then that it is wanted: agents that listen read it
	// before they attest.
	if next.Version != before.Version {
		s.people.tellAll(api.EventObservations, api.Event{})
	}
	s.people.tellAll(api.EventAttestNow, api.Event{Code: "policy_changed"})
	return failed
}

// endWithoutApp ends the tunnels of apps that a policy does not have.
func (s *Server) endWithoutApp(ctx context.Context, p *policy.Policy) error {
	live, err := s.cfg.Store.LiveTunnels(ctx, "", s.cfg.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("list tunnels: %w", err)
	}
	gone := tunnelsWhere(live, func(t store.Tunnel) bool {
		_, ok := p.App(t.AppID)
		return !ok
	})
	return s.endTunnels(ctx, gone, api.CauseRevoked)
}

// Close ends every stream so that an http.Server can shut down.
func (s *Server) Close() { s.once.Do(func() { close(s.done) }) }

// Handler is the broker's routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.PathDiscovery, s.discovery)
	mux.HandleFunc("GET "+api.PathJWKS, s.jwks)
	mux.HandleFunc("POST "+api.PathDevices, s.enrol)
	mux.HandleFunc("POST "+api.PathToken, s.token)
	mux.HandleFunc("POST "+api.PathRevoke, s.revoke)
	mux.HandleFunc("POST "+api.PathAttestations, s.attest)
	mux.HandleFunc("GET "+api.PathEvents, s.events)
	mux.HandleFunc("GET "+api.PathObservations, s.observations)
	mux.HandleFunc("GET "+api.PathGatewayFeed, s.gatewayFeed)
	mux.HandleFunc("POST "+api.PathHeartbeat, s.heartbeat)
	mux.HandleFunc("POST "+api.PathAcks, s.acks)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, r, &verify.Refusal{Status: http.StatusNotFound, Code: api.CodeNotFound, Detail: "there is nothing at this address"})
	})
	return s.common(mux)
}

// common sets what every answer has.
func (s *Server) common(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		// The clock that judges what devices send is the one they must follow.
		h.Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
		h.Set(api.HeaderDPoPNonce, s.proofs.Nonce())
		next.ServeHTTP(w, r)
	})
}

// heartbeatEvery keeps what a gateway's clock loses of a lease small: an
// agent renews at six tenths of it at the latest.
func (s *Server) heartbeatEvery() time.Duration {
	return min(5*time.Second, s.cfg.Lease/12)
}

func (s *Server) discovery(w http.ResponseWriter, r *http.Request) {
	at := func(path string) string { return s.cfg.Issuer + path }
	writeJSON(w, http.StatusOK, api.Discovery{
		Issuer: s.cfg.Issuer, ProtocolVersions: []int{api.Version}, JWKSURI: at(api.PathJWKS), Providers: s.policy.Load().Providers(),
		LeaseMS: s.cfg.Lease.Milliseconds(), HeartbeatMS: s.heartbeatEvery().Milliseconds(),
		Endpoints: api.Endpoints{
			Devices: at(api.PathDevices), Token: at(api.PathToken), Revoke: at(api.PathRevoke), Attestations: at(api.PathAttestations), Events: at(api.PathEvents),
			Observations: at(api.PathObservations),
			GatewayFeed:  at(api.PathGatewayFeed), Heartbeat: at(api.PathHeartbeat), Acks: at(api.PathAcks),
		},
	})
}

func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	set, err := s.issuer.JWKS()
	if err != nil {
		s.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Write(set)
}

// Run expires leases by the broker's own clock until the context ends.
func (s *Server) Run(ctx context.Context) error {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		ended, err := s.cfg.Store.ExpireTunnels(ctx, s.cfg.Now().UnixMilli())
		if err != nil && !errors.Is(err, context.Canceled) {
			s.cfg.Log.Error("expire leases", "error", err)
		}
		for _, e := range ended {
			s.recordTunnel(ctx, audit.TunnelClose, e, api.CauseExpired, "")
		}
	}
}
