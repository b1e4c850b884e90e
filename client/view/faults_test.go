package view

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/catalogue"
	"github.com/postern-zt/postern/posture/fact"
)

func reflectOf(v any) reflect.Value { return reflect.ValueOf(v) }

func disk(encrypted bool) fact.Signal {
	status := map[bool]string{true: fact.Encrypted, false: fact.Unencrypted}[encrypted]
	return fact.Signal{Name: fact.SignalDisk, State: fact.Observed, Facts: []fact.Fact{
		{Field: "system_status", Value: fact.Str(status)}, {Field: "system_protected", Value: fact.Bool(encrypted)}}}
}

func edr(running bool) fact.Signal {
	return fact.Signal{Name: fact.SignalEDR, State: fact.Observed, Facts: []fact.Fact{
		{Key: "acme", Field: "name", Value: fact.Str("Acme Guard")}, {Key: "acme", Field: "installed", Value: fact.Bool(true)}, {Key: "acme", Field: "running", Value: fact.Bool(running)}}}
}

// revokedFor notes that facts got worse and closed applications.
func revokedFor(s *localapi.Status, apps string, facts ...string) {
	s.LastRevocation = &localapi.Revocation{Cause: "posture-worse: " + strings.Join(facts, ", "), App: apps, At: noon(), ClientMS: 1}
}

func TestBehindAFault(t *testing.T) {
	target := func(s *localapi.Status) { s.Posture.Checks[0].Remedy.Target = "disk-encryption" }
	for _, c := range []struct {
		name   string
		change func(*localapi.Status)
		on     *localapi.Reading
		title  string
	}{
		{"by the settings page", func(s *localapi.Status) { deny(s, []string{"org/disk"}, "wiki"); target(s) }, reading(disk(false)), "The system disk is not encrypted"},
		{"the page's facts are good", func(s *localapi.Status) { deny(s, []string{"org/disk"}, "wiki"); target(s) }, reading(disk(true)), "The requirement “disk encrypted” is not met"},
		{"without a reading", func(s *localapi.Status) { deny(s, []string{"org/disk"}, "wiki"); target(s) }, nil, "The requirement “disk encrypted” is not met"},
		{"by what got worse", func(s *localapi.Status) {
			deny(s, []string{"org/edr"}, "wiki", "payroll")
			revokedFor(s, "payroll,wiki", "edr[acme].running")
		}, reading(edr(false)), "Acme Guard: The security product does not run"},
		{"what got worse is good again", func(s *localapi.Status) {
			deny(s, []string{"org/edr"}, "wiki")
			revokedFor(s, "wiki", "edr[acme].running")
		}, reading(edr(true)), "The requirement “second edr runs” is not met"},
		{"two checks may be meant", func(s *localapi.Status) {
			deny(s, []string{"org/disk", "org/edr"}, "wiki")
			revokedFor(s, "wiki", "edr[acme].running")
		}, reading(edr(false)), "The requirement “disk encrypted” is not met"},
		{"closed by somebody else", func(s *localapi.Status) {
			deny(s, []string{"org/edr"}, "wiki")
			s.LastRevocation = &localapi.Revocation{Cause: "revoked", App: "wiki", Facts: []string{"edr[acme].running"}}
		}, reading(edr(false)), "The requirement “second edr runs” is not met"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := inputOf(c.change)
			in.Reading = c.on
			v := New(in)
			if len(v.Faults) == 0 || v.Faults[0].Title != c.title || !v.Faults[0].Required {
				t.Errorf("faults %+v, want %q", v.Faults, c.title)
			}
		})
	}
}

// TestFaultsOnce: what the reading says is told with one check only, required
// ones come first, and the administrator's words win.
func TestFaultsOnce(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		s.Posture.Checks = []localapi.Check{
			{Code: "org/advice", Name: "advice", Outcome: "fail", Remedy: localapi.Remedy{Target: "updates"}},
			{Code: "org/a", Name: "a", Outcome: "fail", Enforced: true, Remedy: localapi.Remedy{Target: "disk-encryption", Text: "Call 4711."}},
			{Code: "org/b", Name: "b", Outcome: "fail", Enforced: true, Remedy: localapi.Remedy{Target: "disk-encryption"}},
			{Code: "org/c", Name: "c", Outcome: "unknown", Enforced: true, Missing: []string{"edr[*].running", "edr[*].installed"}},
		}
		deny(s, []string{"org/a", "org/b", "org/c"}, "wiki")
		s.Posture.Checks[3].Outcome = "unknown"
	})
	in.Reading = reading(disk(false), fact.Signal{Name: fact.SignalEDR, State: fact.Unknown, Reason: fact.ReasonNeedsPrivilege})
	f := New(in).Faults
	if len(f) != 4 || f[3].Check != "advice" || f[3].Required {
		t.Fatalf("%+v", f)
	}
	if f[0].Title != "The system disk is not encrypted" || f[0].Fix != (Fix{"Call 4711.", "disk-encryption"}) || !slices.Equal(f[0].Apps, []string{"Wiki"}) {
		t.Errorf("first fault %+v", f[0])
	}
	if f[1].Title != "The requirement “b” is not met" || f[1].Fix.Page != "disk-encryption" {
		t.Errorf("second fault %+v", f[1])
	}
	if !f[2].Unknown || !slices.Equal(f[2].Why, []string{"Security products: The system did not let Postern read this."}) {
		t.Errorf("unknown fault %+v", f[2])
	}
}

