package main

import (
	"strings"

	"github.com/postern-zt/postern/platform/cells"
)

// softHyphen is where a word may be broken (U+00AD); it is not shown.
const softHyphen = "\u00ad"

// fold breaks a plain text between words into lines of at most width columns. A
// word that is longer, such as a link, stays whole, so that it can be copied.
// Width 0 folds nothing.
func fold(text string, width int) []string {
	if width <= 0 || cells.Width(text) <= width {
		return []string{text}
	}
	return wrap(text, width, false)
}

// wrap breaks a text as fold does; a word that is too long for a line is broken
// at its soft hyphens and, if it may be split, anywhere.
func wrap(text string, width int, split bool) []string {
	w := wrapping{width: width}
	for word := range strings.FieldsSeq(text) {
		whole := strings.ReplaceAll(word, softHyphen, "")
		switch {
		case cells.Width(whole) <= width:
			w.put(whole)
		case whole != word:
			w.hyphenate(strings.Split(word, softHyphen))
		case split:
			w.split(whole)
		default:
			w.put(whole)
		}
	}
	return append(w.lines, w.line)
}

// fit cuts a text between words, or within one, to at most width columns, so that it stays on its line; 0 and
// less cut nothing.
func fit(text string, width int) string {
	if width <= 0 || cells.Width(text) <= width {
		return text
	}
	return wrap(text, width, true)[0]
}

type wrapping struct {
	width int
	lines []string
	line  string
}

// put adds a word to the line, or to the next one.
func (w *wrapping) put(word string) {
	switch {
	case w.line == "":
		w.line = word
	case cells.Width(w.line)+1+cells.Width(word) <= w.width:
		w.line += " " + word
	default:
		w.lines = append(w.lines, w.line)
		w.line = word
	}
}

// hyphenate adds a word in parts, as many on a line as fit there.
func (w *wrapping) hyphenate(parts []string) {
	piece := parts[0]
	for _, part := range parts[1:] {
		if cells.Width(piece)+cells.Width(part)+1 <= w.width {
			piece += part
			continue
		}
		w.put(piece + "-")
		piece = part
	}
	w.put(piece)
}

// split adds a word that is broken wherever the line ends, but not within a
// letter.
func (w *wrapping) split(word string) {
	if w.line != "" {
		w.lines = append(w.lines, w.line)
		w.line = ""
	}
	used := 0
	for letter, n := range cells.Letters(word) {
		if used+n > w.width && w.line != "" {
			w.lines = append(w.lines, w.line)
			w.line, used = "", 0
		}
		w.line += letter
		used += n
	}
}
