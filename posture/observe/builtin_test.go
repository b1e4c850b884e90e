package observe

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

func TestBuiltIn(t *testing.T) {
	rows, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 30 {
		t.Fatalf("%d shipped rows, want at least 30", len(rows))
	}
	if !slices.IsSortedFunc(rows, func(a, b EDRRow) int { return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID)) }) {
		t.Error("rows are not in the order of their ids")
	}
	var linux, windows, macos int
	for _, r := range rows {
		if r.Origin != fact.OriginBuiltIn || r.Source == "" || r.Confidence == "" {
			t.Errorf("row %s: origin %q, source %q, confidence %q", r.ID, r.Origin, r.Source, r.Confidence)
		}
		if r.Runs() == RunAsAny {
			t.Errorf("row %s: anybody's process would do", r.ID)
		}
		linux, windows, macos = linux+len(r.Linux), windows+len(r.Windows), macos+len(r.MacOS)
		for _, p := range r.Windows {
			if !strings.HasPrefix(p.Executable, `C:\`) {
				t.Errorf("row %s: %q is not a path of Windows", r.ID, p.Executable)
			}
		}
		for _, p := range append(slices.Clone(r.Linux), r.MacOS...) {
			if !strings.HasPrefix(p.Executable, "/") {
				t.Errorf("row %s: %q is not an absolute path", r.ID, p.Executable)
			}
		}
	}
	if linux < 12 || windows < 7 || macos < 8 {
		t.Errorf("programs: linux %d, windows %d, macos %d", linux, windows, macos)
	}
}

// Policies name products by these ids: none of them may go or change.
func TestIDsStay(t *testing.T) {
	rows, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{
		"bitdefender-gravityzone", "carbon-black-cloud", "clamav", "cortex-xdr", "crowdstrike-falcon", "elastic-defend", "harfanglab-edr",
		"microsoft-defender-endpoint", "sentinelone-singularity", "sophos-endpoint", "trellix-hx", "trend-micro-deep-security", "wazuh-agent",
	} {
		if !slices.ContainsFunc(rows, func(r EDRRow) bool { return r.ID == id }) {
			t.Errorf("there is no %s any more", id)
		}
	}
}

// No two shipped rows may find the same thing: one product would stand for the
// other.
func TestRowsAreApart(t *testing.T) {
	rows, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, r := range rows {
		places := slices.Concat(r.Services, r.Extensions, r.Apps, r.Units)
		for _, p := range r.programs() {
			places = append(places, p.Executable)
		}
		for _, place := range places {
			if by, taken := seen[strings.ToLower(place)]; taken {
				t.Errorf("%s and %s both have %s", by, r.ID, place)
			}
			seen[strings.ToLower(place)] = r.ID
		}
	}
}

func TestRunsAs(t *testing.T) {
	for want, r := range map[string]EDRRow{
		RunAsRoot:   {Origin: fact.OriginBuiltIn},
		RunAsSystem: {Origin: fact.OriginBuiltIn, RunAs: RunAsSystem},
		RunAsAny:    {Origin: fact.OriginUserSettings},
	} {
		if r.Runs() != want {
			t.Errorf("%+v runs as %s", r, r.Runs())
		}
	}
	if (EDRRow{Origin: fact.OriginManaged, RunAs: RunAsRoot}).Runs() != RunAsRoot {
		t.Error("managed settings cannot ask for root")
	}
}

// Rows of every kind from the broker and from settings.
func TestParseAccepts(t *testing.T) {
	tests := map[string]string{
		fact.OriginUserSettings: "- {id: local/x, name: X, linux: [{executable: /opt/x/x}], run_as: system}",
		fact.OriginBroker:       "- {id: org/x, name: X, services: [XSvc], publishers: [X Corp], units: [x.service], source: us}",
		fact.OriginManaged:      "- {id: x-y, name: X, team_ids: [ABCDE12345], extensions: [com.example.x.*], category: endpoint_security, apps: [/Applications/X.app], confidence: seen}",
	}
	for origin, text := range tests {
		rows, err := Parse([]byte(text), origin)
		if err != nil || len(rows) != 1 || rows[0].Origin != origin {
			t.Errorf("%s: %+v, %v", origin, rows, err)
		}
	}
}

func TestTooManyRows(t *testing.T) {
	var rows []EDRRow
	for i := range MaxRows + 1 {
		rows = append(rows, EDRRow{ID: fmt.Sprintf("org/p%d", i), Name: "P", Origin: fact.OriginBroker, Linux: []Program{{Executable: "/x"}}})
	}
	if _, err := Merge(rows[:MaxRows]); err != nil {
		t.Error(err)
	}
	if _, err := Merge(rows); err == nil {
		t.Error("one more was accepted")
	}
}

func TestNobodyClaimsAShippedID(t *testing.T) {
	shipped, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	row := func(id, origin string) EDRRow {
		return EDRRow{ID: id, Name: "Mine", Origin: origin, Linux: []Program{{Executable: "/home/me/falcon-sensor"}}}
	}
	tests := []struct {
		name string
		row  EDRRow
		want string // part of the error; empty: accepted
	}{
		{"a user claims a shipped product", row("crowdstrike-falcon", fact.OriginUserSettings), "must have an id that begins with local/"},
		{"a user invents a product without the prefix", row("my-product", fact.OriginUserSettings), "must have an id that begins with local/"},
		{"a user declares a local product of the same name", row("local/crowdstrike-falcon", fact.OriginUserSettings), ""},
		{"the broker changes a shipped product", row("crowdstrike-falcon", fact.OriginBroker), "already declared (built-in)"},
		{"managed settings change a shipped product", row("wazuh-agent", fact.OriginManaged), "already declared (built-in)"},
		{"managed settings use a user's prefix", row("local/x", fact.OriginManaged), "belong to users' settings"},
		{"managed settings add a product", row("org/watcher", fact.OriginManaged), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Merge(shipped, []EDRRow{tt.row})
			if tt.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"origin in the file": "- {id: local/x, name: X, origin: built-in, linux: [{executable: /x}]}",
		"unknown field":      "- {id: local/x, name: X, expect: 1, linux: [{executable: /x}]}",
		"relative path":      "- {id: local/x, name: X, linux: [{executable: x}]}",
		"unclean path":       "- {id: local/x, name: X, linux: [{executable: /opt/../x}]}",
		"no program":         "- {id: local/x, name: X}",
		"bad hash":           "- {id: local/x, name: X, linux: [{executable: /x, sha256: ABC}]}",
		"twice":              "[{id: local/x, name: X, linux: [{executable: /x}]}, {id: local/x, name: X, linux: [{executable: /y}]}]",
		"bracket in the id":  "- {id: 'local/x[1]', name: X, linux: [{executable: /x}]}",
		"not a list":         "id: local/x",
		"asks for health":    "- {id: local/x, name: X, status: crowdstrike, linux: [{executable: /x}]}",
		"runs as nobody":     "- {id: local/x, name: X, run_as: nobody, linux: [{executable: /x}]}",
		"any maker's":        "- {id: local/x, name: X, extensions: [com.example.x]}",
		"short Team ID":      "- {id: local/x, name: X, team_ids: [ABC], extensions: [com.example.x]}",
		"any extension":      "- {id: local/x, name: X, team_ids: [ABCDE12345], extensions: ['*']}",
		"part of a name":     "- {id: local/x, name: X, team_ids: [ABCDE12345], extensions: ['com.exam*']}",
		"any publisher":      "- {id: local/x, name: X, services: [X], publishers: [C]}",
		"path as a service":  "- {id: local/x, name: X, services: ['C:\\x']}",
		"relative app":       "- {id: local/x, name: X, apps: [X.app]}",
		"sure of itself":     "- {id: local/x, name: X, confidence: certain, linux: [{executable: /x}]}",
		"odd category":       "- {id: local/x, name: X, category: 'a b', linux: [{executable: /x}]}",
		"too many programs":  "- {id: local/x, name: X, linux: [" + strings.Repeat("{executable: /x},", 17) + "]}",
		"too much text":      "# " + strings.Repeat("x", maxCatalogue),
		"nothing at all":     "",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if rows, err := Parse([]byte(text), fact.OriginUserSettings); err == nil {
				t.Errorf("accepted as %+v", rows)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(builtIn)
	f.Add([]byte("- {id: local/x, name: X, linux: [{executable: /x}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := Parse(data, fact.OriginUserSettings)
		if err != nil {
			return
		}
		for _, r := range rows {
			if !strings.HasPrefix(r.ID, LocalPrefix) || r.Origin != fact.OriginUserSettings || r.Status != "" {
				t.Errorf("a user's row became %s from %s", r.ID, r.Origin)
			}
		}
	})
}
