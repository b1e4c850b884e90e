package view

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// watching is a program that shows notices, in a time of its own.
type watching struct {
	t    *testing.T
	told Told
	in   Input
	wake time.Time
	got  []Notice
}

func watch(t *testing.T) *watching {
	return &watching{t: t, in: inputOf(nil)}
}

// see looks at the agent once more, so much later.
func (w *watching) see(later time.Duration, change func(*localapi.Status)) []Notice {
	w.t.Helper()
	w.in.Now = w.in.Now.Add(later)
	if change != nil {
		s := w.in.Status
		s.Apps, s.Posture.Checks = slices.Clone(s.Apps), slices.Clone(s.Posture.Checks)
		change(&s)
		w.in.Status = s
	}
	var out []Notice
	w.told, out, w.wake = Next(w.told, w.in, New(w.in))
	if !w.wake.IsZero() && !w.wake.After(w.in.Now) {
		w.t.Fatalf("asks to be woken at %v, now is %v", w.wake, w.in.Now)
	}
	for _, n := range out {
		fits(w.t, n)
	}
	w.got = append(w.got, out...)
	return out
}

// until lets time pass, waking when asked to.
func (w *watching) until(end time.Duration) []Notice {
	w.t.Helper()
	stop, got := w.in.Now.Add(end), []Notice(nil)
	for n := 0; !w.wake.IsZero() && !w.wake.After(stop); n++ {
		if n > 1000 {
			w.t.Fatal("it never comes to rest")
		}
		got = append(got, w.see(w.wake.Sub(w.in.Now), nil)...)
	}
	return append(got, w.see(stop.Sub(w.in.Now), nil)...)
}

