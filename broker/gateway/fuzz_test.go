package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/tunnel/wg"
)

// alone is a gateway that nothing runs but the test.
func alone(t testing.TB) (*Gateway, *clock.Fake) {
	t.Helper()
	private, err := wg.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	events, err := audit.Open(filepath.Join(t.TempDir(), "audit.jsonl"), audit.MaxFile, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	c := clock.NewFake(time.Now())
	g, err := New(Config{Name: "gw", WireGuard: private, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Clock: c, Audit: events, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.wg.Close() })
	return g, c
}

// TestLateRenewal: the end and a renewal come at one moment; the end was first.
func TestLateRenewal(t *testing.T) {
	g, c := alone(t)
	give := func(name string, v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return g.take(feedEvent{StreamEvent: apiclient.StreamEvent{Name: name, Data: data}, base: c.Boot()})
	}
	one := tunnelAt(t, 1, 20*time.Second)
	if err := give(api.FeedSnapshot, api.Snapshot{Seq: 1, Grants: []api.Grant{grantOf(0, "ses", one)}}); err != nil || len(g.live) != 1 {
		t.Fatal(err)
	}
	c.Sleep(20 * time.Second)
	err := give(api.FeedRenew, api.Renewal{Seq: 2, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: one.ID, TTLMS: 20_000}}})
	if err != nil || len(g.live) != 0 {
		t.Errorf("%v, %d grants live", err, len(g.live))
	}
	// A snapshot does not revive it either: its flows died, its key has closed.
	err = give(api.FeedSnapshot, api.Snapshot{Seq: 3, Grants: []api.Grant{grantOf(0, "ses", one)}})
	if err != nil || len(g.live) != 0 {
		t.Errorf("after a snapshot: %v, %d grants live", err, len(g.live))
	}
	// One that was never here is asked for.
	err = give(api.FeedRenew, api.Renewal{Seq: 4, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: "tun_other", TTLMS: 20_000}}})
	if !errors.Is(err, errNotHere) {
		t.Errorf("an unknown tunnel: %v", err)
	}
}

// FuzzTake puts anything into force: it must neither crash nor admit for
// longer than a lease can last, and afterwards everything ends by the clock.
func FuzzTake(f *testing.F) {
	g, c := alone(f)
	for _, v := range []struct {
		name string
		data any
	}{
		{api.FeedSnapshot, api.Snapshot{Seq: 1, Grants: []api.Grant{grantOf(0, "ses", tunnelAt(f, 1, time.Minute))}}},
		{api.FeedGrant, grantOf(2, "ses", tunnelAt(f, 1, time.Minute), tunnelAt(f, 2, time.Minute))},
		{api.FeedRenew, api.Renewal{Seq: 3, Grant: "ses", TTLs: []api.RenewedTunnel{{ID: "tun_1", TTLMS: 1}}}},
	} {
		data, err := json.Marshal(v.data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		for range 2 { // the second time everything is there already
			_ = g.take(feedEvent{StreamEvent: apiclient.StreamEvent{Name: name, Data: data}, base: c.Boot()})
		}
		c.Advance(maxTTL)
		g.expire()
		if all, err := g.wg.Peers(); err != nil || len(all) != 0 || len(g.live) != 0 {
			t.Fatalf("still open: %v, %v, %v", all, g.live, err)
		}
		for len(g.acks) > 0 {
			<-g.acks
		}
	})
}

// FuzzParseTunnel: what is taken is whole.
func FuzzParseTunnel(f *testing.F) {
	data, err := json.Marshal(tunnelAt(f, 1, time.Minute))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"addresses":["::1"],"routes":[{"virtual":["fd00::1"],"port":443,"destination":"unix:/run/app"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var in api.GatewayTunnel
		if json.Unmarshal(data, &in) != nil {
			return
		}
		got, err := parseTunnel(in)
		if err != nil {
			return
		}
		if got.id == "" || len(got.peer.Addresses) == 0 || len(got.peer.Allow) == 0 || got.ttl < 0 || got.ttl > maxTTL || got.peer.Key == (wg.PublicKey{}) {
			t.Errorf("took %+v", got)
		}
		for _, to := range got.peer.Allow {
			if _, ok := got.routes[to]; !ok {
				t.Errorf("%s is allowed and leads nowhere", to)
			}
		}
	})
}
