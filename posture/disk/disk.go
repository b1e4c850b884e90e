// Package disk reads whether the volumes of the machine are encrypted.
package disk

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads the encryption of the volume the system runs from, of memory
// that is written to disk and, entry by entry, of every volume in use.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalDisk, m)
	switch m.System() {
	case evidence.Linux:
		return linux(ctx, r)
	case evidence.Windows:
		return windows(ctx, r)
	case evidence.MacOS:
		return macos(ctx, r)
	}
	return r.Conclude(fact.Unknown, fact.ReasonUnsupported)
}
