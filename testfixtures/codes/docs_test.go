package codes

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// members lists the JSON names of all structs in a file.
func members(t *testing.T, f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		tag, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if name != "" && name != "-" {
			out = append(out, name)
		}
		return true
	})
	return out
}

// TestProtocolNamesTheWire wants every path, code, event and JSON member of
// the wire in the document that describes it.
func TestProtocolNamesTheWire(t *testing.T) {
	doc := read(t, "docs/protocol.md")
	named := func(word string) bool {
		return regexp.MustCompile(`[\x60"/ ]` + regexp.QuoteMeta(word) + `[\x60" :,(?]`).MatchString(doc)
	}
	var words []string
	for _, room := range []string{"broker/api", "posture/attest"} {
		for _, f := range parseRoom(t, room) {
			words = append(words, members(t, f)...)
			if room == "broker/api" {
				words = append(words, declared(f, []string{"Path", "Code", "OAuth", "Reason", "Cause", "Event", "Feed", "Grant", "Param", "Key", "Attested", "Tier"})...)
			}
		}
	}
	if len(words) < 150 {
		t.Fatalf("found only %d words of the wire", len(words))
	}
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		if !named(w) {
			t.Errorf("docs/protocol.md does not name %s", w)
		}
	}
}

// orders says in words which of two values of a fact is the worse.
var orders = map[fact.Order]string{
	fact.HigherIsBetter: "higher is better", fact.LaterIsBetter: "later is better", fact.TrueIsBetter: "true is better",
	fact.FalseIsBetter: "false is better", fact.Identity: "any change is worse",
	fact.LowerIsBetter: "lower is better", fact.Neutral: "neither is better",
}

// factRow is how the document must describe a fact.
func factRow(d fact.Def) string {
	address, order, negative := d.Signal+"."+d.Field, orders[d.Order], ""
	if d.Keyed {
		address = d.Signal + "[*]." + d.Field
	}
	if d.Order == fact.Ranked {
		order = "worst first: " + strings.Join(d.Ranks, ", ")
	} else if len(d.Ranks) > 0 {
		order += "; one of " + strings.Join(d.Ranks, ", ")
	}
	if d.Negative.IsSet() {
		negative = d.Negative.String()
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |", address, d.Kind, order, negative, d.Meaning)
}

// TestProtocolFacts holds the table of facts against the facts.
func TestProtocolFacts(t *testing.T) {
	_, section, ok := strings.Cut(read(t, "docs/protocol.md"), "\n## Facts")
	if !ok {
		t.Fatal("docs/protocol.md has no section Facts")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var have []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			have = append(have, strings.TrimSpace(line))
		}
	}
	var want []string
	for _, d := range fact.Defs() {
		want = append(want, factRow(d))
	}
	for _, w := range want {
		if !slices.Contains(have, w) {
			t.Errorf("the table lacks\n%s", w)
		}
	}
	for _, h := range have {
		if !slices.Contains(want, h) {
			t.Errorf("no fact is like\n%s", h)
		}
	}
}

// tests lists the names of the test functions of a file.
func tests(t *testing.T, name string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(name)), nil, 0)
	if err != nil {
		t.Error(err)
		return nil
	}
	var out []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
			out = append(out, fn.Name.Name)
		}
	}
	return out
}

var testName = regexp.MustCompile("`([a-z0-9_/]+_test\\.go):((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// TestLawNamesRealTests wants each test that docs/security.md names in the
// file where it says, and the sixteen lines, each with a test or a plain word.
func TestLawNamesRealTests(t *testing.T) {
	doc := read(t, "docs/security.md")
	found := testName.FindAllStringSubmatch(doc, -1)
	if len(found) < 16 {
		t.Fatalf("docs/security.md names only %d tests", len(found))
	}
	for _, m := range found {
		if !slices.Contains(tests(t, m[1]), m[2]) {
			t.Errorf("docs/security.md names %s, which is not in %s", m[2], m[1])
		}
	}
	_, law, _ := strings.Cut(doc, "\n## The law")
	law, _, _ = strings.Cut(law, "\n## ")
	lines := regexp.MustCompile(`(?m)^### (\d+)\. `).FindAllStringSubmatchIndex(law, -1)
	if len(lines) != 16 {
		t.Fatalf("the law has %d lines, want 16", len(lines))
	}
	for i, at := range lines {
		end := len(law)
		if i+1 < len(lines) {
			end = lines[i+1][0]
		}
		text := law[at[0]:end]
		if law[at[2]:at[3]] != strconv.Itoa(i+1) {
			t.Errorf("line %s of the law stands in place %d", law[at[2]:at[3]], i+1)
		}
		if !testName.MatchString(text) && !strings.Contains(text, "No test yet") {
			t.Errorf("line %d names no test and does not say so", i+1)
		}
	}
}

// documents lists what people read.
func documents(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(p) == ".md" {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

// TestLinksLead wants every link between documents to lead to something.
func TestLinksLead(t *testing.T) {
	for _, name := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			to := path.Join(path.Dir(name), m[1])
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
		}
	}
}

// TestDecisionsAreListed wants one line of the index for each decision.
func TestDecisionsAreListed(t *testing.T) {
	index := read(t, "docs/decisions/README.md")
	found, err := filepath.Glob(root + "/docs/decisions/0*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("no decisions: %v", err)
	}
	for _, f := range found {
		if strings.Count(index, "("+filepath.Base(f)+")") != 1 {
			t.Errorf("docs/decisions/README.md does not list %s once", filepath.Base(f))
		}
	}
}

// TestHouseSaysWhatIsBuilt wants the rooms that docs/architecture.md calls not
// built yet to be exactly those of its table that have no Go files.
func TestHouseSaysWhatIsBuilt(t *testing.T) {
	doc := read(t, "docs/architecture.md")
	_, rest, ok := strings.Cut(doc, "\nNot built yet: ")
	if !ok {
		t.Fatal("docs/architecture.md does not say which rooms are not built yet")
	}
	sentence, _, _ := strings.Cut(rest, ".")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z/-]+)` \\| \\d+ \\| ").FindAllStringSubmatch(doc, -1) {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(m[1]), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(sentence, "`"+m[1]+"`"); said == (len(files) > 0) {
			t.Errorf("%s has %d Go files; docs/architecture.md says not built: %t", m[1], len(files), said)
		}
	}
}
