package apiclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
)

// deadAfter is the silence after which a stream counts as dead; the server
// sends a comment every 15 s.
const deadAfter = 40 * time.Second

// StreamEvent is one server-sent event (WHATWG HTML, section "Server-sent events").
type StreamEvent struct {
	ID   string
	Name string
	Data []byte
}

// ErrStreamDead says that nothing came for longer than a living server is silent.
var ErrStreamDead = errors.New("the event stream fell silent")

// Stream reads server-sent events and hands each to on, until the context ends
// (nil), the stream ends (an *Unreachable), or on returns an error (returned).
// The broker's refusal to open the stream is a *Rejected.
func (c *Client) Stream(ctx context.Context, call Call, on func(StreamEvent) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	header := map[string]string{"Accept": api.TypeEvents}
	maps.Copy(header, call.Header)
	call.Header = header
	res, _, err := c.send(ctx, call)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if kind := mediaType(res); res.StatusCode != http.StatusOK || kind != api.TypeEvents {
		return &Unreachable{Err: fmt.Errorf("%s answered with %q, want an event stream", call.Path, kind)}
	}
	if call.Opened != nil {
		call.Opened()
	}
	watch := newWatchdog(c, func() { cancel(ErrStreamDead) })
	defer watch.stop()
	err = readEvents(io.TeeReader(res.Body, watch), on)
	switch {
	case errors.Is(context.Cause(ctx), ErrStreamDead):
		return &Unreachable{Err: ErrStreamDead}
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// maxEvent bounds the data of one event in bytes. The largest is a gateway's
// snapshot, with a kilobyte or less for each tunnel that lives.
const maxEvent = 64 << 20

// readEvents parses the stream.
func readEvents(r io.Reader, on func(StreamEvent) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), maxEvent)
	var e StreamEvent
	var data []byte // each line with its end: many short ones cost no more than a long one
	for sc.Scan() {
		line := sc.Text()
		if line == "" {
			if len(data) > 0 {
				e.Data = data[:len(data)-1]
				if err := on(e); err != nil {
					return err
				}
			}
			e, data = StreamEvent{ID: e.ID}, nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.ID = value
		case "event":
			e.Name = value
		case "data":
			if len(data)+len(value)+1 > maxEvent {
				return &Unreachable{Err: fmt.Errorf("an event is larger than %d bytes", maxEvent)}
			}
			data = append(append(data, value...), '\n')
		}
	}
	err := sc.Err()
	if err == nil {
		err = io.EOF
	}
	return &Unreachable{Err: fmt.Errorf("event stream ended: %w", err)}
}

// watchdog calls dead when no byte was written to it for deadAfter of boot time.
type watchdog struct {
	fed  chan struct{}
	done chan struct{}
	gone chan struct{}
}

func newWatchdog(c *Client, dead func()) *watchdog {
	w := &watchdog{fed: make(chan struct{}, 1), done: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		for {
			t := c.clock.NewTimer(c.clock.Boot() + deadAfter)
			select {
			case <-w.fed:
				t.Stop()
			case <-t.C():
				dead()
				return
			case <-w.done:
				t.Stop()
				return
			}
		}
	}()
	return w
}

// Write notes that bytes came.
func (w *watchdog) Write(p []byte) (int, error) {
	select {
	case w.fed <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *watchdog) stop() {
	close(w.done)
	<-w.gone
}
