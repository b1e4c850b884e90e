package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/client/localapi"
)

func reads(outcome string, list ...string) localapi.Part {
	return localapi.Part{Outcome: outcome, Reads: list}
}

// needy is an input in which the broker tells what applications ask for:
// payroll for all there is, the wiki for a disk.
func needy(change func(*localapi.Status)) Input {
	return inputOf(func(s *localapi.Status) {
		s.Posture.Checks = []localapi.Check{
			{Code: "org/disk", Name: "disk encrypted", Outcome: "pass", Enforced: true, Parts: []localapi.Part{reads("pass", "disk.system_status")}},
			{Code: "org/base", Name: "baseline", Outcome: "pass", Enforced: true, Parts: []localapi.Part{
				reads("pass", "firewall.enabled"),
				{Outcome: "pass", OneOf: []localapi.Choice{{Outcome: "fail", Reads: []string{"edr[*].running"}}, {Outcome: "pass", Reads: []string{api.ReadsNetwork}}}}}},
			{Code: "org/lock", Name: "screen lock", Outcome: "fail", From: "2026-12-01T00:00:00Z", Remedy: localapi.Remedy{Text: "Set a lock."}, Parts: []localapi.Part{reads("fail", "screen_lock.idle_delay", "screen_lock.enabled")}},
			{Code: "org/watch", Name: "watched", Outcome: "pass"},
			{Code: "org/other", Name: "of another app", Outcome: "fail", Enforced: true},
		}
		s.Posture.Verdict = "warning"
		s.Apps[0].Needs = &localapi.Needs{Checks: []string{"disk encrypted"}}
		s.Apps[1].Needs = &localapi.Needs{Checks: []string{"disk encrypted", "baseline", "screen lock", "watched"},
			Conditions: []localapi.Condition{{Code: api.ReasonKeyAssurance, Outcome: "pass"}}}
		if change != nil {
			change(s)
		}
	})
}

// written writes requirements down, with their parts.
func written(list []Need) []string {
	var out []string
	for _, n := range list {
		line := n.Says + ": " + n.Name
		for _, p := range n.Parts {
			line += " / " + p.Says + " " + p.Text
		}
		out = append(out, strings.Join(append([]string{line}, n.Why...), " – "))
	}
	return out
}

