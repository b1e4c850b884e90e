package view

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/fact"
)

// Outcomes of checks (broker/api).
const (
	pass    = "pass"
	fail    = "fail"
	unknown = "unknown"
)

// faults are the checks that do not pass, with what the reading says is behind
// them; where the broker has judged nothing, what the reading says by itself.
func (m *maker) faults() []Fault {
	var out []Fault
	for _, c := range m.st.Posture.Checks {
		if c.Outcome != pass {
			out = append(out, m.fault(c))
		}
	}
	if len(m.st.Posture.Checks) == 0 {
		out = m.advice()
	}
	if f, off := m.clock(); off {
		out = append(out, f)
	}
	return ranked(out)
}

func ranked(list []Fault) []Fault {
	slices.SortStableFunc(list, func(a, b Fault) int { return rank(a) - rank(b) })
	return list[:min(len(list), maxFaults)]
}

// rank puts what closes applications first, and what is wrong before what is
// not known.
func rank(f Fault) int {
	r := 0
	if !f.Required {
		r += 4
	}
	if len(f.Apps) == 0 {
		r += 2
	}
	if f.Unknown {
		r++
	}
	return r
}

func (m *maker) fault(c localapi.Check) Fault {
	f := Fault{Code: plain(c.Code, maxCode), Check: m.checkName(c), Unknown: c.Outcome == unknown, Apps: m.closedFor(c.Code)}
	// The policy may let what is not known through; then nothing is closed for it.
	f.Required = len(f.Apps) > 0 || c.Enforced && !f.Unknown && m.concerns(c)
	f.Fix = m.remedy(c)
	f.Title = Fill(m.w.Fault.NotMet, "name", f.Check)
	if f.Unknown {
		f.Title = Fill(m.w.Fault.NotKnown, "name", f.Check)
		f.Why = m.missing(c.Missing)
	}
	if first := m.behind(c); first != nil && !f.Unknown {
		if first.Mark == MarkBad {
			f.Title = headOf(first.Text)
			f.Why = append(f.Why, restOf(first.Text)...)
		} else {
			f.Why = append(f.Why, m.ofSignal(*first))
		}
		f.Fix, first.asked = m.orElse(f.Fix, first.Remark), f.Required
	}
	f.Fix = m.helps(f.Fix, c)
	f.Why = f.Why[:min(len(f.Why), maxWhy)]
	return f
}

func (m *maker) checkName(c localapi.Check) string {
	if name := spoken(plain(c.Name, maxName)); name != "" {
		return name
	}
	return plain(c.Code, maxCode)
}

// closedFor names the applications that are closed for a code.
func (m *maker) closedFor(code string) []string {
	var ids []string
	for _, a := range m.st.Apps {
		if code != "" && !good(a.State) && slices.Contains(a.Reasons, code) {
			ids = append(ids, a.ID)
		}
	}
	return m.named(ids)
}

// page is a settings page if this system has it.
func (m *maker) page(id string) string {
	if id == "" || m.in.HasPage == nil || !m.in.HasPage(id) {
		return ""
	}
	return plain(id, maxCode)
}

// orElse fills in what the administrator did not say.
func (m *maker) orElse(f Fix, r Remark) Fix {
	if f.Text == "" {
		f.Text = plain(r.Fix, maxSentence)
	}
	if f.Page == "" {
		f.Page = m.page(r.Page)
	}
	return f
}

// behind is what the reading says is behind a check that failed, if that is
// beyond doubt: what the administrator's settings page is about, or what got
// worse when the applications were closed that this check alone now keeps
// closed. Nothing is told twice.
func (m *maker) behind(c localapi.Check) *found {
	causes := m.worsened(c.Code)
	for i := range m.bad {
		f := &m.bad[i]
		sameThing := f.Page != "" && f.Page == c.Remedy.Target && f.Mark == MarkBad
		gotWorse := slices.ContainsFunc(f.Facts, func(a string) bool { return slices.Contains(causes, a) })
		if !f.taken && (sameThing || gotWorse) {
			f.taken = true
			return f
		}
	}
	return nil
}

