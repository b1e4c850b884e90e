// Package arch proves that every Go file of the project obeys the house in docs/architecture.md.
//
// [Check] is a pure function of the room table and the sources, so that the
// tests can plant a breach of every kind and see it found. It parses files
// itself and asks no build tool: a tool would show only the files of one
// system, and go test would remember an answer it cannot see going stale.
package arch

import (
	"cmp"
	"fmt"
	"slices"
)

// Module is the import path of the project; what begins with it is our own.
const Module = "github.com/postern-zt/postern"

// TablePath is where the room table lives, from the root of the repository.
const TablePath = "docs/architecture.md"

// Kind says which rule of the house a [Breach] breaks.
type Kind string

// The kinds of breach.
const (
	KindTable      Kind = "table"        // the room table, or data that names its rooms, is wrong
	KindParse      Kind = "parse"        // a file is not Go
	KindRow        Kind = "row"          // a package has no row in the table
	KindFloor      Kind = "floor"        // an import goes up or stays on its floor
	KindDoor       Kind = "door"         // an import goes through a wall between folders
	KindFixture    Kind = "testfixtures" // product code imports testfixtures
	KindKeeper     Kind = "keeper"       // an outside package or call is used outside its keeper
	KindConstraint Kind = "constraint"   // a file under posture/ is not built on every system
	KindFanOut     Kind = "fan-out"      // a room knows too many of our rooms
	KindComment    Kind = "comment"      // the package comment is missing, doubled or malformed
	KindExit       Kind = "exit"         // the program is ended outside package main
	KindInit       Kind = "init"         // func init
	KindPanic      Kind = "panic"        // panic in product code
	KindClock      Kind = "clock"        // a collector reads the clock instead of its Machine
)

// Breach is one place where the sources and the house disagree.
type Breach struct {
	Kind Kind
	Path string // slash-separated, from the root of the repository; a folder for a breach of a whole package
	Line int    // from 1; 0 when the breach is not of one line
	Text string
}

// String gives the breach in the form of a compiler's message.
func (b Breach) String() string {
	if b.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", b.Path, b.Kind, b.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", b.Path, b.Line, b.Kind, b.Text)
}

// Check holds the sources against the room table and returns every breach,
// sorted by path and line; none means that the house stands. The table is the
// text of [TablePath]. The files are Go sources by their slash-separated path
// from the root of the repository; build constraints are not applied.
func Check(table string, files map[string]string) []Breach {
	house, breaches := parseTable(table)
	sources, bad := parseSources(files)
	breaches = append(breaches, bad...)
	for _, s := range sources {
		breaches = append(breaches, checkImports(house, s)...)
		breaches = append(breaches, checkConstraint(s)...)
		breaches = append(breaches, checkCode(s)...)
	}
	for _, p := range packagesOf(sources) {
		breaches = append(breaches, checkRow(house, p)...)
		breaches = append(breaches, checkFanOut(p)...)
		breaches = append(breaches, checkComment(p)...)
	}
	slices.SortFunc(breaches, func(a, b Breach) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Text, b.Text))
	})
	return breaches
}

// CheckData returns a breach for each room that the doors, keepers and limits
// of this package name and the table does not hold, so that a room that is
// renamed does not leave a door open behind it.
func CheckData(table string) []Breach {
	house, breaches := parseTable(table)
	for _, place := range placesNamed() {
		if !house.has(place) {
			breaches = append(breaches, Breach{Kind: KindTable, Path: TablePath,
				Text: fmt.Sprintf("the rules name %q, which has no row", place)})
		}
	}
	return breaches
}
