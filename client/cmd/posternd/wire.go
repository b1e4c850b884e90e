package main

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/agent"
	"github.com/postern-zt/postern/client/brokerclient"
	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/signin"
	"github.com/postern-zt/postern/client/waiting"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/hwkey"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/secret"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/device"
	"github.com/postern-zt/postern/tunnel/engine"
)

// wire puts the rooms of an agent together; end is called when it has run.
func (h house) wire(ctx context.Context, settings config.Settings) (a *agent.Agent, end func(), err error) {
	h.level.Set(settings.LogLevel.V)
	for _, w := range settings.Warnings {
		h.log.Warn("settings", "problem", w)
	}
	var ends []func()
	end = func() {
		for _, f := range slices.Backward(ends) {
			f()
		}
	}
	cfg, err := h.config(ctx, settings, &ends)
	if err != nil {
		end()
		return nil, nil, err
	}
	watcher, err := watch.New(h.clock)
	if err == nil {
		ends = append(ends, func() { watcher.Close() })
		cfg.Watch = watcher
	} else {
		h.log.Warn("change events are not available; a poll does alone", "error", err)
	}
	return agent.New(cfg), end, nil
}

// config opens what the agent works with; what is to be closed again is put into
// ends.
func (h house) config(ctx context.Context, settings config.Settings, ends *[]func()) (cfg agent.Config, err error) {
	set, clk, log := h.set, h.clock, h.log
	key, created, err := hwkey.OpenFile(set.State)
	if err != nil {
		return cfg, err
	}
	log.Info("device key", "protection", key.Protection(), "created", created)
	secrets, err := secret.OpenFile(filepath.Join(set.State, "secrets"))
	if err != nil {
		return cfg, err
	}
	conn, err := apiclient.New(apiclient.Config{Base: settings.Broker.V, Roots: settings.BrokerRoots(), Key: key, Clock: clk})
	if err != nil {
		return cfg, err
	}
	*ends = append(*ends, conn.Close)
	mach := machine.New(machine.Config{})
	broker, err := brokerclient.Open(brokerclient.Config{
		API: conn, Key: key, KeyKind: api.KeyProtection(key.Protection()), Version: buildinfo.Version(), Secrets: secrets, State: set.State, Clock: clk, Scope: h.scope, Name: settings.DeviceName.V,
		Token: settings.EnrolmentToken.V.Reveal(), Hardware: device.Read(ctx, mach).Hardware,
	})
	if err != nil {
		return cfg, err
	}
	jkt, err := jws.Thumbprint(key.Public())
	if err != nil {
		return cfg, err
	}
	ports, err := openPorts(filepath.Join(set.State, "ports.json"), log)
	if err != nil {
		return cfg, err
	}
	collector := collect.New(collect.Config{
		Machine: mach, Catalogue: settings.Catalogue, Observations: settings.Observations, Forbid: settings.Forbid.V, Clock: clk, Version: buildinfo.Version(),
	})
	return agent.Config{
		Clock: clk, Broker: broker, Machine: mach, Catalogue: settings.Catalogue, Owner: h.owner,
		Posture:   collector,
		Observe:   agent.Observe{Broker: broker, Posture: collector, Local: settings.Observations, Forbid: settings.Forbid.V},
		Managed:   localapi.Managed{By: settings.ManagedBy.V, Support: settings.Support.V},
		Settings:  waiting.Shown(settings),
		Pauses:    pauseFile(filepath.Join(set.State, "pause.json")),
		SignIns:   signin.New(jkt, clk.Boot, conn.Now),
		BrokerURL: settings.Broker.V, Scope: h.scope, Version: buildinfo.Version(), Socket: set.Socket, KeyKind: string(key.Protection()), Log: log,
		NewEngine: func(owner ipc.Peer, keys *agent.Keys, onChange func()) agent.Engine {
			return engine.New(engine.Config{Clock: clk, Key: keys.Private, Owner: owner, LocalAddress: ports.get, Remember: ports.set, OnChange: onChange, Log: log})
		},
	}, nil
}
