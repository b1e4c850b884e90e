package apiclient

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/clock"
)

// client makes a client of a TLS server with that handler.
func client(t *testing.T, c clock.Clock, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	cl, err := New(Config{Base: s.URL, Roots: roots, Key: key, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestBrokerTime(t *testing.T) {
	c := clock.NewFake(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	there := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	cl := client(t, c, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", there.Format(http.TimeFormat))
	})
	if cl.Skew() != 0 || !cl.Now().Equal(c.Now()) {
		t.Error("before the first answer there is nothing to tell")
	}
	if _, err := cl.Do(t.Context(), Call{Method: http.MethodPost, Path: "/x"}, nil); err != nil {
		t.Fatal(err)
	}
	if !cl.Now().Equal(there) {
		t.Errorf("broker time is %s, want %s", cl.Now(), there)
	}
	skew := cl.Skew()
	c.Sleep(9 * time.Hour)
	if !cl.Now().Equal(there.Add(9*time.Hour)) || cl.Skew() != skew {
		t.Errorf("after a sleep broker time is %s, the skew %s, was %s", cl.Now(), cl.Skew(), skew)
	}
	c.SetWall(there)
	if !cl.Now().Equal(there.Add(9*time.Hour)) || cl.Skew() != -9*time.Hour {
		t.Errorf("a wall clock that was set moved broker time: %s, skew %s", cl.Now(), cl.Skew())
	}
}

func TestStreamDies(t *testing.T) {
	c := clock.NewFake(time.Now())
	cl := client(t, c, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != api.TypeEvents {
			t.Error("Accept is", r.Header.Get("Accept"))
		}
		w.Header().Set("Content-Type", api.TypeEvents)
		io.WriteString(w, "event: one\ndata: 1\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	header := map[string]string{"X": "y"}
	var work sync.WaitGroup
	dead := make(chan struct{})
	err := cl.Stream(t.Context(), Call{Method: http.MethodGet, Path: "/x", Header: header}, func(e StreamEvent) error {
		if e.Name != "one" || string(e.Data) != "1" {
			t.Errorf("%+v", e)
		}
		work.Go(func() { // until the watchdog, which may not have its timer yet, bites
			for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
				select {
				case <-dead:
					return
				default:
					c.Advance(deadAfter)
				}
			}
		})
		return nil
	})
	close(dead)
	work.Wait()
	var away *Unreachable
	if !errors.As(err, &away) || !errors.Is(err, ErrStreamDead) {
		t.Errorf("got %v", err)
	}
	if len(header) != 1 {
		t.Errorf("the caller's header was changed: %v", header)
	}
}

func TestStreamEnds(t *testing.T) {
	cl := client(t, clock.System(), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", api.TypeEvents)
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/stay" {
			<-r.Context().Done()
		}
	})
	mine := errors.New("mine")
	if err := cl.Stream(t.Context(), Call{Method: http.MethodGet, Path: "/stay"}, func(StreamEvent) error { return mine }); err != mine {
		t.Errorf("the error of the reader became %v", err)
	}
	var away *Unreachable
	if err := cl.Stream(t.Context(), Call{Method: http.MethodGet, Path: "/go"}, func(StreamEvent) error { return nil }); !errors.As(err, &away) {
		t.Errorf("a stream that ended: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := cl.Stream(ctx, Call{Method: http.MethodGet, Path: "/stay"}, func(StreamEvent) error { cancel(); return nil }); err != nil {
		t.Errorf("a context that ended: %v", err)
	}
}

func TestAnswerTooLarge(t *testing.T) {
	cl := client(t, clock.System(), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", api.TypeJSON)
		io.WriteString(w, `{"a":"`+strings.Repeat("x", api.MaxAnswer)+`"}`)
	})
	var out struct{}
	_, err := cl.Do(t.Context(), Call{Method: http.MethodGet, Path: "/x"}, &out)
	var away *Unreachable
	if !errors.As(err, &away) || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v", err)
	}
}

func TestReadEvents(t *testing.T) {
	var got []StreamEvent
	err := readEvents(strings.NewReader(": c\n\nid: 7\nevent: a\ndata: one\ndata:two\n\ndata\n\nevent: no-data\n\nunknown: x\nretry: 5\ndata: {}\r\n\r\ndata: cut off"), func(e StreamEvent) error {
		got = append(got, e)
		return nil
	})
	var away *Unreachable
	if !errors.As(err, &away) {
		t.Errorf("the end of a stream is %v", err)
	}
	want := []StreamEvent{{"7", "a", []byte("one\ntwo")}, {"7", "", []byte("")}, {"7", "", []byte("{}")}}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for n := range want {
		if got[n].ID != want[n].ID || got[n].Name != want[n].Name || string(got[n].Data) != string(want[n].Data) {
			t.Errorf("event %d is %q, want %q", n, got[n], want[n])
		}
	}
}

func TestEventsAreBounded(t *testing.T) {
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	lines := 0
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
			lines++
		}
	}()
	err := readEvents(r, func(StreamEvent) error { return nil })
	r.Close()
	<-done
	if err == nil || lines > maxEvent>>20+1 {
		t.Errorf("%d MiB were taken: %v", lines, err)
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add("id: 1\nevent: grant\ndata: {}\n\n")
	f.Add(": ping\n\n\n\n")
	f.Add("data\ndata:\ndata: \r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		size := 0
		err := readEvents(strings.NewReader(text), func(e StreamEvent) error {
			size += len(e.Data)
			if strings.ContainsAny(e.Name+e.ID, "\n") {
				t.Errorf("%q", e)
			}
			return nil
		})
		if err == nil {
			t.Error("a stream without an end")
		}
		if size > len(text) {
			t.Errorf("%d bytes of data in %d", size, len(text))
		}
	})
}

func FuzzParseProblem(f *testing.F) {
	f.Add(api.TypeProblem, true, []byte(`{"title":"x","status":403,"code":"device_revoked"}`))
	f.Add(api.TypeJSON, true, []byte(`{"error":"invalid_grant"}`))
	f.Add("text/html", false, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, kind string, oauth bool, body []byte) {
		no := parseProblem(kind, oauth, body)
		if no == nil {
			return
		}
		if no.Code == "" || (kind != api.TypeProblem && (kind != api.TypeJSON || !oauth)) {
			t.Errorf("%q of type %s became a no: %+v", body, kind, no)
		}
	})
}

// TestManyShortLines: an event of nothing but ends of lines costs no more than
// its bytes would in one line.
func TestManyShortLines(t *testing.T) {
	const lines = 1 << 20
	text := strings.Repeat("data:\n", lines) + "\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := 0
	err := readEvents(strings.NewReader(text), func(e StreamEvent) error {
		got = len(e.Data)
		return nil
	})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.EOF) || got != lines-1 {
		t.Errorf("%d bytes, %v", got, err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > uint64(4*len(text)) {
		t.Errorf("%d bytes of stream took %d of memory", len(text), took)
	}
}
