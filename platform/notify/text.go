package notify

import (
	"fmt"
	"strings"
	"unicode"
)

// clean checks a note and makes its texts fit to be shown. The note's own slice
// is not touched.
func clean(n Note) (Note, error) {
	if err := checkID(n.ID); err != nil {
		return n, err
	}
	if len(n.Choices) > MaxChoices {
		return n, fmt.Errorf("%d choices, at most %d: %w", len(n.Choices), MaxChoices, ErrNote)
	}
	n.Title, n.Body = line(n.Title, MaxTitle), lines(n.Body, MaxBody)
	if n.Title == "" {
		return n, fmt.Errorf("note %s has no title: %w", n.ID, ErrNote)
	}
	choices := make([]Choice, 0, len(n.Choices))
	for _, c := range n.Choices {
		if err := checkID(c.ID); err != nil {
			return n, err
		}
		for _, other := range choices {
			if other.ID == c.ID {
				return n, fmt.Errorf("note %s has the choice %s twice: %w", n.ID, c.ID, ErrNote)
			}
		}
		c.Label = line(c.Label, MaxLabel)
		if c.Label == "" {
			return n, fmt.Errorf("choice %s has no label: %w", c.ID, ErrNote)
		}
		choices = append(choices, c)
	}
	n.Choices = choices
	return n, nil
}

func checkID(id string) error {
	if id == "" || len(id) > MaxID {
		return fmt.Errorf("an id of %d bytes, 1 to %d are right: %w", len(id), MaxID, ErrNote)
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("id %q: %w", id, ErrNote)
		}
	}
	return nil
}

// line makes one line of at most limit characters.
func line(s string, limit int) string {
	return cut(strings.Join(strings.Fields(printable(s)), " "), limit)
}

// lines keeps line breaks, one at a time.
func lines(s string, limit int) string {
	var kept []string
	for l := range strings.Lines(printable(s)) {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			kept = append(kept, l)
		}
	}
	return cut(strings.Join(kept, "\n"), limit)
}

// printable takes out what is not shown but acts: control characters, and marks
// that turn the direction of what follows, by which a text can be made to read
// as another. Breaks and spaces of any kind become plain ones; what is not UTF-8
// becomes U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Noncharacter_Code_Point, r), r == '\ufeff':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

// cut keeps the first characters and says so when there were more. A character
// is not cut from the marks that belong to it.
func cut(s string, limit int) string {
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	end := limit - 1 // for the mark at the end
	for end > 0 && unicode.Is(unicode.M, runes[end]) {
		end--
	}
	return strings.TrimRight(string(runes[:end]), " \n") + "…"
}
