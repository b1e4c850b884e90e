package view

import (
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// signedOut tells of the end of a sign-in that was not the person's own wish.
func (t *telling) signedOut() {
	t.ended = t.ended || t.signedIn && !t.did(ActSignOut, ActSignIn)
	t.settle()
	t.signedIn, t.back, t.ends, t.endsLevel = false, false, time.Time{}, 0
	if t.ended && t.wished() {
		t.ended = false
	}
	if !t.ended || !t.due(after(t.lastEnds, quiet)) {
		return
	}
	w := t.w.Notice
	t.ended, t.lastEnds = false, t.now
	t.say(Notice{ID: "sign-in", Title: w.Ended, Body: w.EndedBody, Urgent: true,
		Choices: []Choice{{ChoiceSignIn, w.SignIn}, {ChoiceDetails, w.Details}}})
}

// wished is true if the timeline says that the person signed out, with another
// program perhaps.
func (t *telling) wished() bool {
	if t.in.Timeline == nil {
		return false
	}
	wished := false
	for _, e := range t.in.Timeline.Events {
		if e.Event == localapi.EventSignedOut {
			wished = ownWish(e.Code)
		}
	}
	return wished
}

// sessionEnds tells ten and two minutes before the end of the sign-in, once
// each.
func (t *telling) sessionEnds() {
	ends := t.in.Status.SessionEnds
	if ends.IsZero() {
		t.ends, t.endsLevel = ends, 0
		return
	}
	if moved := ends.Sub(t.ends); moved > sameEnd || moved < -sameEnd {
		t.ends, t.endsLevel = ends, 0
	}
	if !ends.After(t.now) {
		return
	}
	level := 0
	for i, before := range []time.Duration{10 * time.Minute, 2 * time.Minute} {
		if t.due(ends.Add(-before)) {
			level = i + 1
		}
	}
	if level <= t.endsLevel || !t.due(after(t.lastEnds, quiet)) {
		return
	}
	w := t.w.Notice
	t.endsLevel, t.lastEnds = level, t.now
	title := w.EndsTen
	if level == 2 {
		title = w.EndsTwo
	}
	t.say(Notice{ID: "sign-in", Title: title, Body: Fill(w.EndsBody, "when", t.d.until(ends)), Urgent: level == 2,
		Choices: []Choice{{ChoiceSignIn, w.SignInAgain}, {ChoiceDetails, w.Details}}})
}

// dated tells a week, a day and an hour before a rule starts that this computer
// does not meet, once each; what is due at once in one notice.
func (t *telling) dated() {
	var due []Coming
	var keys []string
	levels := map[string]int{}
	for _, c := range t.v.Coming {
		if !c.From.After(t.now) {
			continue
		}
		level, key := 0, c.Code+" "+strconv.FormatInt(c.From.Unix(), 10)
		for i, before := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour} {
			if t.due(c.From.Add(-before)) {
				level = i + 1
			}
		}
		switch {
		case level <= t.coming[key]:
		case t.first && level == 1: // whoever starts the program every day is told once a week
			t.coming[key] = level
		default:
			due, keys = append(due, c), append(keys, key)
			levels[key] = level
		}
	}
	t.forget()
	if len(due) == 0 || !t.due(after(t.comings, quiet)) {
		return
	}
	for _, key := range keys {
		t.coming[key] = levels[key]
	}
	t.comings = t.now
	t.tellDated(due)
}

// forget drops what is past: it never comes again.
func (t *telling) forget() {
	for key := range t.coming {
		_, at, _ := strings.Cut(key[max(0, strings.LastIndexByte(key, ' ')):], " ")
		if unix, err := strconv.ParseInt(at, 10, 64); err != nil || !time.Unix(unix, 0).After(t.now) {
			delete(t.coming, key)
		}
	}
}

func (t *telling) tellDated(due []Coming) {
	w, c := t.w.Notice, due[0]
	body := w.ComingNoApps
	if len(c.Apps) > 0 {
		body = Fill(w.ComingBody, "apps", t.w.list(c.Apps[:min(len(c.Apps), maxNamed)]))
	}
	parts := []string{body, c.Fix.Text}
	for _, other := range due[1:min(len(due), maxNamed)] {
		parts = append(parts, other.Title+" "+other.When)
	}
	t.say(Notice{ID: idOf("coming", c.Code), Title: c.Title + " " + c.When, Body: join(parts...), Choices: t.helps(c.Fix)})
}
