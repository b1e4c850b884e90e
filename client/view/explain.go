package view

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// Explain tells of one application, by its id or its name, why it is open or
// closed and what happens next. It names checks and outcomes only: what a check
// compares with is never here (law 10).
func Explain(in Input, app string) Explanation {
	v := New(in)
	m := newMaker(in)
	m.v = v
	i := slices.IndexFunc(v.Apps, func(a App) bool { return a.ID == app })
	if i < 0 {
		i = slices.IndexFunc(v.Apps, func(a App) bool { return strings.EqualFold(a.Name, app) })
	}
	switch {
	case in.Trouble != NoTrouble:
		return Explanation{Says: sentence(v.Headline), Do: hints(v.Hint)}
	case i < 0 && !m.signedIn():
		return Explanation{Says: sentence(v.Headline), Next: []string{m.w.Explain.NextSignIn}, Do: hints(v.Hint)}
	case i < 0:
		return Explanation{Says: Fill(m.w.Explain.NoSuchApp, "app", plain(app, maxName))}
	}
	e := explaining{maker: m, e: Explanation{App: v.Apps[i], Known: true}}
	e.needs()
	for _, r := range e.e.App.Why {
		if r.Whole && !e.e.App.Good {
			e.do(r.Fix)
		}
	}
	e.says()
	return e.e
}

func hints(text string) []Fix {
	if text == "" {
		return nil
	}
	return []Fix{{Text: text}}
}

type explaining struct {
	*maker
	e Explanation
}

// needs lists what the application asks for. A broker that does not tell that
// tells the reasons only: then which of the passing checks belong to this
// application is not known.
func (x *explaining) needs() {
	i := slices.IndexFunc(x.st.Apps, func(a localapi.App) bool { return plain(a.ID, maxName) == x.e.App.ID })
	if list, told := x.maker.needs(x.st.Apps[i]); told {
		x.told(list)
		return
	}
	for _, r := range x.reasons() {
		x.unmet(r)
	}
	for _, c := range x.st.Posture.Checks {
		if c.Outcome == pass && !x.e.App.NotMine && len(x.e.Met) < maxFaults {
			x.e.Met = append(x.e.Met, Need{Code: plain(c.Code, maxCode), Name: x.checkName(c), Outcome: pass, State: NeedMet, Says: x.w.Explain.Met})
		}
	}
	if len(x.e.Met) > 0 {
		x.e.Note = x.w.Explain.WhichApply
	}
}

// reasons are those that something helps against.
func (x *explaining) reasons() []Reason {
	if x.e.App.Good {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(x.e.App.Why), func(r Reason) bool { return r.Whole })
}

// told sorts what the broker tells of the application, and adds the reasons
// that are none of it, such as a gateway that is away.
func (x *explaining) told(list []Need) {
	x.e.Told = true
	for _, n := range list {
		switch n.State {
		case NeedMet, NeedLetThrough:
			x.e.Met = append(x.e.Met, n)
		case NeedComing, NeedReported:
			x.e.Later = append(x.e.Later, n)
		default:
			x.e.Unmet = append(x.e.Unmet, n)
		}
		if n.Outcome != pass && n.State != NeedChanged {
			x.do(n.Fix)
		}
	}
	for _, r := range x.reasons() {
		if !slices.ContainsFunc(x.e.Unmet, func(n Need) bool { return n.Code == r.Code }) {
			x.unmet(r)
		}
	}
	switch {
	case x.away():
		x.e.Note = x.w.Explain.AsOf
	case len(list) == 0:
		x.e.Note = x.w.Explain.Nothing
	}
}

func (x *explaining) do(f Fix) {
	if f != (Fix{}) && !slices.Contains(x.e.Do, f) {
		x.e.Do = append(x.e.Do, f)
	}
}

