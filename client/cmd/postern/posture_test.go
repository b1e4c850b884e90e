package main

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/posture/fact"
)

// ill is a report with a fault, a good firewall, a signal that was not read, one
// of which nothing can be told, and one that nobody asked for.
func ill() fact.Report {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	signal := func(name string, facts ...fact.Fact) fact.Signal {
		return fact.Signal{Name: name, State: fact.Observed, ObservedAt: at, Source: "test", Facts: facts}
	}
	return fact.Report{Signals: []fact.Signal{
		signal(fact.SignalOS, fact.Fact{Field: "product", Value: fact.Str("debian")}, fact.Fact{Field: "version", Value: fact.Str("12")}),
		signal(fact.SignalPatch, fact.Fact{Field: "last_update_at", Value: fact.Str("2026-11-19T06:30:00Z")}),
		signal(fact.SignalDisk, fact.Fact{Field: "system_protected", Value: fact.Bool(false)}),
		signal(fact.SignalFirewall, fact.Fact{Field: "enabled", Value: fact.Bool(true)}),
		{Name: fact.SignalScreenLock, State: fact.Unknown, Reason: fact.ReasonTimeout},
		{Name: fact.SignalDevice, State: fact.Unknown, Reason: fact.ReasonNotFound, Facts: []fact.Fact{{Field: "serial", State: fact.Unknown, Reason: fact.ReasonNotFound}}},
		{Name: fact.SignalCustom, State: fact.Absent, Reason: fact.ReasonNotFound},
	}}
}

// asking is a status of an organisation that asks for what ill has not.
func asking(s localapi.Status) localapi.Status {
	s.Posture.Checks = []localapi.Check{{Code: "org/disk", Name: "disk", Outcome: "fail", Enforced: true,
		Parts: []localapi.Part{{Outcome: "fail", Reads: []string{"disk.system_protected"}}}}}
	return s
}

// Each signal is in the table, the faults first; times are the person's.
func TestBrief(t *testing.T) {
	zone := time.FixedZone("east", 2*60*60)
	p := &page{words: speak("en"), width: 400}
	r := reading{Reading: localapi.Reading{Report: ill()}, system: "linux"}
	in := view.Input{Now: time.Date(2026, 11, 20, 9, 0, 0, 0, zone), System: "linux", Reading: &r.Reading}
	in.Status = asking(localapi.Status{State: localapi.StateLimited, User: &localapi.User{Name: "Kim"}})
	p.brief(r, in)
	got := p.String()
	from := 0
	for _, want := range []string{
		"Problems: 1 · recommended: 0 · not known: 2\n", "Disk encryption ", "! problem", "Screen lock ", "? not known", "Device ", "? not known", "Firewall ", "+ good",
		"Operating system ", "- read", "Debian 12", "Updates ", "Last update: yesterday 08:30", "Asked for by your organisation ", "asks for nothing else",
	} {
		i := strings.Index(got[from:], want)
		if i < 0 {
			t.Fatalf("no %q in its place:\n%s", want, got)
		}
		from += i
	}
	p = &page{words: speak("en"), width: 400}
	in.Status = localapi.Status{}
	if p.brief(r, in); !strings.Contains(p.String(), "recommended: 1") || !strings.Contains(p.String(), "is not known here") || strings.Contains(p.String(), "problem") {
		t.Errorf("nobody knows what is asked for:\n%s", p.String())
	}
	if n := strings.Count(got, "Device "); n != 1 {
		t.Errorf("the device is told %d times:\n%s", n, got)
	}
}

// Nothing wrong is said in so many words; only not known is no fault.
func TestCounts(t *testing.T) {
	for want, all := range map[string][]found{
		"Nothing is wrong with what was read.\n":                       {{"a", view.Remark{Mark: view.MarkGood}}, {"b", view.Remark{Mark: view.MarkNote}}},
		"\x1b[33mProblems: 0 · recommended: 0 · not known: 1\x1b[0m\n": {{"a", view.Remark{Mark: view.MarkUnknown}}},
		"\x1b[31mProblems: 1 · recommended: 0 · not known: 1\x1b[0m\n": {{"a", view.Remark{Mark: view.MarkUnknown}}, {"b", view.Remark{Mark: view.MarkBad}}},
	} {
		p := &page{words: speak("en"), colour: strings.HasPrefix(want, "\x1b")}
		p.counts(all)
		if p.String() != want {
			t.Errorf("%q, want %q", p.String(), want)
		}
	}
}

// Every mark has a place, a sign of its own meaning and a word.
func TestMarks(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		p := &page{words: speak(language)}
		for name, m := range p.marks() {
			if order(name) < 0 || m.sign == "" || m.word == "" {
				t.Errorf("%s in %s: %+v", name, language, m)
			}
		}
	}
}
