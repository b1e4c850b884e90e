package view

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/fact"
)

// maxNeeds bounds what Needs lists: requirements and their parts, as often as
// applications ask for them.
const maxNeeds = 4000

// Needs tells of each application what it asks for, in the agent's order, also
// while all is well. What there is no room for counts as not told here; Explain
// tells it.
func Needs(in Input) []Asked {
	m := newMaker(in)
	m.v = New(in)
	if !m.signedIn() {
		return nil
	}
	var out []Asked
	room := maxNeeds
	for _, a := range m.st.Apps {
		x := Asked{App: plain(a.ID, maxName)}
		if room -= m.lines(a); room >= 0 {
			x.Needs, x.Told = m.needs(a)
		}
		out = append(out, x)
	}
	return out
}

// lines is how many requirements and parts of them an application has.
func (m *maker) lines(a localapi.App) int {
	if a.Needs == nil {
		return 0
	}
	n := len(a.Needs.Checks) + len(a.Needs.Conditions)
	for _, c := range m.st.Posture.Checks {
		if slices.Contains(a.Needs.Checks, c.Name) {
			n += len(c.Parts)
		}
		if n > maxNeeds {
			break
		}
	}
	return n
}

// needs is all that an application asks for, and whether the broker told it.
func (m *maker) needs(a localapi.App) ([]Need, bool) {
	if a.Needs == nil {
		return nil, false
	}
	var out []Need
	for _, name := range a.Needs.Checks[:min(len(a.Needs.Checks), api.MaxNeedsChecks)] {
		i := slices.IndexFunc(m.st.Posture.Checks, func(c localapi.Check) bool { return c.Name == name })
		if i < 0 {
			return nil, false // a list that lacks something would say that the rest is all
		}
		out = append(out, m.ofCheck(a, m.st.Posture.Checks[i]))
	}
	for _, c := range a.Needs.Conditions[:min(len(a.Needs.Conditions), api.MaxConditions)] {
		out = append(out, m.ofCondition(c))
	}
	return out, true
}

func (m *maker) ofCheck(a localapi.App, c localapi.Check) Need {
	n := Need{Code: plain(c.Code, maxCode), Name: m.checkName(c), Outcome: outcomeOf(c.Outcome), Parts: m.parts(c.Parts)}
	if f, ok := m.faultOf(c); ok {
		n.Why, n.Fix = f.Why, f.Fix
		if !f.Unknown && f.Title != Fill(m.w.Fault.NotMet, "name", f.Check) {
			n.Why = append([]string{sentence(f.Title)}, f.Why...)
		}
	}
	switch {
	case !c.Enforced:
		return m.later(n, c.From)
	case m.movedOn(a, c):
		n.Outcome, n.State, n.Says = unknown, NeedChanged, m.w.Explain.NotJudged
	case n.Outcome == pass:
		n.State, n.Says = NeedMet, m.w.Explain.Met
	case n.Outcome != unknown:
		n.State, n.Says = NeedUnmet, m.w.Explain.Unmet
	case good(a.State): // the policy lets what is not known through
		n.State, n.Says = NeedLetThrough, m.w.Explain.LetThrough
	default:
		n.State, n.Says = NeedUnsure, m.w.Explain.Unsure
	}
	return n
}

// later is a requirement that closes nothing yet, or never.
func (m *maker) later(n Need, from string) Need {
	w := m.w.Explain
	n.State, n.When = NeedReported, w.OnlyReported
	if from != "" {
		n.State, n.When = NeedComing, m.w.Soon
		if t, err := time.Parse(time.RFC3339, from); err == nil {
			n.From, n.When = t, Fill(m.w.From, "when", m.d.day(t))
		}
	}
	n.Says = Fill(w.Later, "when", n.When, "state", m.inWords(n.Outcome))
	return n
}

// faultOf is what is told of a check that does not pass.
func (m *maker) faultOf(c localapi.Check) (Fault, bool) {
	name, code := m.checkName(c), plain(c.Code, maxCode)
	i := slices.IndexFunc(m.v.Faults, func(f Fault) bool { return f.Check == name && f.Code == code })
	if i < 0 || c.Outcome == pass {
		return Fault{}, false
	}
	return m.v.Faults[i], true
}

