package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/dev"
)

// Stream is a download through a local address, as a program of the person
// would run it, with what it saw.
type Stream struct {
	world *World
	id    string
	conn  net.Conn
	done  chan struct{}

	mu    sync.Mutex
	bytes int64
	last  time.Duration // boot time of the last byte
	gap   time.Duration // longest silence since MarkGap
	err   error
	ended time.Duration // boot time of the error
}

// OpenStream starts reading path ("/download" or "/slow") of a sample app at a
// local address. It returns once bytes flow.
func (w *World) OpenStream(ctx context.Context, address, path, id string) (*Stream, error) {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(conn, "GET %s?id=%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, id, address)
	s := &Stream{world: w, id: id, conn: conn, done: make(chan struct{})}
	go s.read()
	err = Until(ctx, 10*time.Second, "first bytes of "+id, func() (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err != nil {
			return false, s.err
		}
		return s.bytes > 1024 || (path == "/slow" && s.bytes > 300), nil
	})
	if err != nil {
		conn.Close()
		<-s.done
		return nil, err
	}
	return s, nil
}

func (s *Stream) read() {
	defer close(s.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		now := s.world.Clock.Boot()
		s.mu.Lock()
		if n > 0 {
			if s.last > 0 {
				s.gap = max(s.gap, now-s.last)
			}
			s.bytes, s.last = s.bytes+int64(n), now
		}
		if err != nil {
			s.err, s.ended = err, now
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Seen is what a stream saw so far.
type Seen struct {
	Bytes     int64
	LastByte  time.Duration // boot time
	Gap       time.Duration // longest silence since MarkGap
	Err       error         // how it ended, nil while it flows
	ErrorAt   time.Duration
	CleanStop bool // it ended with an orderly end of data, not with an error
}

// Seen tells what the reader saw.
func (s *Stream) Seen() Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Seen{Bytes: s.bytes, LastByte: s.last, Gap: s.gap, Err: s.err, ErrorAt: s.ended, CleanStop: errors.Is(s.err, io.EOF)}
}

// MarkGap starts measuring the longest silence anew.
func (s *Stream) MarkGap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gap = 0
}

// WaitEnd waits for the reader's connection error.
func (s *Stream) WaitEnd(ctx context.Context, within time.Duration) (Seen, error) {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case <-s.done:
		return s.Seen(), nil
	case <-t.C:
		return s.Seen(), fmt.Errorf("the download %s still flows after %s", s.id, within)
	case <-ctx.Done():
		return s.Seen(), ctx.Err()
	}
}

// Close ends the reader.
func (s *Stream) Close() {
	s.conn.Close()
	<-s.done
}

// AppSaw finds in the sample apps' own log the first event of a stream.
func (w *World) AppSaw(stream, event string) (dev.AppEvent, bool, error) {
	f, err := os.Open(w.Info.AppsLog)
	if err != nil {
		return dev.AppEvent{}, false, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var e dev.AppEvent
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			continue // the last line may be in the making
		}
		if e.Stream == stream && e.Event == event {
			return e, true, nil
		}
	}
	return dev.AppEvent{}, false, sc.Err()
}

// WaitAppCut waits until the app's own server saw the stream's connection end.
func (w *World) WaitAppCut(ctx context.Context, stream string, within time.Duration) (time.Duration, error) {
	var at time.Duration
	err := Until(ctx, within, "the app's connection of "+stream+" being cut", func() (bool, error) {
		e, ok, err := w.AppSaw(stream, "cut")
		at = time.Duration(e.BootNS)
		return ok, err
	})
	return at, err
}

// Fetch gets a page at a local address over a connection of its own.
func Fetch(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return "", err
	}
	tr := &http.Transport{DisableKeepAlives: true, Proxy: nil}
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", address, res.Status)
	}
	return string(body), err
}

// Refused tries to connect and to ask for a page, and reports whether that was
// refused: no connection, or one that ends without a byte.
func Refused(ctx context.Context, network, address string) error {
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	n, err := conn.Read(make([]byte, 1))
	if n > 0 {
		return fmt.Errorf("%s %s answered with data", network, address)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%s %s neither answered nor hung up", network, address)
	}
	return nil
}

// GatewayKeys lists the WireGuard keys of all tunnels that the gateway opened
// for a device, in order, by its own record.
func (w *World) GatewayKeys(device string) ([]string, error) {
	data, err := os.ReadFile(w.File("dev/gateway/audit.jsonl"))
	if err != nil {
		return nil, err
	}
	var keys []string
	for line := range strings.Lines(string(data)) {
		var e struct {
			Activity string `json:"activity_name"`
			Device   struct {
				UID string `json:"uid"`
			} `json:"device"`
			Unmapped struct {
				Key string `json:"wireguard_public_key"`
			} `json:"unmapped"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			continue
		}
		if e.Activity == "Open" && e.Device.UID == device {
			keys = append(keys, e.Unmapped.Key)
		}
	}
	return keys, nil
}
