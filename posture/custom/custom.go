// Package custom reads what an administrator asked to observe: processes, files, registry values, property lists, certificates, packages.
package custom

import (
	"context"
	"strings"
	"unicode"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Collect reads every observation that has a meaning on this system. What is
// not there is present=false, and its other facts are absent, so that no rule
// passes on them. What settings forbid, by what an observation says or by where
// its path leads, is unknown, forbidden-here, and is not touched. Without an
// observation for this system the signal is absent.
func Collect(ctx context.Context, m evidence.Machine, list []observe.Observation, forbid observe.Forbid) fact.Signal {
	l := &looker{ctx: ctx, reading: evidence.Begin(fact.SignalCustom, m), forbid: forbid}
	l.machine = l.reading.Machine()
	if s := m.System(); s != evidence.Linux && s != evidence.Windows && s != evidence.MacOS {
		return l.reading.Conclude(fact.Unknown, fact.ReasonUnsupported)
	}
	any := false
	for _, o := range list {
		if o.On(string(m.System())) {
			any = true
			l.look(o)
		}
	}
	if !any {
		return l.reading.Conclude(fact.Absent, fact.ReasonNotFound)
	}
	s := l.reading.Conclude(fact.Observed, "")
	s.Facts = append(s.Facts, l.gone...)
	return s
}

// looker reads one machine for one list. It belongs to one goroutine.
type looker struct {
	ctx     context.Context
	reading *evidence.Reading
	machine evidence.Machine
	forbid  observe.Forbid
	gone    []fact.Fact // facts of what was looked for and is not there

	processes *processes // once asked for
	stores    map[string]store
	packages  map[string]inventory
}

// look reads one observation.
func (l *looker) look(o observe.Observation) {
	l.reading.Observe("kind", o.ID, fact.Str(o.Kind))
	l.reading.Observe("origin", o.ID, fact.Str(o.Origin))
	if l.forbid.Observation(o) {
		l.unknown(o, fact.ReasonRefused)
		return
	}
	switch o.Kind {
	case observe.KindProcess:
		l.process(o)
	case observe.KindFile:
		l.file(o)
	case observe.KindRegistry:
		l.registry(o)
	case observe.KindPlist:
		l.plist(o)
	case observe.KindCertificate:
		l.certificate(o)
	case observe.KindPackage:
		l.packaged(o)
	default:
		l.unknown(o, fact.ReasonUnsupported)
	}
}

// unknown sets every fact of an observation for one reason.
func (l *looker) unknown(o observe.Observation, why fact.Reason) {
	for _, field := range o.Facts() {
		l.reading.Unknown(field, o.ID, why)
	}
}

// absent says that the thing is not there: it is observed so, and what there
// would be to say of it is absent.
func (l *looker) absent(o observe.Observation) {
	for _, field := range o.Facts() {
		if field == "present" {
			l.reading.Finding(field, o.ID, fact.Bool(false), fact.ReasonNotFound)
			continue
		}
		l.lacks(o, field, fact.ReasonNotFound)
	}
}

// lacks says that one fact of a thing is not there.
func (l *looker) lacks(o observe.Observation, field string, why fact.Reason) {
	f := fact.Fact{Field: field, Key: o.ID, State: fact.Absent, Reason: why}
	if d, ok := fact.Lookup(fact.SignalCustom, field, true); ok {
		f.Value = d.Negative
	}
	l.gone = append(l.gone, f)
}

// failed is unknown for the reason inside err, or absent where that is that
// the thing is not there.
func (l *looker) failed(o observe.Observation, err error) {
	if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
		l.unknown(o, why)
		return
	}
	l.absent(o)
}

func (l *looker) here(o observe.Observation) { l.reading.Observe("present", o.ID, fact.Bool(true)) }

// text sets a fact that is text: one line of well-formed characters, cut at the
// length of a report's strings. Nothing at all is absent.
func (l *looker) text(o observe.Observation, field, value string) {
	value = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(value, "\uFFFD"))
	if value == "" {
		l.lacks(o, field, fact.ReasonNotFound)
		return
	}
	l.reading.Observe(field, o.ID, fact.Str(value))
}
