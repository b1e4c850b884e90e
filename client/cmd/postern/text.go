package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/posture/catalogue"
)

// colours reports whether f is a terminal that shall have colours
// (https://no-color.org).
func colours(f *os.File, getenv func(string) string) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && runtime.GOOS != "windows"
}

// Colours (ECMA-48 SGR).
const (
	plainColour = ""
	good        = "32"
	doubtful    = "33"
	bad         = "31"
	strong      = "1"
)

func (a *app) paint(colour, s string) string {
	if !a.colour || colour == "" || s == "" {
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

// table writes rows in columns. Texts are made plain.
func (a *app) table(b *strings.Builder, indent string, rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(plain(c.text)))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		gap := 0
		for i, c := range row {
			text := plain(c.text)
			if text != "" {
				line.WriteString(strings.Repeat(" ", gap) + a.paint(c.colour, text))
				gap = 0
			}
			gap += widths[i] - utf8.RuneCountInString(text) + 2
		}
		b.WriteString(indent + line.String() + "\n")
	}
}

// say is a line of made-plain text.
func say(b *strings.Builder, format string, args ...any) {
	b.WriteString(plain(fmt.Sprintf(format, args...)) + "\n")
}

// writeJSON writes v indented to standard output.
func (a *app) writeJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return a.print(string(data) + "\n")
}

// sentence gives the catalogue's sentence and fix for a code.
func sentence(code string) (text, fix string) {
	e, ok := catalogue.Lookup(code)
	if !ok {
		return "", ""
	}
	return e.Sentence, e.Fix.For(runtime.GOOS)
}

// lease is a remaining time for people, never longer than it is.
func lease(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return (time.Duration(ms) * time.Millisecond).Truncate(time.Second).String()
}
