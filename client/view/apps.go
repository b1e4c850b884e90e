package view

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// good is true of applications that can be used now: the tunnel of one that is
// ready opens with the first connection.
func good(state string) bool { return state == localapi.AppOpen || state == localapi.AppReady }

// apps are the applications, in the agent's order; those that are not meant
// for this person come last.
func (m *maker) apps() []App {
	var mine, others []App
	for _, a := range m.st.Apps {
		if out := m.app(a); out.NotMine {
			others = append(others, out)
		} else {
			mine = append(mine, out)
		}
	}
	return append(mine, others...)
}

func (m *maker) app(a localapi.App) App {
	out := App{ID: plain(a.ID, maxName), Name: nameOf(a), State: stateOf(a.State), Good: good(a.State)}
	out.Says = m.appSays(a)
	if out.Good {
		out.URL, out.Address = webAddress(a.URL), plain(a.LocalAddress, maxName)
		return out
	}
	out.NotMine, out.Paused = notMine(a), m.pausedAlone(a)
	for _, code := range a.Reasons[:min(len(a.Reasons), maxReasons)] {
		if code != "" {
			r := m.reason(code)
			// Nothing is renewed while the broker is away: that is one fault.
			r.Whole = r.Whole || code == state.CauseExpired && m.away()
			out.Why = append(out.Why, r)
		}
	}
	if len(out.Why) == 0 && a.State != localapi.AppConnecting {
		out.Why = []Reason{m.whole()}
	}
	return out
}

// noApps is what is said in place of applications.
func (m *maker) noApps() string {
	switch {
	case len(m.v.Apps) > 0:
		return ""
	case !m.signedIn():
		return m.w.Head.SignInApps
	}
	return m.w.Head.NoneYet
}

// notMine is true of an application that is not meant for this person.
func notMine(a localapi.App) bool {
	return len(a.Reasons) == 1 && a.Reasons[0] == api.ReasonNotInGroup
}

// pausedAlone is true of an application that would not stay closed without the
// person's own wish.
func (m *maker) pausedAlone(a localapi.App) bool {
	return m.v.Pause != nil && !good(a.State) && a.State != localapi.AppConnecting &&
		!slices.ContainsFunc(a.Reasons, func(code string) bool { return code != "" && code != state.CausePaused })
}

// whole is why an application is closed of which the agent gives no reason of
// its own: that of the whole state.
func (m *maker) whole() Reason {
	w, s := m.w.Head, m.st
	out := Reason{Text: w.NothingMore, Fix: m.ask("")}
	switch {
	case m.v.Pause != nil:
		out = m.reason(state.CausePaused)
	case len(s.Reasons) > 0 && s.Reasons[0] != "":
		out = m.because(s.Reasons[0], nil)
	case m.away():
		out = m.because(localapi.CodeUnreachable, nil)
	case s.State == localapi.StateStarting:
		out = Reason{Code: localapi.StateStarting, Text: w.StartingWhy, Fix: Fix{Text: w.StartingFix}}
	}
	out.Whole = true
	return out
}

// stateOf is the state as a word of this program; of another one nothing is
// known, and so it is closed.
func stateOf(word string) string {
	switch word {
	case localapi.AppReady, localapi.AppConnecting, localapi.AppOpen, localapi.AppDenied:
		return word
	}
	return localapi.AppClosed
}

func (m *maker) appSays(a localapi.App) string {
	w := m.w.App
	switch a.State {
	case localapi.AppOpen, localapi.AppReady: // usable is usable
		return w.Open
	case localapi.AppConnecting:
		return w.Connecting
	}
	switch {
	case m.pausedAlone(a):
		return w.Paused
	case notMine(a):
		return w.NotMine
	case a.State == localapi.AppDenied:
		return w.Denied
	case a.State == localapi.AppClosed || a.State == "":
		return w.Closed
	}
	return w.Unknown
}

// webAddress is an address that a browser may be given: http or https on this
// machine, where every application is reached, without user information and
// anything that is not plain. Other schemes are for other programs.
func webAddress(s string) string {
	if len(s) > maxURL || s != plain(s, maxURL) || strings.Contains(s, " ") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return ""
	}
	if at, err := netip.ParseAddr(u.Hostname()); err != nil || !at.IsLoopback() {
		return ""
	}
	return s
}

// reason explains a code: by the checks of that code, else by the catalogue,
// else by the code alone.
func (m *maker) reason(code string) Reason {
	clean := plain(code, maxCode)
	if code == state.CausePaused && m.v.Pause != nil {
		out := m.because(code, nil) // what helps, in the catalogue's words
		out.Text = sentence(m.v.Pause.Says)
		out.Whole = true
		return out
	}
	var texts []string
	out := Reason{Code: clean}
	for _, f := range m.v.Faults {
		if f.Check != "" && f.Code == clean {
			texts = append(texts, sentence(f.Title))
			if out.Fix == (Fix{}) {
				out.Fix = f.Fix
			}
		}
	}
	if len(texts) > 0 {
		out.Text = plain(strings.Join(texts, " "), maxSentence)
		return out
	}
	for _, c := range m.st.Posture.Checks {
		if c.Code == code { // it passes by now; the broker's next answer opens the application
			out.Text = sentence(Fill(m.w.Fault.NotMet, "name", m.checkName(c)))
			out.Fix = m.checkFix(c)
			return out
		}
	}
	if code == state.CausePosture && m.st.LastRevocation != nil {
		if cause, facts := revocation(*m.st.LastRevocation); cause == code {
			return m.because(code, facts)
		}
	}
	return m.because(code, nil)
}

// because explains a cause that no check stands for, and says what helps.
func (m *maker) because(code string, facts []string) Reason {
	out := Reason{Code: plain(code, maxCode)}
	if e, ok := m.texts.Lookup(code); ok {
		out.Text, out.Fix.Text = e.Sentence, plain(e.Fix.For(m.in.System), maxSentence)
	} else {
		out.Text = Fill(m.w.App.ByCode, "code", out.Code)
	}
	if code == state.CausePosture && len(facts) > 0 {
		out = m.worse(out, facts)
	}
	out.Fix = m.orAsk(out.Fix, out.Code)
	return out
}

// worse says what got worse: in the words of the reading, where the fact is
// still bad in it, else by the names of the signals.
func (m *maker) worse(out Reason, facts []string) Reason {
	for _, f := range m.bad {
		for _, a := range f.Facts {
			for _, b := range facts {
				if a == b && f.Mark == MarkBad {
					out.Text, out.Fix = f.Text, m.orElse(Fix{}, f.Remark)
					return out
				}
			}
		}
	}
	if signals := m.signals(facts); len(signals) > 0 {
		out.Text = Fill(m.w.App.Worse, "what", m.w.list(signals))
	}
	return out
}
