package rig

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"
)

// App is a small web application on a Unix socket. It answers "/" with a
// greeting, and "/stream" with a line every few milliseconds without an end.
type App struct {
	Name, Socket string
	open         atomic.Int64
	ever         atomic.Int64
}

// Open is how many connections there are now.
func (a *App) Open() int64 { return a.open.Load() }

// Ever is how many connections there have been.
func (a *App) Ever() int64 { return a.ever.Load() }

func (w *World) startApp(name string) *App {
	a := &App{Name: name, Socket: filepath.Join(w.dir, name+".sock")}
	l, err := net.Listen("unix", a.Socket)
	must(w.T, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintf(rw, "hello from %s", name) })
	mux.HandleFunc("/stream", stream)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: Patience, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			a.open.Add(1)
			a.ever.Add(1)
		case http.StateClosed, http.StateHijacked:
			a.open.Add(-1)
		}
		w.Poke()
	}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Serve(l)
	}()
	w.T.Cleanup(func() {
		s.Close()
		<-ended
	})
	return a
}

func stream(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	rc := http.NewResponseController(w)
	for {
		if _, err := fmt.Fprintln(w, "still here"); err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
