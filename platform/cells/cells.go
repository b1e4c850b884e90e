// Package cells measures text in the columns of a terminal and of a menu, and takes it apart where no letter breaks.
package cells

import (
	"iter"

	"github.com/rivo/uniseg"
)

// Width is how many columns a text takes in a typeface whose letters are all of
// one width: marks on another letter and soft hyphens take none, wide letters
// and pictures two (Unicode Standard Annexes 11 and 29). Line ends take none.
func Width(s string) int { return uniseg.StringWidth(s) }

// Letters gives what people take for one letter, each with its width: a letter
// with its marks, the parts of a Hangul syllable, a picture made of several
// (extended grapheme clusters, Unicode Standard Annex 29).
func Letters(s string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		state := -1
		for len(s) > 0 {
			var letter string
			var width int
			letter, s, width, state = uniseg.FirstGraphemeClusterInString(s, state)
			if !yield(letter, width) {
				return
			}
		}
	}
}

// Cut is the beginning of a text in at most width columns, the last of which is
// "…" when something is left out; without a width, nothing.
func Cut(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	out, used := "", 0
	for letter, n := range Letters(s) {
		if used+n > width-1 {
			break
		}
		out += letter
		used += n
	}
	if width < 1 {
		return ""
	}
	return out + "…"
}
