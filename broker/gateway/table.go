package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
	ttl            time.Duration             // as the event said it
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
	g.forgetEnded(now)
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
	g.expire() // an event revives nothing whose time was over before it
	if e.refused {
		g.endAll(api.CauseRevoked)
		return nil
	}
	var err error
	var seq int64
	switch e.Name {
	case api.FeedSnapshot:
		var s api.Snapshot
		if err = jws.Decode(e.Data, &s); err == nil {
			seq = s.Seq
			g.snapshot(s, e.base)
		}
	case api.FeedGrant:
		var gr api.Grant
		if err = jws.Decode(e.Data, &gr); err == nil {
			seq = gr.Seq
			g.replace(gr, g.read(gr, e.base))
		}
	case api.FeedRenew:
		var r api.Renewal
		if err = jws.Decode(e.Data, &r); err == nil {
			seq, err = r.Seq, g.renew(r, e.base)
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

// snapshot makes this gateway what the broker says it is: all that is gone
// ends before anything opens, for an address may have passed to another.
func (g *Gateway) snapshot(s api.Snapshot, base time.Duration) {
	clear(g.refused)
	wants := make([]map[string]tunnel, len(s.Grants))
	named := map[string]map[string]tunnel{}
	for n, gr := range s.Grants {
		wants[n] = g.read(gr, base)
		named[gr.ID] = wants[n]
	}
	for id := range g.live {
		g.endMissing(id, named[id])
	}
	for n, gr := range s.Grants {
		g.replace(gr, wants[n])
	}
}

// read takes the tunnels of a grant out of an event. One that cannot be read is
// left out, and so ends; the others must not suffer for it.
func (g *Gateway) read(gr api.Grant, base time.Duration) map[string]tunnel {
	want := map[string]tunnel{}
	for _, gt := range gr.Tunnels {
		t, err := parseTunnel(gt)
		if err != nil {
			g.refuse(gt.ID, err)
			continue
		}
		t.until = base + t.ttl
		want[t.id] = t
	}
	return want
}

// endMissing ends the tunnels of a grant that are not wanted any more.
func (g *Gateway) endMissing(grantID string, want map[string]tunnel) {
	for id, old := range g.live[grantID].tunnels {
		if t, ok := want[id]; !ok || t.peer.Key != old.peer.Key {
			g.end(grantID, old, api.CauseRevoked)
		}
	}
}

// replace makes a grant what the broker says it is: first what is not in it
// any more is ended, then the rest is opened or extended.
func (g *Gateway) replace(next api.Grant, want map[string]tunnel) {
	g.endMissing(next.ID, want)
	for _, t := range want {
		if err := g.open(next, t); err != nil {
			g.refuse(t.id, err)
		}
	}
}

// refuse notes a tunnel that the broker wants and that cannot be.
func (g *Gateway) refuse(id string, err error) {
	g.refused[id] = true
	g.cfg.Log.Error("a tunnel from the broker is refused", "tunnel", id, "error", err)
}

// open admits a peer, unless its time is over before it began.
func (g *Gateway) open(next api.Grant, t tunnel) error {
	if g.over(t.id) {
		return nil
	}
	old, had := g.live[next.ID].tunnels[t.id]
	if t.until <= g.cfg.Clock.Boot() {
		if had {
			g.end(next.ID, old, api.CauseExpired)
		}
		return nil
	}
	err := g.admit(old, t)
	if errors.Is(err, wg.ErrAddressTaken) {
		g.evict(t)
		err = g.admit(old, t)
	}
	if err != nil {
		if had {
			g.end(next.ID, old, api.CauseRevoked)
		}
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

// admit lets the peer in as t says. Connections to a destination that is
// another one now end: old ones must not go on to where the app was.
func (g *Gateway) admit(old, t tunnel) error {
	same := t.peer
	same.Allow = slices.DeleteFunc(slices.Clone(t.peer.Allow), func(to netip.AddrPort) bool {
		was, served := old.routes[to]
		return served && was != t.routes[to]
	})
	if len(same.Allow) < len(t.peer.Allow) {
		if err := g.wg.SetPeer(same); err != nil {
			return err
		}
	}
	g.routes.set(t)
	if err := g.wg.SetPeer(t.peer); err != nil {
		g.routes.drop(t.peer.Key)
		return err
	}
	return nil
}

// evict ends tunnels that hold an address which the broker has given to t
// since: the news of their end may come behind that of its beginning.
func (g *Gateway) evict(t tunnel) {
	for id, gr := range g.live {
		for _, old := range gr.tunnels {
			if old.id != t.id && shareAddress(old.peer, t.peer) {
				g.end(id, old, api.CauseRevoked)
			}
		}
	}
}

func shareAddress(a, b wg.Peer) bool {
	return slices.ContainsFunc(a.Addresses, func(addr netip.Addr) bool { return slices.Contains(b.Addresses, addr) })
}

// errNotHere asks for a snapshot.
var errNotHere = errors.New("a tunnel is renewed that is not open here")

// renew moves the end of tunnels that live; it opens nothing. Where broker and
// gateway do not agree on what lives, the feed starts over with a snapshot.
func (g *Gateway) renew(r api.Renewal, base time.Duration) error {
	var failed error
	for _, u := range r.TTLs {
		t, ok := g.live[r.Grant].tunnels[u.ID]
		d, err := ttl(u.TTLMS)
		switch {
		case err != nil:
			failed = err
		case ok:
			t.until = base + d
			g.live[r.Grant].tunnels[u.ID] = t
		case base+d > g.cfg.Clock.Boot() && !g.refused[u.ID] && !g.over(u.ID):
			failed = errNotHere
		}
	}
	return failed
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
	g.ended[t.id] = g.cfg.Clock.Boot()
	g.tellClosed(t.id, cause)
}

func (g *Gateway) tellClosed(id, cause string) {
	g.acknowledge(ack{closed: &api.ClosedTunnel{ID: id, Cause: cause, ClosedAt: g.cfg.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")}})
}

// remembered is how long an ended tunnel is known here, above any lease.
const remembered = time.Hour

// over reports whether a tunnel has ended here before. It stays so: flows died
// with it, and a key that closed does not open again. The broker, which may
// have renewed it meanwhile, is told once more and makes a new one.
func (g *Gateway) over(id string) bool {
	if _, ended := g.ended[id]; !ended {
		return false
	}
	g.tellClosed(id, api.CauseExpired)
	return true
}

// forgetEnded drops what no broker can ask for any more.
func (g *Gateway) forgetEnded(now time.Duration) {
	for id, at := range g.ended {
		if now-at > remembered {
			delete(g.ended, id)
		}
	}
}
