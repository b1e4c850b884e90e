package notify

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	n, err := clean(Note{
		ID: "tunnel/git", Title: " Git \x1b[31m is\tclosed\r\n ", Body: "Disk\u202e encryption\x00 is off.\n\n\n  Switch\u00a0it on. \u2028Then wait.\n",
		Choices: []Choice{{"fix", "Fix\n…"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n.Title != "Git [31m is closed" || n.Body != "Disk encryption is off.\nSwitch it on.\nThen wait." || n.Choices[0].Label != "Fix …" {
		t.Errorf("%+v", n)
	}
}

func TestCleanLeavesTheCallersNote(t *testing.T) {
	given := Note{ID: "a", Title: "t", Choices: []Choice{{"x", " label "}}}
	if _, err := clean(given); err != nil || given.Choices[0].Label != " label " {
		t.Errorf("%+v, %v", given, err)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"a word more", 8, "a word…"},
		{"äöüß", 4, "äöüß"},
		{"noe\u0301l is here", 4, "no…"}, // the accent is not taken from its letter
	} {
		if got := cut(c.in, c.limit); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, n := range map[string]Note{
		"no id":            {Title: "t"},
		"id with a space":  {ID: "a b", Title: "t"},
		"long id":          {ID: strings.Repeat("a", MaxID+1), Title: "t"},
		"no title":         {ID: "a", Title: " \x00\n", Body: "b"},
		"three choices":    {ID: "a", Title: "t", Choices: []Choice{{"1", "1"}, {"2", "2"}, {"3", "3"}}},
		"choice twice":     {ID: "a", Title: "t", Choices: []Choice{{"1", "1"}, {"1", "2"}}},
		"choice, no id":    {ID: "a", Title: "t", Choices: []Choice{{"", "1"}}},
		"choice, no label": {ID: "a", Title: "t", Choices: []Choice{{"1", "\u202e"}}},
	} {
		if _, err := clean(n); !errors.Is(err, ErrNote) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestApps(t *testing.T) {
	for name, app := range map[string]App{
		"no name":    {ID: "dev.postern.Tray"},
		"no id":      {Name: "Postern"},
		"a path":     {Name: "Postern", ID: `..\Run`},
		"a long id":  {Name: "Postern", ID: strings.Repeat("a", 129)},
		"icon":       {Name: "Postern", ID: "a", Icon: "../icon.png"},
		"web's icon": {Name: "Postern", ID: "a", Icon: "https://example.com/icon.png"},
	} {
		if _, err := Open(t.Context(), app); !errors.Is(err, ErrNote) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("id", "title", "body\nbody", "label")
	f.Add("id", "\x1b]0;x\x07", "a\u202eb\xff", "\u2066")
	f.Fuzz(func(t *testing.T, id, title, body, label string) {
		n, err := clean(Note{ID: id, Title: title, Body: body, Choices: []Choice{{"c", label}}})
		if err != nil {
			return
		}
		for _, s := range []string{n.Title, n.Body, n.Choices[0].Label} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
				return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
			}) {
				t.Errorf("%q", s)
			}
		}
		if strings.Contains(n.Title+n.Choices[0].Label, "\n") || utf8.RuneCountInString(n.Title) > MaxTitle ||
			utf8.RuneCountInString(n.Body) > MaxBody || utf8.RuneCountInString(n.Choices[0].Label) > MaxLabel {
			t.Errorf("%+v", n)
		}
	})
}

func TestClicked(t *testing.T) {
	var l live
	l.set(Note{ID: "a", Choices: []Choice{{"default", "d"}, {"fix", "f"}}})
	for name, want := range map[string]Chosen{"default": {ID: "a"}, "choice-0": {"a", "default"}, "choice-1": {"a", "fix"}} {
		if got, ok := l.clicked("a", name); !ok || got != want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	for _, name := range []string{"", "fix", "choice-", "choice-2", "choice--1", "choice-1x"} {
		if got, ok := l.clicked("a", name); ok {
			t.Errorf("%q: %+v", name, got)
		}
	}
	l.drop("a")
	if got, ok := l.clicked("a", "choice-1"); ok {
		t.Errorf("a choice of a note that is gone: %+v", got)
	}
}
