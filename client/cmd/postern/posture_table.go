package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// markRead is the mark of what was read and cannot be good or bad.
const markRead = "read"

// mark is how a row of the table stands. The sign says it without colours and
// at a glance, the word to everybody else.
type mark struct{ sign, word, colour string }

// marks are those of view.Remark and markRead, in the order of the table.
func (p *page) marks() map[string]mark {
	w := p.words.Posture
	return map[string]mark{
		view.MarkBad: {"!", w.Bad, bad}, view.MarkUnknown: {"?", w.Unknown, doubtful},
		view.MarkAdvice: {"-", w.Advice, plainColour}, view.MarkNote: {"-", w.Note, plainColour},
		view.MarkGood: {"+", w.Good, good}, markRead: {"-", w.Read, plainColour},
	}
}

// order is that of the rows: what has to be done first.
func order(mark string) int {
	return slices.Index([]string{view.MarkBad, view.MarkUnknown, view.MarkAdvice, view.MarkNote, view.MarkGood, markRead}, mark)
}

// found is one row of the table: what was found of a signal.
type found struct {
	check string
	view.Remark
}

// brief is a table of what was found, what is wrong first, with how to fix it.
func (p *page) brief(r reading, in view.Input) {
	var all []found
	texts, judged := catalogue.For(in.Language), view.Judged(in)
	for _, s := range r.Report.Signals {
		for _, remark := range p.remarks(s, judged(s), in) {
			all = append(all, found{texts.Title(s.Name), remark})
		}
	}
	p.findings(all, len(in.Status.Posture.Checks) > 0)
}

// findings are the table of what was found, of which it is known what the policy
// asks for, or is not.
func (p *page) findings(all []found, judged bool) {
	w := p.words.Posture
	slices.SortStableFunc(all, func(x, y found) int { return cmp.Compare(order(x.Mark), order(y.Mark)) })
	p.counts(all)
	if !judged && slices.ContainsFunc(all, func(f found) bool { return f.Mark == view.MarkAdvice }) {
		p.say(0, w.NotJudged)
	}
	p.blank()
	g := grid{lead: 2, apart: true, columns: []column{
		{head: w.Check, folds: byWords}, {head: w.State}, {head: w.Found, folds: byWords}, {head: w.Fix, label: w.LabelFix, folds: byWords}}}
	marks := p.marks()
	for _, f := range all {
		m := marks[f.Mark]
		g.lines = append(g.lines, line{cells: []cell{{f.check, ""}, {m.sign + " " + m.word, m.colour}, {f.Text, ""}, {f.Fix, ""}}})
	}
	p.grid(g)
}

// counts says in one line how it stands.
func (p *page) counts(all []found) {
	w, n := p.words.Posture, map[string]int{}
	for _, f := range all {
		n[f.Mark]++
	}
	if n[view.MarkBad]+n[view.MarkUnknown]+n[view.MarkAdvice] == 0 {
		p.title(good, w.AllWell)
		return
	}
	colour := bad
	if n[view.MarkBad] == 0 {
		colour = doubtful
	}
	p.title(colour, fill(w.Counts, "bad", strconv.Itoa(n[view.MarkBad]), "advice", strconv.Itoa(n[view.MarkAdvice]), "unknown", strconv.Itoa(n[view.MarkUnknown])))
}

// remarks are what is to be said of a signal; each has one at least.
func (p *page) remarks(s fact.Signal, out []view.Remark, in view.Input) []view.Remark {
	if text := p.summary(s, in); text != "" {
		return append(out, view.Remark{Mark: markRead, Text: text})
	}
	if len(out) > 0 {
		return out
	}
	w := p.words.Posture
	rest := view.Remark{Mark: markRead, Text: w.NothingMore}
	switch {
	case s.Name == fact.SignalCustom && s.State == fact.Absent:
		rest.Text = w.NotAsked
	case !s.State.Usable():
		rest.Mark = view.MarkUnknown
		if e, ok := catalogue.For(in.Language).Lookup(string(s.Reason)); ok {
			rest.Text = e.Sentence // what helps against a reason is not about every signal
		}
	}
	return []view.Remark{rest}
}

// summaries are the facts that tell a signal in one line.
func summaries(signal string) []string {
	return map[string][]string{
		fact.SignalOS: {"product", "version", "release", "build"}, fact.SignalPatch: {"last_update_at"},
		fact.SignalFirewall: {"manager"}, fact.SignalDevice: {"vendor", "model", "serial"},
		fact.SignalEnrolment: {"join", "domain", "mdm_server"},
	}[signal]
}

// summary tells a signal in one line, "" if nothing of that is known.
func (p *page) summary(s fact.Signal, in view.Input) string {
	var parts []string
	for _, field := range summaries(s.Name) {
		f, ok := s.Find("", field)
		if !ok || s.StateOf(f) != fact.Observed {
			continue
		}
		text := view.Value(fact.Address(s.Name, "", field), f.Value, in)
		if field == "last_update_at" {
			text = fill(p.words.Posture.LastUpdate, "when", text)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}
