package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/broker/apiclient"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/posture/fact"
)

var (
	ada = ipc.Peer{Known: true, UID: 1000}
	bob = ipc.Peer{Known: true, UID: 1001}
)

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var no *localapi.Refused
	if !errors.As(err, &no) || no.Code != code {
		t.Errorf("got %v, want a refusal %s", err, code)
	}
}

func (l *lab) events() []string {
	var out []string
	for _, e := range l.Timeline().Events {
		out = append(out, e.Event)
	}
	return out
}

func TestPause(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		lunch := localapi.PauseRequest{Reason: "lunch", ForMS: 600_000}
		wantCode(t, l.Pause(context.Background(), ada, lunch), localapi.CodeSignedOut)
		l.signIn(ada, "ada")
		l.open("payroll", "wiki")
		wantCode(t, l.Pause(context.Background(), bob, lunch), localapi.CodeNotOwner)
		if err := l.Pause(context.Background(), ada, lunch); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.open()
		sent := l.broker.attested()
		if last := sent[len(sent)-1]; last.Pause != "lunch" || len(last.Wanted) != 0 {
			t.Errorf("the broker heard of %q, and of %v", last.Pause, last.Wanted)
		}
		st := l.Status()
		if st.State != localapi.StatePaused || st.Pause == nil || st.Pause.Until.Sub(st.Pause.Since) != 10*time.Minute {
			t.Errorf("status %s, %+v", st.State, st.Pause)
		}
		if a := l.app("wiki"); a.State != localapi.AppClosed || !slices.Equal(a.Reasons, []string{state.CausePaused}) {
			t.Errorf("wiki is %+v", a)
		}
		l.pass(9 * time.Minute)
		l.open()
		wantCode(t, l.Resume(context.Background(), bob), localapi.CodeNotOwner)
		l.pass(2 * time.Minute)
		l.open("payroll", "wiki")
		if got := l.events(); !slices.Contains(got, localapi.EventPaused) || !slices.Contains(got, localapi.EventResumed) {
			t.Errorf("timeline %v", got)
		}
	})
}

func TestCheckReadsEverythingAndAttests(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		os, edr, sent := l.posture.count(fact.SignalOS), l.posture.count(fact.SignalEDR), len(l.broker.attested())
		l.clock.Advance(time.Second)
		synctest.Wait() // for looks of the watcher that are due by then
		l.runs(true)    // read at another time, and the same
		out, err := l.Check(context.Background(), ada)
		if err != nil || !out.Attested || out.Reason != "" {
			t.Fatalf("check: %+v, %v", out, err)
		}
		if l.posture.count(fact.SignalOS) == os || l.posture.count(fact.SignalEDR) == edr || len(l.broker.attested()) != sent+1 {
			t.Error("not everything was read again, or the broker did not hear of it once")
		}
		if len(out.Signals) != 2 {
			t.Fatalf("signals %+v", out.Signals)
		}
		for _, s := range out.Signals {
			if !s.After.After(s.Before) || len(s.Changed) != 0 {
				t.Errorf("%+v", s)
			}
		}
		l.rest()
		l.runs(false)
		out, err = l.Check(context.Background(), ada)
		if err != nil || !out.Attested || !slices.Equal(out.Signals[1].Changed, []string{"edr[falcon].running"}) {
			t.Errorf("check: %+v, %v", out, err)
		}
		l.open("payroll")
		if out.Status.State != localapi.StateLimited {
			t.Errorf("status after it %s", out.Status.State)
		}
	})
}

func TestCheckSaysWhyNobodyWasTold(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		out, err := l.Check(context.Background(), bob)
		if err != nil || out.Attested || out.Reason != localapi.CodeSignedOut || len(out.Signals) != 2 {
			t.Errorf("signed out: %+v, %v", out, err)
		}
		l.signIn(ada, "ada")
		_, err = l.Check(context.Background(), bob)
		wantCode(t, err, localapi.CodeNotOwner)
		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) { return api.Answer{}, errDown }
		})
		l.rest()
		if out, err = l.Check(context.Background(), ada); err != nil || out.Attested || out.Reason != localapi.CodeUnreachable {
			t.Errorf("broker away: %+v, %v", out, err)
		}
		l.rest()
		// Again, while the attempt before has just failed in the same way.
		if out, err = l.Check(context.Background(), ada); err != nil || out.Attested || out.Reason != localapi.CodeUnreachable {
			t.Errorf("broker away: %+v, %v", out, err)
		}
	})
}

