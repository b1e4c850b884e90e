package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/agent"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/device"
	"github.com/postern-zt/postern/tunnel/engine"
)

// wire puts the rooms together and runs the agent until the context ends.
func wire(ctx context.Context, o options, set paths.Set, settings config.Settings, log *slog.Logger) error {
	clk := clock.System()
	key, created, err := hwkey.OpenFile(set.State)
	if err != nil {
		return err
	}
	log.Info("device key", "protection", key.Protection(), "created", created)
	secrets, err := secret.OpenFile(filepath.Join(set.State, "secrets"))
	if err != nil {
		return err
	}
	conn, err := apiclient.New(apiclient.Config{Base: settings.Broker.V, Roots: settings.BrokerRoots(), Key: key, Clock: clk})
	if err != nil {
		return err
	}
	defer conn.Close()
	mach := machine.New(machine.Config{})
	scope, owner := api.ScopeSystem, ipc.Peer{}
	if o.user {
		scope, owner = api.ScopeUser, ipc.Self()
	}
	broker, err := brokerclient.Open(brokerclient.Config{
		API: conn, Key: key, KeyKind: api.KeyProtection(key.Protection()), Version: buildinfo.Version(), Secrets: secrets, State: set.State, Clock: clk, Scope: scope, Name: settings.DeviceName.V,
		Token: settings.EnrolmentToken.V.Reveal(), Hardware: device.Read(ctx, mach).Hardware,
	})
	if err != nil {
		return err
	}
	jkt, err := jws.Thumbprint(key.Public())
	if err != nil {
		return err
	}
	ports, err := openPorts(filepath.Join(set.State, "ports.json"), log)
	if err != nil {
		return err
	}
	collector := collect.New(collect.Config{
		Machine: mach, Catalogue: settings.Catalogue, Observations: settings.Observations, Forbid: settings.Forbid.V, Clock: clk, Version: buildinfo.Version(),
	})
	cfg := agent.Config{
		Clock: clk, Broker: broker, Machine: mach, Catalogue: settings.Catalogue, Owner: owner,
		Posture:   collector,
		Observe:   agent.Observe{Broker: broker, Posture: collector, Local: settings.Observations, Forbid: settings.Forbid.V},
		Managed:   localapi.Managed{By: settings.ManagedBy.V, Support: settings.Support.V},
		Settings:  shownSettings(settings),
		SignIns:   signin.New(jkt, clk.Boot, conn.Now),
		BrokerURL: settings.Broker.V, Scope: scope, Version: buildinfo.Version(), Socket: set.Socket, KeyKind: string(key.Protection()), Log: log,
		NewEngine: func(owner ipc.Peer, keys *agent.Keys, onChange func()) agent.Engine {
			return engine.New(engine.Config{Clock: clk, Key: keys.Private, Owner: owner, LocalAddress: ports.get, Remember: ports.set, OnChange: onChange, Log: log})
		},
	}
	watcher, err := watch.New(clk)
	if err == nil {
		defer watcher.Close()
		cfg.Watch = watcher
	} else {
		log.Warn("change events are not available; a poll does alone", "error", err)
	}
	return serveAgent(ctx, agent.New(cfg), o, set, scope, owner, log)
}

// shownSettings is the effective settings as the local socket tells them.
func shownSettings(s config.Settings) localapi.Config {
	out := localapi.Config{File: s.File}
	for _, e := range s.Effective() {
		out.Settings = append(out.Settings, localapi.Setting{Name: e.Key, Value: e.Value, Origin: string(e.Origin), Source: e.Source})
	}
	for _, w := range s.Warnings {
		out.Warnings = append(out.Warnings, w.String())
	}
	return out
}

// serveAgent runs the agent and its local socket; when one ends, both end.
func serveAgent(ctx context.Context, a *agent.Agent, o options, set paths.Set, scope string, owner ipc.Peer, log *slog.Logger) error {
	l, err := ipc.Listen(set.Socket, ipc.Options{AnyUser: !o.user})
	if err != nil {
		return err
	}
	defer l.Close()
	srv := localserver.New(a, localserver.Options{Owner: owner, Scope: scope, Version: buildinfo.Version(), Log: log})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(ctx, l)
		cancel()
	}()
	log.Info("agent runs", "socket", set.Socket, "state", set.State, "scope", scope)
	err = a.Run(ctx)
	cancel()
	return errors.Join(err, <-served)
}
