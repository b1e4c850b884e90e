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

// serve carries one admitted flow to its application. When the flow fails,
// because its peer was shut or may not go there any more, the application's
// connection ends with it, whether or not anything is on its way just then.
func (g *Gateway) serve(f wg.Flow) {
	dest, ok := g.routes.find(f.Peer, f.To)
	if !ok {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	go func() { // ends with this call
		select {
		case <-f.Done:
		case <-f.Broken:
		case <-ctx.Done():
		}
		end()
	}()
	app, err := reach(ctx, dest)
	if err != nil {
		g.cfg.Log.Warn("reach application", "destination", dest, "error", err)
		return
	}
	// A join that waits for the application would not notice by itself.
	defer context.AfterFunc(ctx, func() { relay.Reset(app) })()
	if err := relay.Join(f.Conn, app); err != nil {
		g.cfg.Log.Debug("flow ended", "error", err)
	}
}

// reach connects to a destination, unless the context ends before.
func reach(ctx context.Context, dest string) (net.Conn, error) {
	network, address, err := destination(dest)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
}
