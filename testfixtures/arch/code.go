package arch

import (
	"go/ast"
	"go/build/constraint"
	"path"
	"slices"
	"strings"
)

// checkCode looks into the code of a file that is not a test: what ends the
// program, what runs before main, what panics, and what is kept or timeless.
func checkCode(s source) []Breach {
	if s.test {
		return nil
	}
	names := map[string]string{}
	var breaches []Breach
	for _, imp := range s.imports() {
		names[imp.name] = imp.path
		if imp.name == "." {
			// Names without their package would pass under every rule below.
			breaches = append(breaches, checkDotImport(s, imp)...)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" && !slices.Contains(initFiles, s.path) {
				breaches = append(breaches, s.breach(KindInit, n.Pos(), "func init runs before anyone asked"))
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "panic" && !isFixture(s.dir) {
				breaches = append(breaches, s.breach(KindPanic, n.Pos(), "return an error instead of panic"))
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				breaches = append(breaches, checkUse(s, n, names[x.Name])...)
			}
		}
		return true
	})
	return breaches
}

// checkUse holds one use of a name of an imported package against the rules.
// A use as a value counts like a call.
func checkUse(s source, n *ast.SelectorExpr, pkg string) []Breach {
	name := n.Sel.Name
	var breaches []Breach
	for _, u := range exits {
		if u.pkg == pkg && slices.Contains(u.names, name) && s.file.Name.Name != "main" {
			breaches = append(breaches, s.breach(KindExit, n.Pos(), "%s.%s outside package main", pkg, name))
		}
	}
	if isFixture(s.dir) {
		return breaches
	}
	for _, u := range keptUses {
		if u.pkg == pkg && slices.Contains(u.names, name) && !withinAny(s.dir, u.places) {
			breaches = append(breaches, s.breach(KindKeeper, n.Pos(), "%s.%s: %s", pkg, name, u.why))
		}
	}
	if pkg == "time" && name == "Now" && withinAny(s.dir, timeless) {
		breaches = append(breaches, s.breach(KindClock, n.Pos(), "ask the Machine for the time, not time.Now"))
	}
	return breaches
}

// checkDotImport refuses to import without a name what the rules know by name.
func checkDotImport(s source, imp spec) []Breach {
	if slices.ContainsFunc(exits, func(u use) bool { return u.pkg == imp.path }) {
		return []Breach{s.breach(KindExit, imp.pos, "import of %s without its name hides what ends the program", imp.path)}
	}
	hides := imp.path == "time" || slices.ContainsFunc(keptUses, func(u use) bool { return u.pkg == imp.path })
	if hides && !isFixture(s.dir) {
		return []Breach{s.breach(KindKeeper, imp.pos, "import of %s without its name hides what is used of it", imp.path)}
	}
	return nil
}

// checkConstraint wants every file under posture/, tests too, to be built on
// every system: no build line, no system in the file's name, no cgo.
func checkConstraint(s source) []Breach {
	if !within(s.dir, anySystem) {
		return nil
	}
	var breaches []Breach
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if c.Pos() < s.file.Package && (constraint.IsGoBuild(c.Text) || constraint.IsPlusBuild(c.Text)) {
				breaches = append(breaches, s.breach(KindConstraint, c.Pos(), "build constraint %q", c.Text))
			}
		}
	}
	if system := systemInName(s.path); system != "" {
		breaches = append(breaches, s.breach(KindConstraint, s.file.Package, "the file's name ties it to %s", system))
	}
	for _, imp := range s.imports() {
		if imp.path == "C" {
			breaches = append(breaches, s.breach(KindConstraint, imp.pos, `import "C" is an implicit build constraint`))
		}
	}
	return breaches
}

// systems are the names that constrain a file when they end its name after an
// underscore: every GOOS and GOARCH the go command knows or has reserved
// (go/build, "Build Constraints"; internal/syslist of the Go source).
const systems = " aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos" +
	" 386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le" +
	" ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm "

// systemInName gives the system that a file's name ties it to, or nothing.
// The name "windows.go" ties it to none; "x_windows.go" does.
func systemInName(p string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(p), ".go"), "_test")
	i := strings.LastIndex(name, "_")
	if i < 0 || !strings.Contains(systems, " "+name[i+1:]+" ") {
		return ""
	}
	return name[i+1:]
}
