package view

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/fact"
)

// maxLines is how many facts of one signal are listed.
const maxLines = 200

// Sent is what last left this machine, so that a person can read it: when, to
// whom, with what outcome, and every fact of it in words.
func Sent(s localapi.Sent, in Input) Posted {
	m := newMaker(in)
	w := m.w.Sent
	out := Posted{At: s.At, Outcome: plain(s.Outcome, maxCode), To: plain(s.To, maxURL), Stays: []string{w.StaysFiles, w.StaysWeb, w.StaysKeys, w.StaysUnasked}}
	if s.At.IsZero() {
		out.Says = w.Nothing
		return out
	}
	out.When = m.d.at(s.At, m.d.seconds(s.At))
	frame := w.Waiting
	switch s.Outcome {
	case localapi.SentAccepted:
		frame = w.Accepted
	case localapi.SentRejected:
		frame = w.Rejected
	case localapi.SentUnreachable:
		frame = w.Away
	}
	out.Says = Fill(frame, "when", out.When, "to", out.To, "why", m.because(s.Code, nil).Text)
	var claims attest.Claims
	if json.Unmarshal(s.Claims, &claims) == nil {
		if claims.Renewal != nil {
			out.Says += " " + w.Renewal
		}
		out.Parts = append(out.Parts, m.ofDevice(claims))
	}
	for _, signal := range s.Report.Signals[:min(len(s.Report.Signals), fact.MaxEntries)] {
		out.Parts = append(out.Parts, m.part(signal))
	}
	return out
}

// ofDevice is what an attestation says beside the report.
func (m *maker) ofDevice(c attest.Claims) Part {
	w := m.w.Sent
	p := Part{Title: w.DeviceTitle}
	add := func(name, value string) {
		if value != "" {
			p.Lines = append(p.Lines, Row{Name: name, Value: value})
		}
	}
	software := plain(c.Software, maxName)
	if len(c.Version) > 0 {
		software += " " + plain(c.Version[0], maxName)
	}
	add(w.Software, software)
	add(w.Model, plain(c.HWModel, maxName))
	add(m.w.Row.Key, m.where(c.Key.Protection))
	var apps []string
	for _, a := range c.Wanted {
		apps = append(apps, a.App)
	}
	add(w.Apps, Cut(m.w.list(m.named(apps)), maxSentence))
	for _, h := range []Row{{Name: w.Serial, Value: c.Hardware.Serial}, {Name: w.UUID, Value: c.Hardware.UUID}, {Name: w.Chip, Value: c.Hardware.EKHash}} {
		if h.Value != "" {
			add(h.Name, w.Hashed)
		}
	}
	return p
}

func (m *maker) part(s fact.Signal) Part {
	p := Part{Name: plain(s.Name, maxName), Title: m.title(s.Name)}
	if text := m.ofAll(s); text != "" {
		p.Lines = append(p.Lines, Row{Name: m.w.Sent.State, Value: text})
	}
	var open gaps
	for i, f := range s.Facts {
		if i == maxLines {
			p.Lines = append(append(p.Lines, m.told(p.Title, open)...), Row{Name: "…", Value: m.w.Sent.More.Of(len(s.Facts) - i)})
			return p
		}
		if i > 0 && s.Facts[i-1].Key != f.Key {
			p.Lines, open = append(p.Lines, m.told(p.Title, open)...), nil
		}
		line := Row{ID: plain(fact.Address(s.Name, f.Key, f.Field), maxSentence), Name: m.label(s.Name, f.Key, f.Field), Value: m.factSays(s, f)}
		switch why := m.gap(s, f); {
		case m.elsewhere(s, f):
		case namesItself(s, i):
		case why != "":
			open.add(why, m.place(s, f), s.StateOf(f) == fact.Absent, line)
		default:
			line.Name = m.place(s, f) + m.below(p.Title, line.Name)
			p.Lines = append(p.Lines, line)
		}
	}
	p.Lines = append(p.Lines, m.told(p.Title, open)...)
	if len(p.Lines) == 0 && len(s.Facts) > 0 { // other systems have all of it
		p.Lines = []Row{{Name: m.w.Sent.State, Value: m.factSays(s, s.Facts[0])}}
	}
	return p
}

// below is a name below a heading that may say the same.
func (m *maker) below(heading, name string) string {
	if name == heading {
		return m.w.Sent.State
	}
	return name
}

