package observe

import (
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
	if len(rows) < 8 {
		t.Fatalf("%d shipped rows, want at least 8", len(rows))
	}
	var linux, windows, macos int
	for _, r := range rows {
		if r.Origin != fact.OriginBuiltIn || r.Source == "" {
			t.Errorf("row %s: origin %q, source %q", r.ID, r.Origin, r.Source)
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
	if linux < 5 || windows < 4 || macos < 4 {
		t.Errorf("programs: linux %d, windows %d, macos %d", linux, windows, macos)
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
			if !strings.HasPrefix(r.ID, LocalPrefix) || r.Origin != fact.OriginUserSettings {
				t.Errorf("a user's row became %s from %s", r.ID, r.Origin)
			}
		}
	})
}
