package view

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

const stateStarting = localapi.StateStarting

// look compares the applications with those of before.
func (t *telling) look() {
	seen := map[string]bool{}
	for _, a := range t.v.Apps {
		seen[a.ID] = true
		t.app(a)
	}
	for id, a := range t.apps {
		if seen[id] {
			continue
		}
		if a.good && !t.held() {
			a = t.lost(a)
			a.gone = true
		}
		t.apps[id] = a
		if !a.good && !a.owed { // the broker no longer offers it, and that is told or was known
			delete(t.apps, id)
		}
	}
}

// settle takes everything as closed and known to be, but for when something was
// last told.
func (t *telling) settle() {
	for id, a := range t.apps {
		t.apps[id] = appTold{name: a.name, last: a.last}
	}
}

// held is true while what closes may still be part of a sign-in or the end of
// a pause: it is looked at again afterwards.
func (t *telling) held() bool {
	if !t.did(ActSignIn, ActResume) {
		return false
	}
	t.due(t.actAt.Add(ownFor))
	return true
}

func (t *telling) app(a App) {
	was, known := t.apps[a.ID]
	switch {
	case a.State == localapi.AppConnecting:
		return // neither open nor closed
	case !known && a.NotMine:
		return
	case !known:
		was = appTold{good: a.Good, moved: t.now, owed: t.first && !a.Good && t.v.Mood == MoodClosed && reasoned(a)}
	case was.good && !a.Good:
		if t.held() {
			return
		}
		was = t.lost(was)
	case !was.good && a.Good:
		was.good, was.owed, was.moved = true, false, t.now
	}
	if !a.Good && reasoned(a) {
		was.why = a.Why[0].Text
	}
	was.name, was.gone = a.Name, false
	t.apps[a.ID] = was
}

// lost is an application that has just closed.
func (t *telling) lost(a appTold) appTold {
	if a.first.IsZero() || t.now.Sub(a.first) > settled {
		a.first, a.losses = t.now, 0
	}
	a.good, a.moved, a.losses = false, t.now, a.losses+1
	a.owed = !t.did(ActSignOut, ActPause)
	return a
}

// closings tells what has closed, all that is due in one notice, and what keeps
// closing and opening.
func (t *telling) closings() {
	var ids []string
	for _, id := range t.ids() {
		a := t.apps[id]
		if a.shaky {
			if !t.due(a.moved.Add(settled)) {
				continue
			}
			a.shaky, a.losses, a.first = false, 0, time.Time{}
			t.apps[id] = a
		}
		again := a.losses > 1 && !a.last.IsZero() && (a.owed || a.told)
		switch {
		case !a.owed && !again || !t.due(after(a.last, quiet)):
		case again:
			t.changing(id)
		default:
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		t.tellClosed(ids)
	}
}

// ids are the known applications in the view's order, those that it no longer
// has at the end.
func (t *telling) ids() []string {
	var ids []string
	for _, a := range t.v.Apps {
		if _, ok := t.apps[a.ID]; ok && !slices.Contains(ids, a.ID) {
			ids = append(ids, a.ID)
		}
	}
	var rest []string
	for id := range t.apps {
		if !slices.Contains(ids, id) {
			rest = append(rest, id)
		}
	}
	slices.Sort(rest)
	return append(ids, rest...)
}

// why is what is said of one application's being closed, and what helps.
func (t *telling) why(id string) (string, Fix) {
	for _, a := range t.v.Apps {
		if a.ID == id && reasoned(a) && !a.Why[0].Whole {
			return a.Why[0].Text, a.Why[0].Fix
		}
	}
	if c := t.v.Closed; c != nil && slices.Contains(c.Apps, t.apps[id].name) {
		return c.Why, Fix{}
	}
	if e, ok := t.texts.Lookup(state.CauseWithdrawn); ok && t.apps[id].gone {
		return e.Sentence, Fix{Text: e.Fix.For(t.in.System)}
	}
	if t.v.Mood == MoodOffline {
		return t.v.Headline, Fix{Text: t.v.Hint}
	}
	for _, a := range t.v.Apps {
		if a.ID == id && reasoned(a) {
			return a.Why[0].Text, a.Why[0].Fix
		}
	}
	return t.w.Head.NothingMore, Fix{}
}

// reasoned is true of an application with a reason why it is closed.
func reasoned(a App) bool { return len(a.Why) > 0 && a.Why[0].Code != "" }

func (t *telling) tellClosed(ids []string) {
	w := t.w.Notice
	var names []string
	for _, id := range ids {
		a := t.apps[id]
		names = append(names, a.name)
		a.owed, a.told, a.last = false, true, t.now
		t.apps[id] = a
	}
	why, fix := t.why(ids[0])
	n := Notice{ID: idOf("closed", ids...), Title: Fill(w.ClosedOne, "app", names[0]), Body: join(why, fix.Text), Urgent: true}
	if len(names) > 1 {
		n.Title = w.ClosedMany.Of(len(names))
		n.Body = join(t.w.list(names[:min(len(names), maxNamed)]), why, fix.Text)
	}
	n.Choices = t.helps(fix)
	t.say(n)
	for _, id := range ids {
		if t.apps[id].gone {
			delete(t.apps, id)
		}
	}
}

// maxNamed is how many applications a notice names.
const maxNamed = 6

func (t *telling) helps(fix Fix) []Choice {
	w := t.w.Notice
	choices := []Choice{{ChoiceDetails, w.Details}}
	if id := choiceFix + fix.Page; fix.Page != "" && len(id) <= maxID && !strings.Contains(id, " ") {
		choices = slices.Insert(choices, 0, Choice{id, w.Fix})
	}
	return choices
}

func (t *telling) changing(id string) {
	w, a := t.w.Notice, t.apps[id]
	why, fix := t.why(id)
	if a.good { // what closed it the last time
		why, fix = a.why, Fix{}
	}
	a.shaky, a.told, a.last = true, true, t.now
	t.apps[id] = a
	t.due(a.moved.Add(settled))
	t.say(Notice{ID: idOf("closed", id), Title: Fill(w.Changing, "app", a.name),
		Body: join(w.ChangingBody, why), Choices: t.helps(fix)})
}

// well tells that what was told to be closed is open again, once all of it is.
func (t *telling) well() {
	var ids, names []string
	ready := true
	for _, id := range t.ids() {
		a := t.apps[id]
		if !a.told {
			ready = ready && !a.owed
			continue
		}
		ready = ready && a.good && !a.shaky && t.due(after(a.last, quiet))
		ids, names = append(ids, id), append(names, a.name)
	}
	if len(ids) == 0 && !t.back || !ready || t.v.Mood != MoodHealthy && t.v.Mood != MoodAttention {
		return
	}
	w := t.w.Notice
	n := Notice{ID: "well", Title: w.Well, Body: sentence(t.v.Headline), Choices: []Choice{{ChoiceDetails, w.Details}}}
	if t.back {
		if !t.due(after(t.lastAgent, quiet)) {
			return
		}
		n.ID = "agent" // in place of the notice that it is gone
		t.back, t.lastAgent = false, t.now
	}
	if len(names) > 0 {
		n.Body = Fill(w.WellBody, "apps", t.w.list(names[:min(len(names), maxNamed)]))
	}
	for _, id := range ids {
		a := t.apps[id]
		a.told, a.last = false, t.now
		t.apps[id] = a
	}
	t.say(n)
}
