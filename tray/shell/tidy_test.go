package shell

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postern-zt/postern/tray/view"
)

func TestTidyItems(t *testing.T) {
	line := view.Item{Separator: true}
	a, b := view.Item{ID: "a", Text: "a"}, view.Item{ID: "b", Text: "b"}
	for _, c := range []struct{ in, want []view.Item }{
		{[]view.Item{line, a, line, line, b, line}, []view.Item{a, line, b}},
		{[]view.Item{line, line}, nil},
		{[]view.Item{a, {ID: "s", Text: "s", Items: []view.Item{line, b, line}}}, []view.Item{a, {ID: "s", Text: "s", Items: []view.Item{b}}}},
	} {
		if got := tidyItems(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %v", c.in, got)
		}
	}
}

// TestTidyCopies: who shows a menu may go on changing it.
func TestTidyCopies(t *testing.T) {
	m := sample()
	var w wanted
	if err := w.put(m); err != nil {
		t.Fatal(err)
	}
	m.Items[0].Text, m.Items[3].Items[0].Text = "changed", "changed"
	if got, _ := w.take(); got.Items[0].Text == "changed" || got.Items[3].Items[0].Text == "changed" {
		t.Error("the caller's change reached the menu")
	}
	if _, fresh := w.take(); fresh {
		t.Error("taken twice")
	}
}

func TestTidyText(t *testing.T) {
	long := strings.Repeat("é", 300)
	m, err := tidy(view.Menu{Tooltip: "a\r\nb\x00c" + long, Items: []view.Item{{Text: " tab\there \xff" + long}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "a  b c" + strings.Repeat("é", 120) + "…"; m.Tooltip != want {
		t.Errorf("tooltip %q", m.Tooltip)
	}
	if want := "tab here \uFFFD" + strings.Repeat("é", 189) + "…"; m.Items[0].Text != want {
		t.Errorf("text %q", m.Items[0].Text)
	}
	if _, err := tidy(view.Menu{Tooltip: "no entry"}); !errors.Is(err, ErrEmptyMenu) {
		t.Errorf("got %v", err)
	}
	if got := doubled("a_b & c", "_"); got != "a__b & c" {
		t.Error(got)
	}
	if got := doubled("a_b", ""); got != "a_b" {
		t.Error(got)
	}
}

func FuzzTidy(f *testing.F) {
	f.Add("")
	f.Add("a\x00b\u2028c\xff")
	f.Add(strings.Repeat("😀", 80))
	f.Fuzz(func(t *testing.T, s string) {
		m, err := tidy(view.Menu{Tooltip: s, Items: []view.Item{{Text: s}}})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(utf16.Encode([]rune(m.Tooltip))); n > longestTip {
			t.Errorf("the tooltip has %d units", n)
		}
		if n := utf8.RuneCountInString(m.Items[0].Text); n > longestText {
			t.Errorf("the text has %d characters", n)
		}
		for _, text := range []string{m.Tooltip, m.Items[0].Text} {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%q", text)
			}
		}
	})
}

func TestCalls(t *testing.T) {
	c := newCalls()
	began, free := make(chan struct{}), make(chan struct{})
	var done []int
	if !c.add(func() { close(began); <-free; done = append(done, 0) }) {
		t.Fatal("no room for the first")
	}
	<-began
	for i := range waiting {
		if !c.add(func() { done = append(done, i+1) }) {
			t.Errorf("no room for %d", i)
		}
	}
	if c.add(func() {}) {
		t.Error("room without end")
	}
	last := make(chan struct{})
	close(free)
	for !c.add(func() { close(last) }) { // until one of them was begun
		<-began
	}
	<-last
	c.end()
	c.end()
	for i, n := range done {
		if i != n {
			t.Fatalf("in the order %v", done)
		}
	}
	if len(done) != waiting+1 {
		t.Errorf("%d calls", len(done))
	}
}
