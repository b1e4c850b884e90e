package view

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/client/view"
)

// Rows that say how it stands, and those with what to do about it.
const (
	maxAbove    = 8
	maxHead     = 6
	maxHeadline = 3
	maxDetail   = 2
	maxHint     = 3
)

// head says how it stands in at most so many rows.
func (b *builder) head(rows int) []Item {
	v := b.v
	at := details(SectionTop)
	if len(v.Faults) > 0 {
		at = details(SectionFaults)
	}
	var code []Item
	if !b.codeBelow() {
		code = b.code("headline", v.Code, at.Argument)
	}
	var out []Item
	say := func(id, text string, most int, do Action) {
		out = append(out, b.say(id, text, min(most, rows-len(code)-len(out)), do)...)
	}
	say("headline", v.Headline, maxHeadline, at)
	say("detail", v.Detail, maxDetail, at)
	say("hint", v.Hint, maxHint, at)
	if v.Ends != "" {
		ends := v.EndsNote
		if !strings.Contains(strings.ToLower(v.Headline), strings.ToLower(v.Ends)) {
			ends = v.Ends + ". " + ends
		}
		say("ends", ends, 2, details(SectionTop))
	}
	for _, n := range v.Notes {
		if n.ID == view.RowOlder || n.ID == view.RowClock {
			say("note:"+n.ID, n.Value, 3, details(SectionAbout))
		}
	}
	return append(out, code...)
}

// codeBelow reports whether the headline's code is said at a fault, or in the
// head already.
func (b *builder) codeBelow() bool {
	v := b.v
	return strings.Contains(v.Detail+" "+v.Hint, v.Code) ||
		slices.ContainsFunc(v.Faults, func(f view.Fault) bool { return f.Code == v.Code })
}

// acts is what to do about how it stands, where no entry below does it.
func (b *builder) acts() []Item {
	a := b.v.Actions
	var out []Item
	add := func(can bool, kind, text string) {
		if can {
			out = append(out, b.item(kind, text, Action{Kind: kind}))
		}
	}
	add(a.Retry, DoRetry, b.w.Retry)
	add(a.SignIn, DoSignIn, b.v.SignIn+"…")
	add(a.Cancel, DoCancel, b.w.Cancel)
	add(a.Resume, DoResume, b.w.Resume)
	return out
}
