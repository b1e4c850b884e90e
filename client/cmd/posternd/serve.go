package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/client/waiting"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/files"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/platform/watch"
)

// house is what one run of the agent stands on, whatever its settings say.
type house struct {
	set   paths.Set
	file  string   // of settings, "" for the usual one
	scope string   // in the words of broker/api
	owner ipc.Peer // of a user's own agent
	clock clock.Clock
	level *slog.LevelVar
	log   *slog.Logger
}

func newHouse(o options, stderr io.Writer) (house, error) {
	set, err := place(o)
	if err != nil {
		return house{}, err
	}
	h := house{set: set, file: o.config, scope: api.ScopeSystem, clock: clock.System(), level: new(slog.LevelVar)}
	if o.user {
		h.scope, h.owner = api.ScopeUser, ipc.Self()
	}
	h.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: h.level}))
	return h, nil
}

// load reads the settings as they are now.
func (h house) load() (config.Settings, error) {
	return config.Load(h.set, config.Overrides{File: h.file})
}

// checkSettings says whether an agent can go by the settings, and gives the exit
// code. It leaves nothing behind.
func checkSettings(o options, stdout, stderr io.Writer) int {
	h, err := newHouse(o, stderr)
	var s config.Settings
	if err == nil {
		s, err = h.load()
	}
	if err == nil {
		err = s.NeedBroker()
	}
	for _, w := range s.Warnings {
		fmt.Fprintf(stderr, "posternd: %s\n", w)
	}
	if err != nil {
		fmt.Fprintf(stderr, "posternd: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "%s: the broker is %s\n", s.File, s.Broker.V)
	return 0
}

// serve runs one agent until the context ends.
func serve(ctx context.Context, o options, stderr io.Writer) error {
	h, err := newHouse(o, stderr)
	if err != nil {
		return err
	}
	if err := files.MkdirOwnerOnly(h.set.State); err != nil {
		return err
	}
	lock, err := files.Lock(filepath.Join(h.set.State, "agent.lock"), fmt.Sprintf("posternd, process %d", os.Getpid()))
	var held *files.LockedError
	if errors.As(err, &held) {
		holder := held.Holder
		if holder == "" {
			holder = "a process that does not say which"
		}
		return fmt.Errorf("another agent runs on %s already: %s; stop it first", h.set.State, holder)
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	return h.live(ctx)
}

// live opens the local socket and runs the agent behind it: at once where the
// settings are there, so that nobody sees it without, else as soon as they are.
// When agent or socket ends, both end.
func (h house) live(ctx context.Context) error {
	settings, err := h.load()
	door := waiting.New(waiting.Options{Clock: h.clock, Scope: h.scope, Version: buildinfo.Version(), Socket: h.set.Socket, Log: h.log}, settings, err)
	run := func(ctx context.Context) error { return h.later(ctx, door) }
	now := make(chan struct{})
	close(now)
	var ready <-chan struct{} = now
	if err == nil && settings.NeedBroker() == nil {
		agent, end, err := h.wire(ctx, settings)
		if err != nil {
			return err
		}
		defer end()
		door.HandOver(agent)
		run, ready = agent.Run, agent.Ready()
	}
	l, err := ipc.Listen(h.set.Socket, ipc.Options{AnyUser: h.scope == api.ScopeSystem})
	if err != nil {
		return err
	}
	defer l.Close()
	srv := localserver.New(door, localserver.Options{Owner: h.owner, Scope: h.scope, Version: buildinfo.Version(), Log: h.log})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		// Who calls before waits the moment until a kept session is taken up.
		select {
		case <-ready:
		case <-ctx.Done():
		}
		served <- srv.Serve(ctx, l)
		cancel()
	}()
	h.log.Info("agent runs", "socket", h.set.Socket, "state", h.set.State, "scope", h.scope)
	err = run(ctx)
	cancel()
	return errors.Join(err, <-served)
}

// later waits for settings and then runs the agent.
func (h house) later(ctx context.Context, door *waiting.Door) error {
	settings, err := h.await(ctx, door)
	if err != nil {
		return nil // told to stop while it waited
	}
	agent, end, err := h.wire(ctx, settings)
	if err != nil {
		return err
	}
	defer end()
	door.HandOver(agent)
	return agent.Run(ctx)
}

// await waits for settings; its error is that of ctx.
func (h house) await(ctx context.Context, door *waiting.Door) (config.Settings, error) {
	watcher, err := watch.New(h.clock)
	if err != nil {
		h.log.Warn("change events are not available; the settings are looked at now and then", "error", err)
		return door.Await(ctx, h.load, nil)
	}
	defer watcher.Close()
	return door.Await(ctx, h.load, watcher)
}
