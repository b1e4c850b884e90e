package view

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/cells"
)

var update = flag.Bool("update", false, "write the golden menus anew")

// drawn is a menu as text: what is disabled is in brackets, what does something
// has it after an arrow.
func drawn(m Menu) string {
	var b strings.Builder
	fmt.Fprintf(&b, "icon     %s\ntooltip  %s\n", m.Icon, m.Tooltip)
	draw(&b, "", m.Items)
	return b.String()
}

func draw(b *strings.Builder, indent string, items []Item) {
	for _, i := range items {
		switch {
		case i.Separator:
			fmt.Fprintf(b, "%s---\n", indent)
			continue
		case len(i.Items) > 0:
			fmt.Fprintf(b, "%s%s >", indent, i.Text)
		case i.Do == Action{}:
			fmt.Fprintf(b, "%s[%s]", indent, i.Text)
		default:
			fmt.Fprintf(b, "%s%s -> %s", indent, i.Text, strings.TrimSpace(i.Do.Kind+" "+i.Do.Argument))
		}
		if i.Checked {
			b.WriteString(" *")
		}
		fmt.Fprintf(b, "  {%s}\n", i.ID)
		draw(b, indent+"    ", i.Items)
	}
}

func TestGolden(t *testing.T) {
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) {
			file := filepath.Join("testdata", s.name+".txt")
			got := drawn(s.menu())
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestNoStaleGolden finds golden files of states that are gone.
func TestNoStaleGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := states()
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		if !slices.ContainsFunc(all, func(s state) bool { return s.name == name }) {
			t.Errorf("%s belongs to no state", f)
		}
	}
}

// walk goes over every entry.
func walk(items []Item, see func(Item)) {
	for _, i := range items {
		see(i)
		walk(i.Items, see)
	}
}

// faultsOf is what is wrong with a menu as such.
func faultsOf(m Menu) []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !slices.Contains(Icons(), m.Icon) {
		bad("icon %q", m.Icon)
	}
	if len(m.Items) == 0 {
		bad("it is empty")
	}
	ids, n := map[string]bool{}, 0
	text := func(id, s string, columns int) {
		if strings.TrimSpace(s) == "" || cells.Width(s) > columns || !utf8.ValidString(s) ||
			strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			bad("%s: text %q", id, s)
		}
	}
	text("tooltip", m.Tooltip, 120)
	walk(m.Items, func(i Item) {
		n++
		if i.Separator {
			if i.ID != "" || i.Text != "" || i.Do != (Action{}) || len(i.Items) > 0 {
				bad("a separator with %+v", i)
			}
			return
		}
		text(i.ID, i.Text, 60)
		if i.Do == (Action{}) && len(i.Items) == 0 {
			bad("%s: %q cannot be chosen: no keyboard reaches it", i.ID, i.Text)
		}
		if i.Checked {
			bad("%s: %q has a box, which looks like a switch", i.ID, i.Text)
		}
		if i.ID == "" || ids[i.ID] {
			bad("id %q is empty or there twice", i.ID)
		}
		ids[i.ID] = true
		if i.Do != (Action{}) && len(i.Items) > 0 {
			bad("%s does something and has a submenu", i.ID)
		}
		if i.Do != (Action{}) && !slices.Contains(kinds(), i.Do.Kind) {
			bad("%s: nobody knows %q", i.ID, i.Do.Kind)
		}
		if needs(i.Do.Kind) != (i.Do.Argument != "") && i.Do.Kind != DoDetails {
			bad("%s: %s with argument %q", i.ID, i.Do.Kind, i.Do.Argument)
		}
	})
	if n > 1000 {
		bad("%d entries", n)
	}
	for _, items := range groups(m.Items) {
		if rows := rowsOf(items); rows > 20 {
			bad("%d rows from %q on", rows, items[0].ID)
		}
		for i, item := range items {
			if item.Separator && (i == 0 || i == len(items)-1 || items[i-1].Separator) {
				bad("a separator that separates nothing")
			}
		}
	}
	return out
}

// rowsOf counts what is not a separator.
func rowsOf(items []Item) int {
	n := 0
	for _, i := range items {
		if !i.Separator {
			n++
		}
	}
	return n
}

// groups are the menu's entries and those of each submenu.
func groups(items []Item) [][]Item {
	out := [][]Item{items}
	walk(items, func(i Item) {
		if len(i.Items) > 0 {
			out = append(out, i.Items)
		}
	})
	return out
}

