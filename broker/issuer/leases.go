package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
	"github.com/postern-zt/postern/platform/jws"
)

// ReasonKeyUsed refuses a tunnel key that served a tunnel before.
const ReasonKeyUsed = "tunnel-key-used"

// Ask is what a decision allows one person's device, with the tunnel keys that
// were inside its accepted attestation.
type Ask struct {
	Device  store.Device
	Session store.Session
	Apps    []policy.AppDecision
	Wanted  map[string]string // app → WireGuard public key
	// Gateways in order of preference. Those that have not been heard from of
	// late are in Away: they are chosen only where there is no other.
	Gateways []store.Gateway
	Away     map[string]bool // by ID
}

// Given is what came of it.
type Given struct {
	Leases []api.Lease
	Denied []api.DeniedApp
	Live   []store.Tunnel // all tunnels of the session that now live
	Opened []store.Tunnel // of these, the new ones
	Ended  []store.Tunnel // tunnels that lived before and do not any more
}

// Lease opens, extends and ends tunnels so that exactly the allowed and wanted
// apps have one. Ending comes first and is done even when the rest fails.
func (i *Issuer) Lease(ctx context.Context, a Ask) (Given, error) {
	var g Given
	now := i.Now()
	plans, err := i.plan(ctx, a, &g, now)
	if err != nil {
		return g, err
	}
	if err := i.end(ctx, g.Ended, now); err != nil {
		return g, err
	}
	var extend []store.LeaseUpdate
	for n := range plans {
		p := &plans[n]
		p.tunnel.LeaseEnds, p.tunnel.StandsOn = now.Add(p.ttl).UnixMilli(), p.decision.StandsOn
		if !p.fresh {
			extend = append(extend, store.LeaseUpdate{TunnelID: p.tunnel.ID, LeaseID: p.tunnel.LeaseID, Ends: p.tunnel.LeaseEnds, StandsOn: p.tunnel.StandsOn})
			continue
		}
		opened, err := i.Store.OpenTunnel(ctx, p.tunnel)
		if errors.Is(err, store.ErrKeyUsed) {
			g.deny(p.decision.App, ReasonKeyUsed)
			p.skip = true
			continue
		}
		if err != nil {
			return g, fmt.Errorf("open tunnel for %s: %w", p.decision.App.ID, err)
		}
		p.tunnel = opened
		g.Opened = append(g.Opened, opened)
	}
	if len(extend) > 0 {
		if err := i.Store.ExtendLease(ctx, extend, now.UnixMilli()); err != nil {
			return g, fmt.Errorf("extend leases: %w", err)
		}
	}
	return g, i.write(ctx, plans, &g)
}

// planned is one tunnel that shall live.
type planned struct {
	decision policy.AppDecision
	gateway  store.Gateway
	tunnel   store.Tunnel
	ttl      time.Duration
	fresh    bool
	skip     bool
}

// plan sorts the decisions into tunnels that shall live, tunnels that end and
// apps that are denied.
func (i *Issuer) plan(ctx context.Context, a Ask, g *Given, now time.Time) ([]planned, error) {
	var plans []planned
	for _, d := range a.Apps {
		have, err := i.Store.LiveTunnel(ctx, a.Device.ID, a.Session.ID, d.App.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("find tunnel of %s: %w", d.App.ID, err)
		}
		lives := err == nil && have.LeaseEnds > now.UnixMilli()
		key, reason := a.Wanted[d.App.ID], ""
		gw, found := a.gatewayFor(d.App, have.GatewayID)
		switch {
		case !d.Allowed:
		case key == "":
			reason = api.ReasonNoTunnelKey
		case !found:
			reason = api.ReasonNoGateway
		case slices.ContainsFunc(a.Gateways, func(g store.Gateway) bool { return g.PublicKey == key }):
			reason = ReasonKeyUsed // a gateway's own; no gateway would admit it
		}
		keep := d.Allowed && reason == "" && lives && have.PublicKey == key && have.GatewayID == gw.ID
		if err == nil && !keep {
			g.Ended = append(g.Ended, have)
		}
		if !d.Allowed || reason != "" {
			g.deny(d.App, append(reasonList(reason), d.Reasons...)...)
			continue
		}
		p := planned{decision: d, gateway: gw, tunnel: have, ttl: i.ttl(d, a.Session, now), fresh: !keep}
		if p.fresh {
			p.tunnel = store.Tunnel{ID: "tun_" + jws.Random(12), DeviceID: a.Device.ID, SessionID: a.Session.ID, AppID: d.App.ID, GatewayID: gw.ID, PublicKey: key, LeaseID: "lea_" + jws.Random(12), Created: now.UnixMilli()}
		}
		plans = append(plans, p)
	}
	return plans, nil
}

