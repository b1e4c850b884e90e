package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const everything = `
edr_catalogue:
  - id: local/guard
    name: Guard
    linux:
      - executable: /opt/guard/guardd
        sha256: "` + "abababababababababababababababababababababababababababababababab" + `"
    windows: [{executable: 'C:\Program Files\Guard\guard.exe'}]
    macos: [{executable: /Library/Guard/guardd}]
    units: [guard.service]
    services: [GuardSvc]
    publishers: [Guard Corp]
    team_ids: [ABCDE12345]
    extensions: [com.example.guard.*]
    category: endpoint_security
    apps: [/Applications/Guard.app]
    run_as: system
    confidence: seen
    source: our own
`

// A user's row says all that a shipped one may, but for how the product is
// asked about itself.
func TestRowSaysEverything(t *testing.T) {
	s, err := Load(home(t, everything), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	row := s.Catalogue[len(s.Catalogue)-1]
	want := observe.EDRRow{
		ID: "local/guard", Name: "Guard",
		Linux:   []observe.Program{{Executable: "/opt/guard/guardd", SHA256: strings.Repeat("ab", 32)}},
		Windows: []observe.Program{{Executable: `C:\Program Files\Guard\guard.exe`}},
		MacOS:   []observe.Program{{Executable: "/Library/Guard/guardd"}},
		Units:   []string{"guard.service"}, Services: []string{"GuardSvc"}, Publishers: []string{"Guard Corp"},
		TeamIDs: []string{"ABCDE12345"}, Extensions: []string{"com.example.guard.*"}, Category: "endpoint_security",
		Apps: []string{"/Applications/Guard.app"}, RunAs: observe.RunAsSystem, Confidence: observe.Seen, Source: "our own",
		Origin: fact.OriginUserSettings,
	}
	if !reflect.DeepEqual(row, want) {
		t.Errorf("got  %+v\nwant %+v", row, want)
	}
	if row.Runs() != observe.RunAsSystem {
		t.Errorf("runs as %s", row.Runs())
	}
}

// A product that is found by no program of its own is declared by its service,
// its extension or its application.
func TestRowWithoutPrograms(t *testing.T) {
	for _, place := range []string{"services: [Svc]", "apps: [/Applications/X.app]", "team_ids: [ABCDE12345], extensions: [com.example.x]"} {
		s, err := Load(home(t, "edr_catalogue: [{id: local/x, name: X, "+place+"}]\n"), Overrides{})
		if err != nil || s.Catalogue[len(s.Catalogue)-1].ID != "local/x" {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// The keys are those of the row and of the program, whatever they become.
func TestRowKeys(t *testing.T) {
	keys := func(of reflect.Type) []string {
		var out []string
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("yaml"), ",")
			if name != "-" && name != "status" {
				out = append(out, name)
			}
		}
		slices.Sort(out)
		return out
	}
	form := rowKeys()
	if have, want := slices.Sorted(slices.Values(slices.Concat(form.texts, form.lists, form.programs))), keys(reflect.TypeFor[observe.EDRRow]()); !slices.Equal(have, want) {
		t.Errorf("keys %v, want %v", have, want)
	}
	if want := keys(reflect.TypeFor[observe.Program]()); !slices.Equal(programKeys(), want) {
		t.Errorf("keys %v, want %v", programKeys(), want)
	}
}

// What is wrong with a row is told with its line, its key and what to do.
func TestRowRefused(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"id: local/guard", "id: guard", `:3: edr_catalogue[0].id: "guard" could stand for a shipped product; call it local/something`},
		{"units:", "unit:", ":10: edr_catalogue[0].unit: no such key; use one of id, name, category"},
		{"[guard.service]", "guard.service", ":10: edr_catalogue[0].units: this is not a list; begin each entry with a dash"},
		{"[guard.service]", "[guard/service]", `:3: edr_catalogue[0]: catalogue row local/guard: units: "guard/service" is not of the right form`},
		{"[GuardSvc]", "[7]", ":11: edr_catalogue[0].services[0]: this is not text; put the value in quotes"},
		{"[GuardSvc]", "[a, {b: c}]", ":11: edr_catalogue[0].services[1]: this is not text"},
		{"[ABCDE12345]", "[abc]", "team_ids: \"abc\" is not of the right form"},
		{"team_ids: [ABCDE12345]", "team_ids: []", "extensions need team_ids"},
		{"category: endpoint_security", "category: [x]", ":15: edr_catalogue[0].category: this is not text"},
		{"/Applications/Guard.app", "Guard.app", "apps: \"Guard.app\" is not a clean absolute path"},
		{"run_as: system", "run_as: kim", `run_as "kim" is none of root, system, any`},
		{"run_as: system", "run_as: system\n    run_as: root", ":18: edr_catalogue[0].run_as: already set in line 17; remove one"},
		{"confidence: seen", "confidence: sure", `confidence "sure" is neither`},
		{"source: our own", "status: wazuh", ":19: edr_catalogue[0].status: only shipped rows say how a product is asked about itself; remove it"},
		{"source: our own", "origin: built-in", ":19: edr_catalogue[0].origin: no such key"},
		{"sha256:", "sha1:", ":7: edr_catalogue[0].linux[0].sha1: no such key; use one of executable, sha256"},
		{"name: Guard", "name: ''", ":3: edr_catalogue[0]: catalogue row local/guard: name is empty"},
		{"source: our own", "source: &a our own", "anchors and aliases are not used here"},
	} {
		text := strings.Replace(everything, c.from, c.to, 1)
		if text == everything {
			t.Fatalf("%q is not in the settings", c.from)
		}
		_, err := Load(home(t, text), Overrides{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v\nwant …%s", c.to, err, c.want)
		}
	}
}
