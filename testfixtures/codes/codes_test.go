// Package codes holds words and documents against the source: the catalogue's codes, the protocol's facts, the tests that the law names.
package codes

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/catalogue"
)

// root is the repository's root, as seen from this folder.
const root = "../.."

// vocabularies are the rooms that declare codes as constants, with what the
// constants' names begin with.
var vocabularies = map[string][]string{
	"posture/fact":       {"Reason"},
	"broker/api":         {"Reason", "Code", "OAuth", "Cause"},
	"broker/issuer":      {"Reason"},
	"broker/policy":      {"Reason"},
	"client/localapi":    {"Code"},
	"client/signin":      {"Code"},
	"client/state":       {"Cause"},
	"client/cmd/postern": {"code"},
}

// speakers are the rooms that write codes as string literals: as the first
// argument of refused or as the member Code.
var speakers = []string{
	"client/agent", "client/brokerclient", "client/localserver",
	"broker/apiclient", "broker/gateway", "broker/issuer", "broker/server", "broker/verify",
}

// explainer is the room whose functions also return lists of codes.
const explainer = "client/agent"

var codeForm = regexp.MustCompile(`^[a-z0-9]+([-_][a-z0-9]+)*$`)

// parseRoom reads the product files of a room.
func parseRoom(t *testing.T, room string) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(room), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ast.File{}
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		out[p] = f
	}
	if len(out) == 0 {
		t.Fatalf("the room %s has no Go files; correct the list in this test", room)
	}
	return out
}

// text is the value of a string literal.
func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// declared lists the string constants of a file whose names begin so.
func declared(f *ast.File, prefixes []string) []string {
	var out []string
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				begins := func(p string) bool { return strings.HasPrefix(name.Name, p) && name.Name != p }
				if i >= len(spec.Values) || !slices.ContainsFunc(prefixes, begins) {
					continue
				}
				if v, ok := text(spec.Values[i]); ok {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// spoken lists the codes that a file writes as literals.
func spoken(f *ast.File) []string {
	var out []string
	add := func(e ast.Expr) {
		if v, ok := text(e); ok && codeForm.MatchString(v) {
			out = append(out, v)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "refused" && len(n.Args) > 0 {
				add(n.Args[0])
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Code" {
				add(n.Value)
			}
		}
		return true
	})
	return out
}

// returned lists the codes in lists that a file's functions return.
func returned(f *ast.File) []string {
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		ret, ok := n.(*ast.ReturnStmt)
		if !ok {
			return true
		}
		for _, r := range ret.Results {
			list, ok := r.(*ast.CompositeLit)
			if !ok {
				continue
			}
			for _, e := range list.Elts {
				if v, ok := text(e); ok && codeForm.MatchString(v) {
					out = append(out, v)
				}
			}
		}
		return true
	})
	return out
}

// used finds every code in the source, with where it is.
func used(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	note := func(room string, codes []string) {
		for _, c := range codes {
			if !slices.Contains(out[c], room) {
				out[c] = append(out[c], room)
			}
		}
	}
	for room, prefixes := range vocabularies {
		found := 0
		for _, f := range parseRoom(t, room) {
			codes := declared(f, prefixes)
			found += len(codes)
			note(room, codes)
		}
		if found == 0 {
			t.Errorf("the room %s declares no code; correct the list in this test", room)
		}
	}
	for _, room := range speakers {
		for _, f := range parseRoom(t, room) {
			note(room, spoken(f))
		}
	}
	for _, f := range parseRoom(t, explainer) {
		note(explainer, returned(f))
	}
	return out
}

// TestCatalogueIsComplete finds codes that are used and not listed, and codes
// that are listed and not used.
func TestCatalogueIsComplete(t *testing.T) {
	all := used(t)
	for code, rooms := range all {
		if _, ok := catalogue.Lookup(code); !ok {
			t.Errorf("%s (%s) is not in posture/catalogue/en.json", code, strings.Join(rooms, ", "))
		}
	}
	for _, e := range catalogue.All() {
		if all[e.Code] == nil {
			t.Errorf("%s is in posture/catalogue/en.json and used nowhere", e.Code)
		}
	}
}

// TestCodesAreFound plants codes where the search must see them.
func TestCodesAreFound(t *testing.T) {
	const src = `package a
const (
	CodeOne, CodeTwo = "one", "two"
	CodeThree Word = "three"
	Code = "not-this"
	CodeSame = other.CodeSame
	unrelated = "not-this-either"
)
func refused(code string) error { return nil }
func f() error { _ = E{Code: "four"}; return refused("five") }
func g() []string { return []string{"six", "Not a code."} }
`
	f, err := parser.ParseFile(token.NewFileSet(), "a.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(declared(f, []string{"Code"}), " "), "one two three"; got != want {
		t.Errorf("declared: %s, want %s", got, want)
	}
	if got, want := strings.Join(spoken(f), " "), "four five"; got != want {
		t.Errorf("spoken: %s, want %s", got, want)
	}
	if got, want := strings.Join(returned(f), " "), "six"; got != want {
		t.Errorf("returned: %s, want %s", got, want)
	}
}
