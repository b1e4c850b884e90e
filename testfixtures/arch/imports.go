package arch

import (
	"fmt"
	"slices"
	"strings"
)

// checkRow wants a row in the table for each package of the product.
func checkRow(house rooms, p pkg) []Breach {
	if _, known := house[p.dir]; known || isFixture(p.dir) {
		return nil
	}
	return []Breach{{Kind: KindRow, Path: p.dir, Text: "the package has no row in " + TablePath}}
}

// checkImports holds each import of a file against floors, doors and keepers.
// Tests of the product are bound like the product, but may use testfixtures.
func checkImports(house rooms, s source) []Breach {
	if isFixture(s.dir) {
		return nil
	}
	var breaches []Breach
	for _, imp := range s.imports() {
		if to, own := imp.own(); own {
			breaches = append(breaches, checkOwn(house, s, imp, to)...)
		} else {
			breaches = append(breaches, checkOutside(s, imp)...)
		}
	}
	return breaches
}

// checkOwn holds an import of one of our packages against floors and doors.
func checkOwn(house rooms, s source, imp spec, to string) []Breach {
	if to == s.dir { // a test in package x_test imports x
		return nil
	}
	if isFixture(to) {
		if s.test {
			return nil
		}
		return []Breach{s.breach(KindFixture, imp.pos, "%s is for tests only", to)}
	}
	var breaches []Breach
	from, known := house[s.dir]
	floor, exists := house[to]
	if !exists {
		breaches = append(breaches, s.breach(KindRow, imp.pos, "%s has no row in %s", to, TablePath))
	}
	if known && exists && floor >= from {
		breaches = append(breaches, s.breach(KindFloor, imp.pos,
			"%s on floor %d imports %s on floor %d; imports go down", s.dir, from, to, floor))
	}
	if !doorOpen(s.dir, to) {
		breaches = append(breaches, s.breach(KindDoor, imp.pos, "there is no door from %s to %s", s.dir, to))
	}
	return breaches
}

// doorOpen says whether the rules let one room import another.
func doorOpen(from, to string) bool {
	if folder(from) == folder(to) {
		return true
	}
	return slices.ContainsFunc(doors, func(d door) bool {
		return within(from, d.from) && withinAny(to, d.to)
	})
}

// checkOutside holds an import of a package that is not ours against keepers.
func checkOutside(s source, imp spec) []Breach {
	var breaches []Breach
	for _, k := range keepers {
		if withinAny(imp.path, k.outside) && !withinAny(s.dir, k.places) {
			breaches = append(breaches, s.breach(KindKeeper, imp.pos,
				"%s is kept by %s", imp.path, strings.Join(k.places, ", ")))
		}
	}
	if withinAny(s.dir, standardOnly) && !isStandard(imp.path) && !s.test {
		breaches = append(breaches, s.breach(KindKeeper, imp.pos,
			"%s imports the standard library only, not %s", s.dir, imp.path))
	}
	return breaches
}

// isStandard says whether an import path is of the standard library: only
// there does the first element have no dot (cmd/go, "go help importpath").
func isStandard(importPath string) bool { return !strings.Contains(folder(importPath), ".") }

// checkFanOut counts the rooms that a room imports outside its tests, on all
// systems together.
func checkFanOut(p pkg) []Breach {
	limit, special := fanOutLimits[p.dir]
	if !special {
		limit = fanOutDefault
	}
	if limit == unlimited || isProgram(p.dir) || isFixture(p.dir) {
		return nil
	}
	known := map[string]bool{}
	for _, s := range p.sources {
		for _, imp := range s.imports() {
			if to, own := imp.own(); own && !s.test && to != p.dir {
				known[to] = true
			}
		}
	}
	if len(known) <= limit {
		return nil
	}
	return []Breach{{Kind: KindFanOut, Path: p.dir,
		Text: fmt.Sprintf("imports %d of our rooms, at most %d are allowed", len(known), limit)}}
}
