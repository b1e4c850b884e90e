// Package firewall reads whether inbound traffic is filtered by default.
package firewall

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads whether the system's firewall is on and what happens to
// inbound traffic that no rule names.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalFirewall, m)
	switch m.System() {
	case evidence.Linux:
		return linux(ctx, r)
	case evidence.Windows:
		return windows(ctx, r)
	case evidence.MacOS:
		return macos(ctx, r)
	}
	return r.Signal(fact.ReasonUnsupported)
}
