package view

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postern-zt/postern/platform/cells"
)

func TestFold(t *testing.T) {
	for _, c := range []struct {
		text          string
		columns, rows int
		want          []string
	}{
		{"", 10, 3, nil},
		{"  ", 10, 3, nil},
		{"short", 10, 0, nil},
		{"short", 10, -1, nil},
		{"short", 10, 1, []string{"short"}},
		{"a b c", 10, 1, []string{"a b c"}},
		{"one two three four", 9, 3, []string{"one two", "three", "four"}},
		{"one two three four", 9, 2, []string{"one two", "three…"}},
		{"exactly ten ends", 7, 1, []string{"exactl…"}},
		{"One thing. Another.", 12, 1, []string{"One thing…"}},
		{"abcdefghijkl", 5, 3, []string{"abcde", "fghij", "kl"}},
		{"abcdefghijkl", 5, 2, []string{"abcde", "fghi…"}},
		{"漢字漢字漢字", 5, 2, []string{"漢字", "漢字…"}},
		{"漢字 漢字 漢字", 4, 3, []string{"漢字", "漢字", "漢字"}},
		{"e\u0301e\u0301e\u0301", 2, 1, []string{"e\u0301…"}},
	} {
		if got := fold(c.text, c.columns, c.rows); !slices.Equal(got, c.want) {
			t.Errorf("fold(%q, %d, %d) = %q, want %q", c.text, c.columns, c.rows, got, c.want)
		}
	}
}

func TestBalanced(t *testing.T) {
	for _, c := range []struct {
		text string
		rows int
		want []string
	}{
		{"aaaa bbbb cccc dd", 3, []string{"aaaa bbbb", "cccc dd"}},
		{"aaaaaaaaaaaaa bb", 3, []string{"aaaaaaaaaaaaa", "bb"}},
		{"aaaaaaaaaaaaaaabb", 3, []string{"aaaaaaaaaaaaaaa", "bb"}},
		{"aaaa bbbb cccc dd", 1, []string{"aaaa bbbb cccc…"}},
		{"a a a a a a a a a", 3, []string{"a a a a a", "a a a a"}},
		{"aaaa bbbb cccc dddd eee fff ggg hhh i", 3, []string{"aaaa bbbb", "cccc dddd eee", "fff ggg hhh i"}},
		{"aaaa bbbb cccc dddd eeee ffff gggg hh", 3, []string{"aaaa bbbb cccc", "dddd eeee ffff", "gggg hh"}},
	} {
		if got := balanced(c.text, 15, c.rows); !slices.Equal(got, c.want) {
			t.Errorf("balanced(%q, 15, %d) = %q, want %q", c.text, c.rows, got, c.want)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("Turn BitLocker on; call 4711 for help.", 9, 3)
	f.Add("e\u0301 漢字👩\u200d💻 \xff", 2, 2)
	f.Fuzz(func(t *testing.T, text string, columns, rows int) {
		if columns < 2 || columns > 100 || rows > 100 || !utf8.ValidString(text) {
			return
		}
		got := fold(text, columns, rows)
		if len(got) > max(rows, 0) {
			t.Errorf("%d rows of %q", len(got), text)
		}
		for _, row := range got {
			if w := cells.Width(row); w > columns || row == "" {
				t.Errorf("the row %q of %q has %d columns", row, text, w)
			}
		}
		if even := balanced(text, columns, rows); strings.Join(even, " ") != strings.Join(got, " ") {
			t.Errorf("%q is %q, balanced %q", text, got, even)
		}
		dense := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if whole := dense(text); rows > 0 && dense(strings.Join(got, "")) != whole && !strings.HasSuffix(got[len(got)-1], "…") {
			t.Errorf("%q became %q", text, got)
		}
	})
}