// fits holds a notice against what platform/notify takes.
func fits(t *testing.T, n Notice) {
	t.Helper()
	ascii := func(s string) bool {
		return len(s) > 0 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	if !ascii(n.ID) || n.Title == "" || n.Body == "" || len([]rune(n.Title)) > 80 || len([]rune(n.Body)) > 400 || len(n.Choices) > 2 {
		t.Errorf("notice %+v", n)
	}
	for _, c := range n.Choices {
		if !ascii(c.ID) || c.Label == "" || len([]rune(c.Label)) > 40 {
			t.Errorf("choice %+v of %+v", c, n)
		}
	}
	plainly(t, "notice", n)
}

func (w *watching) want(got []Notice, titles ...string) {
	w.t.Helper()
	var have []string
	for _, n := range got {
		have = append(have, n.Title)
	}
	if !slices.Equal(have, titles) {
		w.t.Fatalf("at %v: told %q, want %q", w.in.Now.Format(time.TimeOnly), have, titles)
	}
}

func open(s *localapi.Status) {
	for i := range s.Apps {
		s.Apps[i].State, s.Apps[i].Reasons = localapi.AppReady, nil
	}
	for i := range s.Posture.Checks {
		s.Posture.Checks[i].Outcome = "pass"
	}
	s.State, s.Posture.Verdict = localapi.StateCompliant, "affirming"
}

func closeApps(ids ...string) func(*localapi.Status) {
	return func(s *localapi.Status) { deny(s, []string{"org/disk"}, ids...) }
}

func TestToldOfAClosing(t *testing.T) {
	w := watch(t)
	w.want(w.see(0, nil))
	got := w.see(time.Second, func(s *localapi.Status) {
		closeApps("wiki", "payroll")(s)
		s.Posture.Checks[0].Remedy = localapi.Remedy{Text: "Call 4711.", Target: "disk-encryption"}
	})
	w.want(got, "2 applications were closed")
	if got[0].Body != "Wiki and Payroll. The requirement “disk encrypted” is not met. Call 4711." || !got[0].Urgent {
		t.Errorf("%+v", got[0])
	}
	if page, ok := FixOf(got[0].Choices[0].ID); !ok || page != "disk-encryption" {
		t.Errorf("choices %+v", got[0].Choices)
	}
	w.want(w.until(10 * time.Minute)) // once
	got = w.see(0, open)
	w.want(got, "All is well again")
	if got[0].Body != "Open again: Wiki and Payroll." {
		t.Errorf("%q", got[0].Body)
	}
	w.want(w.until(24 * time.Hour))
}

func TestWellOnlyWhenAllIs(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	w.want(w.see(time.Second, closeApps("wiki", "payroll")), "2 applications were closed")
	w.want(w.see(2*time.Minute, func(s *localapi.Status) { s.Apps[0].State, s.Apps[0].Reasons = localapi.AppOpen, nil }))
	w.want(w.see(time.Minute, open), "All is well again")
}

func TestQuickRecoveryIsToldLater(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	w.want(w.see(time.Second, closeApps("wiki")), "Wiki was closed")
	w.want(w.see(5*time.Second, open))
	w.want(w.until(54 * time.Second))
	w.want(w.until(2*time.Second), "All is well again")
}

func TestFlapping(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	var got []Notice
	for i := range 60 { // ten minutes of it
		change := open
		if i%2 == 0 {
			change = closeApps("wiki")
		}
		got = append(got, w.see(10*time.Second, change)...)
	}
	w.want(got, "Wiki was closed", "Wiki keeps closing and opening")
	w.want(w.until(9 * time.Minute)) // it ended open
	w.want(w.until(2*time.Minute), "All is well again")
	w.want(w.see(0, closeApps("wiki")), "Wiki was closed") // calm again
}

func TestFlappingThatEndsClosed(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	for i := range 31 {
		change := open
		if i%2 == 0 {
			change = closeApps("wiki")
		}
		w.see(10*time.Second, change)
	}
	w.want(w.got, "Wiki was closed", "Wiki keeps closing and opening")
	w.want(w.until(11*time.Minute), "Wiki was closed")
}

func TestOwnActs(t *testing.T) {
	paused := func(s *localapi.Status) {
		deny(s, []string{"paused"}, "wiki", "payroll")
		s.Pause = &localapi.Pause{Until: noon().Add(time.Hour)}
	}
	w := watch(t)
	w.see(0, nil)
	w.told = Did(w.told, ActPause, w.in.Now)
	w.want(w.see(time.Second, paused))
	w.want(w.until(10 * time.Minute))
	w.told = Did(w.told, ActResume, w.in.Now)
	w.want(w.see(time.Second, func(s *localapi.Status) { s.Pause = nil }))
	w.want(w.see(time.Second, open))
	w.want(w.until(10 * time.Minute))

	w.told = Did(w.told, ActSignOut, w.in.Now)
	out := func(s *localapi.Status) { s.State, s.User, s.Apps = localapi.StateSignedOut, nil, nil }
	w.want(w.see(time.Second, out))
	w.want(w.until(10 * time.Minute))
	w.told = Did(w.told, ActSignIn, w.in.Now)
	w.want(w.see(time.Second, func(s *localapi.Status) { *s = healthyStatus(); deny(s, []string{"org/disk"}, "wiki") }))
	w.want(w.until(10 * time.Minute))
}

// TestClosedWhileSigningIn: what closes right after a sign-in is told a little
// later, when it is still so.
func TestClosedWhileSigningIn(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	w.told = Did(w.told, ActSignIn, w.in.Now)
	w.want(w.see(time.Second, closeApps("wiki")))
	w.want(w.until(10*time.Second), "Wiki was closed")
}

func TestSignInEnds(t *testing.T) {
	w := watch(t)
	ends := noon().Add(time.Hour)
	w.want(w.see(0, func(s *localapi.Status) { s.SessionEnds = ends }))
	w.want(w.until(49 * time.Minute))
	w.want(w.see(2*time.Minute, func(s *localapi.Status) { s.SessionEnds = ends.Add(700 * time.Millisecond) }), "Your sign-in ends in less than ten minutes")
	w.want(w.until(6 * time.Minute))
	got := w.until(2 * time.Minute)
	w.want(got, "Your sign-in ends in less than two minutes")
	if got[0].Choices[0].ID != ChoiceSignIn || !got[0].Urgent || !strings.Contains(got[0].Body, "13:00") {
		t.Errorf("%+v", got[0])
	}
	w.want(w.see(time.Minute, func(s *localapi.Status) { s.State, s.User, s.Apps = localapi.StateSignedOut, nil, nil }), "Your sign-in has ended")
	w.want(w.until(time.Hour))
}

func TestSignedOutElsewhere(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	w.in.Timeline = &localapi.Timeline{Events: []localapi.Happening{{At: noon(), Event: localapi.EventSignedOut, Code: "signed-out"}}}
	w.want(w.see(time.Minute, func(s *localapi.Status) { s.State, s.User, s.Apps = localapi.StateSignedOut, nil, nil }))
	w.want(w.until(time.Hour))
}

func TestDatedRules(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	from := noon().AddDate(0, 0, 10)
	rules := func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{{Code: "org/x", Name: "updated", From: from.Format(time.RFC3339), Apps: []string{"wiki"}, Remedy: localapi.Remedy{Text: "Install the updates."}}}
	}
	w.want(w.see(time.Minute, rules))
	got := w.until(5 * 24 * time.Hour)
	w.want(got, "“updated” will be required from 6 December")
	if got[0].Body != "This computer would then lose: Wiki. Install the updates." {
		t.Errorf("%q", got[0].Body)
	}
	w.want(w.see(time.Hour, func(s *localapi.Status) { s.Forecast = nil })) // the broker was away
	w.want(w.see(time.Hour, rules))
	w.want(w.until(4*24*time.Hour), "“updated” will be required from tomorrow")
	w.want(w.until(24*time.Hour), "“updated” will be required from today 12:00")
	w.want(w.until(24 * time.Hour))
}

