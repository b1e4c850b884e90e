package view

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/posture/catalogue"
)

func TestPaused(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		deny(s, []string{"paused"}, "wiki")
		deny(s, []string{"key-assurance-too-low"}, "payroll")
		s.Pause = &localapi.Pause{Until: noon().Add(time.Hour), Reason: "T"}
	})
	v := New(in)
	if v.Detail != "T" || v.Mood != MoodSignedOut {
		t.Errorf("%s %q %q", v.Mood, v.Headline, v.Detail)
	}
	if a := v.Apps[0]; !a.Paused || a.Says != "paused" || a.Why[0].Fix.Text == "" {
		t.Errorf("%+v", a)
	}
	if a := v.Apps[1]; a.Paused || a.Says != "closed" {
		t.Errorf("closed anyway: %+v", a)
	}
	if e := Explain(in, "payroll"); !strings.Contains(e.Says, "device key") || e.Next[0] != "It opens when your organisation changes this." {
		t.Errorf("%q %q", e.Says, e.Next)
	}
	in.Status.Apps[1].Reasons = []string{"org/disk"}
	if e := Explain(in, "payroll"); e.Next[0] != "It opens once this is put right and the pause is over." {
		t.Errorf("%q %q", e.Says, e.Next)
	}
	in.Status.Pause.Reason = state.ReasonUnreadablePause
	if in.Language = "de"; New(in).Detail != "eine frühere Pause, deren Ende nicht mehr zu lesen ist" {
		t.Errorf("%q", New(in).Detail)
	}
}

func TestPauseLengths(t *testing.T) {
	for id, want := range map[string]time.Duration{PauseQuarter: 15 * time.Minute, PauseHour: time.Hour, PauseHalfDay: 4 * time.Hour, PauseTomorrow: 18 * time.Hour} {
		if got, ok := PauseFor(id, noon()); !ok || got != want {
			t.Errorf("%s: %v %v", id, got, ok)
		}
	}
	if got, _ := PauseFor(PauseTomorrow, noon().Add(-11*time.Hour)); got != 24*time.Hour {
		t.Errorf("one in the morning until tomorrow: %v", got)
	}
	if _, ok := PauseFor("2h", noon()); ok {
		t.Error("a length that nobody offers")
	}
	for _, language := range catalogue.Languages() {
		for _, l := range PauseLengths(language) {
			if _, ok := PauseFor(l.ID, noon()); !ok || l.Text == "" {
				t.Errorf("%s: %+v", language, l)
			}
		}
	}
}
