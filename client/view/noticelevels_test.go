package view

import (
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// TestLevelsOfTheEnd: the end of a sign-in is told exactly ten and two minutes
// before it, and not a second earlier.
func TestLevelsOfTheEnd(t *testing.T) {
	w := watch(t)
	w.see(0, func(s *localapi.Status) { s.SessionEnds = noon().Add(time.Hour) })
	w.want(w.see(50*time.Minute-time.Second, nil))
	w.want(w.see(time.Second, nil), "Your sign-in ends in less than ten minutes")
	w.want(w.see(8*time.Minute-time.Second, nil))
	got := w.see(time.Second, nil)
	w.want(got, "Your sign-in ends in less than two minutes")
	if c := got[0].Choices[0]; c.ID != ChoiceSignIn || c.Label != "Sign in again…" {
		t.Errorf("%+v", c)
	}
	w.want(w.see(time.Minute, nil))
}

// TestLevelsOfARule: a dated rule is told exactly a week, a day and an hour
// before it starts.
func TestLevelsOfARule(t *testing.T) {
	const day = 24 * time.Hour
	w := watch(t)
	w.see(0, func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{{Code: "org/x", Name: "x", From: noon().Add(10 * day).Format(time.RFC3339)}}
	})
	w.want(w.see(3*day-time.Second, nil))
	w.want(w.see(time.Second, nil), "“x” will be required from 6 December")
	w.want(w.see(6*day-time.Second, nil))
	w.want(w.see(time.Second, nil), "“x” will be required from tomorrow")
	w.want(w.see(23*time.Hour-time.Second, nil))
	w.want(w.see(time.Second, nil), "“x” will be required from today 12:00")
}

// TestAfterASleep: what came due while the computer slept is told at the first
// look after it, once, and at its tightest.
func TestAfterASleep(t *testing.T) {
	w := watch(t)
	w.see(0, func(s *localapi.Status) { s.SessionEnds = noon().Add(time.Hour) })
	w.want(w.see(59*time.Minute, nil), "Your sign-in ends in less than two minutes")
	w.want(w.see(30*time.Second, nil))
}
