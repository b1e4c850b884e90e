package view

import (
	"slices"
	"strconv"

	"github.com/postern-zt/postern/client/view"
)

// Limits of a menu. What does not fit is in the details.
const (
	// maxRows is how many entries the menu itself has at most: on a screen of
	// 600 pixels nothing has to be scrolled to.
	maxRows = 20
	// maxSub is how many a submenu has.
	maxSub = 20
	// maxTip is the length of the tooltip: what Windows takes.
	maxTip = 120
)

// New makes the menu of a view. No entry in it only says something: what cannot
// be chosen cannot be reached with the keyboard either, so that no screen reader
// speaks it, and panels draw it grey. What has nothing to do opens the details.
func New(v view.View, o Options) Menu {
	b := builder{v: v, o: o, w: speak(v.Language), ids: map[string]bool{}}
	acts := b.acts()
	before := [][]Item{b.head(min(maxHead, maxAbove-len(acts))), acts}
	after := [][]Item{b.state(), b.person(), b.rest()}
	rows := maxRows
	for _, group := range slices.Concat(before, after) {
		rows -= len(group)
	}
	all := append(append(before, b.apps(min(max(rows, minApps), maxApps))), after...)
	tip := cut(view.Fill(b.w.Tooltip, "headline", v.Headline), maxTip)
	return Menu{Icon: iconOf(v.Mood), Tooltip: tip, Items: apart(all...)}
}

// iconOf is the icon of a mood; of one that has none nothing good is known.
func iconOf(mood string) string {
	if slices.Contains(Icons(), mood) {
		return mood
	}
	return IconOffline
}

// apart puts separators between groups that have something.
func apart(groups ...[]Item) []Item {
	var out []Item
	for _, g := range groups {
		if len(g) > 0 && len(out) > 0 {
			out = append(out, Item{Separator: true})
		}
		out = append(out, g...)
	}
	return out
}

// builder makes one menu.
type builder struct {
	v   view.View
	o   Options
	w   words
	ids map[string]bool
}

// id is an id that no other entry has.
func (b *builder) id(id string) string {
	for n, want := 2, id; ; n++ {
		if !b.ids[id] {
			b.ids[id] = true
			return id
		}
		id = want + "#" + strconv.Itoa(n)
	}
}

// item is an entry that does something when it is chosen.
func (b *builder) item(id, text string, do Action) Item {
	return Item{ID: b.id(id), Text: cut(text, columns), Do: do}
}

// sub is an entry with a submenu.
func (b *builder) sub(id, text string, groups ...[]Item) Item {
	return Item{ID: b.id(id), Text: cut(text, columns), Items: apart(groups...)}
}

// say is a text in at most so many rows, each of which does the same.
func (b *builder) say(id, text string, rows int, do Action) []Item {
	var out []Item
	for i, row := range balanced(text, columns, rows) {
		name := id
		if i > 0 {
			name += "." + strconv.Itoa(i+1)
		}
		out = append(out, b.item(name, row, do))
	}
	return out
}

func details(section string) Action { return Action{Kind: DoDetails, Argument: section} }

// more is the details entry at the end of a submenu.
func (b *builder) more(id, section string) Item {
	return b.item(id+".details", b.w.Details, details(section))
}

// code names a stable code, to be read out on the telephone.
func (b *builder) code(id, code, section string) []Item {
	if code == "" {
		return nil
	}
	return b.say(id+".code", view.Fill(b.w.Code, "code", code), 2, details(section))
}
