package main

import (
	"strings"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// markColours repeat what the word of a mark says.
var markColours = map[string]string{view.MarkGood: good, view.MarkNote: plainColour, view.MarkUnknown: doubtful, view.MarkBad: bad}

// brief tells for each signal what is wrong, why, and how to fix it.
func (p *page) brief(r reading, texts catalogue.Texts) {
	marks := labelsFor(texts.Language()).marks
	for _, s := range r.Report.Signals {
		p.blank()
		p.signal(s, texts)
		var rows [][]cell
		for _, line := range view.Remarks(s, r.hintSystem(), texts) {
			rows = append(rows, []cell{{marks[line.Mark], markColours[line.Mark]}, {line.Text, ""}})
			if line.Fix != "" {
				rows = append(rows, []cell{{}, {line.Fix, ""}})
			}
		}
		// Wide enough for every mark, so that all signals stand alike.
		t := p.columns(2, append(rows, []cell{{text: marks[view.MarkUnknown]}}))
		for _, row := range rows {
			t.write(row)
		}
	}
}

// signal is its title with what tells it in one line.
func (p *page) signal(s fact.Signal, texts catalogue.Texts) {
	if values := summary(s); values != "" {
		p.mark(0, strong, texts.Title(s.Name), " "+values)
		return
	}
	p.title(strong, texts.Title(s.Name))
}

// summaries are the facts that tell a signal in one line.
var summaries = map[string][]string{
	fact.SignalOS: {"product", "version", "release", "build"}, fact.SignalPatch: {"last_update_at"},
	fact.SignalFirewall: {"manager"}, fact.SignalDevice: {"vendor", "model", "serial"},
	fact.SignalEnrolment: {"join", "domain", "mdm_server"},
}

func summary(s fact.Signal) string {
	var parts []string
	for _, field := range summaries[s.Name] {
		if f, ok := s.Find("", field); ok && s.StateOf(f) == fact.Observed {
			parts = append(parts, f.Value.String())
		}
	}
	return strings.Join(parts, " ")
}
