// Command agent answers on a local socket in the place of the real agent, with what a file says, and writes down what it was asked to do.
//
// It serves states that are hard to bring about, on Linux and on Windows. The
// file holds a status of client/localapi; it is read again whenever it changes.
// What was asked is in a file of the same name with .did behind it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until it is told to stop.
func run() error {
	socket := flag.String("socket", "", "where to listen")
	status := flag.String("status", "", "the file to serve")
	foreign := flag.Bool("foreign", false, "be the agent of another user of this machine")
	level := flag.Int("level", localapi.API, "the level of the protocol, 1 or 2")
	slow := flag.Duration("slow", 0, "how long to take to tell the status")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	b := &backend{path: *status, slow: *slow, changed: make(chan struct{})}
	if err := b.read(); err != nil {
		return err
	}
	l, err := ipc.Listen(*socket, ipc.Options{})
	if err != nil {
		return err
	}
	go b.follow(ctx, log) // ends with ctx, as the process does
	owner := ipc.Self()
	if *foreign {
		owner.UID, owner.SID = owner.UID+4242, "S-1-5-21-4-2-4-1042"
	}
	s := localserver.New(b, localserver.Options{Scope: "user", Owner: owner, Version: "0.9", Log: log})
	if *level >= 2 {
		return s.Serve(ctx, l)
	}
	old := &http.Server{Handler: levelOne{s}, ConnContext: ipc.ConnContext}
	context.AfterFunc(ctx, func() { _ = old.Close() })
	if err := old.Serve(l.NetListener()); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// levelOne is an agent of before there were numbers: it knows no more than this.
type levelOne struct{ http.Handler }

func (h levelOne) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	known := []string{localapi.PathVersion, localapi.PathStatus, localapi.PathPosture, localapi.PathSignIn,
		localapi.PathSignInFinish, localapi.PathSignInCancel, localapi.PathSignOut}
	if !slices.Contains(known, r.URL.Path) {
		r.URL.Path = "/v1/of-a-later-level"
	}
	h.Handler.ServeHTTP(w, r)
}
