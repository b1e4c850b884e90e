package catalogue

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// reasons finds every constant of type Reason in posture/fact, so that a new
// one without an entry fails here.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../fact/state.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Reason" {
			return true
		}
		for _, v := range spec.Values {
			if lit, ok := v.(*ast.BasicLit); ok {
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, code)
			}
		}
		return true
	})
	if len(out) < 10 {
		t.Fatalf("found only %d reasons in posture/fact", len(out))
	}
	return out
}

func TestEveryReasonHasAnEntry(t *testing.T) {
	for _, code := range reasons(t) {
		e, ok := Lookup(code)
		if !ok {
			t.Errorf("reason %s has no entry", code)
			continue
		}
		for _, system := range []string{"linux", "windows", "darwin"} {
			if e.Fix.For(system) == "" {
				t.Errorf("reason %s has no fix on %s", code, system)
			}
		}
	}
}

func TestEntriesAreWellFormed(t *testing.T) {
	var raw []Entry
	d := json.NewDecoder(strings.NewReader(string(englishEntries)))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		t.Fatal(err)
	}
	if len(raw) != len(All()) {
		t.Fatalf("All lists %d of %d entries", len(All()), len(raw))
	}
	code := regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, e := range raw {
		if !code.MatchString(e.Code) || seen[e.Code] {
			t.Errorf("code %q is malformed or there twice", e.Code)
		}
		seen[e.Code] = true
		if !strings.HasSuffix(e.Sentence, ".") || e.Since == "" || len(e.Sentence) > 200 {
			t.Errorf("%s: sentence %q, since %q", e.Code, e.Sentence, e.Since)
		}
	}
}

func TestLookupOfAnUnknownCode(t *testing.T) {
	for _, code := range []string{"", "org/anything", "no-such-code"} {
		if e, ok := Lookup(code); ok {
			t.Errorf("%q found as %+v", code, e)
		}
	}
}

func TestFixFallsBack(t *testing.T) {
	f := Fix{Any: "a", Linux: "l"}
	if f.For("linux") != "l" || f.For("windows") != "a" || f.For("plan9") != "a" {
		t.Errorf("got %q, %q, %q", f.For("linux"), f.For("windows"), f.For("plan9"))
	}
}
