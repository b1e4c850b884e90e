package view

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest texts from elsewhere, in characters. What is longer is cut and ends
// with an ellipsis.
const (
	maxName     = 64  // applications, checks, people: as long as a policy may make them
	maxShort    = 48  // names inside of a headline
	maxSentence = 300 // remedies, messages
	maxCode     = 80
	maxURL      = 300
)

// Most of what is listed.
const (
	maxApps    = 256
	maxFaults  = 64
	maxReasons = 16
	maxWhy     = 8
	maxComing  = 32
)

// plain makes a text from elsewhere harmless wherever it is shown, and at most
// so many characters long: line breaks and tabs become blanks, other control
// and direction characters (which turn a text around) a question mark.
func plain(s string, most int) string {
	var b strings.Builder
	n, blank := 0, true // no blank at the beginning, never two
	for _, r := range strings.ToValidUTF8(s, "?") {
		switch {
		case unicode.IsSpace(r):
			if blank {
				continue
			}
			r = ' '
		case !unicode.IsPrint(r):
			r = '?'
		}
		blank = r == ' '
		b.WriteRune(r)
		if n++; n > most {
			break
		}
	}
	return Cut(strings.TrimRight(b.String(), " "), most)
}

// Cut shortens a text to so many characters.
func Cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	kept := string([]rune(s)[:most-1])
	// Between words, where that costs little.
	if at := strings.LastIndexByte(kept, ' '); at > 0 && utf8.RuneCountInString(kept[at:]) <= most/6 {
		kept = kept[:at]
	}
	return strings.TrimRight(kept, " ") + "…"
}

// spoken makes a name that was made for files readable: "second-edr-runs" is
// "second edr runs". Names with blanks are meant for people already.
func spoken(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r == ' ' || unicode.IsUpper(r) }) {
		return name
	}
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' }), " ")
}
