package arch

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// checkComment wants each package to say its job once: one package comment,
// in one file, whose first line begins "Package name ". A program may begin
// "Command name " instead. Comments in tests count only where a folder holds
// nothing but tests.
func checkComment(p pkg) []Breach {
	product := slices.ContainsFunc(p.sources, func(s source) bool { return !s.test })
	byName := map[string][]source{}
	for _, s := range p.sources {
		if product == s.test {
			continue
		}
		// A folder of tests only may be package x_test; its job is still x's.
		name := s.file.Name.Name
		if s.test {
			name = strings.TrimSuffix(name, "_test")
		}
		byName[name] = append(byName[name], s)
	}
	var breaches []Breach
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		breaches = append(breaches, checkJob(p.dir, name, byName[name])...)
	}
	return breaches
}

// checkJob looks for the one comment of a package among its files.
func checkJob(dir, name string, sources []source) []Breach {
	var breaches []Breach
	found := ""
	for _, s := range sources {
		text := strings.TrimSpace(s.file.Doc.Text())
		if text == "" {
			continue
		}
		if found != "" {
			breaches = append(breaches, s.breach(KindComment, s.file.Doc.Pos(),
				"a second package comment; the first is in %s", found))
			continue
		}
		found = s.path
		first, _, _ := strings.Cut(text, "\n")
		if !namesJob(first, dir, name) {
			breaches = append(breaches, s.breach(KindComment, s.file.Doc.Pos(),
				"the package comment does not begin %q and say the job in its first line", "Package "+name+" "))
		}
	}
	if found == "" {
		breaches = append(breaches, Breach{Kind: KindComment, Path: dir,
			Text: fmt.Sprintf("package %s has no package comment", name)})
	}
	return breaches
}

// namesJob says whether a comment's first line names the package and goes on.
func namesJob(line, dir, name string) bool {
	starts := []string{"Package " + name + " "}
	if name == "main" {
		starts = append(starts, "Command "+path.Base(dir)+" ")
	}
	return slices.ContainsFunc(starts, func(start string) bool {
		rest, ok := strings.CutPrefix(line, start)
		return ok && strings.TrimSpace(rest) != ""
	})
}
