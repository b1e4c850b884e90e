package view

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

// healthyStatus is an agent with two applications that are open.
func healthyStatus() localapi.Status {
	return localapi.Status{
		Version: "1.4.0", API: localapi.API, State: localapi.StateCompliant, User: &localapi.User{Name: "Kim"},
		Broker: localapi.Broker{URL: "https://broker.example.com", Reachable: true},
		Posture: localapi.Posture{Verdict: "affirming", Checks: []localapi.Check{
			{Code: "org/disk", Name: "disk encrypted", Outcome: "pass", Enforced: true}, {Code: "org/edr", Name: "second-edr-runs", Outcome: "pass", Enforced: true}}},
		Apps: []localapi.App{
			{ID: "wiki", Name: "Wiki", State: localapi.AppOpen, LeaseRemainingMS: 90_000, URL: "http://127.0.0.1:1/", LocalAddress: "127.0.0.1:1"},
			{ID: "payroll", Name: "Payroll", State: localapi.AppReady, LeaseRemainingMS: 60_000}},
	}
}

// inputOf is a view's input of a changed healthy status.
func inputOf(change func(*localapi.Status)) Input {
	s := healthyStatus()
	if change != nil {
		change(&s)
	}
	return Input{Status: s, Now: noon(), System: "windows", HasPage: func(id string) bool { return id == "disk-encryption" }}
}

// deny closes applications for reasons.
func deny(s *localapi.Status, reasons []string, ids ...string) {
	s.State = localapi.StateLimited
	for i := range s.Apps {
		if a := &s.Apps[i]; slices.Contains(ids, a.ID) {
			a.State, a.Reasons, a.LeaseRemainingMS = localapi.AppDenied, reasons, 0
		}
	}
	for i := range s.Posture.Checks {
		if c := &s.Posture.Checks[i]; slices.Contains(reasons, c.Code) {
			c.Outcome, s.Posture.Verdict = "fail", "warning"
		}
	}
}

func TestHeadlines(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*localapi.Status)
		mood     string
		headline string
		german   string
	}{
		{"all open", nil, MoodHealthy, "2 apps open · device healthy", "2 Anwendungen offen · Gerät in Ordnung"},
		{"one app", func(s *localapi.Status) { s.Apps = s.Apps[:1] }, MoodHealthy, "1 app open · device healthy", "1 Anwendung offen · Gerät in Ordnung"},
		{"warning without a fault", func(s *localapi.Status) { s.Posture.Verdict = "warning" }, MoodAttention, "2 apps open · not every requirement is met", "2 Anwendungen offen · nicht jede Anforderung ist erfüllt"},
		{"no verdict, but checks", func(s *localapi.Status) { s.Posture.Verdict = "" }, MoodAttention, "2 apps open · not every requirement is met", "2 Anwendungen offen · nicht jede Anforderung ist erfüllt"},
		{"one closed", func(s *localapi.Status) { deny(s, []string{"org/edr"}, "payroll") }, MoodClosed,
			"Payroll is closed: the requirement “second edr runs” is not met", "Payroll ist geschlossen: Die Anforderung „second edr runs“ ist nicht erfüllt"},
		{"all closed", func(s *localapi.Status) { deny(s, []string{"org/disk"}, "payroll", "wiki") }, MoodClosed,
			"Closed: the requirement “disk encrypted” is not met", "Geschlossen: Die Anforderung „disk encrypted“ ist nicht erfüllt"},
		{"closed for two things", func(s *localapi.Status) {
			deny(s, []string{"org/disk", "org/edr"}, "payroll")
		}, MoodClosed, "Payroll is closed: the requirement “disk encrypted” is not met · 1 more thing is wrong", "Payroll ist geschlossen: Die Anforderung „disk encrypted“ ist nicht erfüllt · 1 weiterer Fehler"},
		{"a code that nobody knows", func(s *localapi.Status) { deny(s, []string{"org/zzz"}, "payroll") }, MoodClosed, "Payroll is closed", "Payroll ist geschlossen"},
		{"not for this person", func(s *localapi.Status) { deny(s, []string{"not-in-group"}, "payroll") }, MoodHealthy, "1 app open · device healthy", "1 Anwendung offen · Gerät in Ordnung"},
		{"nothing for this person", func(s *localapi.Status) { deny(s, []string{"not-in-group"}, "payroll", "wiki") }, MoodAttention, "Signed in · no application is meant for you", "Angemeldet · keine Anwendung ist für Sie bestimmt"},
		{"connecting", func(s *localapi.Status) { s.Apps[0].State = localapi.AppConnecting }, MoodConnecting, "1 app open · 1 connecting", "1 Anwendung offen · 1 wird verbunden"},
		{"broker away", func(s *localapi.Status) { s.Reasons = []string{localapi.CodeUnreachable} }, MoodOffline,
			"The broker cannot be reached · 2 apps stay open until 12:01", "Der Broker ist nicht erreichbar · 2 Anwendungen bleiben offen bis 12:01"},
		{"broker away, nobody said why", func(s *localapi.Status) { s.Broker.Reachable = false; s.Apps = s.Apps[:1] }, MoodOffline,
			"The broker cannot be reached · 1 app stays open until 12:01", "Der Broker ist nicht erreichbar · 1 Anwendung bleibt offen bis 12:01"},
		{"offline", func(s *localapi.Status) {
			deny(s, []string{"expired"}, "wiki", "payroll")
			s.State = localapi.StateOffline
		}, MoodOffline,
			"The broker cannot be reached · everything is closed", "Der Broker ist nicht erreichbar · alles ist geschlossen"},
		{"paused", func(s *localapi.Status) {
			s.Pause = &localapi.Pause{Until: noon().Add(150 * time.Minute), Reason: "meeting or presentation"}
		}, MoodSignedOut, "Paused until 14:30", "Pausiert bis 14:30"},
		{"signed out", func(s *localapi.Status) { s.State, s.User = localapi.StateSignedOut, nil }, MoodSignedOut, "Not signed in", "Nicht angemeldet"},
		{"no state", func(s *localapi.Status) { s.State = "" }, MoodSignedOut, "Not signed in", "Nicht angemeldet"},
		{"a state of a later version", func(s *localapi.Status) { s.State = "splendid" }, MoodAttention, "The agent is in a state that this program does not know", "Der Agent ist in einem Zustand, den dieses Programm nicht kennt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := inputOf(c.change)
			v := New(in)
			if v.Mood != c.mood || v.Headline != c.headline {
				t.Errorf("%s %q, want %s %q", v.Mood, v.Headline, c.mood, c.headline)
			}
			in.Language = "de"
			if g := New(in); g.Mood != c.mood || g.Headline != c.german {
				t.Errorf("German: %s %q, want %q", g.Mood, g.Headline, c.german)
			}
		})
	}
}