func same(t *testing.T, what string, got []Need, want ...string) {
	t.Helper()
	if lines := written(got); !slices.Equal(lines, want) {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestNeedsOfAnOpenApplication(t *testing.T) {
	e := Explain(needy(nil), "payroll")
	if !e.Told || e.Note != "" || len(e.Unmet) != 0 || !slices.Equal(e.Do, []Fix{{Text: "Set a lock."}}) {
		t.Errorf("%+v", e)
	}
	same(t, "met", e.Met,
		"met: disk encrypted / met Disk encryption: System disk",
		"met: baseline / met Firewall / met one of these is enough: Security products: Running (not met); Where you connect from (met)",
		"met: Device key in hardware, proven to the broker")
	same(t, "later", e.Later,
		"from 1 December · not met: screen lock / not met Screen lock: Dark after and Screen lock (looked at together)",
		"only reported · met: watched")
	same(t, "the wiki", Explain(needy(nil), "wiki").Met, "met: disk encrypted / met Disk encryption: System disk")
	in := needy(nil)
	in.Language = "de"
	e = Explain(in, "payroll")
	same(t, "erfüllt", e.Met,
		"erfüllt: disk encrypted / erfüllt Festplattenverschlüsselung: Systemdatenträger",
		"erfüllt: baseline / erfüllt Firewall / erfüllt eines davon genügt: Sicherheitsprodukte: Läuft (nicht erfüllt); Von wo Sie sich verbinden (erfüllt)",
		"erfüllt: Geräteschlüssel in Hardware, dem Broker bewiesen")
	same(t, "später", e.Later[:1], "ab 1. Dezember · nicht erfüllt: screen lock / nicht erfüllt Bildschirmsperre: Dunkel nach und Bildschirmsperre (zusammen betrachtet)")
}

func TestNeedsOfAClosedApplication(t *testing.T) {
	in := needy(func(s *localapi.Status) {
		deny(s, []string{"org/disk", api.ReasonKeyAssurance, "no-gateway"}, "payroll")
		s.Posture.Checks[0].Remedy = localapi.Remedy{Text: "Call 4711.", Target: "disk-encryption"}
		s.Posture.Checks[0].Parts[0].Outcome = "fail"
		s.Apps[1].Needs.Conditions[0].Outcome = "fail"
	})
	in.Reading = reading(disk(false))
	e := Explain(in, "payroll")
	same(t, "unmet", e.Unmet,
		"not met: disk encrypted / not met Disk encryption: System disk – The system disk is not encrypted.",
		"not met: Device key in hardware, proven to the broker – This application asks for a device key that is better protected than this one.",
		"not met: The gateway that leads to this application is not available")
	same(t, "met", e.Met, "met: baseline / met Firewall / met one of these is enough: Security products: Running (not met); Where you connect from (met)")
	if !e.Told || len(e.Do) != 4 || e.Do[0] != (Fix{"Call 4711.", "disk-encryption"}) || e.Unmet[0].State != NeedUnmet || e.Unmet[0].Fix != e.Do[0] {
		t.Errorf("%+v", e)
	}
	// A check of the same code that this application does not ask for is none of it.
	in = needy(func(s *localapi.Status) {
		deny(s, []string{"org/disk"}, "payroll", "wiki")
		s.Posture.Checks[4].Code = "org/disk"
	})
	if e := Explain(in, "wiki"); len(e.Unmet) != 1 || e.Unmet[0].Name != "disk encrypted" {
		t.Errorf("unmet %v", written(e.Unmet))
	}
}

// TestNeedsAreNeverWrong: what was told before something got worse is not
// repeated as if it were so, and what nobody told is not made up.
func TestNeedsAreNeverWrong(t *testing.T) {
	worse := func(facts ...string) Input {
		return needy(func(s *localapi.Status) {
			revokedFor(s, "payroll", facts...)
			s.Apps[1].State, s.Apps[1].Reasons = localapi.AppClosed, []string{"posture-worse"}
		})
	}
	e := Explain(worse("edr[falcon].running"), "payroll")
	if len(e.Unmet) != 2 || e.Unmet[0].Name != "baseline" || e.Unmet[0].State != NeedChanged || e.Unmet[0].Outcome != unknown || e.Unmet[1].Code != "posture-worse" || len(e.Met) != 2 {
		t.Errorf("unmet %v, met %v", written(e.Unmet), written(e.Met))
	}
	in := worse("edr[falcon].running")
	in.Status.Posture.Checks[0].Parts = nil // what it looks at is not known
	if e := Explain(in, "payroll"); len(e.Met) != 1 {
		t.Errorf("met %v", written(e.Met))
	}
	for what, change := range map[string]func(*localapi.Status){
		"an older broker":            func(s *localapi.Status) { s.Apps[1].Needs = nil },
		"a check that is not there":  func(s *localapi.Status) { s.Apps[1].Needs.Checks[0] = "gone" },
		"before the broker answered": func(s *localapi.Status) { s.Apps[1].Needs, s.Posture.Checks = nil, nil },
	} {
		if e := Explain(needy(change), "payroll"); e.Told || len(e.Later) != 0 {
			t.Errorf("%s: %+v", what, e)
		}
	}
	e = Explain(needy(func(s *localapi.Status) { s.Apps[1].Needs = &localapi.Needs{} }), "payroll")
	if !e.Told || e.Note != "This application asks for nothing of this computer." || len(e.Met) != 0 {
		t.Errorf("one without needs: %+v", e)
	}
	e = Explain(needy(func(s *localapi.Status) { s.Broker.Reachable = false }), "payroll")
	if !e.Told || e.Note != "This is how the broker last judged it." {
		t.Errorf("the broker is away, and it says %q", e.Note)
	}
	// What is not known closes, or is let through by the policy.
	in = needy(func(s *localapi.Status) { s.Posture.Checks[0].Outcome = "unknown" })
	if n := Explain(in, "payroll").Met[0]; n.State != NeedLetThrough || n.Says != "could not be checked, let through" {
		t.Errorf("%+v", n)
	}
	deny(&in.Status, []string{"org/disk"}, "payroll")
	in.Status.Posture.Checks[0].Outcome = "unknown"
	if n := Explain(in, "payroll").Unmet[0]; n.State != NeedUnsure {
		t.Errorf("%+v", n)
	}
	// Words of a newer broker.
	in = needy(func(s *localapi.Status) {
		s.Posture.Checks[0].Parts = []localapi.Part{reads("splendid", "new-word", "new_signal.new_fact", "other-word")}
		s.Apps[1].Needs.Conditions[0] = localapi.Condition{Code: "brand-new", Outcome: "fine"}
		s.Posture.Checks[2].From = "next week"
	})
	e = Explain(in, "payroll")
	same(t, "newer", e.Met[:1], "met: disk encrypted / could not be checked something that this version does not know and new_signal: new_fact (looked at together)")
	if len(e.Unmet) != 1 || e.Unmet[0].State != NeedUnsure || e.Later[0].Says != "soon · not met" || e.Later[0].State != NeedComing {
		t.Errorf("%v %v", written(e.Unmet), written(e.Later))
	}
}

// TestNeedsOfAll: they are told of each application as far as there is room,
// and Explain tells them always.
func TestNeedsOfAll(t *testing.T) {
	all := Needs(needy(nil))
	if a := all[1]; len(all) != 2 || a.App != "payroll" || !a.Told || len(a.Needs) != 5 || a.Needs[2].State != NeedComing || a.Needs[2].From.IsZero() {
		t.Errorf("%+v", a)
	}
	in := needy(func(s *localapi.Status) {
		s.Posture.Checks = nil
		var names []string
		for i := range api.MaxNeedsChecks {
			names = append(names, fmt.Sprint(i))
			s.Posture.Checks = append(s.Posture.Checks, localapi.Check{Name: names[i], Outcome: "pass", Enforced: true,
				Parts: slices.Repeat([]localapi.Part{reads("pass", "disk.system_status", "edr[*].running")}, api.MaxParts)})
		}
		s.Apps = nil
		for i := range maxApps {
			s.Apps = append(s.Apps, localapi.App{ID: fmt.Sprint("a", i), State: localapi.AppReady, Needs: &localapi.Needs{Checks: names}})
		}
	})
	all = Needs(in)
	data, err := json.Marshal(all)
	if err != nil || len(data) > 2<<20 {
		t.Errorf("they have %d bytes, %v", len(data), err)
	}
	if last := all[maxApps-1]; !all[0].Told || last.Told || len(last.Needs) != 0 {
		t.Error("the first has room, the last has none")
	}
	in.Trouble = NotRunning
	if all := Needs(in); len(all) != 0 {
		t.Errorf("nobody is there, and it tells %d", len(all))
	}
	in.Trouble = NoTrouble
	if e := Explain(in, fmt.Sprint("a", maxApps-1)); !e.Told || len(e.Met) != api.MaxNeedsChecks {
		t.Errorf("%v, %d met", e.Told, len(e.Met))
	}
}