func reasonList(r string) []string {
	if r == "" {
		return nil
	}
	return []string{r}
}

func (g *Given) deny(a policy.App, reasons ...string) {
	g.Denied = append(g.Denied, api.DeniedApp{App: a.Info(), Reasons: reasons})
}

// ttl is the lease length, cut where a rule would flip or the session ends.
func (i *Issuer) ttl(d policy.AppDecision, s store.Session, now time.Time) time.Duration {
	ttl := i.Config.Lease
	if d.ValidFor > 0 && d.ValidFor < ttl {
		ttl = d.ValidFor
	}
	if left := time.UnixMilli(s.Ends).Sub(now); left < ttl {
		ttl = left
	}
	return ttl
}

// gatewayFor finds the gateway of an app. The one that has the tunnel stays
// while it lives: moving would end what is flowing.
func (a Ask) gatewayFor(app policy.App, current string) (store.Gateway, bool) {
	var chosen store.Gateway
	best := 0
	for _, g := range a.Gateways {
		if app.Gateway != "" && app.Gateway != g.Name {
			continue
		}
		rank := 1
		if g.ID == current {
			rank++
		}
		if !a.Away[g.ID] {
			rank += 2
		}
		if rank > best {
			chosen, best = g, rank
		}
	}
	return chosen, best > 0
}

// end closes tunnels, naming why: a lease that ran out, or a decision.
func (i *Issuer) end(ctx context.Context, tunnels []store.Tunnel, now time.Time) error {
	byCause := map[string][]string{}
	for _, t := range tunnels {
		cause := api.CauseRevoked
		if t.LeaseEnds <= now.UnixMilli() {
			cause = api.CauseExpired
		}
		byCause[cause] = append(byCause[cause], t.ID)
	}
	for cause, ids := range byCause {
		if err := i.Store.EndTunnels(ctx, ids, cause, now.UnixMilli()); err != nil {
			return fmt.Errorf("end tunnels: %w", err)
		}
	}
	return nil
}

// write puts the living tunnels into leases.
func (i *Issuer) write(ctx context.Context, plans []planned, g *Given) error {
	for _, p := range plans {
		if p.skip {
			continue
		}
		l, err := i.lease(ctx, p)
		if err != nil {
			return err
		}
		g.Leases = append(g.Leases, l)
		g.Live = append(g.Live, p.tunnel)
	}
	return nil
}

func (i *Issuer) lease(ctx context.Context, p planned) (api.Lease, error) {
	a := p.decision.App
	psk, err := i.psk(p.tunnel.ID)
	if err != nil {
		return api.Lease{}, err
	}
	inner, err := Inner(p.tunnel.Inner)
	if err != nil {
		return api.Lease{}, err
	}
	virtual, err := i.virtual(ctx, a.ID)
	if err != nil {
		return api.Lease{}, err
	}
	stands := p.decision.StandsOn
	if stands == nil {
		stands = []string{}
	}
	return api.Lease{
		ID: p.tunnel.LeaseID, App: a.Info(), TTLMS: p.ttl.Milliseconds(), StandsOn: stands,
		Tunnel: api.Tunnel{
			ID: p.tunnel.ID, PublicKey: p.tunnel.PublicKey, PresharedKey: psk, Addresses: texts(inner), Virtual: virtual, Ports: a.Ports, Primary: a.Primary,
			Gateway: api.GatewayEndpoint{ID: p.gateway.ID, Epoch: p.gateway.Epoch, PublicKey: p.gateway.PublicKey, Endpoints: p.gateway.Endpoints},
		},
	}, nil
}

func (i *Issuer) virtual(ctx context.Context, app string) ([]string, error) {
	n, err := i.Store.AppAddress(ctx, app)
	if err != nil {
		return nil, fmt.Errorf("find the virtual address of %s: %w", app, err)
	}
	addrs, err := Virtual(n)
	return texts(addrs), err
}
