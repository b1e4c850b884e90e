package collect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Readings follow what is asked from the next one on.
func TestSetObservations(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile("/etc/acme.conf", "x")
	m.SetFile("/opt/guard/guardd", "elf")
	m.SetProcesses(evidence.Process{PID: 1, Executable: "/opt/guard/guardd", Owner: "0"})
	c := New(Config{Machine: m, Clock: clock.NewFake(day), Version: "1"})
	report := c.Read(t.Context())
	if s := signal(t, report, fact.SignalCustom); s.State != fact.Absent || s.Collector != "custom@1" {
		t.Errorf("%+v", s)
	}
	rows := []observe.EDRRow{{ID: "org/guard", Name: "Guard", Origin: fact.OriginBroker, Linux: []observe.Program{{Executable: "/opt/guard/guardd"}}}}
	list := []observe.Observation{{ID: "org/conf", Kind: observe.KindFile, Path: "/etc/acme.conf", Origin: fact.OriginBroker}}
	c.SetObservations(rows, list, observe.Forbid{})
	if s := signal(t, c.Last(), fact.SignalCustom); len(s.Facts) != 0 {
		t.Errorf("something was read that nobody asked for: %+v", s)
	}
	report, changes := c.Reread(t.Context(), fact.SignalCustom, fact.SignalEDR)
	if f, _ := signal(t, report, fact.SignalCustom).Find("org/conf", "present"); f.Value != fact.Bool(true) || len(changes) == 0 {
		t.Errorf("%+v, %v", f, changes)
	}
	if f, _ := signal(t, report, fact.SignalEDR).Find("org/guard", "running"); f.Value != fact.Bool(true) {
		t.Errorf("%+v", f)
	}
	c.SetObservations(rows, list, observe.Forbid{Kinds: []string{observe.KindFile}})
	_, changes = c.Reread(t.Context(), fact.SignalCustom)
	if worse := fact.Worsened(changes); len(worse) != 1 || worse[0] != "custom[org/conf].present" {
		t.Errorf("forbidden: worse are %v", worse)
	}
	if state, why := stateOf(t, c.Last(), fact.SignalCustom, "org/conf", "present"); state != fact.Unknown || why != fact.ReasonRefused {
		t.Errorf("%s, %s", state, why)
	}
}

// A value of what an id meant before does not stand in for what it means now.
func TestValueOfAnotherThingDoesNotStand(t *testing.T) {
	m, c := evidence.NewMemory(evidence.Linux, day), clock.NewFake(day)
	m.SetFile("/a/b", "x")
	m.SetFile("/c/d", "y")
	at := func(path string) []observe.Observation {
		return []observe.Observation{{ID: "org/same", Kind: observe.KindFile, Path: "/a/b", Origin: fact.OriginBroker}, {ID: "org/moved", Kind: observe.KindFile, Path: path, Origin: fact.OriginBroker}}
	}
	l := New(Config{Machine: m, Clock: c, Version: "1", Observations: at("/a/b")})
	l.Read(t.Context())
	l.SetObservations(nil, at("/c/d"), observe.Forbid{})
	m.Fail("/a/b", fact.ReasonTimeout)
	m.Fail("/c/d", fact.ReasonTimeout)
	report, _ := l.Reread(t.Context(), fact.SignalCustom)
	if state, why := stateOf(t, report, fact.SignalCustom, "org/moved", "present"); state != fact.Unknown || why != fact.ReasonTimeout {
		t.Errorf("moved: %s, %s", state, why)
	}
	if state, _ := stateOf(t, report, fact.SignalCustom, "org/same", "present"); state != fact.Observed {
		t.Errorf("same: %s", state)
	}
}

// As many observations as fit are sent, and that some are missing is said.
func TestManyObservationsFit(t *testing.T) {
	m := evidence.NewMemory(evidence.MacOS, day)
	m.SetFile("/Library/x.plist", "<plist><dict><key>a</key><string>"+strings.Repeat("x", 300)+"</string></dict></plist>")
	var list []observe.Observation
	for i := range observe.MaxObservations {
		list = append(list, observe.Observation{ID: fmt.Sprintf("org/a%02d", i), Kind: observe.KindPlist, Path: "/Library/x.plist", Keys: []string{"a"}, Origin: fact.OriginBroker})
	}
	c := New(Config{Machine: m, Clock: clock.NewFake(day), Version: "1", Observations: list})
	s := signal(t, c.Read(t.Context()), fact.SignalCustom)
	if n := len(s.Keys()); !s.Truncated || n < 20 || sizeOf(s) > 2*maxSignal || s.Keys()[n-1] != list[n-1].ID {
		t.Errorf("%d entries in %d bytes, truncated %t", n, sizeOf(s), s.Truncated)
	}
}
