package agent

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/fact"
)

// history is what happened in this session and what last left this machine. It
// is kept in memory only, and forgotten when the session ends: who signs in
// next is not to read it.
type history struct {
	mu     sync.Mutex
	events []localapi.Happening
	size   int // bytes of what the events name
	sent   localapi.Sent
	due    int64 // the flight that began last in this session; 0: none did
	flight int64 // that the sent attestation belongs to
}

// maxNames bounds in bytes what the events name, so that a timeline fits into
// an answer (localapi.MaxAnswer), were each byte of it written as six.
const maxNames = 160 << 10

func (h *history) add(events ...localapi.Happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		h.size += sizeOf(e)
	}
	h.events = append(h.events, events...)
	over := 0
	for n := len(h.events); n-over > localapi.MaxTimeline || h.size > maxNames && n-over > 1; over++ {
		h.size -= sizeOf(h.events[over])
	}
	h.events = slices.Delete(h.events, 0, over)
}

func sizeOf(e localapi.Happening) int {
	n := len(e.Code)
	for _, name := range e.Apps {
		n += len(name)
	}
	for _, address := range e.Facts {
		n += len(address)
	}
	return n
}

// expect says which attestation may be noted as sent: one that was begun in an
// earlier session, or before the last, may still be on its way out.
func (h *history) expect(flight int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.due = flight
}

// send notes an attestation that goes out now.
func (h *history) send(flight int64, at time.Time, payload []byte, r fact.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if flight != h.due {
		return
	}
	h.flight = flight
	h.sent = localapi.Sent{At: at, Claims: slices.Clone(payload), Report: r}
}

// answered notes how the attestation of a flight ended.
func (h *history) answered(flight int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.flight != flight || h.sent.At.IsZero() {
		return
	}
	var no *apiclient.Rejected
	switch {
	case err == nil:
		h.sent.Outcome = localapi.SentAccepted
	case errors.As(err, &no):
		h.sent.Outcome, h.sent.Code = localapi.SentRejected, no.Code
	default:
		h.sent.Outcome = localapi.SentUnreachable
	}
}

func (h *history) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events, h.size, h.sent, h.due, h.flight = nil, 0, localapi.Sent{}, 0, 0
}

// Timeline is what happened in this session, the newest last.
func (a *Agent) Timeline() localapi.Timeline {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	return localapi.Timeline{Events: slices.Clone(a.history.events)}
}

// Sent is what last left this machine in this session.
func (a *Agent) Sent() localapi.Sent {
	a.history.mu.Lock()
	defer a.history.mu.Unlock()
	out := a.history.sent
	out.To = a.cfg.BrokerURL
	return out
}

// chronicle adds what one event changed to the history, and wakes who waits
// for a step.
func (w *writer) chronicle(before state.State, o occurred) {
	a := w.agent
	events := happenings(before, w.state, o.event, a.cfg.Clock.Now(), w.clientMS)
	if o.signIn != nil && o.signIn.kept {
		events = goesOn(events)
	}
	a.history.add(events...)
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.stepped)
	a.stepped = make(chan struct{})
}

// goesOn is what is new where a session, and the pause that it may be in, only
// go on after a start of the agent.
func goesOn(events []localapi.Happening) []localapi.Happening {
	return slices.DeleteFunc(events, func(e localapi.Happening) bool {
		return e.Event == localapi.EventSignedIn || e.Event == localapi.EventPaused
	})
}

// happenings says in the words of the timeline what lies between two states.
func happenings(was, is state.State, event state.Event, at time.Time, tookMS float64) []localapi.Happening {
	if !was.Session.SignedIn && !is.Session.SignedIn {
		return nil // everybody may read it now: how the last session ended, and no more
	}
	var out []localapi.Happening
	say := func(name, code string) { out = append(out, localapi.Happening{At: at, Event: name, Code: code}) }
	switch e := event.(type) {
	case state.SignedIn:
		say(localapi.EventSignedIn, "")
	case state.CheckNow:
		say(localapi.EventChecked, "")
	case state.PostureChanged:
		if len(e.Worse) == 0 && was.Verdict == "" {
			break // the first reading since the start is no change
		}
		out = append(out, localapi.Happening{At: at, Event: localapi.EventPosture, Facts: slices.Clone(e.Worse)})
	}
	switch {
	case was.Session.SignedIn && !is.Session.SignedIn:
		say(localapi.EventSignedOut, causeOf(was, is, event))
		return out // whose applications they were is nobody's to read now
	case was.Pause == nil && is.Pause != nil:
		say(localapi.EventPaused, is.Pause.Reason)
	case was.Pause != nil && is.Pause == nil && is.Session.SignedIn:
		say(localapi.EventResumed, "")
	}
	if was.Online != is.Online && is.Session.SignedIn && was.Session.SignedIn {
		say(map[bool]string{true: localapi.EventOnline, false: localapi.EventOffline}[is.Online], "")
	}
	return append(out, appHappenings(was, is, at, tookMS)...)
}

// causeOf is why a session ended. That its time has come may be noticed with
// any event, as after a sleep.
func causeOf(was, is state.State, event state.Event) string {
	if ends := was.Session.Ends; ends > 0 && ends <= is.Now {
		return state.CauseSessionEnded
	}
	switch e := event.(type) {
	case state.SignedOut:
		if e.Cause != "" {
			return e.Cause
		}
		return state.CauseSignedOut
	case state.Rejected:
		return e.Code
	}
	return state.CauseSignedOut
}

// passes reports whether a session goes over to nobody, or to another person.
func passes(was, is state.State) bool {
	a, b := was.Session, is.Session
	return a.SignedIn && (!b.SignedIn || a.Person.Issuer != b.Person.Issuer || a.Person.Subject != b.Person.Subject)
}

// appHappenings lists what opened, closed or was denied, applications with the
// same cause together.
func appHappenings(was, is state.State, at time.Time, tookMS float64) []localapi.Happening {
	type kind struct{ event, code string }
	apps := map[kind][]string{}
	for _, id := range slices.Sorted(maps.Keys(is.Apps)) {
		x, y := was.Apps[id], is.Apps[id]
		open, opens := was.Live(id, was.Now), is.Live(id, is.Now)
		switch {
		case !open && opens:
			apps[kind{localapi.EventOpened, ""}] = append(apps[kind{localapi.EventOpened, ""}], id)
		case open && !opens:
			k := kind{localapi.EventClosed, y.ClosedCause}
			apps[k] = append(apps[k], id)
		case slices.Equal(y.Denied, []string{api.ReasonNoTunnelKey}):
			// The application was not known until now; its key is on its way.
		case !opens && len(y.Denied) > 0 && !slices.Equal(x.Denied, y.Denied):
			k := kind{localapi.EventDenied, y.Denied[0]}
			apps[k] = append(apps[k], id)
		}
	}
	var out []localapi.Happening
	for k, ids := range apps {
		h := localapi.Happening{At: at, Event: k.event, Code: k.code, Apps: ids}
		if r := is.LastRevocation; k.event == localapi.EventClosed && r != nil && r != was.LastRevocation {
			h.Facts, h.TookMS = slices.Clone(r.Facts), tookMS
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b localapi.Happening) int { return slices.Compare(a.Apps, b.Apps) })
	return out
}
