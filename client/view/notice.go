package view

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/catalogue"
)

// Notice is one notification. ID, Title, Body and Choices stay within what
// platform/notify takes.
type Notice struct {
	ID          string // another with the same one replaces it
	Title, Body string
	Urgent      bool // it stays until the person has seen it, where the system can
	Choices     []Choice
}

// Choice is a button of a notice.
type Choice struct{ ID, Label string }

// IDs of choices; FixOf knows those that open a settings page.
const (
	ChoiceDetails = "details" // open the status page
	ChoiceSignIn  = "sign_in"
	choiceFix     = "fix:"
)

// FixOf is the settings page that a choice opens.
func FixOf(choice string) (page string, ok bool) { return strings.CutPrefix(choice, choiceFix) }

// Things that the person does, of which no notice tells.
const (
	ActSignIn  = "sign_in"
	ActSignOut = "sign_out"
	ActPause   = "pause"
	ActResume  = "resume"
)

// Times of notices.
const (
	// quiet is the least time between two notices about the same thing.
	quiet = time.Minute
	// goneFor is after which an agent that was there counts as gone; one that
	// never was may still be starting with the machine.
	goneFor, neverFor = 5 * time.Second, time.Minute
	// ownFor is how long what closes or opens may be the person's own doing.
	ownFor = 10 * time.Second
	// settled is how long an application has to stay one way after it has
	// closed twice within that time.
	settled = 10 * time.Minute
	// sameEnd is how much the end of one sign-in may be told differently: it
	// is counted on a clock that does not know the date.
	sameEnd = 90 * time.Second
)

// Told is what a person was told so far, and on what grounds. The zero value is
// that of a program that has just started. It is a value: Next and Did never
// change the one they are given.
type Told struct {
	begun    bool // an agent has answered once
	signedIn bool
	ended    bool // the sign-in ended, which is not told yet
	apps     map[string]appTold
	coming   map[string]int // the tightest level told, by code and moment
	comings  time.Time      // last notice of one

	since     time.Time // when the agent was first found gone
	gone      bool      // that was told
	back      bool      // it came back, which is not told yet
	lastAgent time.Time

	ends      time.Time
	endsLevel int
	lastEnds  time.Time // last notice about the sign-in, its end included

	act   string
	actAt time.Time
}

// appTold is what was told of one application.
type appTold struct {
	name   string
	why    string // of the last time that it was closed
	good   bool
	gone   bool      // the agent no longer speaks of it
	owed   bool      // closed, not told yet
	told   bool      // closed, told; that it is open again is not told yet
	moved  time.Time // last change
	losses int       // how often it closed since the first of them
	first  time.Time
	shaky  bool      // told that it keeps changing
	last   time.Time // last notice about it
}

// Did notes that the person has just done something, so that nothing is told of
// what follows from it.
func Did(before Told, action string, now time.Time) Told {
	before.act, before.actAt = action, now
	return before
}

// Next gives the notices that are due and the moment by which it has to be
// asked again even if nothing is heard of the agent; zero: there is none.
func Next(before Told, in Input, v View) (told Told, notices []Notice, wake time.Time) {
	t := newTelling(before, in, v)
	switch {
	case v.Trouble == Connecting:
	case v.Trouble != NoTrouble:
		t.trouble()
	default:
		t.agent()
	}
	return t.Told, t.notices, t.wake
}

// telling is one call of Next.
type telling struct {
	Told
	in      Input
	v       View
	w       *words
	texts   catalogue.Texts
	d       dial
	now     time.Time
	first   bool // the first answer of an agent ever
	notices []Notice
	wake    time.Time
}

func newTelling(before Told, in Input, v View) *telling {
	w := speak(in.Language)
	t := &telling{Told: before, in: in, v: v, w: w, texts: catalogue.For(w.Language), d: newDial(w, in.Now, in.Zone), now: in.Now}
	t.apps, t.coming = map[string]appTold{}, map[string]int{}
	for id, a := range before.apps {
		a.moved, a.first, a.last = t.past(a.moved), t.past(a.first), t.past(a.last)
		t.apps[id] = a
	}
	for key, level := range before.coming {
		t.coming[key] = level
	}
	for _, at := range []*time.Time{&t.comings, &t.since, &t.lastAgent, &t.lastEnds, &t.actAt} {
		*at = t.past(*at)
	}
	return t
}

// past is a moment that was; the clock may have been set back since.
func (t *telling) past(at time.Time) time.Time {
	if at.After(t.now) {
		return t.now
	}
	return at
}

// due reports whether a moment has come, and if not, asks for a call then.
func (t *telling) due(at time.Time) bool {
	if !at.After(t.now) {
		return true
	}
	if t.wake.IsZero() || at.Before(t.wake) {
		t.wake = at
	}
	return false
}

// after is the first moment at which something last told then may be told
// again.
func after(last time.Time, pause time.Duration) time.Time {
	if last.IsZero() {
		return last
	}
	return last.Add(pause)
}

// Longest texts of a notice (platform/notify).
const (
	maxTitle  = 80
	maxBody   = 400
	maxButton = 2
	maxID     = 64
)

func (t *telling) say(n Notice) {
	n.Title, n.Body = Cut(n.Title, maxTitle), Cut(n.Body, maxBody)
	n.Choices = n.Choices[:min(len(n.Choices), maxButton)]
	t.notices = append(t.notices, n)
}

// idOf names a notice by its kind and what it is about.
func idOf(kind string, about ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(about, "\n")))
	return kind + ":" + hex.EncodeToString(sum[:6])
}

// did reports whether the person did one of these a moment ago.
func (t *telling) did(acts ...string) bool {
	return slices.Contains(acts, t.act) && t.now.Before(t.actAt.Add(ownFor))
}

func (t *telling) trouble() {
	if t.since.IsZero() {
		t.since = t.now
	}
	grace := neverFor
	if t.begun {
		grace = goneFor
	}
	if t.gone || t.v.Trouble != NotRunning && t.v.Trouble != NotAnswering || !t.due(t.since.Add(grace)) || !t.due(after(t.lastAgent, quiet)) {
		return
	}
	t.gone, t.back, t.lastAgent = true, false, t.now
	w := t.w.Notice
	t.say(Notice{ID: "agent", Title: w.Gone, Body: join(w.GoneBody, t.v.Hint), Choices: []Choice{{ChoiceDetails, w.Details}}})
}

// join puts sentences one after another.
func join(sentences ...string) string {
	var out []string
	for _, s := range sentences {
		if s != "" {
			out = append(out, sentence(s))
		}
	}
	return strings.Join(out, " ")
}

// agent is for a status.
func (t *telling) agent() {
	t.first, t.begun, t.since = !t.begun, true, time.Time{}
	t.back, t.gone = t.back || t.gone, false
	if t.v.Person == "" {
		t.signedOut()
		return
	}
	t.signedIn, t.ended = true, false
	switch {
	case t.v.Pause != nil:
		t.settle() // all closed, at the person's own wish
		t.back = false
	case t.v.State != stateStarting: // then nothing is settled yet
		t.look()
		t.closings()
		t.well()
	}
	t.sessionEnds()
	t.dated()
}
