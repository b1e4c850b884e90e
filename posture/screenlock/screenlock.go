// Package screenlock reads whether the screen of the person at it locks by itself.
package screenlock

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Collect reads the lock settings of the person who is at the screen. They are
// that person's, so where nobody is, nothing is known.
func Collect(ctx context.Context, m evidence.Machine) fact.Signal {
	r := evidence.Begin(fact.SignalScreenLock, m)
	switch m.System() {
	case evidence.Linux, evidence.Windows, evidence.MacOS:
	default:
		return r.Conclude(fact.Unknown, fact.ReasonUnsupported)
	}
	who, why := person(ctx, r.Machine())
	if why != "" {
		return r.Conclude(fact.Unknown, why)
	}
	var s state
	switch m.System() {
	case evidence.Linux:
		s = linux(ctx, r, who)
	case evidence.Windows:
		s = windows(ctx, r.Machine(), who)
	case evidence.MacOS:
		s = macos(ctx, r.Machine(), who)
	}
	s.report(r)
	return r.Signal(first(s.enabled.why, fact.ReasonUnsupported))
}

// person is who sits at the screen; the accounts under which login screens run
// are nobody.
func person(ctx context.Context, m evidence.Machine) (evidence.Session, fact.Reason) {
	all, err := m.Sessions(ctx)
	if err != nil {
		return evidence.Session{}, evidence.ReasonOf(err)
	}
	greeters := []string{"loginwindow", "_windowserver", "gdm", "gdm-greeter", "debian-gdm", "sddm", "lightdm", "greeter", "lxdm"}
	for _, s := range all {
		if s.Active && !s.Remote && s.ID != "" && !slices.Contains(greeters, strings.ToLower(s.User)) {
			return s, ""
		}
	}
	return evidence.Session{}, fact.ReasonNobody
}

// answer is a value and where it stands, or why there is none.
type answer struct {
	value  fact.Value // not set: not known
	source string
	why    fact.Reason // of no value, or a code that explains the value

	other       fact.Value // what a second source says instead
	otherSource string
}

func yesNo(b bool, source string) answer { return answer{value: fact.Bool(b), source: source} }

func lasting(d time.Duration, source string) answer {
	return answer{value: fact.Seconds(d), source: source}
}

func unknown(why fact.Reason) answer { return answer{why: why} }

func failed(err error) answer { return unknown(evidence.ReasonOf(err)) }

func (a answer) known() bool { return a.value.IsSet() }

func (a answer) is(b bool) bool { return a.value == fact.Bool(b) }

// against keeps both where b says something else.
func (a answer) against(b answer) answer {
	if !a.known() {
		return b
	}
	if b.known() && a.value != b.value {
		a.other, a.otherSource = b.value, b.source
	}
	return a
}

// state is what becomes the four facts.
type state struct{ enabled, idle, delay, managed answer }

func nothingKnown(why fact.Reason) state {
	a := unknown(why)
	return state{a, a, a, a}
}

func (s state) report(r *evidence.Reading) {
	s.enabled.set(r, "enabled")
	s.idle.set(r, "idle_delay")
	s.delay.set(r, "lock_delay")
	s.managed.set(r, "managed")
}

func (a answer) set(r *evidence.Reading, field string) {
	switch {
	case !a.known():
		r.Unknown(field, "", first(a.why, fact.ReasonNotFound))
	case a.other.IsSet():
		r.Conflict(field, "", a.value, a.source, a.other, a.otherSource)
	case a.why != "":
		r.From(a.source)
		r.Finding(field, "", a.value, a.why)
	default:
		r.From(a.source)
		r.Observe(field, "", a.value)
	}
}

func first(reasons ...fact.Reason) fact.Reason {
	for _, why := range reasons {
		if why != "" {
			return why
		}
	}
	return ""
}

// maxDelay bounds what a setting may say in seconds; more is no setting that
// anybody made.
const maxDelay = 10 * 365 * 24 * 3600

// seconds is a whole number of seconds as a length of time.
func seconds(n int64) (time.Duration, bool) {
	return time.Duration(n) * time.Second, n >= 0 && n <= maxDelay
}
