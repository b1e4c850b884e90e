package edr

import (
	"strings"
)

// Bounds of what a product prints that is looked at.
const (
	maxLines = 2000
	maxLine  = 1024 // bytes of a line
)

// pair is one line "name: value" of what a product's own tool prints.
type pair struct{ name, value string }

// pairs reads the lines of a text that have a colon, in order. White space
// around names and values does not count.
func pairs(text string) []pair {
	var out []pair
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			continue
		}
		if out = append(out, pair{name, strings.TrimSpace(value)}); len(out) == maxLines {
			break
		}
	}
	return out
}

// first is the value of the first line of that name, in any case.
func first(lines []pair, name string) (string, bool) {
	for _, p := range lines {
		if strings.EqualFold(p.name, name) {
			return p.value, true
		}
	}
	return "", false
}

// word is one of two words; ok is false for any other.
func word(s, yes, no string) (value, ok bool) {
	switch {
	case strings.EqualFold(s, yes):
		return true, true
	case strings.EqualFold(s, no):
		return false, true
	}
	return false, false
}
