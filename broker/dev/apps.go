package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/ipc"
)

// SampleApps are the web applications that a development gateway serves.
var SampleApps = [...]string{"wiki", "payroll", "status"}

// AppEvent is one line of the sample apps' own account of their connections.
type AppEvent struct {
	App    string `json:"app"`
	Stream string `json:"stream"` // the "id" that the reader gave
	Event  string `json:"event"`  // begin, cut (the connection ended under it), end
	Bytes  int64  `json:"bytes"`
	BootNS int64  `json:"boot_ns"` // CLOCK_BOOTTIME, the same clock for every process of the machine
}

// apps serves the sample applications on Unix sockets.
type apps struct {
	clock clock.Clock
	mu    sync.Mutex
	log   *os.File
}

// ServeApps serves the sample apps on sockets in dir until the context ends.
// Each refuses every process but this one, by the kernel's word for who
// connects (SO_PEERCRED, unix(7)): the gateway is the only way to them.
func ServeApps(ctx context.Context, dir, logFile string, c clock.Clock) error {
	if err := files.MkdirOwnerOnly(dir); err != nil {
		return err
	}
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the sample apps' log: %w", err)
	}
	defer log.Close()
	a := &apps{clock: c, log: log}
	var servers []*http.Server
	failed := make(chan error, len(SampleApps))
	for _, name := range SampleApps {
		path := filepath.Join(dir, name+".sock")
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("replace the socket of %s: %w", name, err)
		}
		l, err := net.Listen("unix", path)
		if err != nil {
			return fmt.Errorf("listen for %s: %w", name, err)
		}
		srv := &http.Server{Handler: a.handler(name), ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(ownProcess{l}) }()
	}
	var result error
	select {
	case <-ctx.Done():
	case result = <-failed:
	}
	for _, srv := range servers {
		srv.Close()
	}
	return result
}

// ownProcess accepts connections of this process only.
type ownProcess struct{ net.Listener }

// Accept hangs up on everybody else without a word.
func (l ownProcess) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p, err := ipc.PeerOf(c)
		if err == nil && p.Known && int(p.PID) == os.Getpid() {
			return c, nil
		}
		c.Close()
	}
}

func (a *apps) handler(name string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		fmt.Fprintf(w, "<!doctype html><html lang=en><title>%s</title><h1>%s</h1><p>You are reading the sample app %s through Postern.</p>\n", html.EscapeString(name), html.EscapeString(name), html.EscapeString(name))
	})
	chunk := make([]byte, 32<<10)
	mux.HandleFunc("GET /download", func(w http.ResponseWriter, r *http.Request) { a.stream(w, r, name, chunk, 0) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		a.stream(w, r, name, []byte("tick\n"), 20*time.Millisecond)
	})
	return mux
}

// stream writes until its reader is gone, and notes when it saw that.
func (a *apps) stream(w http.ResponseWriter, r *http.Request, app string, chunk []byte, every time.Duration) {
	id, rc := r.URL.Query().Get("id"), http.NewResponseController(w)
	var sent int64
	a.note(AppEvent{App: app, Stream: id, Event: "begin"})
	defer func() { a.note(AppEvent{App: app, Stream: id, Event: "cut", Bytes: sent}) }()
	var tick <-chan time.Time
	if every > 0 {
		t := time.NewTicker(every)
		defer t.Stop()
		tick = t.C
	}
	for {
		if r.Context().Err() != nil {
			return
		}
		n, err := w.Write(chunk)
		sent += int64(n)
		if err != nil || rc.Flush() != nil {
			return
		}
		if tick == nil {
			continue
		}
		select {
		case <-tick:
		case <-r.Context().Done():
			return
		}
	}
}

func (a *apps) note(e AppEvent) {
	e.BootNS = int64(a.clock.Boot())
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log.Write(append(line, '\n'))
}