// TestDailyStart: a program that starts every day does not tell the same week
// every day.
func TestDailyStart(t *testing.T) {
	for days, want := range map[int]int{5: 0, 1: 1} {
		w := watch(t)
		got := w.see(0, func(s *localapi.Status) {
			s.Forecast = []localapi.Forecast{{Code: "org/x", Name: "x", From: noon().AddDate(0, 0, days).Format(time.RFC3339)}}
		})
		if len(got) != want {
			t.Errorf("%d days before: %+v", days, got)
		}
	}
}

func TestAgentGone(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	w.in.Trouble = NotRunning
	w.want(w.see(time.Second, nil))
	w.want(w.until(4 * time.Second))
	w.want(w.until(2*time.Second), "The agent is not running")
	w.want(w.until(time.Hour))
	w.in.Trouble = NoTrouble
	w.want(w.see(time.Second, func(s *localapi.Status) {
		s.State = localapi.StateStarting
		for i := range s.Apps {
			s.Apps[i].State = localapi.AppClosed
		}
	}))
	w.want(w.see(time.Second, open), "All is well again")
	w.in.Trouble = NotRunning // a restart is no news
	w.want(w.see(time.Minute, nil))
	w.in.Trouble = NoTrouble
	w.want(w.see(2*time.Second, nil))
	w.want(w.until(time.Hour))
}

func TestAgentThatIsNotThereYet(t *testing.T) {
	w := watch(t)
	w.in.Trouble = Connecting
	w.want(w.see(0, nil))
	w.in.Trouble = NotRunning
	w.want(w.see(0, nil))
	w.want(w.until(59 * time.Second))
	w.want(w.until(2*time.Second), "The agent is not running")
}

func TestFirstSightOfAClosedApp(t *testing.T) {
	w := watch(t)
	w.want(w.see(0, closeApps("wiki")), "Wiki was closed")
	w.want(w.until(time.Hour))
}

// TestClockSetBack: a clock that is set back mutes nothing.
func TestClockSetBack(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	w.want(w.see(time.Minute, closeApps("wiki")), "Wiki was closed")
	w.see(2*time.Minute, open)
	w.in.Now = noon().AddDate(-1, 0, 0)
	w.want(w.see(0, closeApps("payroll")), "Payroll was closed")
}

func TestBeforeIsNeverChanged(t *testing.T) {
	w := watch(t)
	w.see(0, nil)
	before := w.told
	closed := w.in
	closeApps("wiki")(&closed.Status)
	_, first, _ := Next(before, closed, New(closed))
	_, second, _ := Next(before, closed, New(closed))
	if len(first) != 1 || len(second) != 1 {
		t.Errorf("the same call gave %d and %d notices", len(first), len(second))
	}
}
