package view

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
)

// Timeline is what happened in this session in words, the newest first. The
// input's own timeline is not looked at.
func Timeline(t localapi.Timeline, in Input) []Event {
	m := newMaker(in)
	events := t.Events[max(0, len(t.Events)-localapi.MaxTimeline):]
	var out []Event
	for i, h := range slices.Backward(events) {
		if noise(h) {
			continue
		}
		e := m.event(h)
		if h.Event == localapi.EventStarted && m.signedIn() && !begins(events[i+1:]) {
			e.Text = m.w.Event.StartedAgain
		}
		out = append(out, e)
	}
	return out
}

// begins reports whether a sign-in begins or ends in a list: what was before it
// is of another session.
func begins(events []localapi.Happening) bool {
	return slices.ContainsFunc(events, func(h localapi.Happening) bool {
		return h.Event == localapi.EventSignedIn || h.Event == localapi.EventSignedOut
	})
}

// noise is what happens on the way of every sign-in: the key of an application
// that was not known until then is being made.
func noise(h localapi.Happening) bool {
	return h.Event == localapi.EventDenied && h.Code == api.ReasonNoTunnelKey
}

func (m *maker) event(h localapi.Happening) Event {
	e := Event{At: h.At, When: m.d.at(h.At, m.d.seconds(h.At)), Kind: plain(h.Event, maxCode), Code: plain(h.Code, maxCode)}
	why := m.eventCause(h)
	e.Text = plain(m.eventText(h, why), maxSentence)
	switch h.Event {
	case localapi.EventClosed, localapi.EventDenied:
		e.Bad = !ownWish(h.Code)
	case localapi.EventSignedOut:
		e.Bad = !ownWish(h.Code)
	case localapi.EventOffline:
		e.Bad = true
	case localapi.EventPosture:
		e.Bad = h.Code != "" || len(h.Facts) > 0
	}
	if h.Event == localapi.EventClosed {
		e.TookMS = h.TookMS
	}
	return e
}

// eventCause is why in words, "" when there is nothing to say.
func (m *maker) eventCause(h localapi.Happening) string {
	if h.Event == localapi.EventPosture {
		return m.w.list(m.signals(h.Facts))
	}
	if h.Code == "" || ownWish(h.Code) {
		return ""
	}
	for _, c := range m.st.Posture.Checks {
		if c.Code == h.Code {
			return m.w.fragment(Fill(m.w.Fault.NotMet, "name", m.checkName(c)))
		}
	}
	// The reading is of now, not of then: the signals' names are all there is.
	if signals := m.signals(h.Facts); len(signals) > 0 {
		return m.w.fragment(Fill(m.w.App.Worse, "what", m.w.list(signals)))
	}
	return m.w.fragment(m.because(h.Code, nil).Text)
}

func (m *maker) eventText(h localapi.Happening, why string) string {
	w := m.w.Event
	apps := m.w.list(m.named(h.Apps))
	if !m.signedIn() { // then nothing is known but ids
		apps = w.Apps.Of(len(h.Apps))
	}
	with := func(short, long string) string {
		if why == "" {
			return Fill(short, "apps", apps)
		}
		return Fill(long, "apps", apps, "why", why)
	}
	switch h.Event {
	case localapi.EventStarted:
		return w.Started
	case localapi.EventSignedIn:
		return w.SignedIn
	case localapi.EventSignedOut:
		return with(w.SignedOut, w.SignedOutWhy)
	case localapi.EventOpened:
		return with(w.Opened, w.Opened)
	case localapi.EventClosed:
		return with(w.Closed, w.ClosedWhy)
	case localapi.EventDenied:
		return with(w.Denied, w.DeniedWhy)
	case localapi.EventPosture:
		return with(w.Posture, w.PostureWorse)
	case localapi.EventOffline:
		return w.Offline
	case localapi.EventOnline:
		return w.Online
	case localapi.EventPaused:
		if reason := m.pauseReason(h.Code); reason != "" {
			return Fill(w.PausedFor, "why", reason)
		}
		return w.Paused
	case localapi.EventResumed:
		return w.Resumed
	case localapi.EventChecked:
		return w.Checked
	}
	return Fill(w.Other, "why", strings.TrimSpace(plain(h.Event, maxCode)))
}
