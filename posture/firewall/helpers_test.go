package firewall

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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

// each calls f for every captured file of a folder.
func each(t testing.TB, folder string, f func(name, text string)) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(captures, folder))
	if err != nil || len(entries) == 0 {
		t.Fatalf("no captures in %s, %v", folder, err)
	}
	for _, e := range entries {
		f(e.Name(), capture(t, folder+"/"+e.Name()))
	}
}

func collect(t testing.TB, m evidence.Machine) fact.Signal {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	return s
}

// show writes one fact: its value, or its reason behind a question mark, or
// "conflict"; - when it is not there.
func show(s fact.Signal, field, key string) string {
	f, ok := s.Find(key, field)
	state := f.State
	if state == "" {
		state = s.State
	}
	switch {
	case !ok:
		return "-"
	case state == fact.Observed:
		return f.Value.String()
	case state == fact.Conflict:
		return "conflict"
	case f.Reason == "":
		return "?" + string(s.Reason)
	}
	return "?" + string(f.Reason)
}

// expect compares facts with "field=value field:key=value …".
func expect(t testing.TB, s fact.Signal, want string) {
	t.Helper()
	for _, pair := range strings.Fields(want) {
		name, value, _ := strings.Cut(pair, "=")
		field, key, _ := strings.Cut(name, ":")
		if got := show(s, field, key); got != strings.ReplaceAll(value, "_", " ") && got != value {
			t.Errorf("%s is %s, want %s (signal %s %s, from %s)", name, got, value, s.State, s.Reason, s.Source)
		}
	}
}

// verdicts are the facts in short: enabled and default_inbound for IPv4, the
// same for IPv6.
func verdicts(s fact.Signal) string {
	return strings.Join([]string{
		show(s, "enabled", "ipv4"), show(s, "default_inbound", "ipv4"),
		show(s, "enabled", "ipv6"), show(s, "default_inbound", "ipv6"),
	}, " ")
}

func rawJSON(s string) json.RawMessage { return json.RawMessage(s) }