func TestTimelineAndSentGoWithTheSession(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		last(l.broker.attested()).OnSend([]byte(`{"eat_nonce":"n"}`))
		l.runs(false)
		l.tell("exit")
		var closed *localapi.Happening
		for _, e := range l.Timeline().Events {
			if e.Event == localapi.EventClosed {
				closed = &e
			}
		}
		if closed == nil || closed.Code != state.CausePosture || !slices.Equal(closed.Facts, []string{"edr[falcon].running"}) || !slices.Equal(closed.Apps, []string{"wiki"}) {
			t.Errorf("closed: %+v in %v", closed, l.events())
		}
		if s := l.Sent(); string(s.Claims) != `{"eat_nonce":"n"}` || s.To != "https://broker.example" || len(s.Report.Signals) != 2 || !json.Valid(s.Claims) {
			t.Errorf("sent %+v", s)
		}
		if err := l.SignOut(context.Background(), ada); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := l.events(); !slices.Equal(got, []string{localapi.EventSignedOut}) {
			t.Errorf("the next person reads %v", got)
		}
		if s := l.Sent(); !s.At.IsZero() || len(s.Claims) != 0 || len(s.Report.Signals) != 0 {
			t.Errorf("the next person reads %+v", s)
		}
	})
}

func TestAdministratorStops(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		service := ipc.Peer{Known: true, UID: 33, Class: ipc.ClassService}
		for _, who := range []ipc.Peer{bob, service, {Class: ipc.ClassAdministrator}} {
			wantCode(t, l.SignOut(context.Background(), who), localapi.CodeNotOwner)
		}
		l.open("payroll", "wiki")
		if err := l.SignOut(context.Background(), ipc.Peer{Known: true, Class: ipc.ClassAdministrator}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.open()
		if e := l.Timeline().Events; len(e) != 1 || e[0].Code != state.CauseByAdmin {
			t.Errorf("timeline %+v", e)
		}
	})
}

func TestTimelineIsBounded(t *testing.T) {
	var h history
	for range 3 * localapi.MaxTimeline {
		h.add(localapi.Happening{Event: localapi.EventChecked})
	}
	h.add(localapi.Happening{Event: localapi.EventPaused})
	if n := len(h.events); n != localapi.MaxTimeline || h.events[n-1].Event != localapi.EventPaused {
		t.Errorf("%d events, the last %+v", n, h.events[n-1])
	}
}

func TestAdministratorsOwnSignOutIsTheirOwn(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		root := ipc.Peer{Known: true, Class: ipc.ClassAdministrator}
		l.signIn(root, "root")
		if err := l.SignOut(context.Background(), root); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if e := l.Timeline().Events; len(e) != 1 || e[0].Code != state.CauseSignedOut {
			t.Errorf("timeline %+v", e)
		}
	})
}

func TestCheckTellsARejection(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		l.broker.set(func() {
			l.broker.onAttest = func(context.Context, int, func() api.Answer) (api.Answer, error) {
				return api.Answer{}, &apiclient.Rejected{Code: api.CodeQuarantined}
			}
		})
		if out, err := l.Check(context.Background(), ada); err != nil || out.Attested || out.Reason != api.CodeQuarantined {
			t.Errorf("%+v, %v", out, err)
		}
		l.open()
	})
}

func TestProlongedPauseIsSeen(t *testing.T) {
	inLab(t, nil, func(l *lab) {
		l.signIn(ada, "ada")
		for i, reason := range []string{"lunch", "lunch and a walk"} {
			before := l.Status().Revision
			if err := l.Pause(context.Background(), ada, localapi.PauseRequest{Reason: reason, ForMS: 600_000}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if st := l.Status(); st.Revision == before || st.Pause.Reason != reason {
				t.Errorf("%d: %+v under the revision of before: %v", i, st.Pause, st.Revision == before)
			}
		}
	})
}

func TestWhatAReadingChanged(t *testing.T) {
	is := func(state fact.State, fields ...string) fact.Report {
		s := fact.Signal{Name: fact.SignalOS, State: state, Collector: "os@1"}
		for _, f := range fields {
			s.Facts = append(s.Facts, fact.Fact{Field: f, Value: fact.Str("1")})
		}
		return fact.Report{Signals: []fact.Signal{s}}
	}
	for name, tc := range map[string]struct {
		before, after fact.Report
		want          []string
	}{
		"nothing":       {is(fact.Observed, "version"), is(fact.Observed, "version"), nil},
		"one is gone":   {is(fact.Observed, "build", "version"), is(fact.Observed, "version"), []string{"os_version.build"}},
		"one is new":    {is(fact.Observed, "version"), is(fact.Observed, "build", "version"), []string{"os_version.build"}},
		"known no more": {is(fact.Observed, "version"), is(fact.Unknown, "version"), []string{"os_version.version"}},
		"never read":    {fact.Report{}, is(fact.Observed, "version"), []string{"os_version.version"}},
	} {
		if got := compare(tc.before, tc.after); len(got) != 1 || !slices.Equal(got[0].Changed, tc.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