// TestLetThrough: a check that could not be made and closes nothing is advice.
func TestLetThrough(t *testing.T) {
	v := New(inputOf(func(s *localapi.Status) { s.Posture.Checks[0].Outcome, s.Posture.Verdict = "unknown", "warning" }))
	if len(v.Faults) != 1 || v.Faults[0].Required || v.Mood != MoodAttention {
		t.Errorf("%s %+v", v.Mood, v.Faults)
	}
}

func TestAdviceWithoutASession(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		s.State, s.User, s.Apps, s.Posture = localapi.StateSignedOut, nil, nil, localapi.Posture{}
	})
	in.Reading = reading(disk(false), edr(true))
	v := New(in)
	if len(v.Faults) != 1 || v.Faults[0].Required || v.Faults[0].Title != "The system disk is not encrypted" || v.Faults[0].Fix.Page != "disk-encryption" {
		t.Errorf("%+v", v.Faults)
	}
	if v.Detail != "What your organisation requires is known once you sign in; until then this is only recommended." || v.Mood != MoodSignedOut {
		t.Errorf("%s %q", v.Mood, v.Detail)
	}
}

func TestReasonsOfAnApp(t *testing.T) {
	why := func(change func(*localapi.Status), on *localapi.Reading) Reason {
		in := inputOf(change)
		in.Reading = on
		for _, a := range New(in).Apps {
			if a.ID == "wiki" && len(a.Why) > 0 {
				return a.Why[0]
			}
		}
		return Reason{}
	}
	closedBy := func(code string) func(*localapi.Status) {
		return func(s *localapi.Status) { deny(s, []string{code}, "wiki") }
	}
	if r := why(closedBy("org/disk"), nil); r.Text != "The requirement “disk encrypted” is not met." {
		t.Errorf("by the check: %+v", r)
	}
	if r := why(closedBy("key-assurance-too-low"), nil); !strings.Contains(r.Text, "device key") || r.Fix.Text == "" {
		t.Errorf("by the catalogue: %+v", r)
	}
	if r := why(closedBy("org/gone"), nil); r.Text != "The reason has the code org/gone." || r.Fix.Text != "Ask your helpdesk and give them the code org/gone." {
		t.Errorf("by the code: %+v", r)
	}
	worse := func(s *localapi.Status) {
		deny(s, []string{"posture-worse"}, "wiki")
		revokedFor(s, "wiki", "edr[acme].running")
	}
	if r := why(worse, reading(edr(false))); r.Text != "Acme Guard: The security product does not run." {
		t.Errorf("by the fact: %+v", r)
	}
	if r := why(worse, nil); r.Text != "Something got worse on this computer: Security products." {
		t.Errorf("by the signal: %+v", r)
	}
}

// TestComing: dates are those of the person's zone.
func TestComing(t *testing.T) {
	in := inputOf(func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{
			{Code: "org/late", Name: "late", From: "2027-01-01T00:00:00Z", Apps: []string{"wiki", "wiki", "gone"}},
			{Code: "org/day", Name: "day", From: "2026-12-02T23:30:00Z"},
			{Code: "org/tomorrow", Name: "tomorrow", From: "2026-11-26T23:00:00Z"},
			{Code: "org/today", Name: "today", From: "2026-11-26T13:30:00Z"},
			{Code: "org/odd", Name: "odd", From: "next week"}}
	})
	var got []string
	for _, c := range New(in).Coming {
		got = append(got, c.Title+" "+c.When+" "+strings.Join(c.Apps, "+"))
	}
	want := []string{"“odd” will be required soon ", "“today” will be required from today 14:30 ", "“tomorrow” will be required from tomorrow ",
		"“day” will be required from 3 December ", "“late” will be required from 1 January 2027 Wiki+gone"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	in.Zone, in.Language = time.UTC, "de"
	if c := New(in).Coming[3]; c.When != "ab 2. Dezember" {
		t.Errorf("in UTC and German: %q", c.When)
	}
}

func TestRemarks(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal fact.Signal
		want   []string
	}{
		{"covered findings are told once", disk(false), []string{"bad The system disk is not encrypted."}},
		{"well", disk(true), []string{"good The system disk is encrypted.", "good The system disk is protected."}},
		{"a signal that was not read", fact.Signal{Name: fact.SignalDisk, State: fact.Unknown, Reason: fact.ReasonTimeout}, []string{"unknown The system did not answer in time."}},
		{"two sources", fact.Signal{Name: fact.SignalFirewall, State: fact.Observed, Source: "a and b", Facts: []fact.Fact{{Field: "enabled", State: fact.Conflict, Reason: fact.ReasonDisagree}}},
			[]string{"bad Two sources on this computer gave different answers. (a and b)"}},
		{"what a system does not have is no line", fact.Signal{Name: fact.SignalIntegrity, State: fact.Observed, Facts: []fact.Fact{
			{Field: "sip", State: fact.Unknown, Reason: fact.ReasonUnsupported}, {Field: "secure_boot", State: fact.Unknown, Reason: fact.ReasonNeedsPrivilege}}},
			[]string{"unknown Secure Boot: The system did not let Postern read this."}},
		{"faults before notes", fact.Signal{Name: fact.SignalPatch, State: fact.Observed, Facts: []fact.Fact{
			{Field: "livepatch", Value: fact.Bool(false)}, {Field: "reboot_pending", Value: fact.Bool(true)}}},
			[]string{"bad An installed update waits for a restart.", "note No live patch is loaded into the kernel."}},
	} {
		var got []string
		for _, r := range Remarks(c.signal, "linux", catalogue.For("en")) {
			got = append(got, r.Mark+" "+r.Text)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}
