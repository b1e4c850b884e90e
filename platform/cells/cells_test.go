package cells

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "Müller": 6, "Mu\u0308ller": 6, "漢字": 4, "한글": 4, "\u1112\u1161\u11ab": 2, "ｆｕｌｌ": 8,
		"ﾊﾝｶｸ": 4, "👍": 2, "✅": 2, "👩‍💻": 2, "x\u00ady": 2, "、。": 4, "–…“”": 4, "€": 1, "שלום": 4, "●": 1, "·": 1,
	} {
		if got := Width(text); got != want {
			t.Errorf("%q takes %d columns, want %d", text, got, want)
		}
	}
}

func TestLetters(t *testing.T) {
	var got []string
	for letter, n := range Letters("a\u0308b👩‍💻漢") {
		if n != Width(letter) {
			t.Errorf("%q takes %d columns alone and %d here", letter, Width(letter), n)
		}
		got = append(got, letter)
	}
	if want := []string{"a\u0308", "b", "👩‍💻", "漢"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"short", 5, "short"}, {"longer", 5, "long…"}, {"漢字漢字", 6, "漢字…"}, {"漢字漢字", 7, "漢字漢…"},
		{"a\u0308bc", 2, "a\u0308…"}, {"x", 0, ""}, {"", 0, ""}, {"xy", 1, "…"}, {"xy", -1, ""},
	} {
		if got := Cut(tc.text, tc.width); got != tc.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("a\u0308b👩‍💻漢", 3)
	f.Add("\xff\r\n\u200d", 1)
	f.Fuzz(func(t *testing.T, text string, width int) {
		whole := ""
		for letter := range Letters(text) {
			if letter == "" {
				t.Fatalf("%q has an empty letter", text)
			}
			whole += letter
		}
		if whole != text {
			t.Errorf("the letters of %q make %q", text, whole)
		}
		got := Cut(text, width)
		if Width(got) > max(width, 0) {
			t.Errorf("Cut(%q, %d) = %q takes %d columns", text, width, got, Width(got))
		}
		if got != text && !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("Cut(%q, %d) = %q", text, width, got)
		}
	})
}
