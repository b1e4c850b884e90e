package view

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// TestAdvice: what is bad is a problem only where this person is asked for it.
func TestAdvice(t *testing.T) {
	marks := func(change func(*localapi.Status)) string {
		in := inputOf(change)
		in.Reading = reading(disk(false), edr(false))
		judged := Judged(in)
		var out []string
		for _, s := range in.Reading.Report.Signals {
			out = append(out, judged(s)[0].Mark)
		}
		return strings.Join(out, " ")
	}
	fails := func(i int, c localapi.Check) func(*localapi.Status) {
		return func(s *localapi.Status) {
			s.Posture.Verdict = "warning"
			c.Code, c.Name, c.Outcome, c.Enforced = s.Posture.Checks[i].Code, s.Posture.Checks[i].Name, "fail", true
			s.Posture.Checks[i] = c
		}
	}
	byPart := localapi.Check{Parts: []localapi.Part{{Outcome: "pass", Reads: []string{"edr[*].running"}}, {Outcome: "fail", Reads: []string{"disk.system_status"}}}}
	byChoice := localapi.Check{Parts: []localapi.Part{{Outcome: "fail", OneOf: []localapi.Choice{{Outcome: "fail", Reads: []string{"edr[*].running"}}}}}}
	byPage := localapi.Check{Remedy: localapi.Remedy{Target: "disk-encryption"}}
	needsOnly := func(names ...string) func(*localapi.Status) {
		return func(s *localapi.Status) {
			fails(0, byPart)(s)
			for i := range s.Apps {
				s.Apps[i].Needs = &localapi.Needs{Checks: names}
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*localapi.Status)
		want   string
	}{
		{"all checks pass", nil, "advice advice"},
		{"signed out", func(s *localapi.Status) {
			s.State, s.User, s.Posture = localapi.StateSignedOut, nil, localapi.Posture{}
		}, "advice advice"},
		{"a part", fails(0, byPart), "bad advice"},
		{"one of several", fails(1, byChoice), "advice bad"},
		{"the page that helps", fails(0, byPage), "bad advice"},
		{"only reported", func(s *localapi.Status) { fails(0, byPart)(s); s.Posture.Checks[0].Enforced = false }, "advice advice"},
		{"an application of theirs asks for it", needsOnly("disk encrypted"), "bad advice"},
		{"none of theirs asks for it", needsOnly("second-edr-runs"), "advice advice"},
		{"what just got worse", func(s *localapi.Status) {
			deny(s, []string{"posture-worse"}, "wiki")
			revokedFor(s, "wiki", "edr[acme].running")
		}, "advice bad"},
	} {
		if got := marks(c.change); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if v := New(inputOf(needsOnly("second-edr-runs"))); v.Problems != 0 || len(v.Faults) != 1 || v.Wrong != "Recommended (1)" {
		t.Errorf("of others: %d %+v %q", v.Problems, v.Faults, v.Wrong)
	}
}

// TestCountsAgree: what the headline counts is what is listed as wrong.
func TestCountsAgree(t *testing.T) {
	v := New(inputOf(func(s *localapi.Status) {
		deny(s, []string{"org/disk", "org/edr", "key-assurance-too-low", "no-gateway"}, "payroll")
		s.Posture.Checks = append(s.Posture.Checks, localapi.Check{Code: "org/advice", Name: "advice", Outcome: "fail"})
	}))
	if v.Headline != "Payroll is closed: the requirement “disk encrypted” is not met · 3 more things are wrong" || v.Wrong != "What is wrong (4) · Recommended (1)" || v.Problems != 4 {
		t.Errorf("%q above %q", v.Headline, v.Wrong)
	}
	for _, f := range v.Faults[:4] {
		if !slices.Equal(f.Apps, []string{"Payroll"}) {
			t.Errorf("%+v", f)
		}
	}
	for _, a := range New(inputOf(nil)).Apps {
		if a.Says != "open" {
			t.Errorf("%s can be used and is %q", a.ID, a.Says)
		}
	}
}

func TestClockIsAFault(t *testing.T) {
	for skew, want := range map[int64]string{60_000: "", 121_000: "This computer’s clock is 121 seconds ahead of the broker’s", -61_000: "This computer’s clock is 61 seconds behind the broker’s"} {
		in := inputOf(func(s *localapi.Status) { s.Broker.ClockSkewMS = skew })
		in.System = "linux"
		v := New(in)
		if want == "" {
			if v.Mood != MoodHealthy || len(v.Faults) != 0 {
				t.Errorf("%d ms: %s %+v", skew, v.Mood, v.Faults)
			}
			continue
		}
		if v.Mood != MoodAttention || v.Faults[0].Title != want || v.Faults[0].Required || !strings.Contains(v.Hint, "timedatectl") || v.Code == "" {
			t.Errorf("%d ms: %s %+v %q", skew, v.Mood, v.Faults, v.Hint)
		}
	}
}

// TestSoonComesBeforeAdvice: what will close something is told before what only
// could be better.
func TestSoonComesBeforeAdvice(t *testing.T) {
	v := New(inputOf(func(s *localapi.Status) {
		s.Broker.ClockSkewMS, s.SessionEnds = 121_000, noon().Add(9*time.Minute)
		s.Posture.Checks[0].Outcome, s.Posture.Checks[0].Enforced = "fail", false
	}))
	if v.Headline != "2 apps open · sign in again before 12:09" || len(v.Faults) != 2 {
		t.Errorf("%q %+v", v.Headline, v.Faults)
	}
}
