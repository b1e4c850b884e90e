package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	now     func() time.Time
	open    map[string]*feed     // gateway → its one stream
	lost    map[string]time.Time // gateway → when its stream ended
	applied map[string]int64     // gateway → last acknowledged
	changed chan struct{}        // closed and replaced on every acknowledgement
}

type feed struct {
	ch   chan message
	gone chan struct{} // closed when the stream must end
}

func newFeeds(now func() time.Time) *feeds {
	return &feeds{seq: now().UnixMilli(), now: now, open: map[string]*feed{}, lost: map[string]time.Time{}, applied: map[string]int64{}, changed: make(chan struct{})}
}

// snapshot makes the event that a stream begins with.
type snapshot func(seq int64) (any, error)

// connect replaces the gateway's stream with a new one whose first message is
// made by begin. It is made under the lock: whatever changes later is sent
// later.
func (f *feeds) connect(gateway string, begin snapshot) (*feed, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.open[gateway]; old != nil {
		f.drop(gateway, old)
	}
	f.seq++
	first, err := begin(f.seq)
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
		f.drop(gateway, was)
	}
}

// drop ends a stream. The caller holds mu.
func (f *feeds) drop(gateway string, n *feed) {
	close(n.gone)
	delete(f.open, gateway)
	f.lost[gateway] = f.now()
}

// awayAfter is how long a stream may be gone before its gateway counts as
// away; one that reconnects is back long before.
const awayAfter = 10 * time.Second

// away reports whether a gateway has no stream, and has had none for a while.
func (f *feeds) away(gateway string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[gateway] != nil {
		return false
	}
	lost, known := f.lost[gateway]
	return !known || f.now().Sub(lost) > awayAfter
}

// refresh sends every gateway a new snapshot in the stream it has. One for
// which that does not work loses its stream: its next begins with a snapshot.
func (f *feeds) refresh(of func(gateway string) snapshot) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	for gateway, n := range f.open {
		f.seq++
		event, err := of(gateway)(f.seq)
		if err == nil {
			err = n.send(f.seq, api.FeedSnapshot, event)
		}
		if err != nil {
			f.drop(gateway, n)
			failed = errors.Join(failed, fmt.Errorf("send snapshot: %w", err))
		}
	}
	return failed
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
		f.drop(gateway, n) // it reconnects and begins with a snapshot
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

// writeWait is how long a reader may let the server wait.
const writeWait = 20 * time.Second

// stream writes messages as server-sent events until one of the ends comes;
// alive is asked at every ping whether the caller may still listen. What was
// sent before the stream was told to go still goes out.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, ch <-chan message, gone <-chan struct{}, alive func() bool) {
	out := eventWriter{w: w, rc: http.NewResponseController(w)}
	w.Header().Set("Content-Type", api.TypeEvents)
	w.Header().Set("Cache-Control", "no-store, no-transform")
	w.WriteHeader(http.StatusOK)
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for ok := out.write(": open\n\n"); ok; {
		select {
		case m := <-ch:
			ok = out.event(m)
		case <-ping.C:
			ok = alive() && out.write(": ping\n\n")
		case <-gone:
			for ok {
				select {
				case m := <-ch:
					ok = out.event(m)
				default:
					return
				}
			}
		case <-s.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// eventWriter writes one thing at a time and says whether it got away.
type eventWriter struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (e eventWriter) event(m message) bool {
	return e.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", m.id, m.name, m.data))
}

func (e eventWriter) write(text string) bool {
	// In HTTP/2 a deadline ends the stream even when nothing is being written,
	// so it is lifted again. A writer that knows none just has none.
	_ = e.rc.SetWriteDeadline(time.Now().Add(writeWait))
	_, err := io.WriteString(e.w, text)
	if err == nil {
		err = e.rc.Flush()
	}
	_ = e.rc.SetWriteDeadline(time.Time{})
	return err == nil
}
