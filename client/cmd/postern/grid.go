package main

import (
	"strings"

	"github.com/postern-zt/postern/platform/cells"
)

// Sizes of grids, in columns of the terminal.
const (
	pipeWidth  = 100 // where nothing says how wide lines may be
	listBelow  = 60  // narrower ones become lists
	gridGap    = 2
	leastWords = 16 // a column of sentences is not narrower, if they are that long
	leastSplit = 12 // one whose words may be broken anywhere
)

// How the texts of a column are made to fit.
const (
	asTheyAre = ""       // the column is as wide as its widest text
	byWords   = "words"  // they are folded between words
	anywhere  = "splits" // and broken inside of them: paths, addresses
)

// column is one column of a grid.
type column struct {
	head string
	// label stands before the texts in a list; "" for none.
	label string
	folds string
}

// line is one row of a grid.
type line struct {
	cells []cell
	under string // a further text, over the whole width below them
}

// grid is a table with a head whose texts may take several lines in each
// column. Where there is no room for that, or a person wants none, it becomes a
// list: a screen reader reads a table line by line, and so mixes its columns.
type grid struct {
	columns []column
	lines   []line
	lead    int  // cells that name a row of the list, in its first line
	apart   bool // rows that take several lines stand apart
}

// trim leaves out columns at the end in which there is nothing.
func (g *grid) trim() {
	for n := len(g.columns); n > 0; n-- {
		for _, l := range g.lines {
			if n <= len(l.cells) && l.cells[n-1].text != "" {
				return
			}
		}
		g.columns = g.columns[:n-1]
		for i, l := range g.lines {
			g.lines[i].cells = l.cells[:min(n-1, len(l.cells))]
		}
	}
}

// grid writes a table, or a list where that reads better.
func (p *page) grid(g grid) {
	room := p.width
	if room == 0 {
		room = pipeWidth
	}
	widths := g.widths(p, room)
	if widths == nil || p.lists || room < listBelow {
		p.asList(g)
		return
	}
	head := line{}
	for _, c := range g.columns {
		head.cells = append(head.cells, cell{c.head, strong})
	}
	p.gridLine(widths, g.folded(p, widths, head))
	tall := false
	for i, l := range g.lines {
		rows := g.folded(p, widths, l)
		if wasTall := tall; g.apart && i > 0 && (wasTall || len(rows) > 1) {
			p.blank()
		}
		tall = len(rows) > 1
		p.gridLine(widths, rows)
		if l.under != "" {
			p.under(room, l.under)
		}
	}
}

// under writes a text below a row.
func (p *page) under(room int, text string) {
	for _, part := range wrap(p.plain(text), room-4, true) {
		p.WriteString("    " + paint(p.colour, faint, part) + "\n")
	}
}

// widths are how wide the columns are, nil where there is no room for them.
// What is left after the least that each needs goes, column by column, to the
// one that lacks the most of what it would take.
func (g grid) widths(p *page, room int) []int {
	widths, natural := make([]int, len(g.columns)), make([]int, len(g.columns))
	spare := room - gridGap*(len(g.columns)-1)
	for i, c := range g.columns {
		widths[i], natural[i] = g.least(p, i, c)
		spare -= widths[i]
	}
	if spare < 0 {
		return nil
	}
	for ; spare > 0; spare-- {
		next := -1
		for i := range widths {
			if widths[i] < natural[i] && (next < 0 || widths[i]*natural[next] < widths[next]*natural[i]) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		widths[next]++
	}
	return widths
}

// least are how wide a column has to be, and how wide it would be.
func (g grid) least(p *page, i int, c column) (least, natural int) {
	least = cells.Width(p.plain(c.head))
	natural = least
	words := least
	for _, l := range g.lines {
		if i >= len(l.cells) {
			continue
		}
		text := p.soft(l.cells[i].text)
		natural = max(natural, cells.Width(text))
		for word := range strings.FieldsSeq(text) {
			for part := range strings.SplitSeq(word, softHyphen) {
				n := cells.Width(part)
				if !strings.HasSuffix(word, part) {
					n++ // for the hyphen
				}
				words = max(words, n)
			}
		}
	}
	switch c.folds {
	case byWords:
		return max(words, min(leastWords, natural)), natural
	case anywhere:
		return max(least, min(leastSplit, natural)), natural
	}
	return natural, natural
}

// folded are the lines that a row takes, as cells of the same colours.
func (g grid) folded(p *page, widths []int, l line) [][]cell {
	var out [][]cell
	for i, c := range l.cells {
		if c.text == "" {
			continue
		}
		for n, text := range wrap(p.soft(c.text), widths[i], g.columns[i].folds == anywhere) {
			if n == len(out) {
				out = append(out, make([]cell, len(widths)))
			}
			out[n][i] = cell{text, c.colour}
		}
	}
	return out
}

func (p *page) gridLine(widths []int, rows [][]cell) {
	for _, row := range rows {
		text, gap := "", 0
		for i, c := range row {
			if c.text != "" {
				text += strings.Repeat(" ", gap) + paint(p.colour, c.colour, c.text)
				gap = 0
			}
			gap += widths[i] - cells.Width(c.text) + gridGap
		}
		p.WriteString(text + "\n")
	}
}

// asList writes each row as its name with the rest below.
func (p *page) asList(g grid) {
	for i, l := range g.lines {
		if g.apart && i > 0 {
			p.blank()
		}
		name, colour := "", ""
		for i, c := range l.cells[:min(g.lead, len(l.cells))] {
			if i > 0 && c.text != "" {
				name += ": "
			}
			name += c.text
			if c.colour != "" {
				colour = c.colour
			}
		}
		p.title(colour, name)
		for i, c := range l.cells {
			if i >= g.lead && c.text != "" {
				p.mark(2, faint, g.columns[i].label, c.text)
			}
		}
		if l.under != "" {
			p.mark(2, "", "", l.under)
		}
	}
}
