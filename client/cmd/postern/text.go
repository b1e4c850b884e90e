package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/postern-zt/postern/platform/cells"
)

// Colours (ECMA-48 SGR). They only repeat what a word says already.
const (
	plainColour = ""
	good        = "32"
	doubtful    = "33"
	bad         = "31"
	strong      = "1"
	faint       = "2"
)

func paint(on bool, colour, s string) string {
	if !on || colour == "" || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// plain makes a text from elsewhere harmless to a terminal: control and
// direction characters become a question mark.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// cell is one field of a table.
type cell struct{ text, colour string }

// page is text for a person: made plain, and folded to a width.
type page struct {
	strings.Builder
	words  *words
	width  int // columns; 0 when lines may be of any length
	colour bool
	ascii  bool // nothing else can be shown
	lists  bool // instead of tables
}

// page is an empty page for standard output.
func (a *app) page() *page {
	return &page{words: a.said(), width: a.width(), colour: a.colour, ascii: asciiOnly(a.getenv), lists: a.wantsLists()}
}

// wantsLists reports whether a person has said that tables are no help, as to
// a screen reader, or sits at a terminal that can do nothing but lines.
func (a *app) wantsLists() bool {
	return a.getenv("ACCESSIBLE") != "" || a.outTerm != nil && a.getenv("TERM") == "dumb"
}

// plain makes a text fit to be shown here.
func (p *page) plain(text string) string {
	text = plain(text)
	if p.ascii {
		text = toASCII(text)
	}
	return text
}

// soft is plain, with soft hyphens in the words that are known to be long.
func (p *page) soft(text string) string {
	text = p.plain(text)
	if p.words == nil {
		return text
	}
	for _, broken := range p.words.Breaks {
		text = strings.ReplaceAll(text, strings.ReplaceAll(broken, softHyphen, ""), broken)
	}
	return text
}

func (p *page) blank() { p.WriteByte('\n') }

// say writes text as a paragraph, indented.
func (p *page) say(indent int, text string) { p.mark(indent, "", "", text) }

// mark writes a coloured word and a text beside it, whose further lines stand
// below the text. Without the word it is a paragraph.
func (p *page) mark(indent int, colour, word, text string) {
	lead := ""
	if word != "" {
		word = p.plain(word)
		lead = paint(p.colour, colour, word) + " "
		indent += cells.Width(word) + 1
	}
	room := p.width - indent
	if p.width > 0 && room < 20 { // nothing reads well in less
		room = 20
	}
	if p.width == 0 {
		room = 0
	}
	for i, line := range fold(p.plain(text), room) {
		pad := strings.Repeat(" ", indent)
		if i == 0 && lead != "" {
			pad = pad[:indent-cells.Width(word)-1] + lead
		}
		p.WriteString(strings.TrimRight(pad+line, " ") + "\n")
	}
}

// title writes a line that stands out.
func (p *page) title(colour, text string) {
	for _, line := range fold(p.plain(text), p.width) {
		p.WriteString(paint(p.colour, colour, line) + "\n")
	}
}

// table writes rows in columns.
func (p *page) table(indent int, rows [][]cell) {
	t := p.columns(indent, rows)
	for _, row := range rows {
		t.write(row)
	}
}

// columns are how wide the columns of a table are. The last one is folded
// below itself where it is too wide; where even that leaves no room, each row
// becomes a list.
type columns struct {
	p              *page
	indent, before int // columns left of the first cell, and of the last one
	widths         []int
	list           bool
}

func (p *page) columns(indent int, rows [][]cell) columns {
	t := columns{p: p, indent: indent, before: indent}
	for _, row := range rows {
		for i, c := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], cells.Width(p.plain(c.text)))
		}
	}
	if len(t.widths) == 0 {
		return t
	}
	last := len(t.widths) - 1
	for _, w := range t.widths[:last] {
		t.before += w + 2
	}
	t.list = p.width > 0 && t.before+min(t.widths[last], 16) > p.width
	return t
}

func (t columns) write(row []cell) {
	if t.list {
		t.writeList(row)
		return
	}
	p := t.p
	line, gap := strings.Repeat(" ", t.indent), 0
	for i, c := range row {
		text := p.plain(c.text)
		lines := []string{text}
		if i == len(t.widths)-1 && p.width > 0 {
			lines = fold(text, p.width-t.before)
		}
		if text != "" {
			line += strings.Repeat(" ", gap) + paint(p.colour, c.colour, lines[0])
			gap = 0
		}
		for _, more := range lines[1:] {
			line += "\n" + strings.Repeat(" ", t.before) + paint(p.colour, c.colour, more)
		}
		gap += t.widths[i] - cells.Width(text) + 2
	}
	p.WriteString(strings.TrimRight(line, " ") + "\n")
}

// writeList writes a row as its first cell with the others below.
func (t columns) writeList(row []cell) {
	if len(row) == 2 && row[1].text != "" && t.indent+cells.Width(t.p.plain(row[0].text))+2+20 <= t.p.width {
		t.p.mark(t.indent, row[0].colour, row[0].text+":", row[1].text)
		return
	}
	for i, c := range row {
		if c.text == "" {
			continue
		}
		in := t.indent
		if i > 0 {
			in += 2
		}
		for _, line := range fold(t.p.plain(c.text), max(t.p.width-in, 20)) {
			t.p.WriteString(strings.Repeat(" ", in) + paint(t.p.colour, c.colour, line) + "\n")
		}
	}
}

// writeJSON writes v indented to standard output.
func (a *app) writeJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return a.print(harmless(string(data)) + "\n")
}

// harmless writes characters that could play tricks on a terminal as JSON
// escapes, which mean the same: JSON escapes only those below U+0020 by itself,
// and such characters stand in strings only.
func harmless(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			for _, half := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(&b, "\\u%04x", half)
			}
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// writeLine writes v as one line of JSON, for commands that write several.
func (a *app) writeLine(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return a.print(harmless(string(data)) + "\n")
}