// TestNoCodeInAHeadline: whatever closes an application, its code stays out of
// the headline.
func TestNoCodeInAHeadline(t *testing.T) {
	for _, code := range []string{"org/zzz", "device_quarantined", "expired", "tunnel-key-used", "posture-worse", "key-assurance-too-low", "brand-new-code"} {
		for _, change := range []func(*localapi.Status){
			func(s *localapi.Status) { deny(s, []string{code}, "payroll") },
			func(s *localapi.Status) { s.State, s.Reasons = localapi.StateNotCompliant, []string{code} },
			func(s *localapi.Status) {
				s.State, s.User, s.Reasons = localapi.StateSignedOut, nil, []string{code}
			},
		} {
			if v := New(inputOf(change)); strings.Contains(v.Headline, code) || v.Mood == MoodHealthy {
				t.Errorf("%s: %s %q", code, v.Mood, v.Headline)
			}
		}
	}
}

func TestEndOfASignIn(t *testing.T) {
	at := func(left time.Duration) View {
		return New(inputOf(func(s *localapi.Status) { s.SessionEnds = noon().Add(left) }))
	}
	if v := at(2 * time.Hour); v.Ends != "" || !v.Until.Equal(noon().Add(time.Hour)) || v.Mood != MoodHealthy {
		t.Errorf("two hours before: %q until %v", v.Ends, v.Until)
	}
	if v := at(time.Hour); v.Ends != "Sign in again before 13:00" || v.Mood != MoodHealthy {
		t.Errorf("an hour before: %q %s", v.Ends, v.Mood)
	}
	if v := at(10 * time.Minute); v.Mood != MoodAttention || v.Headline != "2 apps open · sign in again before 12:10" {
		t.Errorf("ten minutes before: %s %q", v.Mood, v.Headline)
	}
	if v := at(-time.Second); v.Ends != "Sign in again now" {
		t.Errorf("after it: %q", v.Ends)
	}
}

func TestHowASignInEnded(t *testing.T) {
	in := inputOf(func(s *localapi.Status) { s.State, s.User = localapi.StateSignedOut, nil })
	in.Timeline = &localapi.Timeline{Events: []localapi.Happening{{At: noon().Add(-time.Hour), Event: localapi.EventSignedOut, Code: "session-ended"}}}
	if v := New(in); v.Detail != "Your sign-in ended today 11:00." {
		t.Errorf("%q", v.Detail)
	}
	in.Timeline.Events[0].Code = "signed-out"
	if v := New(in); v.Detail != "" {
		t.Errorf("after the person's own wish: %q", v.Detail)
	}
}

// TestUntil: a view made at the moment that the last one named differs from it,
// or names a later one.
func TestUntil(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		s.SessionEnds = noon().Add(5 * time.Hour)
		s.Forecast = []localapi.Forecast{{Code: "org/x", Name: "x", From: noon().AddDate(0, 0, 9).Format(time.RFC3339)}}
		s.LastRevocation = &localapi.Revocation{At: noon().Add(-time.Hour), App: "wiki", Cause: "expired"}
	})
	for range 20 {
		v := New(in)
		before := in
		before.Now = v.Until.Add(-time.Second)
		if !v.Until.After(in.Now) {
			t.Fatalf("until %v at %v", v.Until, in.Now)
		}
		a, b := New(before), v
		a.Until, b.Until = time.Time{}, time.Time{}
		if !sameView(a, b) {
			t.Fatalf("between %v and %v something changed unannounced:\n%+v\n%+v", in.Now, before.Now, b, a)
		}
		in.Now = v.Until
	}
}

// sameView compares what is shown.
func sameView(a, b View) bool {
	var x, y []string
	collect := func(list *[]string) func(string, string) {
		return func(path, text string) { *list = append(*list, path+text) }
	}
	everyText(reflectOf(a), "", collect(&x))
	everyText(reflectOf(b), "", collect(&y))
	return slices.Equal(x, y)
}

func TestOlderAgent(t *testing.T) {
	v := New(inputOf(func(s *localapi.Status) { s.API, s.Version = 0, "0.9" }))
	if a := v.Actions; a.Check || a.Pause || a.Sent || a.Timeline || !a.SignOut {
		t.Errorf("actions of an agent of level 1: %+v", a)
	}
	if len(v.Notes) != 1 || v.Notes[0].ID != RowOlder || !strings.Contains(v.Notes[0].Value, "0.9") {
		t.Errorf("notes %+v", v.Notes)
	}
}

// reading is a machine with some facts.
func reading(signals ...fact.Signal) *localapi.Reading {
	return &localapi.Reading{Rights: localapi.RightsSystem, Report: fact.Report{Signals: signals}}
}
