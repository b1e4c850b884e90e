package main

import (
	"os"
	"strconv"

	terminals "github.com/postern-zt/postern/platform/terminal"
)

// terminal is a file that a person sits at.
type terminal struct{ file *os.File }

// terminalOf is nil when f is no terminal.
func terminalOf(f *os.File) *terminal {
	if !terminals.Is(f) {
		return nil
	}
	return &terminal{f}
}

// size is how many columns and rows it has; 0 when it does not say.
func (t *terminal) size() (columns, rows int) {
	if t == nil {
		return 0, 0
	}
	return terminals.Size(t.file)
}

// wantsColour reports whether texts for t shall have colours
// (https://no-color.org).
func wantsColour(t *terminal, getenv func(string) string) bool {
	return moves(t, getenv) && getenv("NO_COLOR") == ""
}

// moves reports whether t understands control sequences at all.
func moves(t *terminal, getenv func(string) string) bool {
	return t != nil && getenv("TERM") != "dumb" && terminals.Escapes(t.file)
}

// width is how wide lines may be: what the environment says, else the
// terminal; 0, without a limit, when neither is there.
func (a *app) width() int { return a.widthOf(a.outTerm) }

func (a *app) widthOf(t *terminal) int {
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return max(n, 20)
	}
	columns, _ := t.size()
	return columns
}
