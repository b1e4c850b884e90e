package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/tunnel/plan"
)

func TestHowWhatWasSentEnded(t *testing.T) {
	for want, err := range map[[2]string]error{
		{localapi.SentAccepted, ""}:                  nil,
		{localapi.SentRejected, api.CodeQuarantined}: &apiclient.Rejected{Code: api.CodeQuarantined},
		{localapi.SentUnreachable, ""}:               errDown,
	} {
		var h history
		h.answered(1, err) // nothing was sent
		h.expect(1)
		h.answered(1, err)
		h.send(1, day, []byte("{}"), fact.Report{})
		h.answered(2, err) // of another flight
		if h.sent.Outcome != "" || h.sent.Code != "" {
			t.Errorf("before the answer: %+v", h.sent)
		}
		h.answered(1, err)
		if got := [2]string{h.sent.Outcome, h.sent.Code}; got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// session is a state of somebody with the wiki open, or closed for a cause.
func session(open bool, cause string) state.State {
	a := state.App{ClosedCause: cause, KeyGen: 1}
	if open {
		a.Lease = &state.Lease{KeyGen: 1, Until: time.Hour, Tunnel: plan.Tunnel{App: "wiki"}}
	}
	return state.State{Session: state.Session{SignedIn: true}, Online: true, Apps: map[string]state.App{"wiki": a}, Now: time.Minute}
}

func TestHappenings(t *testing.T) {
	open, shut, out := session(true, ""), session(false, state.CauseExpired), state.State{Online: true, Now: time.Minute}
	away, denied := open, session(false, "")
	away.Online = false
	denied.Apps["wiki"] = state.App{Denied: []string{"org/disk"}}
	keyless := session(false, "")
	keyless.Apps["wiki"] = state.App{Denied: []string{api.ReasonNoTunnelKey}}
	judged := session(true, "")
	judged.Verdict = api.TierAffirming
	old := &state.Revocation{Cause: state.CausePosture, Facts: []string{"disk.on"}}
	open.LastRevocation, shut.LastRevocation = old, old
	type event = localapi.Happening
	tick := state.Tick{At: time.Minute}
	for name, tc := range map[string]struct {
		was, is state.State
		e       state.Event
		want    []event
	}{
		"closed by time, long after a revocation": {open, shut, tick, []event{{Event: localapi.EventClosed, Code: state.CauseExpired, Apps: []string{"wiki"}}}},
		"offline":                       {open, away, tick, []event{{Event: localapi.EventOffline}}},
		"online":                        {away, open, tick, []event{{Event: localapi.EventOnline}}},
		"a session ended by the broker": {open, out, state.Rejected{Code: api.CodeSignedOut}, []event{{Event: localapi.EventSignedOut, Code: api.CodeSignedOut}}},
		"by the person":                 {open, out, state.SignedOut{}, []event{{Event: localapi.EventSignedOut, Code: state.CauseSignedOut}}},
		"by the broker's word":          {open, out, state.BrokerSays{Name: api.EventSignedOut}, []event{{Event: localapi.EventSignedOut, Code: state.CauseSignedOut}}},
		"nobody's posture":              {out, out, state.PostureChanged{Worse: []string{"disk.on"}}, nil},
		"denied":                        {shut, denied, tick, []event{{Event: localapi.EventDenied, Code: "org/disk", Apps: []string{"wiki"}}}},
		"denied as before":              {denied, denied, tick, nil},
		"a key on its way":              {shut, keyless, tick, nil},
		"the first reading":             {shut, shut, state.PostureChanged{}, nil},
		"the first reading, and worse":  {shut, shut, state.PostureChanged{Worse: []string{"disk.on"}}, []event{{Event: localapi.EventPosture, Facts: []string{"disk.on"}}}},
		"a later one, not worse":        {judged, judged, state.PostureChanged{}, []event{{Event: localapi.EventPosture}}},
	} {
		got := happenings(tc.was, tc.is, tc.e, time.Time{}, 7)
		same := slices.EqualFunc(got, tc.want, func(a, b event) bool {
			return a.Event == b.Event && a.Code == b.Code && slices.Equal(a.Apps, b.Apps) && slices.Equal(a.Facts, b.Facts) && a.TookMS == b.TookMS
		})
		if !same {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// TestGoesOn: of a session that an agent finds at its start nobody has signed in
// or paused just now.
func TestGoesOn(t *testing.T) {
	is := session(true, "")
	is.Pause = &state.Paused{Reason: "lunch", Until: time.Hour}
	events := happenings(state.State{Online: true, Now: time.Minute}, is, state.SignedIn{}, time.Time{}, 0)
	if len(events) != 2 || events[0].Event != localapi.EventSignedIn || events[1].Event != localapi.EventPaused {
		t.Fatalf("of a new session: %+v", events)
	}
	if left := goesOn(append(events, localapi.Happening{Event: localapi.EventOpened})); len(left) != 1 || left[0].Event != localapi.EventOpened {
		t.Errorf("of one that goes on: %+v", left)
	}
}
