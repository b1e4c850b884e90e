package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

// pingEvery is how often a stream carries a comment so that nobody in between
// takes it for dead.
const pingEvery = 15 * time.Second

// feedBuffer is how far a gateway may lag before it has to start over.
const feedBuffer = 1024

type message struct {
	id   int64
	name string
	data []byte
}

// feeds are the streams to the gateways. Sequence numbers rise across
// restarts of the broker, since they begin at the clock.
type feeds struct {
	mu      sync.Mutex
	seq     int64
	open    map[string]*feed // gateway → its one stream
	applied map[string]int64 // gateway → last acknowledged
	changed chan struct{}    // closed and replaced on every acknowledgement
}

type feed struct {
	ch   chan message
	gone chan struct{} // closed when the stream must end
}

func newFeeds(now func() time.Time) *feeds {
	return &feeds{seq: now().UnixMilli(), open: map[string]*feed{}, applied: map[string]int64{}, changed: make(chan struct{})}
}

// connect replaces the gateway's stream with a new one whose first message is
// made by snapshot. It is made under the lock: whatever changes later is sent
// later.
func (f *feeds) connect(gateway string, snapshot func(seq int64) (any, error)) (*feed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.open[gateway]; old != nil {
		close(old.gone)
		delete(f.open, gateway)
	}
	f.seq++
	first, err := snapshot(f.seq)
	if err != nil {
		return nil, err
	}
	n := &feed{ch: make(chan message, feedBuffer), gone: make(chan struct{})}
	if err := n.send(f.seq, api.FeedSnapshot, first); err != nil {
		return nil, err
	}
	f.open[gateway] = n
	return n, nil
}

// disconnect forgets a stream that ended by itself.
func (f *feeds) disconnect(gateway string, was *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[gateway] == was {
		delete(f.open, gateway)
	}
}

func (n *feed) send(seq int64, name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write feed event: %w", err)
	}
	select {
	case n.ch <- message{seq, name, data}:
		return nil
	default:
		return fmt.Errorf("gateway is %d messages behind", feedBuffer)
	}
}

// publish sends one event; make is given its sequence number. A gateway that
// is away gets nothing: its next snapshot has it. 0 means not sent.
func (f *feeds) publish(gateway, name string, make func(seq int64) any) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.open[gateway]
	if n == nil {
		return 0
	}
	f.seq++
	if err := n.send(f.seq, name, make(f.seq)); err != nil {
		close(n.gone) // it reconnects and begins with a snapshot
		delete(f.open, gateway)
		return 0
	}
	return f.seq
}

func (f *feeds) acknowledge(gateway string, seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied[gateway] = max(f.applied[gateway], seq)
	close(f.changed)
	f.changed = make(chan struct{})
}

// wait returns once the gateway has acknowledged seq (true) or the context
// ended (false).
func (f *feeds) wait(ctx context.Context, gateway string, seq int64) bool {
	for {
		f.mu.Lock()
		done, changed := f.applied[gateway] >= seq, f.changed
		f.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// stream writes messages as server-sent events until one of the ends comes;
// alive is asked at every ping whether the caller may still listen.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, ch <-chan message, gone <-chan struct{}, alive func() bool) {
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", api.TypeEvents)
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.WriteHeader(http.StatusOK)
	fmt.Fprint(w, ": open\n\n")
	if rc.Flush() != nil {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case m := <-ch:
			fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", m.id, m.name, m.data)
		case <-ping.C:
			if !alive() {
				return
			}
			fmt.Fprint(w, ": ping\n\n")
		case <-gone:
			return
		case <-s.done:
			return
		case <-r.Context().Done():
			return
		}
		if rc.Flush() != nil {
			return
		}
	}
}
