package view

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// Limits of the applications.
const (
	maxApps    = 8 // rows of them in the menu itself, those for more among them
	minApps    = 2 // as few as that when the rest of the menu is long
	otherApps  = 3 // rows that those closed leave to the others
	maxReasons = 3 // of one application
	maxEdge    = 24
)

// apps lists the applications in at most so many rows: what is closed first,
// each in the agent's order; what does not fit is in submenus. Every application
// is somewhere in the menu.
func (b *builder) apps(rows int) []Item {
	if b.v.Person != "" && len(b.v.Apps) == 0 {
		return b.say("apps.none", b.v.NoApps, 1, details(SectionApps))
	}
	var closed, others []view.App
	for _, a := range b.v.Apps {
		if shut(a) {
			closed = append(closed, a)
		} else {
			others = append(others, a)
		}
	}
	last := func(a view.App) int { // what is not meant for the person comes last
		if a.NotMine {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(others, func(x, y view.App) int { return cmp.Compare(last(x), last(y)) })
	first := min(len(closed), rows-min(len(others), otherApps, rows/2))
	return append(b.some("closed", closed, first, b.w.MoreClosed), b.some("apps", others, rows-first, b.w.MoreApps)...)
}

// shut is true of applications that the person could have and has not.
func shut(a view.App) bool {
	return !a.Good && !a.NotMine && a.State != localapi.AppConnecting
}

// some lists applications in so many rows, the last one for all that follow if
// they are more.
func (b *builder) some(id string, apps []view.App, rows int, more view.Plural) []Item {
	whole := len(apps)
	if len(apps) > rows {
		whole = max(rows-1, 0)
	}
	var out []Item
	for _, a := range apps[:whole] {
		out = append(out, b.app(a))
	}
	if rest := slices.Clone(apps[whole:]); len(rest) > 0 {
		slices.SortStableFunc(rest, byName)
		out = append(out, b.sub(id+".more", more.Of(len(rest)), b.groups(id, rest)))
	}
	return out
}

// byName is the order in which people look for something.
func byName(x, y view.App) int {
	return cmp.Or(strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)), strings.Compare(x.ID, y.ID))
}

// groups lists applications in one level, or in groups that are named by their
// first and last.
func (b *builder) groups(id string, apps []view.App) []Item {
	var out []Item
	if len(apps) <= maxSub {
		for _, a := range apps {
			out = append(out, b.shortApp(a))
		}
		return out
	}
	n := min((len(apps)+maxSub-1)/maxSub, maxSub)
	for i := range n {
		part := apps[i*len(apps)/n : (i+1)*len(apps)/n]
		name := id + "." + strconv.Itoa(i)
		text := view.Fill(b.w.Group, "first", cut(part[0].Name, maxEdge), "last", cut(part[len(part)-1].Name, maxEdge), "n", strconv.Itoa(len(part)))
		out = append(out, b.sub(name, text, b.groups(name, part)))
	}
	return out
}

// appText says the state in words: colours and boxes are drawn in many ways, and
// not read out.
func (b *builder) appText(a view.App) string {
	text := view.Fill(b.w.App, "app", a.Name, "state", a.Says)
	// What closes everything is in the headline.
	if shut(a) && !a.Paused && len(a.Why) > 0 && !a.Why[0].Whole && a.Why[0].Text != "" {
		return view.Fill(b.w.AppWhy, "app", text, "why", strings.TrimSuffix(a.Why[0].Text, "."))
	}
	return text
}

func (b *builder) app(a view.App) Item {
	id := b.id("app:" + a.ID)
	var does, why []Item
	if a.URL != "" {
		does = append(does, b.item(id+".open", b.w.Open, Action{DoOpenApp, a.ID}))
	}
	switch {
	case a.Address == "":
	case b.o.Clipboard:
		does = append(does, b.item(id+".copy", view.Fill(b.w.Copy, "address", a.Address), Action{DoCopyApp, a.ID}))
	default:
		does = append(does, b.item(id+".address", a.Address, details(SectionApps)))
	}
	for i, r := range a.Why[:min(len(a.Why), maxReasons)] {
		if a.Paused {
			r.Code = "" // nothing to ask a helpdesk
		}
		why = append(why, b.reason(id+".why."+strconv.Itoa(i), r, i == 0)...)
	}
	return Item{ID: id, Text: cut(b.appText(a), columns), Items: apart(does, why, []Item{b.more(id, SectionApps)})}
}

// reason says why an application is closed, and for the first reason what helps.
func (b *builder) reason(id string, r view.Reason, helps bool) []Item {
	at := SectionApps
	if slices.ContainsFunc(b.v.Faults, func(f view.Fault) bool { return f.Code == r.Code }) {
		at = SectionFaults
	}
	out := b.say(id, r.Text, 2, details(at))
	if helps {
		out = append(out, b.fix(id, r.Fix, 6, at)...)
	}
	if !strings.Contains(r.Text, r.Code) && !(helps && strings.Contains(r.Fix.Text, r.Code)) {
		out = append(out, b.code(id, r.Code, at)...)
	}
	return out
}

// shortApp is an application without a submenu.
func (b *builder) shortApp(a view.App) Item {
	do := details(SectionApps)
	if a.URL != "" {
		do = Action{DoOpenApp, a.ID}
	}
	return b.item("app:"+a.ID, b.appText(a), do)
}