func kinds() []string {
	return []string{DoSignIn, DoSignOut, DoSwitch, DoCheck, DoPause, DoResume, DoOpenApp, DoCopyApp, DoFix, DoDetails, DoCancel, DoRetry, DoQuitTray}
}

func needs(kind string) bool {
	return slices.Contains([]string{DoPause, DoOpenApp, DoCopyApp, DoFix}, kind)
}

func TestMenusAreSound(t *testing.T) {
	reached := map[string]bool{}
	icons := map[string]bool{}
	for _, s := range states() {
		m := s.menu()
		for _, f := range faultsOf(m) {
			t.Errorf("%s: %s", s.name, f)
		}
		icons[m.Icon] = true
		walk(m.Items, func(i Item) {
			reached[i.Do.Kind] = true
			if i.Do.Kind == DoPause {
				if r, ok := PauseOf(i.Do.Argument, noon()); !ok || r.Reason == "" || r.ForMS <= 0 {
					t.Errorf("%s: pause %q asks for %+v", s.name, i.Do.Argument, r)
				}
			}
			if i.Do.Kind == DoFix && !s.in.HasPage(i.Do.Argument) {
				t.Errorf("%s: %s opens a page that is not there", s.name, i.ID)
			}
			if i.Do.Kind == DoCopyApp && !s.o.Clipboard {
				t.Errorf("%s: %s without a clipboard", s.name, i.ID)
			}
		})
	}
	for _, k := range kinds() {
		if !reached[k] {
			t.Errorf("no state has an entry for %q", k)
		}
	}
	for _, i := range Icons() {
		if !icons[i] {
			t.Errorf("no state has the icon %q", i)
		}
	}
}

func TestEqual(t *testing.T) {
	all := states()
	var menus []Menu
	var drawings []string
	for i, s := range all {
		m := s.menu()
		if !m.Equal(s.menu()) {
			t.Errorf("%s is not equal to itself", s.name)
		}
		menus, drawings = append(menus, m), append(drawings, drawn(m))
		for j := range i {
			if m.Equal(menus[j]) != (drawings[i] == drawings[j]) {
				t.Errorf("%s and %s: Equal and the drawings do not agree", s.name, all[j].name)
			}
		}
	}
}

// TestLanguages finds English sentences in German menus: no text may stand in
// both, but for what comes from elsewhere.
func TestLanguages(t *testing.T) {
	for _, s := range states() {
		name, ok := strings.CutPrefix(s.name, "de-")
		if !ok {
			continue
		}
		en := s
		en.in.Language = "en"
		if s.o.Proof != nil || s.o.Sent != nil { // they have a language of their own
			continue
		}
		english := texts(en.menu())
		for id, text := range texts(s.menu()) {
			if id != "" && text == english[id] && !same(id) {
				t.Errorf("%s: %s is %q in both languages", name, id, text)
			}
		}
	}
}

// same are entries that read alike in both languages.
func same(id string) bool {
	switch {
	case strings.HasPrefix(id, "about:"), strings.HasSuffix(id, ".details"), id == "details", strings.HasSuffix(id, ".address"):
		return true
	case id == "detail", strings.HasPrefix(id, "hint"), strings.Contains(id, ".text"), strings.Contains(id, ".apps."), strings.HasPrefix(id, "apps."), strings.HasPrefix(id, "closed."):
		return true // the words of the administrator or the agent, and names
	}
	return false
}

func TestPauseOf(t *testing.T) {
	for _, c := range []struct {
		argument string
		ms       int64
	}{{"15m:trouble", 15 * 60_000}, {"1h:meeting", 3600_000}, {"4h:private", 4 * 3600_000}, {"tomorrow:private", 18 * 3600_000}} {
		if r, ok := PauseOf(c.argument, noon()); !ok || r.ForMS != c.ms || r.Reason == "" {
			t.Errorf("%s: %+v %v, want %d ms", c.argument, r, ok, c.ms)
		}
	}
	for _, bad := range []string{"", "15m", "15m:", ":trouble", "2h:trouble", "15m:other"} {
		if r, ok := PauseOf(bad, noon()); ok {
			t.Errorf("%q gives %+v", bad, r)
		}
	}
	if r, _ := PauseOf("tomorrow:private", noon().Add(-11*60*60*1e9)); r.ForMS != 24*3600_000 {
		t.Errorf("one in the morning until tomorrow is %d ms", r.ForMS)
	}
}

func TestOtherMoodsAreNotGood(t *testing.T) {
	if m := New(view.View{Mood: "splendid", Headline: "x"}, Options{}); m.Icon != IconOffline {
		t.Errorf("an unknown mood has icon %q", m.Icon)
	}
}
