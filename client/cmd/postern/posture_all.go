package main

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// readBy says who read the machine, and with what rights.
func (p *page) readBy(r reading) {
	w := p.words.Posture
	who := map[string]string{byAgent: w.ByAgent, byItself: w.ByItself, byRecorder: w.ByItself}[r.Reader]
	switch {
	case r.Reader == byReplay:
		p.say(0, fill(w.ByReplay, "machine", r.Machine))
	case r.Rights == localapi.RightsSystem:
		p.say(0, fill(w.RightsSystem, "who", who))
	default:
		p.say(0, fill(w.RightsUser, "who", who))
	}
	if r.Record != "" {
		p.say(0, fill(w.Recorded, "folder", r.Record))
	}
}

// everyFact is the whole report as a table, with what its reasons mean. Names
// and values are those that rules are written with, and so not translated.
func (p *page) everyFact(r reading, texts catalogue.Texts) {
	w := p.words.Posture
	g := grid{lead: 2, columns: []column{
		{head: w.Signal}, {head: w.State}, {head: w.Value, folds: anywhere}, {head: w.Reason, label: w.LabelReason}}}
	var reasons []fact.Reason
	note := func(why fact.Reason) cell {
		if why != "" && !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
		return cell{string(why), ""}
	}
	for _, s := range r.Report.Signals {
		g.lines = append(g.lines, line{cells: []cell{{s.Name, strong}, stateCell(s.State), {}, note(s.Reason)}, under: p.seen(s)})
		for _, f := range s.Facts {
			value := ""
			if f.Value.IsSet() {
				value = f.Value.String()
			}
			name := strings.TrimPrefix(strings.TrimPrefix(fact.Address(s.Name, f.Key, f.Field), s.Name), ".")
			g.lines = append(g.lines, line{cells: []cell{{inset + name, ""}, stateCell(s.StateOf(f)), {value, ""}, note(f.Reason)}})
		}
	}
	p.grid(g)
	for i, why := range reasons {
		if i == 0 {
			p.blank()
		}
		if e, ok := texts.Lookup(string(why)); ok {
			p.mark(0, strong, string(why)+":", e.Sentence+" "+e.Fix.For(r.hintSystem()))
		}
	}
}

// inset sets the facts of a signal in, without a blank that folding would drop.
const inset = "- "

// seen tells when a signal was read and where, and whether a list was cut.
func (p *page) seen(s fact.Signal) string {
	w := p.words.Posture
	var parts []string
	if !s.ObservedAt.IsZero() {
		parts = append(parts, fill(w.ReadAt, "time", s.ObservedAt.Local().Format(time.TimeOnly)))
	}
	if s.Source != "" {
		parts = append(parts, fill(w.ReadFrom, "source", s.Source))
	}
	if s.Truncated {
		parts = append(parts, w.Cut)
	}
	return strings.Join(parts, ", ")
}

func stateCell(s fact.State) cell {
	colour := bad
	switch s {
	case fact.Observed:
		colour = good
	case fact.Absent, fact.NotApplicable:
		colour = plainColour
	case fact.Unknown:
		colour = doubtful
	}
	return cell{string(s), colour}
}
