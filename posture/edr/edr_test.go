package edr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
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
	r := observe.EDRRow{ID: id, Name: id, Linux: programs, Units: []string{id + "-sensor.service"}, Origin: fact.OriginBuiltIn}
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

// recorded opens a recorded machine of these files.
func recorded(t *testing.T, files map[string]string) *evidence.Memory {
	t.Helper()
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	m, err := evidence.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shipped(t testing.TB) []observe.EDRRow {
	t.Helper()
	rows, err := observe.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// wantFacts compares facts of one product: "field value", "field value reason",
// "field unknown reason" or "field conflict"; "field -" is not there.
func wantFacts(t *testing.T, s fact.Signal, id string, want ...string) {
	t.Helper()
	for _, w := range want {
		field, _, _ := strings.Cut(w, " ")
		got := field + " -"
		if f, ok := s.Find(id, field); ok {
			switch s.StateOf(f) {
			case fact.Observed:
				got = field + " " + f.Value.String()
			default:
				got = field + " " + string(s.StateOf(f))
			}
			if f.Reason != "" && f.Reason != fact.ReasonDisagree {
				got += " " + string(f.Reason)
			}
		}
		if got != w {
			t.Errorf("%s: got %q, want %q", id, got, w)
		}
	}
}

func TestLinux(t *testing.T) {
	process := func(exe string) evidence.Process {
		return evidence.Process{PID: 7, Name: "x", Executable: exe, Owner: "0"}
	}
	owned := func(owner string) evidence.Process {
		return evidence.Process{PID: 7, Name: "x", Executable: falcon, Owner: owner}
	}
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
		{"started by a person", func(m *evidence.Memory) { m.SetFile(falcon, "elf"); m.SetProcesses(owned("1000")) },
			fact.Observed, "true false(wrong-owner)", "false(not-found) false(not-running)"},
		{"started by a person beside the true one", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(owned("1000"), owned("0"))
		}, fact.Observed, "true true", "false(not-found) false(not-running)"},
		{"whose process it is was not recorded", func(m *evidence.Memory) { m.SetFile(falcon, "elf"); m.SetProcesses(owned("")) },
			fact.Observed, "true unknown(not-recorded)", "false(not-found) false(not-running)"},
		{"whose process it is was not recorded, beside a person's", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(owned("1000"), owned(""))
		}, fact.Observed, "true unknown(not-recorded)", "false(not-found) false(not-running)"},
		{"the file is a person's", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetOwner(falcon, "1000")
			m.SetProcesses(process(falcon))
		}, fact.Absent, "false(wrong-owner) false(wrong-owner)", "false(not-found) false(not-running)"},
		{"whose file it is was not recorded", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetOwner(falcon, "")
			m.SetProcesses(process(falcon))
		}, fact.Unknown, "unknown(not-recorded) unknown(not-recorded)", "false(not-found) false(not-running)"},
		{"of its unit, and no more may be seen", func(m *evidence.Memory) {
			m.SetFile(falcon, "elf")
			m.SetProcesses(evidence.Process{PID: 7, Name: "falcon-sensor-b", Owner: "0", Unit: "falcon-sensor.service"})
		}, fact.Observed, "true unknown(needs-privilege)", "false(not-found) false(not-running)"},
		{"a user's product", func(m *evidence.Memory) {
			m.SetFile(mine, "elf")
			m.SetOwner(mine, "1000")
			m.SetProcesses(evidence.Process{PID: 7, Executable: mine, Owner: "1000"})
		}, fact.Observed, "- -", "true true"},
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
	m.SetProcesses(evidence.Process{PID: 7, Executable: falcon, Owner: "0"})
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