// worsened are the facts of the last revocation, if the applications that it
// closed are now denied for this code and no other.
func (m *maker) worsened(code string) []string {
	if m.st.LastRevocation == nil {
		return nil
	}
	cause, facts := revocation(*m.st.LastRevocation)
	if cause != state.CausePosture {
		return nil
	}
	for id := range strings.SplitSeq(m.st.LastRevocation.App, ",") {
		i := slices.IndexFunc(m.st.Apps, func(a localapi.App) bool { return a.ID == id })
		if i < 0 || !slices.Equal(m.st.Apps[i].Reasons, []string{code}) {
			return nil
		}
	}
	return facts
}

// missing says why facts were not known, one line for each signal and reason.
func (m *maker) missing(addresses []string) []string {
	var out []string
	for _, a := range addresses {
		signal, key, field, err := fact.SplitAddress(a)
		if err != nil {
			continue
		}
		text := m.w.Fault.NotRead
		if e, ok := m.texts.Lookup(string(m.reasonOf(signal, key, field))); ok {
			text = e.Sentence
		}
		line := Fill(m.w.Fault.OfSignal, "signal", m.title(signal), "text", text)
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// reasonOf is why a fact is not known; key "*" is any entry.
func (m *maker) reasonOf(signal, key, field string) fact.Reason {
	if m.in.Reading == nil {
		return ""
	}
	s, ok := m.in.Reading.Report.Signal(signal)
	if !ok {
		return ""
	}
	for _, f := range s.Facts {
		if f.Field == field && (f.Key == key || key == "*") && !s.StateOf(f).Usable() && f.Reason != "" {
			return f.Reason
		}
	}
	return s.Reason
}

func (m *maker) title(signal string) string { return plain(m.texts.Title(signal), maxName) }

func (m *maker) ofSignal(f found) string {
	return Fill(m.w.Fault.OfSignal, "signal", m.title(f.signal), "text", f.Text)
}

// advice is what the reading says by itself.
func (m *maker) advice() []Fault {
	var out []Fault
	for _, f := range m.bad {
		a := Fault{Title: headOf(f.Text), Why: restOf(f.Text), Unknown: f.Mark == MarkUnknown, Fix: m.orElse(Fix{}, f.Remark)}
		if a.Unknown {
			a.Title, a.Why = strings.TrimSuffix(m.ofSignal(f), "."), nil
		}
		a.Code = plain(f.signal, maxCode)
		if len(f.Facts) > 0 {
			a.Code = plain(f.Facts[0], maxCode)
		}
		a.Fix = m.orAsk(a.Fix, a.Code)
		out = append(out, a)
	}
	return out
}

// headOf is the first sentence of a text, without its full stop.
func headOf(text string) string {
	head, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(head, ".")
}

// restOf is what follows it.
func restOf(text string) []string {
	if _, rest, ok := strings.Cut(text, ". "); ok {
		return []string{rest}
	}
	return nil
}

// coming are the forecasts, the next one first.
func (m *maker) coming() []Coming {
	var out []Coming
	for _, f := range m.st.Forecast {
		name := spoken(plain(f.Name, maxName))
		if name == "" {
			name = plain(f.Code, maxCode)
		}
		c := Coming{Code: plain(f.Code, maxCode), Title: Fill(m.w.Fault.WillBe, "name", name), Apps: m.named(f.Apps),
			Fix: Fix{Text: plain(f.Remedy.Text, maxSentence), Page: m.page(f.Remedy.Target)}}
		when := m.w.Soon
		if from, err := time.Parse(time.RFC3339, f.From); err == nil {
			c.From, when = from, Fill(m.w.From, "when", m.d.day(from))
		}
		c.When = when
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Coming) int { return a.From.Compare(b.From) })
	return out[:min(len(out), maxComing)]
}

// signals names the signals that facts belong to, each once.
func (m *maker) signals(facts []string) []string {
	var out []string
	for _, a := range facts {
		signal, _, _, err := fact.SplitAddress(a)
		if title := m.title(signal); err == nil && !slices.Contains(out, title) {
			out = append(out, title)
		}
	}
	return out[:min(len(out), maxWhy)]
}
