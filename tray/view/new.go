package view

import (
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/client/view"
)

// Limits of a menu. What does not fit is in the details.
const (
	maxText    = 120 // characters of an entry; of the tooltip: what Windows takes
	maxTop     = 15  // applications in the menu itself
	maxMore    = 15  // in the submenu for the others
	maxReasons = 2   // of one application
	maxFaults  = 6
	maxWhy     = 2 // of one fault
	maxComing  = 3
)

// New makes the menu of a view.
func New(v view.View, o Options) Menu {
	b := builder{v: v, o: o, w: speak(v.Language), ids: map[string]bool{}}
	b.head()
	b.apps()
	b.wrong()
	b.person()
	b.details()
	items := b.items
	for len(items) > 0 && items[len(items)-1].Separator {
		items = items[:len(items)-1]
	}
	return Menu{Icon: iconOf(v.Mood), Tooltip: view.Cut(view.Fill(b.w.Tooltip, "headline", v.Headline), maxText), Items: items}
}

// iconOf is the icon of a mood; of one that has none nothing good is known.
func iconOf(mood string) string {
	if slices.Contains(Icons(), mood) {
		return mood
	}
	return IconOffline
}

// builder makes one menu.
type builder struct {
	v     view.View
	o     Options
	w     words
	ids   map[string]bool
	items []Item
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
	return Item{ID: b.id(id), Text: view.Cut(text, maxText), Do: do}
}

// line is an entry that only says something.
func (b *builder) line(id, text string) Item { return b.item(id, text, Action{}) }

func (b *builder) add(items ...Item) { b.items = append(b.items, items...) }

// say adds a line, if there is a text for it.
func (b *builder) say(id, text string) {
	if text != "" {
		b.add(b.line(id, text))
	}
}

// separate begins a new group, if there is something to separate from.
func (b *builder) separate() {
	if n := len(b.items); n > 0 && !b.items[n-1].Separator {
		b.add(Item{Separator: true})
	}
}

// head says how it stands, and what to do about it if no entry below does.
func (b *builder) head() {
	v := b.v
	b.say("headline", v.Headline)
	b.say("detail", v.Detail)
	b.say("hint", v.Hint)
	if !strings.Contains(strings.ToLower(v.Headline), strings.ToLower(v.Ends)) {
		b.say("ends", v.Ends)
	}
	for _, n := range v.Notes {
		if n.ID == view.RowOlder || n.ID == view.RowClock {
			b.say("note:"+n.ID, n.Value)
		}
	}
	b.separate()
	if v.Actions.Retry {
		b.add(b.item("retry", b.w.Retry, Action{Kind: DoRetry}))
	}
	if v.Actions.SignIn {
		b.add(b.item("sign_in", b.w.SignIn, Action{Kind: DoSignIn}))
	}
	if v.Actions.Cancel {
		b.add(b.item("cancel", b.w.Cancel, Action{Kind: DoCancel}))
	}
	if v.Actions.Resume {
		b.add(b.item("resume", b.w.Resume, Action{Kind: DoResume}))
	}
	b.separate()
}

// apps lists the applications, each with what can be done with it.
func (b *builder) apps() {
	apps := b.v.Apps
	for _, a := range apps[:min(len(apps), maxTop)] {
		b.add(b.app(a))
	}
	if more := len(apps) - maxTop; more > 0 {
		sub := Item{ID: b.id("apps.more"), Text: b.w.MoreApps.Of(more)}
		for _, a := range apps[maxTop:min(len(apps), maxTop+maxMore)] {
			sub.Items = append(sub.Items, b.shortApp(a))
		}
		if rest := more - maxMore; rest > 0 {
			sub.Items = append(sub.Items, b.item("apps.rest", b.w.NotListed.Of(rest), details(SectionApps)))
		}
		b.add(sub)
	}
	b.separate()
}

func details(section string) Action { return Action{Kind: DoDetails, Argument: section} }

func (b *builder) appText(a view.App) string {
	return view.Fill(b.w.App, "app", a.Name, "state", a.Says)
}

func (b *builder) app(a view.App) Item {
	id := b.id("app:" + a.ID)
	out := Item{ID: id, Text: view.Cut(b.appText(a), maxText), Checked: a.Good}
	add := func(i Item) { out.Items = append(out.Items, i) }
	if a.URL != "" {
		add(b.item(id+".open", b.w.Open, Action{DoOpenApp, a.ID}))
	}
	if a.Address != "" && b.o.Clipboard {
		add(b.item(id+".copy", b.w.Copy, Action{DoCopyApp, a.ID}))
	}
	if a.Address != "" {
		add(b.line(id+".address", a.Address))
	}
	for i, r := range a.Why[:min(len(a.Why), maxReasons)] {
		add(b.line(id+".why."+strconv.Itoa(i), r.Text))
	}
	for _, r := range a.Why[:min(len(a.Why), 1)] {
		out.Items = append(out.Items, b.fix(id, r.Fix)...)
	}
	add(b.item(id+".details", b.w.Details, details(SectionApps)))
	return out
}