// elsewhere is true of a fact that only other systems have: that this one told
// nothing of it is nothing to tell.
func (m *maker) elsewhere(s fact.Signal, f fact.Fact) bool {
	state := s.StateOf(f)
	return state == fact.NotApplicable || state == fact.Unknown && whyOf(s, f) == fact.ReasonUnsupported
}

// ofAll is what is to be said of a signal as a whole, "" when its facts say it.
func (m *maker) ofAll(s fact.Signal) string {
	text := m.stateSays(s.State, s.Reason)
	switch {
	case len(s.Facts) == 0 && s.Name == fact.SignalCustom && s.State == fact.Absent:
		return valuesIn(m.w.Language).NothingAsked
	case len(s.Facts) == 0:
		return text
	case s.State.Usable() || slices.ContainsFunc(s.Facts, func(f fact.Fact) bool { return m.factSays(s, f) == text }):
		return ""
	}
	return text
}

// namesItself reports whether the fact is the name of a list entry, which
// stands before every other line of it.
func namesItself(s fact.Signal, i int) bool {
	f := s.Facts[i]
	if f.Key == "" || f.Field != "name" || !s.StateOf(f).Usable() {
		return false
	}
	return i > 0 && s.Facts[i-1].Key == f.Key || i+1 < len(s.Facts) && s.Facts[i+1].Key == f.Key
}

// stateSays is why something was not observed, "" for what was.
func (m *maker) stateSays(state fact.State, why fact.Reason) string {
	w := m.w.Sent
	switch state {
	case fact.Observed:
		return ""
	case fact.Absent:
		return w.NotThere
	case fact.Conflict:
		return w.TwoWays
	}
	return Fill(w.NotKnown, "why", m.whyUnknown(why))
}

func (m *maker) factSays(s fact.Signal, f fact.Fact) string {
	if text := m.stateSays(s.StateOf(f), whyOf(s, f)); text != "" {
		return text
	}
	address := fact.Address(s.Name, f.Key, f.Field)
	// Of yes and no, a sentence tells more; a word of a list tells more than
	// whether it is a good one.
	if _, ok := f.Value.AsBool(); ok {
		if found, ok := m.texts.FindingOf(address); ok {
			if found.IsBad(f.Value) {
				return found.Bad
			}
			return found.Good
		}
	}
	return m.value(address, f.Value)
}

// Reread says in words that, and what of it, the machine was read again.
func Reread(c localapi.Checked, in Input) Proof {
	in.Status = c.Status
	m := newMaker(in)
	w := m.w.Sent
	var p Proof
	changed := 0
	for _, s := range c.Signals[:min(len(c.Signals), fact.MaxEntries)] {
		if s.After.After(p.At) {
			p.At = s.After
		}
		part := Part{Name: plain(s.Name, maxName), Title: m.title(s.Name), Lines: []Row{
			{ID: "before", Name: w.Before, Value: m.read(s.Before)}, {ID: "after", Name: w.After, Value: m.read(s.After)}}}
		if len(s.Changed) > 0 {
			changed++
			part.Lines = append(part.Lines, Row{ID: "changed", Name: w.Differs, Value: Cut(m.w.list(m.labels(s.Changed)), maxSentence)})
		}
		p.Parts = append(p.Parts, part)
	}
	rest := w.Unchanged
	if changed > 0 {
		rest = w.Changed.Of(changed)
	}
	if p.At.IsZero() {
		p.At = in.Now
	}
	p.Says = Fill(w.Again, "time", m.d.seconds(p.At), "signals", w.Signals.Of(len(c.Signals)), "changed", rest)
	if !c.Attested && c.Reason != "" {
		p.Told = Fill(w.NotTold, "why", m.because(c.Reason, nil).Text)
	}
	return p
}

func (m *maker) read(t time.Time) string {
	if t.IsZero() {
		return m.w.Sent.Never
	}
	return m.d.at(t, m.d.seconds(t))
}

// label names a fact for people.
func (m *maker) label(signal, key, field string) string {
	if key != "" {
		key = "*"
	}
	if name, ok := m.w.Labels[fact.Address(signal, key, field)]; ok {
		return name
	}
	return plain(field, maxName)
}

// labels names facts for people, each once.
func (m *maker) labels(addresses []string) []string {
	var out []string
	for _, a := range addresses {
		signal, key, field, err := fact.SplitAddress(a)
		if err != nil {
			continue
		}
		name := m.label(signal, key, field)
		if word, ok := m.texts.KeyOf(signal, key); ok {
			name = word + ": " + name
		} else if key != "" {
			name = strings.TrimSuffix(plain(key, maxName), ":") + ": " + name
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
