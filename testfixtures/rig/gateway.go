package rig

import (
	"context"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/broker/audit"
	"github.com/postern-zt/postern/broker/gateway"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/tunnel/wg"
)

// GatewayOptions of StartGateway; what is empty is made anew.
type GatewayOptions struct {
	Name  string
	Key   hwkey.Key
	Clock clock.Clock
}

// Gateway is one that runs.
type Gateway struct {
	JKT  string // its device key
	stop context.CancelFunc
	done chan error
}

// StartGateway starts a gateway and waits until the broker has heard of it and
// it has a feed.
func (w *World) StartGateway(o GatewayOptions) *Gateway {
	t := w.T
	t.Helper()
	if o.Key == nil {
		var err error
		o.Key, err = hwkey.NewMemory()
		must(t, err)
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
	jkt, err := jws.Thumbprint(o.Key.Public())
	must(t, err)
	client, err := apiclient.New(apiclient.Config{Base: w.URL, Roots: w.Roots, Key: o.Key, Clock: o.Clock})
	must(t, err)
	private, err := wg.NewPrivateKey()
	must(t, err)
	events, err := audit.Open(filepath.Join(w.dir, "gateway-"+jws.Random(6)+".jsonl"), audit.MaxFile, time.Now)
	must(t, err)
	gw, err := gateway.New(gateway.Config{
		Name: o.Name, UEID: attest.NewUEID(), Token: GatewayToken, Key: o.Key, WireGuard: private,
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), Client: client, Clock: o.Clock, Audit: events, Log: w.log,
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gateway{JKT: jkt, stop: cancel, done: make(chan error, 1)}
	go func() { g.done <- gw.Run(ctx) }()
	t.Cleanup(func() {
		g.Stop()
		events.Close()
		client.Close()
	})
	w.Await("the gateway is known and has its feed", func() bool {
		d, err := w.Store.DeviceByJKT(t.Context(), jkt)
		if err != nil {
			return false
		}
		all, err := w.Store.Gateways(t.Context())
		if err != nil {
			return false
		}
		for _, one := range all {
			if one.ID == d.ID {
				return true
			}
		}
		return false
	})
	return g
}

// Stop ends the gateway and waits for its end. It may be called twice.
func (g *Gateway) Stop() {
	g.stop()
	if err, first := <-g.done; first {
		close(g.done)
		_ = err // only what it was doing when it was told to stop
	}
}
