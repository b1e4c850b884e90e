package edr

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	falcon = "/opt/falcon/bin/falcon-sensor-program"
	mine   = "/opt/mine/watcher"
)

// row declares a product; a shipped one unless the id says otherwise.
func row(id string, programs ...observe.Program) observe.EDRRow {
	r := observe.EDRRow{ID: id, Name: id, Linux: programs, Origin: fact.OriginBuiltIn}
	if strings.HasPrefix(id, observe.LocalPrefix) {
		r.Origin = fact.OriginUserSettings
	}
	return r
}

func catalogue() []observe.EDRRow {
	return []observe.EDRRow{row("falcon", observe.Program{Executable: falcon}), row("local/mine", observe.Program{Executable: mine})}
}

func collect(t *testing.T, m evidence.Machine, rows []observe.EDRRow) fact.Signal {
	t.Helper()
	s := Collect(t.Context(), m, rows)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	return s
}

// show is a product's "installed running", each with its reason; "-" is a
// product that is not listed.
func show(s fact.Signal, id string) string {
	one := func(field string) string {
		f, ok := s.Find(id, field)
		if !ok {
			return "-"
		}
		out := f.Value.String()
		if s.StateOf(f) == fact.Unknown {
			out = "unknown"
		}
		if f.Reason != "" {
			out += "(" + string(f.Reason) + ")"
		}
		return out
	}
	return one("installed") + " " + one("running")
}

