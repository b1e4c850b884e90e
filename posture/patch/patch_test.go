package patch

import (
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var (
	zone = time.FixedZone("", 2*60*60)
	day  = time.Date(2026, 3, 1, 12, 0, 0, 0, zone)
)

func got(t *testing.T, m evidence.Machine, field string) string {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	f, ok := s.Find("", field)
	if !ok {
		t.Fatalf("no %s in %+v", field, s)
	}
	if s.StateOf(f) == fact.Observed {
		return f.Value.String()
	}
	return string(s.StateOf(f)) + ": " + string(f.Reason)
}

// file is one file of a machine, changed at a time, with a content.
type file struct {
	path    string
	changed time.Time
	text    string
}

func linuxMachine(files ...file) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	for _, f := range files {
		m.SetFile(f.path, f.text)
		m.SetModTime(f.path, f.changed)
	}
	return m
}
