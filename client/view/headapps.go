package view

import (
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
)

// counts are the applications that are meant for the person.
type counts struct {
	open, connecting int
	closed           []App
	first            string // name of the first that is connecting
}

func (m *maker) count() counts {
	var c counts
	for _, a := range m.v.Apps {
		switch {
		case a.NotMine:
		case a.Good:
			c.open++
		case a.State == localapi.AppConnecting:
			if c.connecting++; c.connecting == 1 {
				c.first = a.Name
			}
		default:
			c.closed = append(c.closed, a)
		}
	}
	return c
}

func (m *maker) byApps() {
	v, w, c := &m.v, m.w.Head, m.count()
	switch {
	case len(c.closed) > 0:
		m.someClosed(c)
	case c.open+c.connecting == 0 && len(v.Apps) > 0:
		v.Mood, v.Headline = MoodAttention, w.NoneMine
	case c.open+c.connecting == 0:
		v.Mood, v.Headline = MoodAttention, w.NoApps
		if len(v.Faults) > 0 && v.Faults[0].Required {
			m.blame(w.EverythingClosed, v.Faults[0])
		}
	case c.open == 0 && c.connecting == 1:
		v.Mood, v.Headline = MoodConnecting, Fill(w.ConnectingApp, "app", Cut(c.first, maxShort))
	case c.open == 0:
		v.Mood, v.Headline = MoodConnecting, w.ConnectingApps.Of(c.connecting)
	case c.connecting > 0:
		v.Mood, v.Headline = MoodConnecting, Fill(w.OpenAnd, "open", w.Open.Of(c.open), "rest", w.AndConnecting.Of(c.connecting))
	default:
		m.allOpen(c.open)
	}
}

// allOpen is what there is to say when everything meant for the person is
// open. Only the broker's own verdict makes a device healthy.
func (m *maker) allOpen(open int) {
	v, w, s := &m.v, m.w.Head, m.st
	judged := len(s.Posture.Checks) > 0
	others := slices.ContainsFunc(v.Apps, func(a App) bool { return a.NotMine })
	rest := ""
	_, off := m.clock()
	switch affirming := s.Posture.Verdict == string(api.TierAffirming); {
	case v.Problems == 0 && len(v.Faults) > 0 && m.soonWorse() != "": // what closes something comes before advice
		rest = m.soonWorse()
	case (judged || off) && len(v.Faults) > 0:
		f := v.Faults[0]
		rest, v.Detail, v.Hint, v.Code = m.cause(f.Title), first(f.Why), f.Fix.Text, f.Code
	case s.State == localapi.StateLimited && !others:
		rest = w.Limited
	case s.State == localapi.StateNotCompliant, judged && !affirming, !judged && !affirming && s.Posture.Verdict != string(api.TierNone) && s.Posture.Verdict != "":
		rest = w.NotAllMet
	case m.soonWorse() != "":
		rest = m.soonWorse()
	case judged:
		v.Mood, v.Headline = MoodHealthy, Fill(w.OpenAnd, "open", w.Open.Of(open), "rest", w.Healthy)
		return
	default:
		v.Mood, v.Headline = MoodHealthy, w.Open.Of(open)
		return
	}
	v.Mood, v.Headline = MoodAttention, Fill(w.OpenAnd, "open", w.Open.Of(open), "rest", rest)
}

// Moments before which what is coming asks for a look.
const (
	endsSoon = 10 * time.Minute
	ruleSoon = 7 * 24 * time.Hour
)

// soonWorse is what will close something before long, "" when nothing will.
func (m *maker) soonWorse() string {
	if m.v.Ends != "" && !m.st.SessionEnds.After(m.in.Now.Add(endsSoon)) {
		return m.cause(m.v.Ends)
	}
	for _, c := range m.v.Coming {
		if !c.From.After(m.in.Now.Add(ruleSoon)) {
			return m.cause(c.Title + " " + c.When)
		}
	}
	return ""
}

// someClosed names the most important reason.
func (m *maker) someClosed(c counts) {
	v, w := &m.v, m.w.Head
	v.Mood = MoodClosed
	if c.open > 0 {
		v.Detail = sentence(w.Open.Of(c.open))
	}
	why, hint, code, more := m.worst(c.closed)
	v.Hint, v.Code = hint, code
	switch name := Cut(c.closed[0].Name, maxShort); {
	case why == "" && len(c.closed) == 1:
		v.Headline = Fill(w.AppClosed, "app", name)
	case why == "":
		v.Headline = w.AppsClosed.Of(len(c.closed))
	case len(c.closed) == 1 && c.open+c.connecting > 0:
		v.Headline = Fill(w.AppClosedWhy, "app", name, "why", why)
	case c.open+c.connecting > 0:
		v.Headline = w.AppsClosedWhy.Of(len(c.closed), "why", why)
	default:
		v.Headline = Fill(w.EverythingClosed, "why", why)
	}
	if why == "" && hint == "" {
		v.Hint = w.NothingMore
	}
	if more > 0 {
		v.Headline = Fill(w.OpenAnd, "open", v.Headline, "rest", w.More.Of(more))
	}
}

// maxCause is how long the reason inside a headline may be, in characters.
const maxCause = 90

func (m *maker) cause(text string) string { return Cut(m.w.fragment(text), maxCause) }

func (m *maker) blame(frame string, f Fault) {
	v := &m.v
	v.Mood, v.Headline = MoodClosed, Fill(frame, "why", m.cause(f.Title))
	v.Hint, v.Code = f.Fix.Text, f.Code
}

// worst is the first required fault that can be told in words, or what closes
// everything where there is none; and how many others there are.
func (m *maker) worst(closed []App) (why, hint, code string, more int) {
	for _, f := range m.v.Faults[:m.v.Problems] {
		more++
		if why == "" && f.Title != headOf(Fill(m.w.App.ByCode, "code", f.Code)) {
			why, hint, code = m.cause(f.Title), f.Fix.Text, f.Code
		}
	}
	if m.v.Problems > 0 {
		if code == "" {
			hint, code = m.v.Faults[0].Fix.Text, m.v.Faults[0].Code
		}
		return why, hint, code, more - 1
	}
	for _, a := range closed {
		for _, r := range a.Why {
			if r.Code != "" {
				return m.cause(r.Text), r.Fix.Text, r.Code, 0
			}
		}
	}
	return "", "", "", 0
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