func TestLoosePermissions(t *testing.T) {
	for mode, want := range map[string]string{"0755": "true true", "0775": "false(wrong-owner) false(wrong-owner)", "0757": "false(wrong-owner) false(wrong-owner)"} {
		m := recorded(t, map[string]string{
			"machine.json":   `{"format":1,"system":"linux","now":"2026-03-01T12:00:00Z","missing":"absent"}`,
			"files.json":     `[{"path":"` + falcon + `","mode":"` + mode[1:] + `"}]`,
			"processes.json": `[{"pid":7,"name":"x","executable":"` + falcon + `","owner":"0"}]`,
		})
		if g := show(collect(t, m, catalogue()), "falcon"); g != want {
			t.Errorf("mode %s: %s, want %s", mode, g, want)
		}
	}
}

// What nobody recorded is neither there nor not there; shipped products of
// which nothing is known are not listed.
func TestNotRecorded(t *testing.T) {
	m := recorded(t, map[string]string{
		"machine.json":   `{"format":1,"system":"linux","now":"2026-03-01T12:00:00Z","missing":"not-recorded"}`,
		"processes.json": `[{"pid":7,"name":"x","executable":"/bin/sh","owner":"0"}]`,
	})
	s := collect(t, m, shipped(t))
	if s.State != fact.Unknown || s.Reason != fact.ReasonNotRecorded || len(s.Facts) != 0 {
		t.Errorf("%s (%s), %d facts", s.State, s.Reason, len(s.Facts))
	}
}

func TestNoMoreTime(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(falcon, "elf")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := Collect(ctx, m, catalogue())
	if s.State != fact.Unknown || s.Reason != fact.ReasonTimeout {
		t.Errorf("%s (%s)", s.State, s.Reason)
	}
}

// A report has no room for more than MaxEntries products.
func TestManyRows(t *testing.T) {
	var rows []observe.EDRRow
	for i := range fact.MaxEntries + 5 {
		rows = append(rows, row(fmt.Sprintf("local/p%d", i), observe.Program{Executable: mine}))
	}
	if s := collect(t, evidence.NewMemory(evidence.Linux, day), rows); !s.Truncated || len(s.Keys()) != fact.MaxEntries {
		t.Errorf("%d entries, cut: %v", len(s.Keys()), s.Truncated)
	}
}

// A list that is too long is cut at its end, where the shipped products are
// that nobody could look for.
func TestWhatIsThereComesFirst(t *testing.T) {
	m := evidence.NewMemory(evidence.Windows, day)
	m.Fail(evidence.ServiceList, fact.ReasonNeedsPrivilege)
	m.SetFile(`C:\Program Files\osquery\osqueryd\osqueryd.exe`, "pe")
	rows := append(shipped(t), observe.EDRRow{ID: "local/z", Name: "Z", Services: []string{"Z"}, Origin: fact.OriginUserSettings})
	if keys := collect(t, m, rows).Keys(); len(keys) < 10 || !slices.Equal(keys[:2], []string{"osquery", "local/z"}) || !slices.IsSorted(keys[2:]) {
		t.Errorf("order %v", keys)
	}
}

// A product that hangs when it is asked how it is keeps nothing else back.
func TestHealthHangs(t *testing.T) {
	const sensor, agent = "/opt/CrowdStrike/falcon-sensor", "/var/ossec/bin/wazuh-agentd"
	synctest.Test(t, func(t *testing.T) {
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetFile(sensor, "elf")
		m.SetFile(agent, "elf")
		m.SetProcesses(evidence.Process{PID: 7, Executable: sensor, Owner: "0"}, evidence.Process{PID: 8, Executable: agent, Owner: "998"})
		m.Before("falconctl -g --aid --version --rfm-state --rfm-reason --backend", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
		defer cancel()
		began := time.Now()
		s := Collect(ctx, m, shipped(t))
		if took := time.Since(began); took > 8*patience {
			t.Errorf("took %s", took)
		}
		wantFacts(t, s, "crowdstrike-falcon", "running true", "healthy unknown timeout", "version unknown timeout")
		wantFacts(t, s, "wazuh-agent", "running true", "healthy unknown timeout")
		if s.State != fact.Observed {
			t.Errorf("state %s", s.State)
		}
	})
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