func TestLinux(t *testing.T) {
	process := func(exe string) evidence.Process { return evidence.Process{PID: 7, Name: "x", Executable: exe} }
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		state fact.State
		ships string // the shipped product
		local string // the user's product
	}{
		{"nothing is there", func(*evidence.Memory) {},
			fact.Absent, "- -", "false(not-found) false(not-running)"},
		{"installed and running", func(m *evidence.Memory) { m.SetFile(falcon, "elf"); m.SetProcesses(process(falcon)) },
			fact.Observed, "true true", "false(not-found) false(not-running)"},
		{"installed, not running", func(m *evidence.Memory) { m.SetFile(falcon, "elf"); m.SetProcesses(process("/bin/sh")) },
			fact.Observed, "true false(not-running)", "false(not-found) false(not-running)"},
		{"runs from a file that was replaced", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(evidence.Process{PID: 7, Name: "x", Executable: falcon, Deleted: true})
		}, fact.Observed, "true false(not-running)", "false(not-found) false(not-running)"},
		{"a process of the name elsewhere", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(evidence.Process{PID: 7, Name: "falcon-sensor-p", Executable: "/home/me/falcon-sensor-program"})
		}, fact.Observed, "true false(not-running)", "false(not-found) false(not-running)"},
		{"runs, but the file is gone", func(m *evidence.Memory) { m.SetProcesses(process(falcon)) },
			fact.Absent, "- -", "false(not-found) false(not-running)"},
		{"what it runs may not be seen", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(evidence.Process{PID: 7, Name: "falcon-sensor-p"}, evidence.Process{PID: 8, Name: "kthreadd"})
		}, fact.Observed, "true unknown(needs-privilege)", "false(not-found) false(not-running)"},
		{"seen running beside one that may not be seen", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(evidence.Process{PID: 7, Name: "falcon-sensor-p"}, process(falcon))
		}, fact.Observed, "true true", "false(not-found) false(not-running)"},
		{"a folder in its place", func(m *evidence.Memory) { m.SetDir(falcon) },
			fact.Absent, "- -", "false(not-found) false(not-running)"},
		{"the place may not be looked at", func(m *evidence.Memory) { m.Fail(falcon, fact.ReasonNeedsPrivilege) },
			fact.Unknown, "unknown(needs-privilege) unknown(needs-privilege)", "false(not-found) false(not-running)"},
		{"processes cannot be listed", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.Fail(evidence.ProcessList, fact.ReasonTimeout)
		}, fact.Unknown, "true unknown(timeout)", "false(not-found) unknown(timeout)"},
		{"through a linked folder", func(m *evidence.Memory) {
			m.SetLink("/opt/falcon", "../srv/falcon")
			m.SetFile("/srv/falcon/bin/falcon-sensor-program", "elf")
			m.SetProcesses(process("/srv/falcon/bin/falcon-sensor-program"))
		}, fact.Observed, "true true", "false(not-found) false(not-running)"},
		{"linked to the version in use", func(m *evidence.Memory) {
			m.SetLink(falcon, "/opt/falcon/bin/sensor17")
			m.SetFile("/opt/falcon/bin/sensor17", "elf")
			m.SetProcesses(process("/opt/falcon/bin/sensor17"))
		}, fact.Observed, "true true", "false(not-found) false(not-running)"},
		{"a user's product", func(m *evidence.Memory) { m.SetFile(mine, "elf"); m.SetProcesses(process(mine)) },
			fact.Observed, "- -", "true true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			tt.setup(m)
			s := collect(t, m, catalogue())
			if s.State != tt.state {
				t.Errorf("state %s (%s), want %s", s.State, s.Reason, tt.state)
			}
			if g := show(s, "falcon"); g != tt.ships {
				t.Errorf("shipped: %s, want %s", g, tt.ships)
			}
			if g := show(s, "local/mine"); g != tt.local {
				t.Errorf("local: %s, want %s", g, tt.local)
			}
			if f, ok := s.Find("local/mine", "origin"); !ok || f.Value != fact.Str(fact.OriginUserSettings) {
				t.Errorf("origin %+v", f)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(falcon, "elf")
	m.SetProcesses(evidence.Process{PID: 7, Executable: falcon})
	sum, err := m.SHA256(t.Context(), falcon)
	if err != nil {
		t.Fatal(err)
	}
	right := observe.Program{Executable: falcon, SHA256: sum}
	wrong := observe.Program{Executable: falcon, SHA256: strings.Repeat("0", 64)}
	tests := map[string]struct {
		programs []observe.Program
		want     string
	}{
		"right":                  {[]observe.Program{right}, "true true"},
		"wrong":                  {[]observe.Program{wrong}, "false(identity-mismatch) false(not-running)"},
		"one of two versions":    {[]observe.Program{wrong, right}, "true true"},
		"neither of two":         {[]observe.Program{wrong, {Executable: "/none"}}, "false(identity-mismatch) false(not-running)"},
		"the second place":       {[]observe.Program{{Executable: "/none"}, right}, "true true"},
		"installed, other place": {[]observe.Program{{Executable: falcon}, {Executable: "/none"}}, "true true"},
	}
	for name, tt := range tests {
		s := collect(t, m, []observe.EDRRow{row("local/x", tt.programs...)})
		if g := show(s, "local/x"); g != tt.want {
			t.Errorf("%s: %s, want %s", name, g, tt.want)
		}
	}
}

func TestProcessThatEndsIsWorse(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(falcon, "elf")
	m.SetProcesses(evidence.Process{PID: 7, Executable: falcon})
	before := collect(t, m, catalogue())
	m.SetProcesses()
	after := collect(t, m, catalogue())
	report := func(s fact.Signal) fact.Report { return fact.Report{Signals: []fact.Signal{s}} }
	if w := fact.Worsened(fact.Compare(report(before), report(after))); len(w) != 1 || w[0] != "edr[falcon].running" {
		t.Errorf("worse: %v", w)
	}
	if before.Digest == after.Digest {
		t.Error("the evidence has the same digest")
	}
}

func TestWindowsAndMacOS(t *testing.T) {
	r := observe.EDRRow{
		ID: "org/x", Name: "X", Origin: fact.OriginManaged,
		Windows: []observe.Program{{Executable: `C:\Program Files\X\x.exe`}},
		MacOS:   []observe.Program{{Executable: "/Library/X/x"}},
	}
	win := evidence.NewMemory(evidence.Windows, day)
	win.SetFile(`C:\Program Files\X\x.exe`, "pe")
	win.SetProcesses(evidence.Process{PID: 1, Name: "x.exe", Executable: `c:\program files\x\X.EXE`})
	if g := show(collect(t, win, []observe.EDRRow{r}), "org/x"); g != "true true" {
		t.Errorf("windows: %s", g)
	}
	win.SetProcesses(evidence.Process{PID: 1, Name: "x.exe"})
	if g := show(collect(t, win, []observe.EDRRow{r}), "org/x"); g != "true unknown(needs-privilege)" {
		t.Errorf("windows, not seen: %s", g)
	}
	mac := evidence.NewMemory(evidence.MacOS, day)
	mac.SetFile("/Library/X/x", "macho")
	mac.SetProcesses(evidence.Process{PID: 1, Name: "x", Executable: "/Library/X/X"})
	if g := show(collect(t, mac, []observe.EDRRow{r}), "org/x"); g != "true false(not-running)" {
		t.Errorf("macos: %s", g)
	}
	if s := collect(t, evidence.NewMemory(evidence.Linux, day), []observe.EDRRow{r}); s.State != fact.Absent || len(s.Facts) != 0 {
		t.Errorf("a row of other systems: %+v", s)
	}
}

func FuzzCollect(f *testing.F) {
	f.Add(falcon, "falcon-sensor-p", falcon, falcon)
	f.Add("/a/b", "b", "/a/../b", "..")
	f.Fuzz(func(t *testing.T, declared, name, executable, link string) {
		r := row("local/x", observe.Program{Executable: declared})
		if r.Validate() != nil {
			return
		}
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetFile(executable, "elf")
		m.SetLink(declared, link)
		m.SetProcesses(evidence.Process{PID: 1, Name: name, Executable: executable})
		collect(t, m, []observe.EDRRow{r})
	})
}
