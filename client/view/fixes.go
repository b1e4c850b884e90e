package view

import (
	"slices"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

// remedy is what the administrator says that helps.
func (m *maker) remedy(c localapi.Check) Fix {
	return Fix{Text: plain(c.Remedy.Text, maxSentence), Page: m.page(c.Remedy.Target)}
}

// checkFix is what helps against a check of which nothing else is known.
func (m *maker) checkFix(c localapi.Check) Fix { return m.helps(m.remedy(c), c) }

// helps fills in a text that helps against a check: what helps against the
// reason why a fact is not known, else what is said of the facts that it looks
// at or of the page that it names, else whom to ask.
func (m *maker) helps(f Fix, c localapi.Check) Fix {
	addresses := c.Missing
	for _, p := range c.Parts {
		if p.Outcome != pass {
			addresses = append(slices.Clone(addresses), p.Reads...)
		}
	}
	for _, a := range addresses {
		if f.Text != "" {
			break
		}
		f.Text = m.againstReason(a, c.Outcome)
	}
	for _, a := range addresses {
		if finding, ok := m.texts.FindingOf(a); ok && f.Text == "" {
			f.Text = finding.Fix.For(m.in.System)
		}
	}
	if finding, ok := m.texts.OfPage(c.Remedy.Target); ok && f.Text == "" {
		f.Text = finding.Fix.For(m.in.System)
	}
	return m.orAsk(f, plain(c.Code, maxCode))
}

// againstReason is what helps against a fact's not being known.
func (m *maker) againstReason(address, outcome string) string {
	signal, key, field, err := fact.SplitAddress(address)
	if err != nil || outcome != unknown {
		return ""
	}
	why := m.reasonOf(signal, key, field)
	if e, ok := m.texts.Lookup(string(why)); ok && fixes(signal, why) {
		return e.Fix.For(m.in.System)
	}
	return ""
}

// fixes reports whether what helps against a reason helps with this signal:
// products can be installed and switched on, a serial number cannot.
func fixes(signal string, why fact.Reason) bool {
	return why != fact.ReasonNotFound || signal == fact.SignalEDR
}

// orAsk is a fix, or whom to ask where nothing is known that helps.
func (m *maker) orAsk(f Fix, code string) Fix {
	if f.Text == "" {
		f.Text = m.ask(code).Text
	}
	return f
}

// ask is whom to ask, and with which code.
func (m *maker) ask(code string) Fix {
	w := m.w.Fault
	who := plain(m.managed().Support, maxName)
	if who == "" {
		who = w.Helpdesk
	}
	if code == "" {
		return Fix{Text: Fill(w.Ask, "support", who)}
	}
	return Fix{Text: Fill(w.AskCode, "support", who, "code", code)}
}
