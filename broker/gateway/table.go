package gateway

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/tunnel/wg"
)

// tunnel is one admitted peer and when it ends.
type tunnel struct {
	id, lease, app string
	peer           wg.Peer
	routes         map[netip.AddrPort]string // virtual → destination
	until          time.Duration             // boot time
}

// grant is what one session may have here.
type grant struct {
	tunnels map[string]tunnel // by tunnel id
	audit   api.AuditLabels
}

// apply is the one writer: it takes feed events and its own timer, and is the
// only place where peers come and go.
func (g *Gateway) apply(ctx context.Context, feed <-chan feedEvent) {
	for {
		next, timed := g.earliest()
		timer := g.cfg.Clock.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			g.endAll(api.CauseStopping)
			return
		case e := <-feed:
			timer.Stop()
			e.done <- g.take(e)
		case <-timer.C():
			if timed {
				g.expire()
			}
		}
	}
}

// farAway is a timer that does not matter.
const farAway = 24 * time.Hour

func (g *Gateway) earliest() (at time.Duration, timed bool) {
	at = g.cfg.Clock.Boot() + farAway
	for _, gr := range g.live {
		for _, t := range gr.tunnels {
			if t.until < at {
				at, timed = t.until, true
			}
		}
	}
	return at, timed
}

// expire ends what is due.
func (g *Gateway) expire() {
	now := g.cfg.Clock.Boot()
	for id, gr := range g.live {
		for _, t := range gr.tunnels {
			if t.until <= now {
				g.end(id, t, api.CauseExpired)
			}
		}
	}
}

func (g *Gateway) endAll(cause string) {
	for id, gr := range g.live {
		for _, t := range gr.tunnels {
			g.end(id, t, cause)
		}
	}
}

// take puts one feed event into force. An event that cannot be read ends the
// feed; the next one begins with a snapshot.
func (g *Gateway) take(e feedEvent) error {
	var err error
	var seq int64
	switch e.Name {
	case api.FeedSnapshot:
		var s api.Snapshot
		if err = jws.Decode(e.Data, &s); err == nil {
			seq, err = s.Seq, g.snapshot(s, e.base)
		}
	case api.FeedGrant:
		var gr api.Grant
		if err = jws.Decode(e.Data, &gr); err == nil {
			seq, err = gr.Seq, g.replace(gr, e.base)
		}
	case api.FeedRenew:
		var r api.Renewal
		if err = jws.Decode(e.Data, &r); err == nil {
			seq = r.Seq
			g.renew(r, e.base)
		}
	default:
		return nil // of a newer broker
	}
	if err != nil {
		return fmt.Errorf("apply %s from the broker: %w", e.Name, err)
	}
	g.acknowledge(ack{seq: seq})
	return nil
}

func (g *Gateway) snapshot(s api.Snapshot, base time.Duration) error {
	named := map[string]bool{}
	for _, gr := range s.Grants {
		named[gr.ID] = true
	}
	for id, old := range g.live {
		if !named[id] {
			for _, t := range old.tunnels {
				g.end(id, t, api.CauseRevoked)
			}
		}
	}
	for _, gr := range s.Grants {
		if err := g.replace(gr, base); err != nil {
			return err
		}
	}
	return nil
}

// replace makes a grant what the broker says it is: first what is not in it
// any more is ended, then the rest is opened or extended.
func (g *Gateway) replace(next api.Grant, base time.Duration) error {
	want := map[string]tunnel{}
	for _, gt := range next.Tunnels {
		t, err := parseTunnel(gt)
		if err != nil {
			return fmt.Errorf("tunnel %s: %w", gt.ID, err)
		}
		t.until = base + time.Duration(gt.TTLMS)*time.Millisecond
		want[t.id] = t
	}
	for id, old := range g.live[next.ID].tunnels {
		if t, ok := want[id]; !ok || t.peer.Key != old.peer.Key {
			g.end(next.ID, old, api.CauseRevoked)
		}
	}
	for _, t := range want {
		if err := g.open(next, t); err != nil {
			return fmt.Errorf("tunnel %s: %w", t.id, err)
		}
	}
	return nil
}

// open admits a peer, unless its time is over before it began.
func (g *Gateway) open(next api.Grant, t tunnel) error {
	if t.until <= g.cfg.Clock.Boot() {
		return nil
	}
	_, had := g.live[next.ID].tunnels[t.id]
	g.routes.set(t)
	if err := g.wg.SetPeer(t.peer); err != nil {
		g.routes.drop(t.peer.Key)
		return err
	}
	gr := g.live[next.ID]
	if gr.tunnels == nil {
		gr.tunnels = map[string]tunnel{}
	}
	gr.audit = next.Audit
	gr.tunnels[t.id] = t
	g.live[next.ID] = gr
	if !had {
		g.record(audit.TunnelOpen, gr.audit, t, "")
	}
	return nil
}

// renew moves the end of tunnels that live; it opens nothing.
func (g *Gateway) renew(r api.Renewal, base time.Duration) {
	for _, u := range r.TTLs {
		if t, ok := g.live[r.Grant].tunnels[u.ID]; ok {
			t.until = base + time.Duration(u.TTLMS)*time.Millisecond
			g.live[r.Grant].tunnels[u.ID] = t
		}
	}
}

// end is the only way out: the gate first, flows die with it.
func (g *Gateway) end(grantID string, t tunnel, cause string) {
	g.wg.ShutPeer(t.peer.Key)
	g.routes.drop(t.peer.Key)
	gr := g.live[grantID]
	delete(gr.tunnels, t.id)
	if len(gr.tunnels) == 0 {
		delete(g.live, grantID)
	}
	g.record(audit.TunnelClose, gr.audit, t, cause)
	g.acknowledge(ack{closed: &api.ClosedTunnel{ID: t.id, Cause: cause, ClosedAt: g.cfg.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")}})
}

// record writes the gateway's own account of a tunnel; enforcement does not
// hang on it.
func (g *Gateway) record(activity int, who api.AuditLabels, t tunnel, cause string) {
	err := g.cfg.Audit.TunnelActivity(audit.TunnelActivity{
		Activity: activity, Cause: cause, Tunnel: t.id, App: t.app, Gateway: g.cfg.Name, Device: audit.Device{ID: who.Device},
		Person: api.Person{Subject: who.Person}, PublicKey: t.peer.Key.String(), Lease: t.lease,
	})
	if err != nil {
		g.cfg.Log.Error("write audit event", "error", err)
	}
}
