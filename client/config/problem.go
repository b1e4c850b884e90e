package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with the settings.
type Problem struct {
	File string // "" for a value of the command line
	Line int    // from 1; 0 when it is about the whole file
	Key  string // "edr_catalogue[2].linux", or "" when it is about the whole file
	Text string // what is wrong; never a secret
	Hint string // what to do
}

// String is one line: file:line: key: what is wrong; what to do.
func (p Problem) String() string {
	var b strings.Builder
	switch {
	case p.File == "":
		b.WriteString("command line: ")
	case p.Line == 0:
		b.WriteString(p.File + ": ")
	default:
		fmt.Fprintf(&b, "%s:%d: ", p.File, p.Line)
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Error is everything that is wrong with the settings. They are refused whole:
// an agent that ran on half of what its owner wrote would look right and be
// wrong.
type Error struct{ Problems []Problem }

// Error gives every problem on a line of its own.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "read settings: " + strings.Join(lines, "\n")
}
