package edr

import (
	"regexp"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// verdict is the answer to a question of yes or no. Its zero value is unknown
// without a reason, and means that nobody looked.
type verdict struct {
	state fact.State
	value bool
	why   fact.Reason
	odd   bool   // no or unknown, but something is there: worth a word
	by    string // conflict: who says value
	other string // conflict: who says the opposite
}

func yes() verdict                   { return verdict{state: fact.Observed, value: true} }
func no(why fact.Reason) verdict     { return verdict{state: fact.Observed, why: why} }
func odd(why fact.Reason) verdict    { return verdict{state: fact.Observed, why: why, odd: true} }
func unsure(why fact.Reason) verdict { return verdict{state: fact.Unknown, why: why} }

// clash is the verdict where one source says yes and another no.
func clash(yes, no string) verdict {
	return verdict{state: fact.Conflict, value: true, by: yes, other: no}
}

// is tells whether the answer is known to be v.
func (v verdict) is(value bool) bool { return v.state == fact.Observed && v.value == value }

// known is false where the question stays open.
func (v verdict) known() bool { return v.state == fact.Observed || v.state == fact.Conflict }

func (v verdict) set(r *evidence.Reading, field, key string) {
	switch {
	case v.state == fact.Conflict:
		r.Conflict(field, key, fact.Bool(v.value), v.by, fact.Bool(!v.value), v.other)
	case v.state == fact.Unknown:
		r.Unknown(field, key, v.why)
	case v.why != "":
		r.Finding(field, key, fact.Bool(v.value), v.why)
	default:
		r.Observe(field, key, fact.Bool(v.value))
	}
}

// better is the answer that counts of two places where one product may be: a
// yes of one is enough, and what is not known of one leaves the question open.
func better(a, b verdict) verdict {
	weight := func(v verdict) int {
		switch {
		case v.is(true):
			return 5
		case v.state == fact.Conflict:
			return 4
		case v.state == fact.Unknown:
			return 3
		case v.odd:
			return 2
		case v.state == fact.Observed:
			return 1
		}
		return 0
	}
	if weight(b) > weight(a) {
		return b
	}
	return a
}

// answers are what a product says of itself, by field.
type answers map[string]answer

// answer is one of them. A conflict keeps both values.
type answer struct {
	state fact.State
	value fact.Value
	why   fact.Reason
	other fact.Value
	by    [2]string
}

func (a answers) observe(field string, v fact.Value) {
	a[field] = answer{state: fact.Observed, value: v}
}

func (a answers) finding(field string, v fact.Value, why fact.Reason) {
	a[field] = answer{state: fact.Observed, value: v, why: why}
}

func (a answers) unknown(field string, why fact.Reason) {
	a[field] = answer{state: fact.Unknown, why: why}
}

func (a answers) conflict(field string, v fact.Value, by string, other fact.Value, otherBy string) {
	a[field] = answer{state: fact.Conflict, value: v, other: other, by: [2]string{by, otherBy}}
}

// version sets the version if it looks like one; what does not is no version.
func (a answers) version(s string) {
	if isVersion(s) {
		a.observe("version", fact.Str(s))
	} else if s != "" {
		a.unknown("version", fact.ReasonMalformed)
	}
}

// flag sets a field of yes or no, with the reason that goes with no.
func (a answers) flag(field string, v bool, otherwise fact.Reason) {
	if v {
		a.observe(field, fact.Bool(true))
		return
	}
	a.finding(field, fact.Bool(false), otherwise)
}

// protects says that the product works as it should.
func (a answers) protects() {
	a.observe("healthy", fact.Bool(true))
	a.observe("mode", fact.Str(fact.ModeActive))
}

// ails says that it does not, why, and how much it still does.
func (a answers) ails(mode string, why fact.Reason) {
	a.finding("healthy", fact.Bool(false), why)
	a.finding("mode", fact.Str(mode), why)
}

func (a answer) set(r *evidence.Reading, field, key string) {
	switch {
	case a.state == fact.Conflict:
		r.Conflict(field, key, a.value, a.by[0], a.other, a.by[1])
	case a.state == fact.Unknown:
		r.Unknown(field, key, a.why)
	case a.why != "":
		r.Finding(field, key, a.value, a.why)
	default:
		r.Observe(field, key, a.value)
	}
}

// versionForm is what makers write as a version: two or more numbers, then
// perhaps a build with letters in it.
var versionForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+([-+~_.][0-9A-Za-z.+~_-]*)?$`)

func isVersion(s string) bool { return len(s) <= 64 && versionForm.MatchString(s) }
