package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/platform/jws"
)

// defaultBeat is used until the broker has said how often it wants to hear.
const defaultBeat = 5 * time.Second

// beats remembers when each heartbeat was sent. The broker echoes it into the
// feed; what follows there was written after the beat was sent, so counting
// its times from then can only make a lease shorter.
type beats struct {
	mu    sync.Mutex
	every time.Duration
	seq   int64
	sent  map[int64]time.Duration // boot times of beats not yet echoed
	last  time.Duration           // of the last echoed one, or of the feed's request
}

func (b *beats) setEvery(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d >= 50*time.Millisecond && d <= time.Minute {
		b.every = d
	}
}

func (b *beats) interval() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.every == 0 {
		return defaultBeat
	}
	return b.every
}

func (b *beats) reset(base time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.sent = base, map[int64]time.Duration{}
}

func (b *beats) next(now time.Duration) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	b.sent[b.seq] = now
	if len(b.sent) > 64 { // echoes that never came
		delete(b.sent, b.seq-64)
	}
	return b.seq
}

func (b *beats) base() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// echoed moves the base forward. An echo of a beat that was not sent in this
// life of the feed is an error: its time is not known.
func (b *beats) echoed(data []byte) error {
	var h api.Heartbeat
	if err := jws.Decode(data, &h); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.sent[h.Seq]
	if !ok {
		return nil // sent before this feed began; the base stays where it is
	}
	delete(b.sent, h.Seq)
	b.last = max(b.last, at)
	return nil
}

// beat sends heartbeats while the context lives.
func (g *Gateway) beat(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := g.sendBeat(ctx); err != nil && ctx.Err() == nil {
			g.cfg.Log.Debug("send heartbeat", "error", err)
		}
		g.waitBeat(ctx)
	}
	return nil
}

// waitBeat waits until the next heartbeat is due, or until a feed has begun:
// its times count from an echo, and agents must hear of a new gateway at once.
func (g *Gateway) waitBeat(ctx context.Context) {
	t := g.cfg.Clock.NewTimer(g.cfg.Clock.Boot() + g.beats.interval())
	defer t.Stop()
	select {
	case <-t.C():
	case <-g.begun:
	case <-ctx.Done():
	}
}

func (g *Gateway) sendBeat(ctx context.Context) error {
	token, err := g.ready(ctx)
	if err != nil {
		return err
	}
	h := api.Heartbeat{Seq: g.beats.next(g.cfg.Clock.Boot()), Hello: api.GatewayHello{
		Epoch: g.epoch, PublicKey: g.wg.PublicKey().String(), Endpoints: []string{g.wg.ListenAddr().String()},
	}}
	call, err := apiclient.PostJSON(api.PathHeartbeat, token, h)
	if err != nil {
		return err
	}
	return g.post(ctx, call)
}

// post sends a call and drops the token when the broker does not take it.
func (g *Gateway) post(ctx context.Context, call apiclient.Call) error {
	_, err := g.cfg.Client.Do(ctx, call, nil)
	var no *apiclient.Rejected
	if errors.As(err, &no) && no.Status == http.StatusUnauthorized { // the feed draws the other conclusions
		g.token.forget()
	}
	return err
}

var errNotEnrolled = errors.New("not enrolled yet")

// ready gives a token once the gateway is enrolled.
func (g *Gateway) ready(ctx context.Context) (string, error) {
	if !g.token.known() {
		return "", errNotEnrolled
	}
	return g.token.get(ctx)
}
