package main

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// The words that stand before a line; colour only repeats them.
const (
	markGood    = "good"
	markNote    = "note"
	markUnknown = "unknown"
	markBad     = "bad"
)

var markColours = map[string]string{markGood: good, markNote: plainColour, markUnknown: doubtful, markBad: bad}

// remark is one line about a signal: how it stands, why, and what helps.
type remark struct{ mark, text, fix string }

// brief tells for each signal what is wrong, why, and how to fix it.
func (a *app) brief(r reading) string {
	var b strings.Builder
	for _, s := range r.Report.Signals {
		say(&b, "")
		b.WriteString(a.paint(strong, titleOf(s.Name)))
		if values := summary(s); values != "" {
			b.WriteString("  " + plain(values))
		}
		b.WriteByte('\n')
		for _, line := range remarks(s, r.hintSystem()) {
			b.WriteString("  " + a.paint(markColours[line.mark], line.mark) + strings.Repeat(" ", len(markUnknown)-len(line.mark)) + "  " + plain(line.text) + "\n")
			if line.fix != "" {
				b.WriteString(strings.Repeat(" ", len(markUnknown)+4) + plain(line.fix) + "\n")
			}
		}
	}
	return b.String()
}

// titles are the signals' names for people.
var titles = map[string]string{
	fact.SignalOS: "Operating system", fact.SignalPatch: "Updates", fact.SignalDisk: "Disk encryption",
	fact.SignalFirewall: "Firewall", fact.SignalEDR: "Security products", fact.SignalIntegrity: "System integrity",
	fact.SignalScreenLock: "Screen lock", fact.SignalEnrolment: "Device management", fact.SignalDevice: "Device",
	fact.SignalCustom: "Asked for by your organisation",
}

func titleOf(signal string) string {
	if title, ok := titles[signal]; ok {
		return title
	}
	return signal
}

// remarks are what is to be said of a signal: the faults first, then what is
// not known, then notes; if there is none of them, what is well.
func remarks(s fact.Signal, system string) []remark {
	if s.State == fact.Unknown && len(s.Facts) == 0 || s.State == fact.Absent && s.Name == fact.SignalEDR && len(s.Facts) == 0 {
		return []remark{reasonRemark("", s.Reason, system)}
	}
	var out, well []remark
	open := map[fact.Reason][]string{}
	for _, f := range s.Facts {
		state := s.StateOf(f)
		place := placeOf(s, f)
		switch {
		case state == fact.Conflict:
			out = append(out, remark{markBad, place + "Two sources disagree: " + s.Source + ".", ""})
		case !state.Usable() && !judged(s.Name, f):
		case !state.Usable():
			why := f.Reason
			if why == "" {
				why = s.Reason
			}
			open[why] = append(open[why], strings.TrimPrefix(fact.Address(s.Name, f.Key, f.Field), s.Name+"."))
		default:
			if found, ok := catalogue.FindingOf(fact.Address(s.Name, f.Key, f.Field)); ok {
				line, isWell := judgeFact(found, f, place, system)
				switch {
				case isWell:
					well = append(well, line)
				case !found.Covered(s, f.Key):
					out = append(out, line)
				}
			}
		}
	}
	out = append(out, openRemarks(open, system)...)
	slices.SortStableFunc(out, func(x, y remark) int { return weight(x.mark) - weight(y.mark) })
	if len(out) == 0 || out[0].mark == markNote {
		out = append(firstFew(well), out...)
	}
	return out
}

// judged is true of facts that can be good or bad: that another one is not
// known is for --all.
func judged(signal string, f fact.Fact) bool {
	_, ok := catalogue.FindingOf(fact.Address(signal, f.Key, f.Field))
	return ok
}

// firstFew keeps the sentences that tell most: facts of the whole signal.
func firstFew(well []remark) []remark { return well[:min(len(well), 3)] }

func weight(mark string) int {
	return slices.Index([]string{markGood, markBad, markUnknown, markNote}, mark)
}

// judgeFact is the sentence for a value, and whether it is a good one.
func judgeFact(f catalogue.Finding, v fact.Fact, place, system string) (remark, bool) {
	if !f.IsBad(v.Value) {
		return remark{markGood, place + f.Good, ""}, true
	}
	mark, text, fix := markBad, f.Bad, f.Fix.For(system)
	if f.Note {
		mark = markNote
	}
	if e, ok := catalogue.Lookup(string(v.Reason)); ok && v.Reason != fact.ReasonNotFound {
		text += " " + e.Sentence
		if own := e.Fix.For(system); own != "" {
			fix = own
		}
	}
	return remark{mark, place + text, fix}, false
}

// openRemarks joins the facts that are not known for one reason. What a system
// does not have at all is not worth a line.
func openRemarks(open map[fact.Reason][]string, system string) []remark {
	var out []remark
	for why, fields := range open {
		if why == fact.ReasonUnsupported || why == fact.ReasonNotFound {
			continue
		}
		if len(fields) > 4 {
			fields = append(fields[:3:3], "…")
		}
		out = append(out, reasonRemark(strings.Join(fields, ", "), why, system))
	}
	slices.SortFunc(out, func(x, y remark) int { return strings.Compare(x.text, y.text) })
	return out
}

func reasonRemark(what string, why fact.Reason, system string) remark {
	r := remark{mark: markUnknown, text: string(why)}
	if e, ok := catalogue.Lookup(string(why)); ok {
		r.text, r.fix = e.Sentence, e.Fix.For(system)
	}
	if what != "" {
		r.text = what + ": " + r.text
	}
	return r
}

// placeOf names the list entry that a fact belongs to.
func placeOf(s fact.Signal, f fact.Fact) string {
	if f.Key == "" {
		return ""
	}
	if name, ok := s.Find(f.Key, "name"); ok {
		if text, ok := name.Value.AsString(); ok && text != "" {
			return text + ": "
		}
	}
	return f.Key + ": "
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
