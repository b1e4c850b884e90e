package view

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
)

// New makes the view of what is known at one moment.
func New(in Input) View {
	return made(in).v
}

// made is a maker that has made its view.
func made(in Input) *maker {
	m := newMaker(in)
	v := &m.v
	v.Language, v.Trouble = m.w.Language, troubleOf(in.Trouble)
	v.About = m.about()
	if in.Trouble != NoTrouble {
		v.Actions = m.actions()
		m.trouble()
		return m
	}
	s := m.st
	v.State = plain(s.State, maxCode)
	if m.signedIn() {
		v.Person = m.person(*s.User)
		if v.Ends = m.ends(); v.Ends != "" {
			v.EndsNote = m.w.Head.EndsNote
		}
	}
	v.Actions, v.SignIn = m.actions(), m.w.Head.SignIn
	if v.Person != "" {
		v.SignIn = m.w.Head.SignInAgain
	}
	v.Pause = m.pause()
	v.Faults = m.faults()
	v.Apps = m.apps()
	v.NoApps = m.noApps()
	m.sum()
	v.Coming = m.coming()
	v.Closed = m.closed()
	v.Notes = m.notes()
	m.head()
	v.Until = m.until()
	return m
}

// troubleOf is a trouble that is known; every other one is a refusal.
func troubleOf(t Trouble) Trouble {
	switch t {
	case NoTrouble, NotRunning, NotAnswering, NoAccess, NotOwner, Connecting:
		return t
	}
	return Refused
}

// maker makes one view.
type maker struct {
	in    Input
	st    localapi.Status
	w     *words
	texts catalogue.Texts
	d     dial
	names map[string]string // of applications, by id
	bad   []found           // what the reading of the machine says is wrong
	v     View
}

// found is a remark with the signal that it belongs to.
type found struct {
	Remark
	signal string
	taken  bool // it is told with a check already
	asked  bool // that check closes something
}

func newMaker(in Input) *maker {
	w := speak(in.Language)
	m := &maker{in: in, w: w, texts: catalogue.For(w.Language), d: newDial(w, in.Now, in.Zone), names: map[string]string{}}
	if in.Trouble == NoTrouble {
		m.st = in.Status
		nameless := func(a localapi.App) bool { return a.ID == "" } // nothing can be asked of it
		m.st.Apps = slices.DeleteFunc(slices.Clone(m.st.Apps[:min(len(m.st.Apps), maxApps)]), nameless)
	}
	for _, a := range m.st.Apps {
		m.names[a.ID] = nameOf(a)
	}
	if in.Reading != nil {
		for _, s := range in.Reading.Report.Signals {
			for _, r := range Remarks(s, in.System, m.texts) {
				if r.Mark == MarkBad || r.Mark == MarkUnknown {
					m.bad = append(m.bad, found{Remark: r, signal: s.Name})
				}
			}
		}
	}
	return m
}

// signedIn is true when there is a session. A state that names none counts as
// signed out.
func (m *maker) signedIn() bool {
	return m.st.User != nil && m.st.State != localapi.StateSignedOut && m.st.State != ""
}

func nameOf(a localapi.App) string {
	if name := plain(a.Name, maxName); name != "" {
		return name
	}
	return plain(a.ID, maxName)
}

// named are the names of the applications with these ids, in their order, each
// once.
func (m *maker) named(ids []string) []string {
	var out []string
	for _, id := range ids {
		name := m.names[id]
		if name == "" {
			name = plain(id, maxName)
		}
		if name != "" && !slices.Contains(out, name) && len(out) < maxApps {
			out = append(out, name)
		}
	}
	return out
}

func (m *maker) person(u localapi.User) string {
	for _, s := range []string{u.Name, u.Email, u.Subject} {
		if s = plain(s, maxName); s != "" {
			return s
		}
	}
	return "?"
}

// soon is how long before the end of a sign-in a person is told of it.
const soon = time.Hour

func (m *maker) ends() string {
	switch left := m.st.SessionEnds.Sub(m.in.Now); {
	case m.st.SessionEnds.IsZero() || left > soon:
		return ""
	case left <= 0:
		return m.w.Head.EndsNow
	}
	return Fill(m.w.Head.Ends, "when", m.d.until(m.st.SessionEnds))
}

func (m *maker) pause() *Pause {
	p := m.st.Pause
	if p == nil {
		return nil
	}
	out := &Pause{Reason: m.pauseReason(p.Reason), Until: p.Until}
	sentence := m.w.Head.Paused
	if out.Reason != "" {
		sentence = m.w.Head.PausedWhy
	}
	out.Says = Fill(sentence, "when", m.d.until(p.Until), "reason", out.Reason)
	return out
}

// closed is the last revocation; agents of level 1 put code and facts into one
// string.
func (m *maker) closed() *Closed {
	r := m.st.LastRevocation
	if r == nil || !m.signedIn() { // whose applications they were is nobody's to read then
		return nil
	}
	code, facts := revocation(*r)
	return &Closed{At: r.At, When: m.d.moment(r.At), Apps: m.named(strings.Split(r.App, ",")),
		Why: sentence(m.because(code, facts).Text), TookMS: r.ClientMS}
}

func revocation(r localapi.Revocation) (code string, facts []string) {
	if r.Code != "" {
		return r.Code, r.Facts
	}
	code, list, _ := strings.Cut(r.Cause, ": ")
	for a := range strings.SplitSeq(list, ", ") {
		if a != "" {
			facts = append(facts, a)
		}
	}
	return code, facts
}

// sentence ends a text with a full stop.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// until is the next moment at which time alone changes what is said.
func (m *maker) until() time.Time {
	moments := []time.Time{m.d.midnight(m.d.now, 1)} // "today" is "yesterday" then
	if ends := m.st.SessionEnds; !ends.IsZero() && m.signedIn() {
		moments = append(moments, ends.Add(-soon), ends.Add(-endsSoon), ends)
	}
	for _, c := range m.v.Coming {
		moments = append(moments, c.From, c.From.Add(-ruleSoon))
	}
	var first time.Time
	for _, t := range moments {
		if t.After(m.in.Now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
