package gateway

import (
	"context"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
)

// maxClosed is how many closings one acknowledgement carries.
const maxClosed = 256

// ack is one thing done: an event in force, or a tunnel closed.
type ack struct {
	seq    int64
	closed *api.ClosedTunnel
}

// acknowledge queues an ack and never waits: enforcement does not hang on
// telling. What does not fit the queue is in the gateway's own record.
func (g *Gateway) acknowledge(a ack) {
	select {
	case g.acks <- a:
	default:
	}
}

// sendAcks sends what has gathered, in one message at a time.
func (g *Gateway) sendAcks(ctx context.Context) error {
	var last int64
	var unsent []api.ClosedTunnel
	for {
		var batch api.Acks
		select {
		case <-ctx.Done():
			return nil
		case a := <-g.acks:
			batch = g.gather(a, last, unsent)
		}
		last, unsent = batch.Applied, nil
		token, err := g.ready(ctx)
		if err == nil {
			var call apiclient.Call
			if call, err = apiclient.PostJSON(api.PathAcks, token, batch); err == nil {
				err = g.post(ctx, call)
			}
		}
		if err != nil && len(batch.Closed) < maxClosed {
			unsent = batch.Closed // with the next
		}
		if err != nil && ctx.Err() == nil {
			g.cfg.Log.Debug("send acknowledgement", "error", err)
		}
	}
}

// gather puts what waits into one message, and leaves what does not fit.
func (g *Gateway) gather(first ack, last int64, unsent []api.ClosedTunnel) api.Acks {
	batch := api.Acks{Epoch: g.epoch, Applied: last, Closed: unsent}
	for a := first; ; {
		batch.Applied = max(batch.Applied, a.seq)
		if a.closed != nil {
			batch.Closed = append(batch.Closed, *a.closed)
		}
		if len(batch.Closed) == maxClosed {
			return batch
		}
		select {
		case a = <-g.acks:
		default:
			return batch
		}
	}
}
