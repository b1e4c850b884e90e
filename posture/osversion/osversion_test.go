package osversion

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

// values shows the facts as "value" or "state: reason".
func values(s fact.Signal) map[string]string {
	out := map[string]string{"": string(s.State)}
	for _, f := range s.Facts {
		out[f.Field] = f.Value.String()
		if s.StateOf(f) != fact.Observed {
			why := f.Reason
			if why == "" {
				why = s.Reason
			}
			out[f.Field] = string(s.StateOf(f)) + ": " + string(why)
		}
	}
	return out
}

func expect(t *testing.T, s fact.Signal, want map[string]string) {
	t.Helper()
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	got := values(s)
	for field, w := range want {
		if got[field] != w {
			t.Errorf("%q is %q, want %q", field, got[field], w)
		}
	}
}

// names lists the captures of one folder.
func names(t testing.TB, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(captures + folder)
	if err != nil || len(entries) == 0 {
		t.Fatalf("no captures in %s: %v", folder, err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func valid(t *testing.T, s fact.Signal) {
	t.Helper()
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	for _, d := range fact.Defs() {
		if _, there := s.Find("", d.Field); d.Signal == s.Name && !there {
			t.Errorf("%s is left out", d.Field)
		}
	}
}

func TestArchitecture(t *testing.T) {
	for in, want := range map[string]string{
		"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "ARM64": "arm64", "i686": "386", "x86": "386",
		"armv7l": "arm", "loongarch64": "loong64", "riscv64": "riscv64", "ppc64le": "ppc64le", "": "",
	} {
		if got := architecture(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// A new major release locks nobody out: what it is stays observed. It passes
// nobody silently either: until when it is maintained is not known.
func TestNewMajor(t *testing.T) {
	machines := map[string]func(*evidence.Memory){
		"linux": func(m *evidence.Memory) { m.SetFile(osReleaseEtc, "ID=debian\nVERSION_ID=\"99\"\n") },
		"windows": func(m *evidence.Memory) {
			m.SetRegistry(key("CurrentBuild    REG_SZ    99000", "UBR    REG_DWORD    0x1", "EditionID    REG_SZ    Enterprise"))
		},
		"darwin": func(m *evidence.Memory) { m.SetFile(basePlist, plist("40.0", "", "39A1")) },
	}
	for system, setup := range machines {
		m := evidence.NewMemory(evidence.System(system), day)
		setup(m)
		s := Collect(t.Context(), m)
		valid(t, s)
		v, _ := s.Find("", "version")
		if s.State != fact.Observed || s.StateOf(v) != fact.Observed {
			t.Errorf("%s: %s, version %+v", system, s.State, v)
		}
		expect(t, s, map[string]string{"release_known": "false", "support_end": noRelease, "extended_support_end": noRelease})
	}
}
