package view

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/client/view"
)

// Limits of what is wrong.
const (
	maxFaults = 10
	maxWhy    = 2 // of one fault
	maxRemedy = 6 // rows of what helps
	maxComing = 3
)

// state is what is wrong or will be, and how to have it looked at again.
func (b *builder) state() []Item {
	var out []Item
	switch coming := b.coming(); {
	case len(b.v.Faults) > 0:
		out = append(out, b.wrong(coming))
	case len(coming) > 1:
		out = append(out, b.sub("coming", b.w.Coming.Of(len(b.v.Coming)), coming, []Item{b.more("coming", SectionComing)}))
	default:
		out = coming
	}
	return append(out, b.check()...)
}

// wrong is the submenu of the faults: those of one fault at once, of several one
// submenu for each.
func (b *builder) wrong(coming []Item) Item {
	faults := b.v.Faults
	n := len(faults)
	mixed := slices.ContainsFunc(faults, func(f view.Fault) bool { return f.Required })
	if n == 1 {
		return b.sub("wrong", b.v.Wrong, b.fault("wrong.0", faults[0], true), coming, []Item{b.more("wrong", SectionFaults)})
	}
	var list []Item
	for i, f := range faults[:min(n, maxFaults)] {
		id, text := "wrong."+strconv.Itoa(i), f.Title
		if mixed && !f.Required {
			text = view.Fill(b.w.Row, "name", b.w.Advised, "value", f.Title)
		}
		if rows := b.fault(id, f, cut(text, columns) != text); len(rows) > 0 {
			list = append(list, b.sub(id, text, rows))
		} else {
			list = append(list, b.item(id, text, details(SectionFaults)))
		}
	}
	last := b.w.Details
	if n > maxFaults {
		last = b.w.NotListed.Of(n - maxFaults)
	}
	return b.sub("wrong", b.v.Wrong, list, coming, []Item{b.item("wrong.details", last, details(SectionFaults))})
}

// fault says what is behind a fault, what helps, and its code.
func (b *builder) fault(id string, f view.Fault, title bool) []Item {
	at := details(SectionFaults)
	var out []Item
	if title {
		out = b.say(id+".title", f.Title, 2, at)
	}
	for i, why := range f.Why[:min(len(f.Why), maxWhy)] {
		out = append(out, b.say(id+".why."+strconv.Itoa(i), why, 2, at)...)
	}
	if len(f.Apps) > 0 {
		out = append(out, b.say(id+".apps", view.Fill(b.w.Closes, "apps", strings.Join(f.Apps, ", ")), 2, at)...)
	}
	out = append(out, b.fix(id, f.Fix, maxRemedy, SectionFaults)...)
	if !strings.Contains(f.Fix.Text, f.Code) {
		out = append(out, b.code(id, f.Code, SectionFaults)...)
	}
	return out
}

// fix is what helps: the text in so many rows, and the settings page where there
// is one.
func (b *builder) fix(id string, f view.Fix, rows int, section string) []Item {
	out := b.say(id+".text", f.Text, rows, details(section))
	if f.Page != "" {
		out = append(out, b.item(id+".fix", b.w.Fix, Action{DoFix, f.Page}))
	}
	return out
}

// coming are what will fail.
func (b *builder) coming() []Item {
	var out []Item
	for i, c := range b.v.Coming[:min(len(b.v.Coming), maxComing)] {
		text := view.Fill(b.w.Comes, "title", c.Title, "when", c.When)
		out = append(out, b.item("coming."+strconv.Itoa(i), text, details(SectionComing)))
	}
	return out
}

// check asks for a reading and shows that there was one.
func (b *builder) check() []Item {
	at := details(SectionMachine)
	switch p := b.o.Proof; {
	case !b.v.Actions.Check:
		return nil
	case b.o.Checking:
		return []Item{b.item("check", b.w.Checking, at)}
	case p == nil:
		return []Item{b.item("check", b.w.Check, Action{Kind: DoCheck})}
	default:
		out := []Item{b.item("check", b.w.Check, Action{Kind: DoCheck})}
		out = append(out, b.say("check.proof", p.Says, 1, at)...)
		return append(out, b.say("check.told", p.Told, 2, at)...)
	}
}
