// Package patch reads when the system was last updated and whether more waits.
package patch

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

// Collect reads the time of the last installed update, and whether a security
// update or a restart is pending, from what the machine already has: it asks
// no server and starts no search.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	table, err := releases.BuiltIn()
	if err != nil {
		return evidence.Begin(fact.SignalPatch, m).Conclude(fact.Unknown, fact.ReasonUnreadable)
	}
	return CollectBy(ctx, m, table)
}

// CollectBy is Collect with another table of releases.
func CollectBy(ctx context.Context, m evidence.Machine, table releases.Table) fact.Signal {
	r := evidence.Begin(fact.SignalPatch, m)
	switch m.System() {
	case evidence.Linux:
		linux(ctx, r)
		return r.Signal(fact.ReasonToolMissing)
	case evidence.Windows:
		windows(ctx, r, table)
	case evidence.MacOS:
		macos(ctx, r, table)
	}
	return r.Signal(fact.ReasonUnsupported)
}

// exists reports whether path is there; an error is one that leaves it open.
func exists(ctx context.Context, m evidence.Machine, path string) (bool, error) {
	_, err := m.Stat(ctx, path)
	if err == nil {
		return true, nil
	}
	if evidence.ReasonOf(err) == fact.ReasonNotFound {
		return false, nil
	}
	return false, err
}
