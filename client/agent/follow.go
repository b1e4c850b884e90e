package agent

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// follower reads one signal again when something it stood on may have changed,
// and at the latest after the backstop. Each signal has one of its own, so that
// a slow one never delays another. It belongs to one goroutine, but for told.
type follower struct {
	agent   *Agent
	signal  string
	told    chan time.Duration // boot time of the notice; holds one
	watched evidence.Inputs
}

func newFollower(a *Agent, signal string) *follower {
	return &follower{agent: a, signal: signal, told: make(chan time.Duration, 1)}
}

// tell has the signal read again. A notice that waits already covers this one.
func (f *follower) tell(at time.Duration) {
	select {
	case f.told <- at:
	default:
	}
}

// follow goes on until ctx ends. The signal was read once before.
func (f *follower) follow(ctx context.Context) {
	clock := f.agent.cfg.Clock
	f.arm(ctx, clock.Boot())
	for ctx.Err() == nil {
		timer := clock.NewTimer(clock.Boot() + backstop - rand.N(backstop/5))
		select {
		case <-ctx.Done():
		case at := <-f.told:
			f.read(ctx, at)
		case <-timer.C():
			f.read(ctx, clock.Boot())
		}
		timer.Stop()
	}
}

// read reads the signal, hands on what changed, and watches what it read.
func (f *follower) read(ctx context.Context, noticed time.Duration) {
	_, changes := f.agent.reread(ctx, f.signal)
	if len(changes) > 0 {
		f.agent.report(ctx, changes, noticed)
	}
	f.arm(ctx, noticed)
}

// arm watches what the last reading looked at. Where that is not what was
// watched, something may have changed in between, so it is read once more.
func (f *follower) arm(ctx context.Context, noticed time.Duration) {
	if f.agent.cfg.Watch == nil {
		return
	}
	for range maxLooks {
		inputs := f.agent.cfg.Posture.Inputs(f.signal)
		if ctx.Err() != nil || same(inputs, f.watched) {
			return
		}
		f.watched = inputs
		f.watch(inputs)
		if _, changes := f.agent.reread(ctx, f.signal); len(changes) > 0 {
			f.agent.report(ctx, changes, noticed)
		}
	}
}

func same(a, b evidence.Inputs) bool {
	return slices.Equal(a.Files, b.Files) && slices.Equal(a.Keys, b.Keys) && a.Services == b.Services && a.Firewall == b.Firewall
}

// relevantServices are the services of Windows that a signal's facts hang on;
// those of products come from the catalogue.
var relevantServices = map[string][]string{
	fact.SignalFirewall: {"mpssvc", "BFE"},
	fact.SignalPatch:    {"wuauserv"},
}

// watch sets every watch that the system has for these inputs. What it has
// not, the backstop does.
func (f *follower) watch(in evidence.Inputs) {
	w := f.agent.cfg.Watch
	set := func(what string, err error) {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			f.agent.cfg.Log.Warn("watch for changes; a poll does alone", "signal", f.signal, "what", what, "error", err)
		}
	}
	set("files", w.SetFiles(f.signal, in.Files))
	if len(in.Keys) > 0 {
		set("registry", w.SetRegistry(f.signal, in.Keys))
	}
	if names := relevantServices[f.signal]; in.Services && len(names) > 0 {
		set("services", w.SetServices(f.signal, names))
	}
	if in.Firewall {
		set("packet filter", w.SetFirewall(f.signal))
		if err := w.SetSecurityCenter(f.signal); err != nil { // a server has none
			f.agent.cfg.Log.Debug("watch the security center; a poll does alone", "signal", f.signal, "error", err)
		}
	}
	if f.signal == fact.SignalDisk {
		set("mounts", w.SetMounts(f.signal))
		set("block devices", w.SetUevents(f.signal))
	}
}
