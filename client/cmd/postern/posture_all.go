package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// readBy says who read the machine, and with what rights.
func (p *page) readBy(r reading) {
	who := map[string]string{
		byAgent: "Read by the agent", byItself: "Read by this command itself", byRecorder: "Read by this command itself",
	}[r.Reader]
	switch {
	case r.Reader == byReplay:
		p.say(0, fmt.Sprintf("Read from the recorded machine %s.", r.Machine))
	case r.Rights == localapi.RightsSystem:
		p.say(0, who+", with the system's rights.")
	default:
		p.say(0, who+", with a user's rights: some signals may be out of reach.")
	}
	if r.Record != "" {
		p.say(0, fmt.Sprintf("Recorded in %s. It tells much of this computer: look through it before you give it away.", r.Record))
	}
}

// everyFact is the whole report as a table, with what its reasons mean.
func (p *page) everyFact(r reading, texts catalogue.Texts) {
	rows := [][]cell{{{"SIGNAL", strong}, {"STATE", strong}, {"VALUE", strong}, {"SOURCE", strong}, {"REASON", strong}}}
	var reasons []fact.Reason
	note := func(why fact.Reason) string {
		if why != "" && !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
		return string(why)
	}
	for _, s := range r.Report.Signals {
		rows = append(rows, []cell{{s.Name, ""}, stateCell(s.State), {seen(s), ""}, {s.Source, ""}, {note(s.Reason), ""}})
		for _, f := range s.Facts {
			value := ""
			if f.Value.IsSet() {
				value = f.Value.String()
			}
			name := "  " + strings.TrimPrefix(strings.TrimPrefix(fact.Address(s.Name, f.Key, f.Field), s.Name), ".")
			rows = append(rows, []cell{{name, ""}, stateCell(s.StateOf(f)), {value, ""}, {}, {note(f.Reason), ""}})
		}
	}
	p.table(0, rows)
	for _, why := range reasons {
		if e, ok := texts.Lookup(string(why)); ok {
			p.say(0, fmt.Sprintf("%s: %s %s", why, e.Sentence, e.Fix.For(r.hintSystem())))
		}
	}
}

// seen tells when a signal was read, and whether a list was cut.
func seen(s fact.Signal) string {
	var parts []string
	if !s.ObservedAt.IsZero() {
		parts = append(parts, "read "+s.ObservedAt.Local().Format(time.TimeOnly))
	}
	if s.Truncated {
		parts = append(parts, "list cut")
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
