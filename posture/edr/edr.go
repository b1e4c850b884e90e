// Package edr reads which endpoint security products are installed, running and healthy.
package edr

import (
	"context"
	"slices"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Collect looks for each product of the catalogue. Installed means that its
// program is there and is the declared one; running means that a process of
// that very program runs, with the rights the product has; healthy is what the
// product says of itself, and is asked last and within a bound of its own, so
// that a product that does not answer leaves the rest as it is. Products that
// somebody declared are always listed, shipped ones only when there is
// something to say of them.
func Collect(ctx context.Context, m evidence.Machine, rows []observe.EDRRow) fact.Signal {
	r := evidence.Begin(fact.SignalEDR, m)
	sys, ok := systemOf(m.System())
	if !ok {
		return r.Conclude(fact.Unknown, fact.ReasonUnsupported)
	}
	l := newLooker(ctx, r, sys)
	found, late := l.all(ctx, rows)
	slices.SortStableFunc(found, func(a, b product) int { return a.importance() - b.importance() })
	cut := len(found) > fact.MaxEntries
	if cut {
		found = found[:fact.MaxEntries]
	}
	said := ask(ctx, r, found)
	for i, p := range found {
		put(r, p, said[i])
	}
	s := r.Conclude(l.state(found, late))
	s.Truncated = cut
	return s
}

// product is one row with what was found of it.
type product struct {
	row observe.EDRRow
	finding
}

// finding is what was found of one product.
type finding struct {
	installed verdict
	running   verdict
	program   string // the file that was found, if one was; for its signature
	version   string // as the system tells it; empty: it does not
	exitCode  uint32 // Windows: how its service last ended
}

// listed tells whether a product belongs in the report.
func (p product) listed() bool {
	switch {
	case p.row.Origin != fact.OriginBuiltIn || p.installed.is(true):
		return true
	case p.installed.state == fact.Observed: // not there, or there and not the product
		return p.installed.odd
	case p.installed.state == fact.Unknown: // nobody looked: as if the row were not there
		return p.installed.odd || p.installed.why != fact.ReasonNotRecorded
	}
	return true
}

// importance orders a list that may be cut at its end: what is there and what
// somebody asked for comes before shipped products of which nothing is known.
func (p product) importance() int {
	switch {
	case p.installed.is(true) || p.row.Origin != fact.OriginBuiltIn:
		return 0
	case p.installed.odd:
		return 1
	}
	return 2
}

// all looks for every product, and lists those that belong in the report. late
// tells that the time was over before all were looked for.
func (l *looker) all(ctx context.Context, rows []observe.EDRRow) (found []product, late bool) {
	for _, row := range rows {
		if !l.sys.concerns(row) {
			continue
		}
		if ctx.Err() != nil {
			return found, true
		}
		p := product{row: row, finding: l.sys.find(ctx, l, row)}
		if !p.installed.known() {
			l.open = p.installed.why
		}
		if p.listed() {
			found = append(found, p)
		}
	}
	return found, false
}

// state is the state of the signal: absent only where every product was looked
// for with enough rights, and none is there.
func (l *looker) state(found []product, late bool) (fact.State, fact.Reason) {
	any := false
	for _, p := range found {
		any = any || p.installed.is(true)
	}
	switch {
	case late:
		return fact.Unknown, fact.ReasonTimeout
	case l.blind.Transient():
		return fact.Unknown, l.blind
	case any:
		return fact.Observed, ""
	case l.blind != "":
		return fact.Unknown, l.blind
	case l.open != "":
		return fact.Unknown, l.open
	}
	return fact.Absent, fact.ReasonNotFound
}

// put sets the facts of one product.
func put(r *evidence.Reading, p product, said answers) {
	key := p.row.ID
	r.Observe("name", key, fact.Str(p.row.Name))
	p.installed.set(r, "installed", key)
	p.running.set(r, "running", key)
	for _, field := range []string{"running", "healthy", "mode", "registered", "tamper_protected", "version", "signatures_at"} {
		if a, ok := said[field]; ok {
			a.set(r, field, key)
		}
	}
	r.Observe("origin", key, fact.Str(p.row.Origin))
}

// system is what differs between operating systems.
type system struct {
	concerns  func(observe.EDRRow) bool // whether the row says where to look here
	find      func(context.Context, *looker, observe.EDRRow) finding
	same      func(a, b string) bool         // whether two paths name one file
	shortName func(executable string) string // a process's name when only that may be seen
	links     bool                           // paths may lead through symbolic links
	loose     uint32                         // permission bits that make a program anybody's
	owner     func(owner, runAs string) bool // whether a process of that owner counts
	unowned   fact.Reason                    // why an owner is not known
}

func systemOf(s evidence.System) (system, bool) {
	switch s {
	case evidence.Linux:
		return linux(), true
	case evidence.Windows:
		return windows(), true
	case evidence.MacOS:
		return macos(), true
	}
	return system{}, false
}
