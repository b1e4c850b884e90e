package screenlock

import (
	"os"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const captures = "../../testfixtures/captures/"

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(captures + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// want is enabled, idle_delay, lock_delay, managed: "value", "value (reason)"
// or "state:reason"; empty: not compared.
type want [4]string

func check(t *testing.T, m evidence.Machine, w want) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Fatal(err)
	}
	for i, field := range []string{"enabled", "idle_delay", "lock_delay", "managed"} {
		f, ok := s.Find("", field)
		got := f.Value.String()
		switch {
		case s.StateOf(f) != fact.Observed:
			got = string(s.StateOf(f)) + ":" + string(f.Reason)
		case f.Reason != "":
			got += " (" + string(f.Reason) + ")"
		}
		if w[i] != "" && (!ok || got != w[i]) {
			t.Errorf("%s: got %s, want %s (source %s)", field, got, w[i], s.Source)
		}
	}
}

const (
	notFound  = "unknown:not-found"
	malformed = "unknown:malformed-value"
	disagree  = "conflict:sources-disagree"
)

func TestNobody(t *testing.T) {
	nobody := want{"unknown:nobody-logged-in", "unknown:nobody-logged-in", "unknown:nobody-logged-in", "unknown:nobody-logged-in"}
	for _, system := range []evidence.System{evidence.Linux, evidence.Windows, evidence.MacOS} {
		m := evidence.NewMemory(system, day)
		check(t, m, nobody)
		m.SetSessions(evidence.Session{User: "ada", ID: "1000", Active: true, Remote: true}, evidence.Session{User: "bob", ID: "1001"},
			evidence.Session{User: "gdm", ID: "120", Active: true})
		check(t, m, nobody)
		m.Fail(evidence.SessionList, fact.ReasonTimeout)
		check(t, m, want{"unknown:timeout"})
	}
	check(t, evidence.NewMemory("plan9", day), want{"unknown:unsupported-system"})
}
