package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is one parsed Go file.
type source struct {
	path string // from the root of the repository
	dir  string // its package's folder, "." for the root
	test bool   // a _test.go file
	file *ast.File
	fset *token.FileSet
}

// breach is a breach at a place in the file.
func (s source) breach(kind Kind, at token.Pos, format string, args ...any) Breach {
	return Breach{kind, s.path, s.fset.Position(at).Line, fmt.Sprintf(format, args...)}
}

// spec is one import of a file.
type spec struct {
	path string
	name string // how the file calls it; "." and "_" as written
	pos  token.Pos
}

// own gives the folder of an import of our own module.
func (i spec) own() (dir string, ok bool) {
	if i.path == Module {
		return ".", true
	}
	return strings.CutPrefix(i.path, Module+"/")
}

// imports lists what the file imports.
func (s source) imports() []spec {
	var list []spec
	for _, imp := range s.file.Imports {
		// The parser has already refused what does not unquote.
		p, _ := strconv.Unquote(imp.Path.Value)
		name := defaultName(p)
		if imp.Name != nil {
			name = imp.Name.Name
		}
		list = append(list, spec{p, name, imp.Pos()})
	}
	return list
}

// defaultName is what a package is called when its import gives no name: the
// last element of its path that is not a major version. It may be wrong for a
// package named unlike its folder; no package in the rules is.
func defaultName(importPath string) string {
	base := path.Base(importPath)
	if v, ok := strings.CutPrefix(base, "v"); ok && path.Dir(importPath) != "." {
		if _, err := strconv.Atoi(v); err == nil {
			return path.Base(path.Dir(importPath))
		}
	}
	return base
}

// parseSources parses every file, in the order of their paths.
func parseSources(files map[string]string) ([]source, []Breach) {
	var sources []source
	var breaches []Breach
	for _, p := range slices.Sorted(maps.Keys(files)) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, files[p], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			breaches = append(breaches, Breach{Kind: KindParse, Path: p, Text: err.Error()})
			continue
		}
		sources = append(sources, source{p, path.Dir(p), strings.HasSuffix(p, "_test.go"), file, fset})
	}
	return sources, breaches
}

// pkg is one folder with Go files.
type pkg struct {
	dir     string
	sources []source
}

// packagesOf groups files by folder, in the order of their paths.
func packagesOf(sources []source) []pkg {
	byDir := map[string][]source{}
	for _, s := range sources {
		byDir[s.dir] = append(byDir[s.dir], s)
	}
	var list []pkg
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		list = append(list, pkg{dir, byDir[dir]})
	}
	return list
}

// ReadTree reads every Go file below the root, for every system and build
// tag. Like the go command it passes over folders named testdata and names
// that begin with a dot or an underscore; a package in there that is imported
// by its path all the same has no row, and is a breach by that.
func ReadTree(root fs.FS) (map[string]string, error) {
	files := map[string]string{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := p != "." && strings.ContainsAny(d.Name()[:1], "._")
		switch {
		case d.IsDir() && (hidden || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || hidden || path.Ext(p) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, p)
		files[p] = string(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	return files, nil
}
