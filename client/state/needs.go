package state

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// Needs is what an application asks for, as the broker told it. Every check is
// one of State.Checks, and the only one of its name.
type Needs struct {
	Checks     []string
	Conditions []api.Condition
}

// needsReader takes over what an answer tells of needs, within the limits of
// broker/api and whatever a broker sends. What is malformed or too long counts
// as not told: a list that lacks something would say that the rest is all.
type needsReader struct {
	room  int            // bytes of text that may still be taken
	names map[string]int // how often a check has this name
}

// readNeeds gives the checks of an answer, with their parts, and what the
// known applications ask for. Both are the state's own.
func readNeeds(a api.Answer, apps map[string]App) ([]api.Check, map[string]Needs) {
	r := needsReader{room: api.MaxNeedsBytes, names: map[string]int{}}
	checks := slices.Clone(a.Checks)
	for _, c := range checks {
		r.names[c.Name]++
	}
	needs := map[string]Needs{}
	for _, n := range a.Needs[:min(len(a.Needs), api.MaxNeedsApps)] {
		_, known := apps[n.App]
		if _, twice := needs[n.App]; known && !twice && r.sound(n) {
			needs[n.App] = Needs{Checks: slices.Clone(n.Checks), Conditions: slices.Clone(n.Conditions)}
		}
	}
	for i := range checks {
		checks[i].Parts = r.parts(checks[i].Parts)
		if len(checks[i].From) > maxFrom {
			checks[i].From = checks[i].From[:maxFrom] // no date any more
		}
	}
	if len(needs) == 0 {
		needs = nil
	}
	return checks, needs
}

// maxFrom is more than any date of RFC 3339 has.
const maxFrom = 40

// take counts texts against what there is room for.
func (r *needsReader) take(texts ...string) bool {
	for _, s := range texts {
		r.room -= len(s)
	}
	return r.room >= 0
}

func (r *needsReader) sound(n api.AppNeeds) bool {
	if len(n.Checks) > api.MaxNeedsChecks || len(n.Conditions) > api.MaxConditions || !r.take(n.App) || !r.take(n.Checks...) {
		return false
	}
	for i, name := range n.Checks {
		if r.names[name] != 1 || slices.Contains(n.Checks[:i], name) {
			return false
		}
	}
	return !slices.ContainsFunc(n.Conditions, func(c api.Condition) bool {
		return !r.take(c.Code) || c.Code == "" || len(c.Code) > fact.MaxString || !isOutcome(c.Outcome)
	})
}

func (r *needsReader) parts(list []api.Part) []api.Part {
	if len(list) > api.MaxParts {
		return nil
	}
	var out []api.Part
	for _, p := range list {
		ok := isOutcome(p.Outcome) && (len(p.OneOf) == 0 && r.reads(p.Reads) ||
			len(p.Reads) == 0 && len(p.OneOf) > 1 && len(p.OneOf) <= api.MaxChoices)
		for _, c := range p.OneOf {
			ok = ok && isOutcome(c.Outcome) && r.reads(c.Reads)
		}
		if !ok {
			return nil
		}
		p.Reads, p.OneOf = slices.Clone(p.Reads), slices.Clone(p.OneOf)
		for i := range p.OneOf {
			p.OneOf[i].Reads = slices.Clone(p.OneOf[i].Reads)
		}
		out = append(out, p)
	}
	return out
}

// reads says whether a list names things to look at: facts, also those that
// this version does not know, or words.
func (r *needsReader) reads(list []string) bool {
	if len(list) == 0 || len(list) > api.MaxReads || !r.take(list...) {
		return false
	}
	return !slices.ContainsFunc(list, func(s string) bool {
		_, _, _, err := fact.SplitAddress(s)
		return s == "" || len(s) > api.MaxReadsAddress || strings.Contains(s, ".") && err != nil
	})
}

func isOutcome(o api.Outcome) bool { return o == api.Pass || o == api.Fail || o == api.Unclear }