// movedOn is true of a check that looks at what got worse since the broker
// last judged it: the application was closed for that, and no answer came yet.
func (m *maker) movedOn(a localapi.App, c localapi.Check) bool {
	r := m.st.LastRevocation
	if r == nil || c.Outcome != pass || len(a.Reasons) != 1 || a.Reasons[0] != state.CausePosture {
		return false
	}
	code, facts := revocation(*r)
	if code != state.CausePosture || !slices.Contains(strings.Split(r.App, ","), a.ID) {
		return false
	}
	if len(c.Parts) == 0 {
		return true // it may be this one
	}
	reads := func(list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool {
			return slices.ContainsFunc(facts, func(f string) bool { return fact.Matches(p, f) })
		})
	}
	return slices.ContainsFunc(c.Parts, func(p localapi.Part) bool {
		return reads(p.Reads) || slices.ContainsFunc(p.OneOf, func(o localapi.Choice) bool { return reads(o.Reads) })
	})
}

func (m *maker) ofCondition(c localapi.Condition) Need {
	w := m.w.Explain
	n := Need{Code: plain(c.Code, maxCode), Outcome: outcomeOf(c.Outcome), State: NeedMet, Says: w.Met}
	switch c.Code {
	case api.ReasonKeyAssurance:
		n.Name = w.NeedKey
	case api.ReasonACR:
		n.Name = w.NeedSignIn
	case api.ReasonTooOld:
		n.Name = w.NeedRecent
	default:
		n.Name = w.NeedOther
	}
	if n.Outcome == pass {
		return n
	}
	n.State, n.Says = NeedUnmet, w.Unmet
	if n.Outcome == unknown {
		n.State, n.Says = NeedUnsure, w.Unsure
	}
	r := m.because(c.Code, nil)
	n.Why, n.Fix = []string{r.Text}, r.Fix
	return n
}

func (m *maker) inWords(outcome string) string {
	switch outcome {
	case pass:
		return m.w.Explain.Met
	case fail:
		return m.w.Explain.Unmet
	}
	return m.w.Explain.Unsure
}

// outcomeOf is an outcome as a word of this program; of another one nothing is
// known.
func outcomeOf(word string) string {
	switch word {
	case pass, fail:
		return word
	}
	return unknown
}

// parts are what a check looks at, in words.
func (m *maker) parts(list []localapi.Part) []NeedPart {
	if len(list) > api.MaxParts {
		return nil
	}
	var out []NeedPart
	for _, p := range list {
		n := NeedPart{Outcome: outcomeOf(p.Outcome), Says: m.inWords(outcomeOf(p.Outcome)), Text: m.together(p.Reads)}
		if len(p.OneOf) > 0 {
			n.Text = m.oneOf(p.OneOf)
		}
		out = append(out, n)
	}
	return out
}

// oneOf are alternatives, each with how it came out: none of them alone is
// needed.
func (m *maker) oneOf(list []localapi.Choice) string {
	var out []string
	for _, c := range list[:min(len(list), api.MaxChoices)] {
		out = append(out, Fill(m.w.Explain.Choice, "what", m.together(c.Reads), "state", m.inWords(outcomeOf(c.Outcome))))
	}
	return Cut(Fill(m.w.Explain.OneOf, "list", strings.Join(out, "; ")), maxSentence)
}

// together is what a part looks at: one thing, or several of which none alone
// decides.
func (m *maker) together(reads []string) string {
	var names, signals []string
	for _, r := range reads[:min(len(reads), api.MaxReads)] {
		name, signal := m.read1(r)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if !slices.Contains(signals, signal) {
			signals = append(signals, signal)
		}
	}
	if len(names) > 3 {
		names = signals
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return Cut(Fill(m.w.Explain.Together, "list", m.w.list(names)), maxSentence)
}

// read1 names a thing that is looked at, and what it belongs to.
func (m *maker) read1(read string) (name, signal string) {
	w := m.w.Explain
	switch read {
	case api.ReadsKey:
		return w.ReadsKey, w.ReadsKey
	case api.ReadsHardware:
		return w.ReadsHardware, w.ReadsHardware
	case api.ReadsPerson:
		return w.ReadsPerson, w.ReadsPerson
	case api.ReadsNetwork:
		return w.ReadsNetwork, w.ReadsNetwork
	case api.ReadsTime:
		return w.ReadsTime, w.ReadsTime
	}
	s, key, field, err := fact.SplitAddress(read)
	if err != nil {
		return w.ReadsOther, w.ReadsOther
	}
	signal, label := m.title(s), m.label(s, key, field)
	if signal == label {
		return signal, signal
	}
	return Fill(w.Fact, "signal", signal, "fact", label), signal
}
