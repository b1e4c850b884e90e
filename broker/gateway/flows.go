package gateway

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/relay"
	"github.com/postern-zt/postern/tunnel/wg"
)

// dialTimeout bounds reaching an application.
const dialTimeout = 10 * time.Second

// routes maps each peer's virtual addresses to real destinations. It is read
// for every new flow and written by the one writer.
type routes struct {
	mu     sync.RWMutex
	byPeer map[wg.PublicKey]map[netip.AddrPort]string
}

func (r *routes) set(t tunnel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPeer == nil {
		r.byPeer = map[wg.PublicKey]map[netip.AddrPort]string{}
	}
	r.byPeer[t.peer.Key] = t.routes
}

func (r *routes) drop(key wg.PublicKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byPeer, key)
}

func (r *routes) find(key wg.PublicKey, to netip.AddrPort) (string, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d, ok := r.byPeer[key][to]
	return d, ok
}

// destination splits a policy's destination into what net.Dial takes.
func destination(d string) (network, address string, err error) {
	network, address, _ = strings.Cut(d, ":")
	if (network != "tcp" && network != "unix") || address == "" {
		return "", "", fmt.Errorf("destination %q is neither tcp:host:port nor unix:/path", d)
	}
	return network, address, nil
}

// serve carries one admitted flow to its application. When the peer is shut,
// the flow's Read and Write fail and the application's connection is closed
// with it.
func (g *Gateway) serve(f wg.Flow) {
	dest, ok := g.routes.find(f.Peer, f.To)
	if !ok {
		return
	}
	network, address, err := destination(dest)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	go func() { // a shut peer ends a dial that is under way
		select {
		case <-f.Done:
			cancel()
		case <-ctx.Done():
		}
	}()
	app, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		g.cfg.Log.Warn("reach application", "destination", dest, "error", err)
		return
	}
	if err := relay.Join(f.Conn, app); err != nil {
		g.cfg.Log.Debug("flow ended", "error", err)
	}
}
