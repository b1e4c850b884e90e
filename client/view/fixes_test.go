package view

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

// TestEveryFaultHasAFix: whatever closes an application, in either language,
// reason, fault and headline say what to do or whom to ask.
func TestEveryFaultHasAFix(t *testing.T) {
	codes := []string{"org/nobody-knows", "brand-new"}
	for _, e := range catalogue.All() {
		codes = append(codes, e.Code)
	}
	for _, code := range codes {
		for name, change := range map[string]func(*localapi.Status){
			"an application": func(s *localapi.Status) { deny(s, []string{code}, "payroll") },
			"a check": func(s *localapi.Status) {
				s.Posture.Checks = append(s.Posture.Checks, localapi.Check{Code: code, Name: "Updates", Outcome: "fail", Enforced: true})
				deny(s, []string{code}, "payroll")
			},
			"a fact that is not known": func(s *localapi.Status) {
				s.Posture.Checks = append(s.Posture.Checks, localapi.Check{Code: "org/x", Name: "x", Outcome: "unknown", Missing: []string{"edr[*].running", "disk.system_status", "no address"}})
			},
			"everything":      func(s *localapi.Status) { s.State, s.Reasons = localapi.StateNotCompliant, []string{code} },
			"without a user":  func(s *localapi.Status) { s.State, s.User, s.Reasons = localapi.StateSignedOut, nil, []string{code} },
			"the whole state": func(s *localapi.Status) { deny(s, nil, "payroll"); s.Reasons = []string{code} },
		} {
			for _, language := range catalogue.Languages() {
				in := inputOf(change)
				in.Language, in.System = language, "linux"
				in.Reading = reading(fact.Signal{Name: fact.SignalEDR, State: fact.Unknown, Reason: fact.Reason(code)},
					fact.Signal{Name: fact.SignalDisk, State: fact.Unknown, Reason: fact.Reason(code)})
				v := New(in)
				for _, f := range v.Faults {
					if f.Fix.Text == "" || f.Code == "" {
						t.Errorf("%s, %s closes %s: fault %+v", language, code, name, f)
					}
				}
				for _, a := range v.Apps {
					for _, r := range a.Why {
						if r.Fix.Text == "" {
							t.Errorf("%s, %s closes %s: reason %+v", language, code, name, r)
						}
					}
				}
				if v.Mood != MoodHealthy && v.Hint == "" {
					t.Errorf("%s, %s closes %s: %q and nothing to do", language, code, name, v.Headline)
				}
			}
		}
	}
}

// TestFixes: the order in which what helps is looked for.
func TestFixes(t *testing.T) {
	unknownCheck := func(c localapi.Check) Fault {
		in := inputOf(func(s *localapi.Status) {
			c.Code, c.Name, c.Enforced = "org/x", "x", true
			s.Posture.Checks = []localapi.Check{c}
			deny(s, []string{"org/x"}, "wiki")
			s.Posture.Checks[0].Outcome = c.Outcome
			s.Managed.Support = "help@example.com"
		})
		in.System = "linux"
		in.Reading = reading(fact.Signal{Name: fact.SignalEDR, State: fact.Unknown, Reason: fact.ReasonNeedsPrivilege},
			fact.Signal{Name: fact.SignalDevice, State: fact.Observed, Facts: []fact.Fact{{Field: "serial", State: fact.Unknown, Reason: fact.ReasonNotFound}}})
		return New(in).Faults[0]
	}
	needs, _ := catalogue.Lookup("needs-privilege")
	finding, _ := catalogue.FindingOf("disk.system_status")
	for _, c := range []struct {
		name  string
		check localapi.Check
		want  string
	}{
		{"the administrator's", localapi.Check{Outcome: "unknown", Missing: []string{"edr[*].running"}, Remedy: localapi.Remedy{Text: "Call 4711."}}, "Call 4711."},
		{"the reason's", localapi.Check{Outcome: "unknown", Missing: []string{"edr[*].running"}}, needs.Fix.Linux},
		{"the finding's", localapi.Check{Outcome: "fail", Parts: []localapi.Part{{Outcome: "fail", Reads: []string{"disk.system_status"}}}}, finding.Fix.For("linux")},
		{"the page's", localapi.Check{Outcome: "fail", Remedy: localapi.Remedy{Target: "disk-encryption"}}, finding.Fix.For("linux")},
		{"a serial number cannot be switched on", localapi.Check{Outcome: "unknown", Missing: []string{"device.serial"}}, "Ask help@example.com and give them the code org/x."},
		{"nothing is known", localapi.Check{Outcome: "fail"}, "Ask help@example.com and give them the code org/x."},
	} {
		if f := unknownCheck(c.check); f.Fix.Text != c.want || c.want == "" {
			t.Errorf("%s: %q, want %q", c.name, f.Fix.Text, c.want)
		}
	}
}

// TestWhomToAsk: who looks after the computer is known in every trouble.
func TestWhomToAsk(t *testing.T) {
	for _, trouble := range []Trouble{NotRunning, NoAccess, NotOwner, Refused} {
		in := inputOf(func(s *localapi.Status) { *s = localapi.Status{} })
		in.Trouble, in.LastManaged = trouble, localapi.Managed{By: "Example Ltd", Support: "help@example.com"}
		v := New(in)
		got := map[string]string{}
		for _, r := range v.About {
			got[r.ID] = r.Value
		}
		if got[RowManaged] != "Example Ltd" || got[RowSupport] != "help@example.com" || !strings.HasSuffix(v.Hint, "Help: help@example.com") {
			t.Errorf("%s: %v %q", trouble, got, v.Hint)
		}
	}
	in := inputOf(func(s *localapi.Status) { s.Managed = localapi.Managed{} })
	in.LastManaged = localapi.Managed{By: "Before Ltd"}
	for _, r := range New(in).About {
		if r.ID == RowManaged {
			t.Errorf("an agent that nobody manages: %+v", r)
		}
	}
}
