// Package gateway turns the broker's leases into WireGuard peers and flow rules, and ends them by its own clock.
package gateway

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/tunnel/wg"
)

// Config of a Gateway.
type Config struct {
	Name      string // what the policy's apps call it
	UEID      string
	Token     string // enrolment token; needed only the first time
	Key       crypto.Signer
	WireGuard wg.PrivateKey
	Listen    netip.AddrPort // UDP
	Client    *apiclient.Client
	Clock     clock.Clock
	Audit     *audit.Log
	Log       *slog.Logger
}

// Gateway is the enforcing end of all tunnels that the broker gives it.
type Gateway struct {
	cfg    Config
	wg     *wg.Gateway
	epoch  string
	token  tokens
	routes routes
	beats  beats
	acks   chan ack
	begun  chan struct{} // a feed has begun
	// records wait to be written to the audit log; closed when there are no more.
	records chan *audit.TunnelActivity
	// The one writer's own:
	live    map[string]grant
	refused map[string]bool          // tunnels that could not be opened since the last snapshot
	ended   map[string]time.Duration // tunnels that ended here, and when (boot time)
}

// New opens the WireGuard end; it admits nobody before the first lease.
func New(cfg Config) (*Gateway, error) {
	if cfg.Listen.Addr().IsUnspecified() {
		return nil, fmt.Errorf("open gateway: agents are told the address it listens on, and %s is not one", cfg.Listen)
	}
	g := &Gateway{cfg: cfg, epoch: jws.Random(9), acks: make(chan ack, 256), begun: make(chan struct{}, 1), records: make(chan *audit.TunnelActivity, maxRecords), live: map[string]grant{}, refused: map[string]bool{}, ended: map[string]time.Duration{}}
	g.beats.sent = map[int64]time.Duration{}
	end, err := wg.OpenGateway(wg.GatewayConfig{PrivateKey: cfg.WireGuard, Listen: cfg.Listen, Log: cfg.Log, Accept: g.serve})
	if err != nil {
		return nil, err
	}
	g.wg = end
	g.token = tokens{client: cfg.Client, key: cfg.Key, clock: cfg.Clock}
	return g, nil
}

// Addr is the UDP address it listens on.
func (g *Gateway) Addr() netip.AddrPort { return g.wg.ListenAddr() }

// Run enrols and follows the broker until the context ends; a broker that is
// away is tried again and again while what lives runs out by itself. On the
// way out every tunnel is shut. It is called once.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.wg.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed := make(chan feedEvent)
	finished := make(chan error, 4)
	go func() { finished <- g.follow(ctx, feed) }()
	go func() { finished <- g.beat(ctx) }()
	go func() { finished <- g.sendAcks(ctx) }()
	go func() { finished <- g.writeRecords() }()
	g.apply(ctx, feed)
	cancel()
	close(g.records) // by now every tunnel is shut
	var err error
	for range cap(finished) {
		err = errors.Join(err, <-finished)
	}
	return err
}

// feedEvent is one event with the moment its times count from.
type feedEvent struct {
	apiclient.StreamEvent
	base    time.Duration // boot time
	refused bool          // no event: the broker lets this gateway do nothing any more
	done    chan error
}

// hand gives an event to the one writer and waits until it is in force.
func hand(ctx context.Context, out chan<- feedEvent, e feedEvent) error {
	e.done = make(chan error, 1)
	select {
	case out <- e:
		return <-e.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// follow keeps the feed open and hands its events to the one writer.
func (g *Gateway) follow(ctx context.Context, out chan<- feedEvent) error {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		started := g.cfg.Clock.Boot()
		err := g.session(ctx, out)
		if ctx.Err() != nil {
			return nil
		}
		if g.cfg.Clock.Boot()-started > 10*time.Second {
			attempt = 0
		}
		if g.heed(err) && hand(ctx, out, feedEvent{refused: true}) != nil {
			return nil
		}
		g.cfg.Log.Warn("the feed from the broker ended", "error", err)
		wait(ctx, g.cfg.Clock, backoff(attempt))
	}
	return nil
}

// heed draws what follows from the broker's "no", and reports whether this
// gateway may keep nothing open.
func (g *Gateway) heed(err error) (closed bool) {
	var no *apiclient.Rejected
	if !errors.As(err, &no) {
		return false
	}
	switch {
	case no.Code == api.CodeUnknownDevice: // the broker has lost its memory: enrol again
		g.token.setDevice("")
	case no.Status == http.StatusUnauthorized:
		g.token.forget()
	}
	switch no.Code {
	case api.CodeUnknownDevice, api.CodeDeviceRevoked, api.CodeQuarantined, api.CodeAdmission:
		return true
	}
	return false
}

// session is one life of the feed: enrol if needed, get a token, listen.
func (g *Gateway) session(ctx context.Context, out chan<- feedEvent) error {
	if err := g.enrol(ctx); err != nil {
		return err
	}
	token, err := g.token.get(ctx)
	if err != nil {
		return err
	}
	base := g.cfg.Clock.Boot() // before the request: what follows can only be newer
	g.beats.reset(base)
	return g.cfg.Client.Stream(ctx, apiclient.Call{Method: http.MethodGet, Path: api.PathGatewayFeed, Token: token}, func(e apiclient.StreamEvent) error {
		if e.Name == api.FeedHeartbeat {
			return g.beats.echoed(e.Data)
		}
		err := hand(ctx, out, feedEvent{StreamEvent: e, base: g.beats.base()})
		if e.Name == api.FeedSnapshot {
			select {
			case g.begun <- struct{}{}:
			default:
			}
		}
		return err
	})
}

// backoff grows from 100 ms to 3 s.
func backoff(attempt int) time.Duration {
	return min(3*time.Second, 100*time.Millisecond<<min(attempt, 5))
}

// wait sleeps on the boot clock or until the context ends.
func wait(ctx context.Context, c clock.Clock, d time.Duration) {
	t := c.NewTimer(c.Boot() + d)
	defer t.Stop()
	select {
	case <-t.C():
	case <-ctx.Done():
	}
}

// enrol introduces the gateway; with a known key the broker answers with the
// record it has, so this is safe to repeat and needs the token only once.
func (g *Gateway) enrol(ctx context.Context) error {
	if g.token.known() {
		return nil
	}
	d, err := g.cfg.Client.Discover(ctx)
	if err != nil {
		return err
	}
	g.beats.setEvery(time.Duration(d.HeartbeatMS) * time.Millisecond)
	answer, err := g.cfg.Client.Enrol(ctx, api.Enrolment{
		UEID: g.cfg.UEID, Name: g.cfg.Name, Scope: api.ScopeGateway, KeyProtection: api.KeyFile, Token: g.cfg.Token,
	})
	if err != nil {
		return fmt.Errorf("enrol gateway %s: %w", g.cfg.Name, err)
	}
	g.token.setDevice(answer.DeviceID)
	return nil
}
