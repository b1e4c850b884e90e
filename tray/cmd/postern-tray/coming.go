package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/platform/watch"
)

// coming waits for an agent's socket while there is none to ask, so that a new
// agent is found when it comes and not at the next look. While an agent is there
// nothing is watched. Where sockets are no files (Windows), or cannot be
// watched, there are the looks alone (tray/desk).
type coming struct {
	sockets func() []string
	log     *slog.Logger

	mu   sync.Mutex
	came func() // told of each sign; nil before there is somebody to tell
	w    *watch.Watcher
	work sync.WaitGroup
}

// socketKind names the sockets to the watcher.
const socketKind = "socket"

// tell has came be told when an agent may have come.
func (c *coming) tell(came func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.came = came
}

// start watches, and reports whether that is new: what came before has then to
// be looked for once more.
func (c *coming) start() bool {
	if runtime.GOOS == "windows" {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w != nil {
		return false
	}
	w, err := watch.New(clock.System())
	if err != nil {
		c.log.Debug("wait for the agent's socket", "error", err)
		return false
	}
	if err := w.SetFiles(socketKind, c.sockets()); err != nil { // the rest is watched
		c.log.Debug("wait for the agent's socket", "error", err)
	}
	c.w = w
	c.work.Go(func() { // until stop
		for range w.Events() {
			c.mu.Lock()
			came := c.came
			c.mu.Unlock()
			if came != nil {
				came()
			}
		}
	})
	return true
}

// stop ends the watching.
func (c *coming) stop() {
	c.mu.Lock()
	w := c.w
	c.w = nil
	c.mu.Unlock()
	if w == nil {
		return
	}
	if err := w.Close(); err != nil {
		c.log.Debug("wait for the agent's socket", "error", err)
	}
}

// wait returns when nothing is told any more, after the last stop.
func (c *coming) wait() { c.work.Wait() }

// heard takes what came of a question to the agent, and reports whether to ask
// it again at once. An agent that broke off has mostly ended.
func (c *coming) heard(err error) (again bool) {
	var no *localapi.Refused
	switch {
	case err == nil, errors.As(err, &no), errors.Is(err, localapi.ErrNoAccess):
		c.stop()
		return false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false // it is there, and too slow; or nobody wants to know any more
	}
	return c.start()
}

// sockets are the places where an agent may come to listen, by what was asked
// for (localapi.ChooseSocket).
func sockets(flag string, getenv func(string) string) []string {
	out := []string{localapi.ChooseSocket(flag, getenv)}
	if flag != "" || getenv(localapi.EnvSocket) != "" {
		return out
	}
	if own, err := paths.User(); err == nil && own.Socket != out[0] {
		out = append(out, own.Socket)
	}
	return out
}
