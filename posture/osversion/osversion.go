// Package osversion reads which operating system this is, in which version.
package osversion

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/release"
)

// Collect reads which system, version and build this is and, from the table of
// releases that ships with the product, until when its maker maintains it. The
// type is known from the machine itself; the signal is unknown when neither
// product nor version can be told.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	table, err := release.BuiltIn()
	if err != nil {
		return evidence.Begin(fact.SignalOS, m).Conclude(fact.Unknown, fact.ReasonUnreadable)
	}
	return CollectBy(ctx, m, table)
}

// CollectBy is Collect with another table of releases.
func CollectBy(ctx context.Context, m evidence.Machine, table release.Table) fact.Signal {
	r := evidence.Begin(fact.SignalOS, m)
	var err error
	switch m.System() {
	case evidence.Linux:
		r.Observe("type", "", fact.Str(fact.OSLinux))
		err = linux(ctx, r, table)
	case evidence.Windows:
		r.Observe("type", "", fact.Str(fact.OSWindows))
		err = windows(ctx, r, table)
	case evidence.MacOS:
		r.Observe("type", "", fact.Str(fact.OSMac))
		err = macos(ctx, r, table)
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

// agree sets a fact that two sources tell: what they say when it is the same,
// or the only one of them that says anything, and otherwise a conflict.
func agree(r *evidence.Reading, field, a, sourceA, b, sourceB string) {
	if a != "" && b != "" && a != b {
		r.Conflict(field, "", fact.Str(a), sourceA, fact.Str(b), sourceB)
		return
	}
	observe(r, field, a)
	observe(r, field, b)
}

// supported sets what the table says of the machine's release.
func supported(r *evidence.Reading, rel release.Release) {
	r.Observe("release_known", "", fact.Bool(true))
	supportEnd(r, "support_end", rel.Support)
	supportEnd(r, "extended_support_end", rel.Extended)
}

// supportEnd sets one end. Where its maker publishes no day, as Apple never
// does, or where there is no such offer, there is nothing to be found.
func supportEnd(r *evidence.Reading, field string, end release.End) {
	if end.At.IsZero() {
		r.Unknown(field, "", fact.ReasonNotFound)
		return
	}
	r.Observe(field, "", fact.Time(end.At))
}

// unlisted sets that the table does not know the machine's release: a release
// that is newer than the table is neither refused nor passed by it.
func unlisted(r *evidence.Reading) {
	r.Observe("release_known", "", fact.Bool(false))
	undated(r, fact.ReasonNoRelease)
}

func undated(r *evidence.Reading, why fact.Reason) {
	r.Unknown("support_end", "", why)
	r.Unknown("extended_support_end", "", why)
}