// unmet adds the needs behind one reason: a code may stand for several checks.
func (x *explaining) unmet(r Reason) {
	found := false
	for _, f := range x.v.Faults {
		if f.Check == "" || f.Code != r.Code {
			continue
		}
		n := Need{Code: f.Code, Name: f.Check, Outcome: fail, State: NeedUnmet, Says: x.w.Explain.Unmet, Why: f.Why, Fix: f.Fix}
		if f.Unknown {
			n.Outcome, n.State, n.Says = unknown, NeedUnsure, x.w.Explain.Unsure
		} else if f.Title != Fill(x.w.Fault.NotMet, "name", f.Check) {
			n.Why = append([]string{sentence(f.Title)}, f.Why...)
		}
		x.e.Unmet, found = append(x.e.Unmet, n), true
	}
	if !found {
		x.e.Unmet = append(x.e.Unmet, Need{Code: r.Code, Name: strings.TrimSuffix(r.Text, "."), Outcome: fail, State: NeedUnmet, Says: x.w.Explain.Unmet, Fix: r.Fix})
	}
	x.do(r.Fix)
}

func (x *explaining) says() {
	w, a := x.w.Explain, x.e.App
	one := func(sentence string) string { return Fill(sentence, "app", a.Name) }
	switch {
	case a.Good:
		x.e.Says, x.e.Next = one(w.IsOpen), []string{w.NextRenew}
	case a.NotMine:
		x.e.Says, x.e.Next = one(w.IsNotMine), []string{w.NextAsk}
	case a.Paused:
		when := x.d.until(x.v.Pause.Until)
		x.e.Says = Fill(w.IsPaused, "app", a.Name, "when", when)
		x.e.Next = []string{Fill(w.NextPause, "when", x.d.moment(x.v.Pause.Until))}
	case a.State == localapi.AppConnecting:
		x.e.Says = one(w.IsConnecting)
	case len(a.Why) == 0:
		x.e.Says = one(w.IsClosed)
		x.next()
	default:
		x.e.Says = Fill(w.IsWhy, "app", a.Name, "why", x.w.fragment(a.Why[0].Text))
		x.next()
	}
	if !a.Good && !a.NotMine {
		x.since()
	}
	if x.away() && a.Good {
		x.e.Next = []string{sentence(x.v.Headline)}
	}
}

// next is what happens by itself, and what does not.
func (x *explaining) next() {
	w, why := x.w.Explain, x.e.App.Why
	any := func(list []string) bool {
		return slices.ContainsFunc(why, func(r Reason) bool { return slices.Contains(list, r.Code) })
	}
	next := w.NextAlone
	switch {
	case any(othersHands()):
		next = w.NextAsk
	case any(signInAgain()):
		next = w.NextSignIn
	case x.v.Pause != nil:
		next = w.NextAfter
	case x.away():
		next = w.NextBroker
	case !slices.ContainsFunc(why, func(r Reason) bool { return r.Code != "" && !slices.Contains(passing(), r.Code) }):
		next = w.NextWait
	}
	x.e.Next = []string{next}
}

// othersHands are reasons that the person cannot do away with.
func othersHands() []string {
	return []string{api.ReasonKeyAssurance, api.ReasonNotInGroup, api.CodeDeviceRevoked, api.CodeQuarantined, api.CodeUnknownDevice,
		api.CodeSequence, api.CodeAdmission, api.CodeForbidden, state.CauseWithdrawn, state.CauseRevoked}
}

// signInAgain are reasons that end with another sign-in.
func signInAgain() []string {
	return []string{api.ReasonACR, api.CodeSignedOut, state.CauseSessionEnded, state.CauseSignedOut, state.CauseByAdmin}
}

// passing are reasons that pass by themselves.
func passing() []string {
	return []string{api.ReasonTooOld, api.ReasonNoGateway, api.ReasonNoTunnelKey, state.CauseExpired, state.CauseSignedIn, state.CauseReplaced,
		localapi.StateStarting}
}

// since finds the last time that the application was closed: in the timeline,
// or else in the last revocation.
func (x *explaining) since() {
	id := x.e.App.ID
	if x.in.Timeline != nil {
		for _, h := range slices.Backward(x.in.Timeline.Events) {
			if !slices.Contains(h.Apps, id) {
				continue
			}
			if h.Event == localapi.EventClosed {
				x.e.Since = Fill(x.w.Explain.Since, "when", x.d.moment(h.At))
				return
			}
			if h.Event == localapi.EventOpened {
				break
			}
		}
	}
	if r := x.st.LastRevocation; r != nil && slices.Contains(strings.Split(r.App, ","), id) {
		x.e.Since = Fill(x.w.Explain.Since, "when", x.d.moment(r.At))
	}
}