// shortApp is an application without a submenu.
func (b *builder) shortApp(a view.App) Item {
	do := details(SectionApps)
	if a.URL != "" {
		do = Action{DoOpenApp, a.ID}
	}
	i := b.item("app:"+a.ID, b.appText(a), do)
	i.Checked = a.Good
	return i
}

// fix is what helps: the settings page where there is one, else the text.
func (b *builder) fix(id string, f view.Fix) []Item {
	switch {
	case f.Page != "":
		return []Item{b.item(id+".fix", b.w.Fix, Action{DoFix, f.Page})}
	case f.Text != "":
		return []Item{b.line(id+".fix", f.Text)}
	}
	return nil
}

// wrong lists the faults and what is coming.
func (b *builder) wrong() {
	if n := len(b.v.Faults); n > 0 {
		text := b.w.Advice.Of(n)
		if slices.ContainsFunc(b.v.Faults, func(f view.Fault) bool { return f.Check != "" }) {
			text = b.w.Wrong.Of(n)
		}
		sub := Item{ID: b.id("wrong"), Text: text}
		for i, f := range b.v.Faults[:min(n, maxFaults)] {
			if i > 0 {
				sub.Items = append(sub.Items, Item{Separator: true})
			}
			sub.Items = append(sub.Items, b.fault("wrong."+strconv.Itoa(i), f)...)
		}
		last := b.w.Details
		if n > maxFaults {
			last = b.w.NotListed.Of(n - maxFaults)
		}
		sub.Items = append(sub.Items, Item{Separator: true}, b.item("wrong.details", last, details(SectionFaults)))
		b.add(sub)
	}
	for i, c := range b.v.Coming[:min(len(b.v.Coming), maxComing)] {
		text := view.Fill(b.w.Comes, "title", c.Title, "when", c.When)
		b.add(b.item("coming."+strconv.Itoa(i), text, details(SectionFaults)))
	}
	if b.v.Actions.Check {
		b.check()
	}
	b.separate()
}

func (b *builder) fault(id string, f view.Fault) []Item {
	out := []Item{b.line(id, f.Title)}
	for i, why := range f.Why[:min(len(f.Why), maxWhy)] {
		out = append(out, b.line(id+".why."+strconv.Itoa(i), why))
	}
	if f.Fix.Page != "" && f.Fix.Text != "" {
		out = append(out, b.line(id+".text", f.Fix.Text))
	}
	return append(out, b.fix(id, f.Fix)...)
}

// check asks for a reading and shows that there was one.
func (b *builder) check() {
	if b.o.Checking {
		b.add(b.line("check", b.w.Checking))
		return
	}
	b.add(b.item("check", b.w.Check, Action{Kind: DoCheck}))
	if p := b.o.Proof; p != nil {
		b.say("check.proof", p.Says)
		b.say("check.told", p.Told)
	}
}

// person is who is signed in and what only they can do.
func (b *builder) person() {
	a := b.v.Actions
	if a.SignOut {
		sub := Item{ID: b.id("person"), Text: view.Cut(view.Fill(b.w.SignedInAs, "person", b.v.Person), maxText)}
		if a.Switch {
			sub.Items = append(sub.Items, b.item("switch", b.w.Switch, Action{Kind: DoSwitch}))
		}
		sub.Items = append(sub.Items, b.item("sign_out", b.w.SignOut, Action{Kind: DoSignOut}))
		b.add(sub)
	}
	if a.Pause {
		b.add(b.pause())
	}
	if a.Sent {
		sub := Item{ID: b.id("sent"), Text: b.w.SentTitle}
		if s := b.o.Sent; s != nil && s.Says != "" {
			sub.Items = append(sub.Items, b.line("sent.last", s.Says))
		}
		sub.Items = append(sub.Items, b.item("sent.details", b.w.Details, details(SectionSent)))
		b.add(sub)
	}
	if a.Timeline {
		b.add(b.item("timeline", b.w.Happened, details(SectionTimeline)))
	}
	b.separate()
}

// details ends the menu.
func (b *builder) details() {
	b.add(b.item("details", b.w.Details, details(SectionTop)))
	about := Item{ID: b.id("about"), Text: b.w.About}
	for _, r := range slices.Concat(b.v.About, b.v.Notes) {
		about.Items = append(about.Items, b.line("about:"+r.ID, view.Fill(b.w.Row, "name", r.Name, "value", r.Value)))
	}
	about.Items = append(about.Items, b.item("about.details", b.w.Details, details(SectionAbout)))
	b.add(about, Item{Separator: true}, b.item("quit", b.w.Quit, Action{Kind: DoQuitTray}))
}
