package view

import (
	"slices"
	"strconv"

	"github.com/postern-zt/postern/client/view"
)

// maxAbout is how many rows say what this program is.
const maxAbout = 18

// person is who is signed in and what only they can do.
func (b *builder) person() []Item {
	a := b.v.Actions
	var out []Item
	if a.SignOut {
		var does []Item
		if a.Switch {
			does = append(does, b.item("switch", b.w.Switch, Action{Kind: DoSwitch}))
		}
		does = append(does, b.item("sign_out", b.w.SignOut, Action{Kind: DoSignOut}))
		out = append(out, b.sub("person", view.Fill(b.w.SignedInAs, "person", b.v.Person), does))
	}
	if a.Pause {
		out = append(out, b.pause())
	}
	return out
}

// rest ends the menu.
func (b *builder) rest() []Item {
	out := []Item{b.item("details", b.w.Details, details(SectionTop))}
	about := b.about()
	if told := b.told(); len(told) > 0 {
		about = b.sub("more", b.w.More, append(told, about))
	}
	return append(out, about, b.item("quit", b.w.Quit, Action{Kind: DoQuitTray}))
}

// told is what happened, and what the organisation was told.
func (b *builder) told() []Item {
	var out []Item
	if b.v.Actions.Timeline {
		out = append(out, b.item("timeline", b.w.Happened, details(SectionTimeline)))
	}
	if b.v.Actions.Sent {
		out = append(out, b.item("sent", b.w.SentTitle, details(SectionSent)))
		if s := b.o.Sent; s != nil {
			out = append(out, b.say("sent.last", s.Says, 3, details(SectionSent))...)
		}
	}
	return out
}

func (b *builder) about() Item {
	var rows []Item
	for i, r := range slices.Concat(b.v.About, b.v.Notes) {
		id := "about:" + r.ID
		if r.ID == "" {
			id += strconv.Itoa(i)
		}
		text := view.Fill(b.w.Row, "name", r.Name, "value", r.Value)
		rows = append(rows, b.say(id, text, min(3, maxAbout-len(rows)), details(SectionAbout))...)
	}
	return b.sub("about", b.w.About, rows, []Item{b.more("about", SectionAbout)})
}
