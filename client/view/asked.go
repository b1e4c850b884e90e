package view

import (
	"slices"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/fact"
)

// concerns reports whether an application that is meant for this person asks
// for a check, as far as the broker tells. Checks that nothing of theirs asks
// for are made for others.
func (m *maker) concerns(c localapi.Check) bool {
	told := false
	for _, a := range m.st.Apps {
		if notMine(a) {
			continue
		}
		if a.Needs == nil || slices.Contains(a.Needs.Checks, c.Name) {
			return true
		}
		told = true
	}
	return !told
}

// sum makes faults of the reasons that no check stands for, so that the list is
// all that is wrong, and counts it.
func (m *maker) sum() {
	v, w := &m.v, m.w.Fault
	for _, a := range v.Apps {
		if a.Good || a.NotMine || a.State == localapi.AppConnecting {
			continue
		}
		for _, r := range a.Why {
			if !r.Whole {
				v.Faults = with(v.Faults, r, a.Name)
			}
		}
	}
	v.Faults = ranked(v.Faults)
	for _, f := range v.Faults {
		if f.Required {
			v.Problems++
		}
	}
	advice := len(v.Faults) - v.Problems
	switch {
	case v.Problems > 0 && advice > 0:
		v.Wrong = Fill(w.WrongAnd, "wrong", w.Wrong.Of(v.Problems), "advice", w.Advice.Of(advice))
	case v.Problems > 0:
		v.Wrong = w.Wrong.Of(v.Problems)
	case advice > 0:
		v.Wrong = w.Advice.Of(advice)
	}
}

// with adds what an application is closed for to a list that may have it.
func with(list []Fault, r Reason, app string) []Fault {
	if len(list) > 4*maxFaults { // nobody sees more
		return list
	}
	for i := range list {
		f := &list[i]
		if f.Code != r.Code {
			continue
		}
		if f.Check == "" && !slices.Contains(f.Apps, app) {
			f.Apps = append(f.Apps, app)
		}
		if f.Required || f.Check != "" {
			return list
		}
	}
	return append(list, Fault{Code: r.Code, Title: headOf(r.Text), Why: restOf(r.Text), Required: true, Apps: []string{app}, Fix: r.Fix})
}

// Judged gives the remarks on a signal as they concern the person of an input:
// what is bad is a problem only where the policy asks this person for it and
// something is closed; else it is advice. Of who is not signed in nothing of
// that is known.
func Judged(in Input) func(fact.Signal) []Remark {
	m := made(in)
	return func(s fact.Signal) []Remark {
		out := Remarks(s, in.System, m.texts)
		for i := range out {
			if out[i].Mark == MarkBad && !m.asks(out[i]) {
				out[i].Mark = MarkAdvice
			}
		}
		slices.SortStableFunc(out, func(x, y Remark) int { return weight(x.Mark) - weight(y.Mark) })
		return out
	}
}

// asks reports whether something is closed for what a remark says.
func (m *maker) asks(r Remark) bool {
	for _, f := range m.bad {
		if f.asked && f.Text == r.Text && slices.Equal(f.Facts, r.Facts) {
			return true
		}
	}
	for _, c := range m.st.Posture.Checks {
		if f, ok := m.faultOf(c); ok && f.Required && looksAt(c, r) {
			return true
		}
	}
	return slices.ContainsFunc(m.justWorse(), func(a string) bool { return slices.Contains(r.Facts, a) })
}

// looksAt reports whether a check failed for what a remark is about. A broker
// that tells no parts tells the page that helps.
func looksAt(c localapi.Check, r Remark) bool {
	if len(c.Parts) == 0 {
		return r.Page != "" && r.Page == c.Remedy.Target
	}
	for _, p := range c.Parts {
		if p.Outcome == pass {
			continue
		}
		reads := slices.Clone(p.Reads)
		for _, o := range p.OneOf {
			reads = append(reads, o.Reads...)
		}
		if slices.ContainsFunc(reads, func(p string) bool {
			return slices.ContainsFunc(r.Facts, func(f string) bool { return fact.Matches(p, f) })
		}) {
			return true
		}
	}
	return false
}

// justWorse are the facts that applications were closed for which are closed
// for them still.
func (m *maker) justWorse() []string {
	r := m.st.LastRevocation
	if r == nil || !slices.ContainsFunc(m.st.Apps, func(a localapi.App) bool { return slices.Contains(a.Reasons, state.CausePosture) }) {
		return nil
	}
	code, facts := revocation(*r)
	if code != state.CausePosture {
		return nil
	}
	return facts
}
