// Package integrity reads boot and system integrity.
package integrity

import (
	"context"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads how the system was started and what protects it while it
// runs. Facts that another system's protections stand behind are unknown,
// unsupported-system.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalIntegrity, m)
	switch m.System() {
	case evidence.Linux:
		linux(ctx, r)
	case evidence.Windows:
		windows(ctx, r)
	case evidence.MacOS:
		macos(ctx, r)
	}
	return r.Signal(fact.ReasonUnsupported)
}

// answer is a value and where it stands, or why there is none.
type answer struct {
	value  fact.Value // not set: not known
	source string
	why    fact.Reason // of no value, or a code that explains the value
}

func known(v fact.Value, source string) answer { return answer{value: v, source: source} }

func yesNo(b bool, source string) answer { return known(fact.Bool(b), source) }

func unknown(why fact.Reason) answer { return answer{why: why} }

func failed(err error) answer { return unknown(evidence.ReasonOf(err)) }

// refused tells that the source is there and did not tell: what it could have
// contradicted is then not known.
func (a answer) refused() bool {
	switch a.why {
	case fact.ReasonNeedsPrivilege, fact.ReasonTimeout, fact.ReasonBusy, fact.ReasonUnreadable, fact.ReasonMalformed, fact.ReasonRefused:
		return !a.known()
	}
	return false
}

func (a answer) known() bool { return a.value.IsSet() }

// is reports whether a is known to be that boolean.
func (a answer) is(b bool) bool { return a.value == fact.Bool(b) }

// because explains a value.
func (a answer) because(why fact.Reason) answer {
	a.why = why
	return a
}

func (a answer) set(r *evidence.Reading, field string) {
	if !a.known() {
		r.Unknown(field, "", a.why)
		return
	}
	r.From(a.source)
	if a.why != "" {
		r.Finding(field, "", a.value, a.why)
		return
	}
	r.Observe(field, "", a.value)
}

// agree sets a fact that two sources tell: one value where they are of one
// mind or only one speaks, a conflict where they are not.
func agree(r *evidence.Reading, field string, a, b answer) {
	if a.known() && b.known() && a.value != b.value {
		r.Conflict(field, "", a.value, a.source, b.value, b.source)
		return
	}
	a.or(b).set(r, field)
}

// or is a, or b where a is not known. Of two failures the one that says more
// than "nothing there" stays.
func (a answer) or(b answer) answer {
	if !a.known() && (b.known() || telling(b.why) > telling(a.why)) {
		return b
	}
	return a
}

func telling(why fact.Reason) int {
	switch why {
	case "":
		return 0
	case fact.ReasonToolMissing, fact.ReasonUnsupported:
		return 1
	case fact.ReasonNotFound:
		return 2
	}
	return 3
}
