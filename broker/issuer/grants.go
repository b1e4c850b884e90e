package issuer

import (
	"context"
	"fmt"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/policy"
	"github.com/postern-zt/postern/broker/store"
)

// Grants puts living tunnels into the words of a gateway's feed, one grant for
// each session. A tunnel whose app is not in the policy gets none.
func (i *Issuer) Grants(ctx context.Context, tunnels []store.Tunnel, app func(string) (policy.App, bool)) ([]api.Grant, error) {
	var out []api.Grant
	at := map[string]int{}
	for _, t := range tunnels {
		a, ok := app(t.AppID)
		if !ok {
			continue
		}
		gt, err := i.gatewayTunnel(ctx, t, a)
		if err != nil {
			return nil, fmt.Errorf("write grant of %s: %w", t.AppID, err)
		}
		n, ok := at[t.SessionID]
		if !ok {
			n = len(out)
			at[t.SessionID] = n
			out = append(out, api.Grant{ID: t.SessionID, Audit: api.AuditLabels{Device: t.DeviceID}})
		}
		out[n].Tunnels = append(out[n].Tunnels, gt)
	}
	for n := range out {
		if s, err := i.Store.SessionByID(ctx, out[n].ID); err == nil {
			out[n].Audit.Person = s.Person.Subject
		}
	}
	return out, nil
}

func (i *Issuer) gatewayTunnel(ctx context.Context, t store.Tunnel, a policy.App) (api.GatewayTunnel, error) {
	psk, err := i.psk(t.ID)
	if err != nil {
		return api.GatewayTunnel{}, err
	}
	inner, err := Inner(t.Inner)
	if err != nil {
		return api.GatewayTunnel{}, err
	}
	virtual, err := i.virtual(ctx, a.ID)
	if err != nil {
		return api.GatewayTunnel{}, err
	}
	gt := api.GatewayTunnel{ID: t.ID, Lease: t.LeaseID, App: a.ID, PublicKey: t.PublicKey, PresharedKey: psk, Addresses: texts(inner), TTLMS: i.left(t)}
	for n, port := range a.Ports {
		gt.Routes = append(gt.Routes, api.VirtualPort{Virtual: virtual, Port: port, Destination: a.Destinations[n]})
	}
	return gt, nil
}

// left is the remaining time of a tunnel's lease in milliseconds. It is never
// more than a lease, so that a wall clock that was set back gives nothing.
func (i *Issuer) left(t store.Tunnel) int64 {
	return min(max(0, t.LeaseEnds-i.Now().UnixMilli()), i.Config.Lease.Milliseconds())
}

// Renewals says how long each of the tunnels may live on.
func (i *Issuer) Renewals(tunnels []store.Tunnel) []api.RenewedTunnel {
	var out []api.RenewedTunnel
	for _, t := range tunnels {
		out = append(out, api.RenewedTunnel{ID: t.ID, TTLMS: i.left(t)})
	}
	return out
}
