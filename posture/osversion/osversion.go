// Package osversion reads which operating system this is, in which version.
package osversion

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads type, product, version and build of the system. The type is
// known from the machine itself; the signal is unknown when neither product
// nor version can be told.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalOS, m)
	var err error
	switch m.System() {
	case evidence.Linux:
		r.Observe("type", "", fact.Str(fact.OSLinux))
		err = linux(ctx, r)
	case evidence.Windows:
		r.Observe("type", "", fact.Str(fact.OSWindows))
		err = windows(ctx, r)
	case evidence.MacOS:
		r.Observe("type", "", fact.Str(fact.OSMac))
		err = macos(ctx, r)
	default:
		return r.Signal(fact.ReasonUnsupported)
	}
	if err != nil {
		return r.Conclude(fact.Unknown, evidence.ReasonOf(err))
	}
	return r.Signal(fact.ReasonNotFound)
}

// observe sets a fact when there is a value for it.
func observe(r *evidence.Reading, field, value string) {
	if value != "" {
		r.Observe(field, "", fact.Str(value))
	}
}
