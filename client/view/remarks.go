package view

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// Marks of remarks.
const (
	MarkGood    = "good"
	MarkNote    = "note"    // worth knowing, no fault
	MarkUnknown = "unknown" // it could not be read
	MarkAdvice  = "advice"  // bad, but nothing that the person is asked for (Judged)
	MarkBad     = "bad"
)

// Remark is one line about a signal: how it stands, why, and what helps.
type Remark struct {
	Mark string // one of the Mark… words
	Text string
	Fix  string // "" when nothing is known that helps
	Page string // id of the settings page that helps, whether or not this system has it
	// Facts are the addresses of the facts that it is about; none when it is
	// about the whole signal.
	Facts []string
}

// Remarks are what is to be said of a signal, read on a system (GOOS): the
// faults first, then what is not known, then notes; if there is none of the
// first two, what is well before the notes.
func Remarks(s fact.Signal, system string, texts catalogue.Texts) []Remark {
	if s.State == fact.Unknown && len(s.Facts) == 0 || s.State == fact.Absent && s.Name == fact.SignalEDR && len(s.Facts) == 0 {
		return []Remark{reasonRemark(s.Name, "", s.Reason, system, texts)}
	}
	r := remarking{signal: s, system: system, texts: texts, open: map[fact.Reason][]fact.Fact{}}
	for _, f := range s.Facts {
		r.fact(f)
	}
	out := append(r.out, r.unknown()...)
	slices.SortStableFunc(out, func(x, y Remark) int { return weight(x.Mark) - weight(y.Mark) })
	if len(out) == 0 || out[0].Mark == MarkNote {
		// The first few tell most: they are of the whole signal.
		out = append(r.well[:min(len(r.well), 3)], out...)
	}
	return out
}

func weight(mark string) int {
	return slices.Index([]string{MarkGood, MarkBad, MarkUnknown, MarkAdvice, MarkNote}, mark)
}

// remarking is the way through one signal.
type remarking struct {
	signal    fact.Signal
	system    string
	texts     catalogue.Texts
	out, well []Remark
	open      map[fact.Reason][]fact.Fact // not known, by why
}

func (r *remarking) fact(f fact.Fact) {
	s, state, address := r.signal, r.signal.StateOf(f), fact.Address(r.signal.Name, f.Key, f.Field)
	// A fact that can be neither good nor bad is worth no line when it is not
	// known.
	found, judged := r.texts.FindingOf(address)
	switch {
	case state == fact.Conflict:
		line := reasonRemark(s.Name, "", fact.ReasonDisagree, r.system, r.texts)
		line.Mark, line.Text, line.Facts = MarkBad, placeIn(r.texts, s, f)+line.Text, []string{address}
		if s.Source != "" {
			line.Text += " (" + plain(s.Source, maxName) + ")"
		}
		r.out = append(r.out, line)
	case !judged:
	case !state.Usable():
		why := f.Reason
		if why == "" {
			why = s.Reason
		}
		r.open[why] = append(r.open[why], f)
	default:
		line := judgeFact(found, f, placeIn(r.texts, s, f), r.system, r.texts)
		line.Facts = []string{address}
		switch {
		case line.Mark == MarkGood:
			r.well = append(r.well, line)
		case !found.Covered(s, f.Key):
			r.out = append(r.out, line)
		}
	}
}

// judgeFact is the sentence for a value.
func judgeFact(f catalogue.Finding, v fact.Fact, place, system string, texts catalogue.Texts) Remark {
	if !f.IsBad(v.Value) {
		return Remark{Mark: MarkGood, Text: place + f.Good}
	}
	r := Remark{Mark: MarkBad, Text: place + f.Bad, Fix: f.Fix.For(system), Page: f.Page}
	if f.Note {
		r.Mark = MarkNote
	}
	if e, ok := texts.Lookup(string(v.Reason)); ok && v.Reason != fact.ReasonNotFound {
		r.Text += " " + e.Sentence
		if own := e.Fix.For(system); own != "" {
			r.Fix = own
		}
	}
	return r
}

// unknown joins the facts that are not known for one reason. What a system
// does not have at all is not worth a line.
func (r *remarking) unknown() []Remark {
	m := &maker{w: speak(r.texts.Language()), texts: r.texts}
	var out []Remark
	for why, facts := range r.open {
		if why == fact.ReasonUnsupported || why == fact.ReasonNotFound {
			continue
		}
		var names, addresses []string
		for _, f := range facts {
			a := fact.Address(r.signal.Name, f.Key, f.Field)
			addresses = append(addresses, a)
			names = append(names, m.place(r.signal, f)+m.label(r.signal.Name, f.Key, f.Field))
		}
		what := m.w.list(names)
		if what == r.texts.Title(r.signal.Name) { // that is said already
			what = ""
		}
		if len(names) > 4 {
			what = strings.Join(append(names[:3:3], "…"), ", ")
		}
		line := reasonRemark(r.signal.Name, what, why, r.system, r.texts)
		line.Facts = addresses
		out = append(out, line)
	}
	slices.SortFunc(out, func(x, y Remark) int { return strings.Compare(x.Text, y.Text) })
	return out
}

func reasonRemark(signal, what string, why fact.Reason, system string, texts catalogue.Texts) Remark {
	r := Remark{Mark: MarkUnknown, Text: plain(string(why), maxCode)}
	if e, ok := texts.Lookup(string(why)); ok {
		r.Text = e.Sentence
		if fixes(signal, why) {
			r.Fix = e.Fix.For(system)
		}
	}
	if what != "" {
		r.Text = what + ": " + r.Text
	}
	return r
}

// placeOf names the list entry that a fact belongs to, "" for a fact of the
// whole signal.
func placeOf(s fact.Signal, f fact.Fact) string {
	if f.Key == "" {
		return ""
	}
	place := f.Key
	if name, ok := s.Find(f.Key, "name"); ok {
		if text, ok := name.Value.AsString(); ok && text != "" {
			place = text
		}
	}
	return strings.TrimSuffix(plain(place, maxName), ":") + ": " // drives bring a colon
}
