package main

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

// readBy says who read the machine, and with what rights.
func readBy(r reading) string {
	var b strings.Builder
	who := map[string]string{
		byAgent: "Read by the agent", byItself: "Read by this command itself", byRecorder: "Read by this command itself",
	}[r.Reader]
	switch {
	case r.Reader == byReplay:
		say(&b, "Read from the recorded machine %s.", r.Machine)
	case r.Rights == localapi.RightsSystem:
		say(&b, "%s, with the system's rights.", who)
	default:
		say(&b, "%s, with a user's rights: some signals may be out of reach.", who)
	}
	if r.Record != "" {
		say(&b, "Recorded in %s. It tells much of this computer: look through it before you give it away.", r.Record)
	}
	return b.String()
}

// everyFact is the whole report as a table, with what its reasons mean.
func (a *app) everyFact(report fact.Report) string {
	var b strings.Builder
	rows := [][]cell{{{"SIGNAL", strong}, {"STATE", strong}, {"VALUE", strong}, {"SOURCE", strong}, {"REASON", strong}}}
	var reasons []fact.Reason
	note := func(why fact.Reason) string {
		if why != "" && !slices.Contains(reasons, why) {
			reasons = append(reasons, why)
		}
		return string(why)
	}
	for _, s := range report.Signals {
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
	var lines strings.Builder
	a.table(&lines, "", rows)
	b.WriteString(lines.String())
	for _, why := range reasons {
		text, fix := sentence(string(why))
		if text == "" {
			continue
		}
		say(&b, "%s: %s %s", why, text, fix)
	}
	return b.String()
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
