package view

import (
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// head is the first thing a person reads. Whatever is not plainly well ends in
// a mood that is not healthy.
func (m *maker) head() {
	v, w, s := &m.v, m.w.Head, m.st
	switch {
	case m.in.SigningIn && !m.signedIn():
		v.Mood, v.Headline, v.Detail = MoodConnecting, w.SigningIn, w.FinishSignIn
	case !m.signedIn():
		m.signedOut()
	case s.Pause != nil:
		v.Mood, v.Headline, v.Detail = MoodSignedOut, Fill(w.Paused, "when", m.d.until(s.Pause.Until)), v.Pause.Reason
	case s.State == localapi.StateNotCompliant && len(s.Reasons) > 0 && !m.away():
		m.rejected(w.EverythingClosed, s.Reasons[0])
	case m.away():
		m.unreachable()
	case s.State == localapi.StateStarting:
		v.Mood, v.Headline, v.Hint = MoodConnecting, w.Starting, w.StartingFix
	case !slices.Contains([]string{localapi.StateCompliant, localapi.StateLimited, localapi.StateNotCompliant}, s.State):
		v.Mood, v.Headline, v.Detail, v.Hint = MoodAttention, w.UnknownState, m.message(), m.ask("").Text
	default:
		m.byApps()
	}
	m.once()
}

// once drops a detail that says no more than the headline does. The reason of a
// pause is the person's own, and may be a letter.
func (m *maker) once() {
	v := &m.v
	if v.Pause == nil && v.Detail != "" && strings.Contains(strings.ToLower(v.Headline), strings.ToLower(strings.TrimSuffix(v.Detail, "."))) {
		v.Detail = ""
	}
}

// trouble is all there is to show of an agent that does not answer.
func (m *maker) trouble() {
	v, w := &m.v, m.w.Head
	defer m.helpdesk()
	v.Mood, v.Code = MoodOffline, string(m.in.Trouble)
	switch m.in.Trouble {
	case NotRunning:
		v.Headline = w.NotRunning
	case NotAnswering:
		v.Headline = w.NotAnswering
	case NoAccess:
		v.Headline = w.NoAccess
	case NotOwner:
		v.Mood, v.Headline = MoodSignedOut, w.NotOwner
	case Connecting:
		v.Mood, v.Headline, v.Code = MoodConnecting, w.Connecting, ""
		return
	default:
		v.Headline, v.Code = w.Refused, plain(m.in.Code, maxCode)
	}
	m.detail(v.Code, m.in.Message)
	if m.in.Trouble != Refused { // the headline says it already
		v.Detail = ""
	}
}

// helpdesk adds to what helps in trouble where the helpdesk is found.
func (m *maker) helpdesk() {
	if support := plain(m.managed().Support, maxSentence); support != "" && m.in.Trouble != Connecting {
		m.v.Hint = strings.TrimSpace(m.v.Hint + " " + Fill(m.w.Head.HelpAt, "support", support))
	}
}

// detail tells a code in the catalogue's words, and one that it does not know
// in those of whoever gave it.
func (m *maker) detail(code, message string) {
	v := &m.v
	if e, ok := m.texts.Lookup(code); ok {
		v.Detail, v.Hint = e.Sentence, m.orAsk(Fix{Text: e.Fix.For(m.in.System)}, code).Text
		return
	}
	v.Detail, v.Hint = plain(message, maxSentence), m.ask(plain(code, maxCode)).Text
	if v.Detail == "" && code != "" {
		v.Detail = Fill(m.w.App.ByCode, "code", plain(code, maxCode))
	}
}

// message is the agent's own sentence, which is English.
func (m *maker) message() string { return plain(m.st.Message, maxSentence) }

func (m *maker) signedOut() {
	v, w, s := &m.v, m.w.Head, m.st
	v.Mood, v.Headline, v.Hint = MoodSignedOut, w.NotSignedIn, w.HintSignIn
	switch {
	case s.Broker.URL == "" && slices.Contains(s.Reasons, localapi.CodeSettings):
		v.Mood, v.Headline, v.Code = MoodOffline, w.BadSettings, localapi.CodeSettings
		m.detail(v.Code, "")
		if text := m.message(); text != "" { // nowhere else stands which mistake it is
			v.Detail = text
		}
	case s.Broker.URL == "":
		v.Mood, v.Headline, v.Code = MoodOffline, w.NoBroker, localapi.CodeNoBroker
		m.detail(v.Code, "")
	case len(s.Reasons) > 0 && s.Reasons[0] == localapi.CodeUnreachable:
		v.Mood, v.Code = MoodOffline, localapi.CodeUnreachable
		m.detail(v.Code, s.Message)
		v.Headline = Fill(w.NotSignedInWhy, "why", m.w.fragment(v.Detail))
	case len(s.Reasons) > 0:
		m.rejected(w.NotSignedInWhy, s.Reasons[0])
	default:
		v.Detail = m.ended()
		if v.Detail == "" && len(v.Faults) > 0 {
			v.Detail = w.AdviceOnly
		}
	}
}

// ended says how the last sign-in ended, if it was not the person who ended it.
func (m *maker) ended() string {
	if m.in.Timeline == nil {
		return ""
	}
	for _, e := range slices.Backward(m.in.Timeline.Events) {
		if e.Event != localapi.EventSignedOut {
			continue
		}
		if ownWish(e.Code) {
			return ""
		}
		return Fill(m.w.Head.SignInEnded, "when", m.d.moment(e.At))
	}
	return ""
}

// rejected is a no of the broker to all at once. frame takes {why}.
func (m *maker) rejected(frame, code string) {
	v := &m.v
	v.Mood, v.Code, v.Hint = MoodClosed, plain(code, maxCode), ""
	m.detail(code, m.st.Message)
	v.Headline = Fill(frame, "why", Cut(m.w.fragment(v.Detail), maxCause))
	if _, known := m.texts.Lookup(code); !known { // a code is nothing for a headline
		v.Headline = Fill(frame, "why", m.w.fragment(m.w.Head.BrokerRefused))
	}
}

// away is true when the broker cannot be asked.
func (m *maker) away() bool {
	s := m.st
	return s.State == localapi.StateOffline || slices.Contains(s.Reasons, localapi.CodeUnreachable) ||
		!s.Broker.Reachable && (s.State == localapi.StateCompliant || s.State == localapi.StateLimited)
}

func (m *maker) unreachable() {
	v, w := &m.v, m.w.Head
	v.Mood, v.Code = MoodOffline, localapi.CodeUnreachable
	if e, ok := m.texts.Lookup(v.Code); ok {
		v.Hint = e.Fix.For(m.in.System)
	}
	open, first := 0, time.Duration(0)
	for _, a := range m.st.Apps {
		if !good(a.State) {
			continue
		}
		left := time.Duration(min(max(a.LeaseRemainingMS, 0), localapi.MaxPauseMS)) * time.Millisecond
		if open++; open == 1 || left < first {
			first = left
		}
	}
	if open == 0 {
		v.Headline = Fill(w.Unreachable, "rest", w.AllClosed)
		return
	}
	// The clock has no seconds: what is said is never later than what is so.
	v.Headline = Fill(w.Unreachable, "rest", w.StayOpen.Of(open, "when", m.d.until(m.in.Now.Add(first))))
}
