package view

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// TestSignInAgain: whoever is told to sign in again is given the action, and
// what it does.
func TestSignInAgain(t *testing.T) {
	for _, c := range []struct {
		left  time.Duration
		offer bool
		label string
	}{{61 * time.Minute, false, "Sign in again"}, {time.Hour, true, "Sign in again"}, {-time.Minute, true, "Sign in again"}} {
		v := New(inputOf(func(s *localapi.Status) { s.SessionEnds = noon().Add(c.left) }))
		if v.Actions.SignIn != c.offer || v.SignIn != c.label || (v.EndsNote != "") != c.offer {
			t.Errorf("%v before the end: offered %v as %q, %q", c.left, v.Actions.SignIn, v.SignIn, v.EndsNote)
		}
	}
	in := inputOf(func(s *localapi.Status) { s.SessionEnds = noon().Add(time.Minute) })
	if in.SigningIn = true; New(in).Actions.SignIn {
		t.Error("offered while it is under way")
	}
	if v := New(inputOf(func(s *localapi.Status) { s.State, s.User = localapi.StateSignedOut, nil })); !v.Actions.SignIn || v.SignIn != "Sign in" || v.EndsNote != "" {
		t.Errorf("signed out: %+v %q %q", v.Actions, v.SignIn, v.EndsNote)
	}
}

// TestReasonOfTheWhole: an application that the agent closes without a reason of
// its own has that of the whole state, and what helps.
func TestReasonOfTheWhole(t *testing.T) {
	shut := func(s *localapi.Status) {
		for i := range s.Apps {
			s.Apps[i].State, s.Apps[i].Reasons, s.Apps[i].LeaseRemainingMS = localapi.AppClosed, nil, 0
		}
		s.Posture = localapi.Posture{}
	}
	for code, change := range map[string]func(*localapi.Status){
		localapi.CodeUnreachable: func(s *localapi.Status) {
			s.State, s.Reasons, s.Broker.Reachable = localapi.StateOffline, []string{localapi.CodeUnreachable}, false
		},
		localapi.StateStarting: func(s *localapi.Status) { s.State = localapi.StateStarting },
		state.CausePaused:      func(s *localapi.Status) { s.Pause = &localapi.Pause{Until: noon().Add(time.Hour), Reason: "x"} },
		"device_quarantined": func(s *localapi.Status) {
			s.State, s.Reasons = localapi.StateNotCompliant, []string{"device_quarantined"}
		},
		"": func(s *localapi.Status) { s.State = localapi.StateLimited },
	} {
		in := inputOf(func(s *localapi.Status) { shut(s); change(s) })
		v := New(in)
		for _, a := range v.Apps {
			if len(a.Why) != 1 || a.Why[0].Code != code || !a.Why[0].Whole || a.Why[0].Text == "" || a.Why[0].Fix.Text == "" {
				t.Errorf("%q: %s is closed for %+v", code, a.ID, a.Why)
			}
		}
		if v.Problems != 0 {
			t.Errorf("%q: faults %+v", code, v.Faults)
		}
		e := Explain(in, "wiki")
		if e.Says == "Wiki is closed." || len(e.Do) == 0 || len(e.Unmet) != 0 {
			t.Errorf("%q: explained with %+v", code, e)
		}
	}
	expired := inputOf(func(s *localapi.Status) {
		deny(s, []string{"expired"}, "wiki", "payroll")
		s.State = localapi.StateOffline
	})
	if v := New(expired); len(v.Faults) != 0 || v.Apps[0].Why[0].Code != "expired" {
		t.Errorf("nothing could be renewed: %+v", v.Faults)
	}
	away := inputOf(func(s *localapi.Status) {
		shut(s)
		s.State, s.Broker.Reachable = localapi.StateOffline, false
	})
	if e := Explain(away, "wiki"); e.Says != "Wiki is closed: the broker or the sign-in page cannot be reached now." || len(e.Next) != 1 || !strings.Contains(e.Next[0], "broker") {
		t.Errorf("offline, nobody says why: %q %q", e.Says, e.Next)
	}
}

// TestWhatComesNext: what is said to happen by itself does not contradict what
// helps.
func TestWhatComesNext(t *testing.T) {
	for code, want := range map[string]string{
		"key-assurance-too-low": "It opens when your organisation changes this.", "sign-in-too-weak": "It opens after you sign in.",
		"no-gateway": "It opens by itself; Postern keeps trying.", "org/disk": "It opens by itself as soon as this is put right; you need not sign in again.",
	} {
		in := inputOf(func(s *localapi.Status) { deny(s, []string{code}, "wiki") })
		if e := Explain(in, "wiki"); !slices.Equal(e.Next, []string{want}) {
			t.Errorf("%s: %q", code, e.Next)
		}
	}
}

func TestNoApps(t *testing.T) {
	if v := New(inputOf(func(s *localapi.Status) { s.State, s.User, s.Apps = localapi.StateSignedOut, nil, nil })); v.NoApps != "Sign in to see your applications." {
		t.Errorf("signed out: %q", v.NoApps)
	}
	if v := New(inputOf(func(s *localapi.Status) { s.Apps = nil })); v.NoApps == "" || strings.Contains(v.NoApps, "Sign in") {
		t.Errorf("signed in: %q", v.NoApps)
	}
	if v := New(inputOf(nil)); v.NoApps != "" {
		t.Errorf("with some: %q", v.NoApps)
	}
}

func TestHardwareThatIsNotKnownAgain(t *testing.T) {
	for _, language := range catalogue.Languages() {
		in := inputOf(func(s *localapi.Status) {
			s.Device.HardwareReason = "fewer than two identifiers could be read; missing: serial, ek"
		})
		in.Language = language
		for _, r := range New(in).About {
			if r.ID == RowHardware && r.Value != speak(language).Row.TooLittle {
				t.Errorf("%s: %q", language, r.Value)
			}
		}
	}
}

// TestSentOfOtherSystems: what only other systems have is no line, and nothing
// stands below its own name.
func TestSentOfOtherSystems(t *testing.T) {
	s := localapi.Sent{At: noon(), Report: fact.Report{Signals: []fact.Signal{
		{Name: fact.SignalIntegrity, State: fact.Observed, Facts: []fact.Fact{{Field: "gatekeeper", State: fact.Unknown, Reason: fact.ReasonUnsupported},
			{Field: "xprotect", State: fact.NotApplicable}, {Field: "secure_boot", Value: fact.Str("on")}}},
		{Name: fact.SignalScreenLock, State: fact.Observed, Facts: []fact.Fact{{Field: "enabled", State: fact.Unknown, Reason: fact.ReasonTimeout}, {Field: "managed", State: fact.Unknown, Reason: fact.ReasonTimeout}}}}}}
	for _, p := range Sent(s, inputOf(nil)).Parts {
		for _, l := range p.Lines {
			if l.Name == p.Title || strings.Contains(l.Value, p.Title) || slices.Contains([]string{"Gatekeeper", "XProtect version"}, l.Name) {
				t.Errorf("%s: %+v", p.Title, l)
			}
		}
	}
}
