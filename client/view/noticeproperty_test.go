package view

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// world is an agent and a person to whom things happen at random, with what a
// program that shows notices may tell of it.
type world struct {
	t       *testing.T
	r       *rand.Rand
	w       *watching
	apps    map[string]bool // by name: open
	lastOf  map[string]time.Time
	lastIDs map[string]time.Time
	// fresh are applications that were seen open since the last notice that
	// named them as closed.
	fresh map[string]bool
}

func names() []string { return []string{"Aabb", "Ccdd", "Eeff", "Gghh"} }

func newWorld(t *testing.T, seed uint64) *world {
	x := &world{t: t, r: rand.New(rand.NewPCG(seed, 9)), w: watch(t), apps: map[string]bool{},
		lastOf: map[string]time.Time{}, lastIDs: map[string]time.Time{}, fresh: map[string]bool{}}
	for _, n := range names() {
		x.apps[n] = true
	}
	x.w.in.Status.SessionEnds = noon().Add(time.Duration(x.r.IntN(600)) * time.Minute)
	if x.r.IntN(2) == 0 {
		x.w.in.Status.Forecast = []localapi.Forecast{{Code: "org/x", Name: "x", From: noon().Add(time.Duration(x.r.IntN(200)) * time.Hour).Format(time.RFC3339)}}
	}
	return x
}

// status is the agent's, as the world is.
func (x *world) status() {
	s := &x.w.in.Status
	s.Apps = nil
	s.State, s.Posture.Verdict = localapi.StateCompliant, "affirming"
	s.Posture.Checks = []localapi.Check{{Code: "org/disk", Name: "disk", Outcome: "pass", Enforced: true}}
	for _, n := range names() {
		a := localapi.App{ID: n, Name: n, State: localapi.AppReady}
		switch {
		case s.Pause != nil:
			a.State, a.Reasons = localapi.AppClosed, []string{"paused"}
		case !x.apps[n]:
			a.State, a.Reasons = localapi.AppDenied, []string{"org/disk"}
			s.State, s.Posture.Verdict, s.Posture.Checks[0].Outcome = localapi.StateLimited, "warning", "fail"
		}
		s.Apps = append(s.Apps, a)
	}
	if s.User == nil {
		s.State, s.Apps = localapi.StateSignedOut, nil
	}
}

// step lets something happen.
func (x *world) step() {
	s := &x.w.in.Status
	own := false
	act := func(what string) { x.w.told, own = Did(x.w.told, what, x.w.in.Now), true }
	switch n := x.r.IntN(20); {
	case n < 6 && s.User != nil:
		name := names()[x.r.IntN(4)]
		x.apps[name] = !x.apps[name]
	case n == 9 && s.User != nil && s.Pause == nil:
		act(ActPause)
		s.Pause = &localapi.Pause{Until: x.w.in.Now.Add(time.Hour)}
	case n >= 10 && s.Pause != nil:
		act(ActResume)
		s.Pause = nil
	case n == 11 && s.User != nil:
		act(ActSignOut)
		s.User, s.Pause = nil, nil
	case n >= 5 && s.User == nil:
		act(ActSignIn)
		s.User = &localapi.User{Name: "Kim"}
	case n == 13:
		x.w.in.Trouble = NotRunning
	case n > 13:
		x.w.in.Trouble = NoTrouble
	}
	x.status()
	later := time.Duration(x.r.IntN(90_000)) * time.Millisecond
	if x.r.IntN(2) == 0 {
		later = time.Duration(x.r.IntN(60)) * time.Minute
	}
	if own {
		later = 0
	}
	for !x.w.wake.IsZero() && later > 0 && x.w.wake.Before(x.w.in.Now.Add(later)) {
		later -= x.w.wake.Sub(x.w.in.Now)
		x.judge(x.w.see(x.w.wake.Sub(x.w.in.Now), nil), false)
	}
	x.judge(x.w.see(later, nil), own)
}

// judge holds the notices of one moment against what they may be.
func (x *world) judge(got []Notice, own bool) {
	x.t.Helper()
	now, s := x.w.in.Now, x.w.in.Status
	for _, n := range got {
		kind, _, _ := strings.Cut(n.ID, ":")
		if own && kind != "coming" && n.ID != "sign-in" && x.w.in.Trouble == NoTrouble {
			x.t.Fatalf("right after the person's own act: %+v", n)
		}
		if last := x.lastIDs[n.ID]; !last.IsZero() && now.Sub(last) < time.Minute {
			x.t.Fatalf("%s twice within a minute: %+v", n.ID, n)
		}
		x.lastIDs[n.ID] = now
		for _, name := range names() {
			if !strings.Contains(n.Title+n.Body, name) {
				continue
			}
			if last := x.lastOf[name]; !last.IsZero() && now.Sub(last) < time.Minute {
				x.t.Fatalf("%s twice within a minute: %+v", name, n)
			}
			x.lastOf[name] = now
			if kind != "closed" {
				continue
			}
			if s.Pause != nil || s.User == nil {
				x.t.Fatalf("of what the person closed: %+v", n)
			}
			changing := strings.Contains(n.Title, "keeps")
			if !changing && x.apps[name] {
				x.t.Fatalf("%s is open: %+v", name, n)
			}
			if !x.fresh[name] {
				x.t.Fatalf("%s was not open since it was told closed: %+v", name, n)
			}
			x.fresh[name] = changing
		}
	}
	if x.w.in.Trouble == NoTrouble && s.User != nil && s.Pause == nil {
		for n, isOpen := range x.apps {
			x.fresh[n] = x.fresh[n] || isOpen
		}
	}
}

// TestNoticesOfRandomLives: at most one notice a minute of anything, none
// twice, none after the person's own act, and no closing that stays untold.
func TestNoticesOfRandomLives(t *testing.T) {
	total := 0
	for seed := range uint64(150) {
		x := newWorld(t, seed)
		x.status()
		if got := x.w.see(0, nil); len(got) > 0 && got[0].ID == "well" {
			t.Fatalf("at the first sight of a healthy agent: %+v", got)
		}
		x.judge(nil, false)
		for range 200 {
			x.step()
		}
		total += len(x.w.got)
		x.silence()
	}
	if total < 1000 {
		t.Errorf("only %d notices: these lives are too quiet to show anything", total)
	}
}

// silence closes everything while the person does nothing: within what it
// takes to settle, every closing is told.
func (x *world) silence() {
	x.t.Helper()
	s := &x.w.in.Status
	s.User, s.Pause, x.w.in.Trouble = &localapi.User{Name: "Kim"}, nil, NoTrouble
	for n := range x.apps {
		x.apps[n] = true
	}
	x.status()
	x.w.see(time.Second, nil)
	x.w.until(2 * settled)
	since := len(x.w.got)
	for n := range x.apps {
		x.apps[n] = false
	}
	x.status()
	x.w.see(time.Second, nil)
	x.w.until(settled + time.Minute)
	told := map[string]bool{}
	for _, n := range x.w.got[since:] {
		if kind, _, _ := strings.Cut(n.ID, ":"); kind == "closed" {
			for _, name := range names() {
				told[name] = told[name] || strings.Contains(n.Title+n.Body, name)
			}
		}
	}
	if len(told) != 4 || slices.Contains(slices.Collect(maps.Values(told)), false) {
		x.t.Fatalf("of four closings only %v were told", told)
	}
}
