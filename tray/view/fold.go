package view

import (
	"strings"

	"github.com/postern-zt/postern/platform/cells"
)

// columns is how wide an entry may be: a menu is as wide as its widest entry,
// and one that is wider hides the window that the person works in.
const columns = 60

// fold breaks a text between words into at most so many rows, none wider than
// columns; a word that is wider is broken between letters, never within one.
// What does not fit is left out, and the last row then ends with "…". A text of
// nothing but blanks has no rows.
func fold(text string, columns, rows int) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		for _, piece := range pieces(word, columns) {
			switch {
			case line == "":
				line = piece
			case cells.Width(line)+1+cells.Width(piece) <= columns:
				line += " " + piece
			case len(out)+1 == rows:
				return append(out, unfinished(line, columns))
			default:
				out, line = append(out, line), piece
			}
		}
	}
	if line == "" || rows < 1 {
		return nil
	}
	return append(out, line)
}

// balanced is a fold whose rows are about equally long where the text is whole:
// a last word alone in a row looks like a thing of its own.
func balanced(text string, columns, rows int) []string {
	out := fold(text, columns, rows)
	n := len(out)
	if n < 2 || strings.HasSuffix(out[n-1], "…") {
		return out
	}
	for narrow := columns - 1; narrow > columns/2; narrow-- {
		next := fold(text, narrow, n)
		if strings.Join(next, " ") != strings.Join(out, " ") {
			break
		}
		out = next
	}
	return out
}

// pieces are a word, in parts that fit into columns.
func pieces(word string, columns int) []string {
	if cells.Width(word) <= columns {
		return []string{word}
	}
	var out []string
	part, used := "", 0
	for letter, n := range cells.Letters(word) {
		if used+n > columns && part != "" {
			out = append(out, part)
			part, used = "", 0
		}
		part, used = part+letter, used+n
	}
	return append(out, part)
}

// unfinished is a row that says of itself that more would follow.
func unfinished(row string, columns int) string {
	if cells.Width(row) >= columns {
		if at := strings.LastIndexByte(row, ' '); at > 0 {
			row = row[:at]
		} else {
			return cells.Cut(row+"…", columns)
		}
	}
	return strings.TrimRight(row, ".,;:–· ") + "…"
}

// cut is a text in one row.
func cut(text string, columns int) string { return strings.Join(fold(text, columns, 1), "") }
