package gateway

import (
	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
)

// maxRecords is how many events wait while the disk is slow. Beyond that they
// are lost, and the log says so.
const maxRecords = 1 << 14

// record hands on the gateway's own account of a tunnel and never waits:
// closing must not hang on a disk that takes nothing.
func (g *Gateway) record(activity int, who api.AuditLabels, t tunnel, cause string) {
	event := audit.TunnelActivity{
		Activity: activity, Cause: cause, Tunnel: t.id, App: t.app, Gateway: g.cfg.Name, Device: audit.Device{ID: who.Device},
		Person: api.Person{Subject: who.Person}, PublicKey: t.peer.Key.String(), Lease: t.lease,
	}
	select {
	case g.records <- &event:
	default:
		g.cfg.Log.Error("an audit event is lost: too many wait to be written", "tunnel", t.id, "cause", cause)
	}
}

// writeRecords writes what record hands on until there will be no more.
func (g *Gateway) writeRecords() error {
	for event := range g.records {
		if err := g.cfg.Audit.TunnelActivity(*event); err != nil {
			g.cfg.Log.Error("write audit event", "error", err)
		}
	}
	return nil
}
