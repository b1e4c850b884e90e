package page

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// node is one thing that a screen reader is given.
type node struct {
	Role, Name, Description, Live string
	Level                         int
	Focusable, Atomic, Modal      bool
}

func (t *tab) tree() []node {
	t.s.Helper()
	var out []node
	t.do("tree", nil, &out)
	return out
}

// What a screen reader is given: landmarks and headings by which to go through
// the page, names that tell one button from another, and live regions.
func TestSpoken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		language, title, settings, open string
		headings                        []string
	}{
		{"en", "closed:", "Fix…", "Open Wiki", []string{"2 What is wrong (2) · Recommended (1)", "2 Applications", "3 Wiki", "3 Payroll", "2 This computer", "2 What happened", "2 What left this computer", "3 What never leaves it", "2 About"}},
		{"de", "geschlossen:", "Beheben…", "Öffnen Wiki", []string{"2 Was nicht stimmt (2) · Empfohlen (1)", "2 Anwendungen", "3 Wiki", "3 Payroll", "2 Dieser Computer", "2 Was geschehen ist", "2 Was diesen Computer verlassen hat", "3 Was ihn nie verlässt", "2 Über Postern"}},
	} {
		t.Run(c.language, func(t *testing.T) {
			_, tab := newStage(t, closed(), c.language, like{Locale: c.language})
			tab.until(`["machine", "timeline", "sent"].every((id) => !document.getElementById(id).hidden)`)
			nodes := tab.tree()
			if root := nodes[0]; root.Role != "RootWebArea" || !strings.Contains(root.Name, c.title) || !strings.HasSuffix(root.Name, "Postern") {
				t.Errorf("the page is %+v", root)
			}
			of := tab.inOrder(nodes)
			if len(of["main"]) != 1 || len(of["banner"]) != 1 || len(of["status"]) != 2 {
				t.Errorf("main %q, banner %q, live regions %q", of["main"], of["banner"], of["status"])
			}
			for _, h := range c.headings {
				at := slices.Index(of[outline], h)
				if at < 0 {
					t.Errorf("after it there is no heading %q in %q", h, of[outline])
					continue
				}
				of[outline] = of[outline][at+1:]
			}
			tab.told(of)
			if !slices.ContainsFunc(of["button"], func(name string) bool { return strings.HasPrefix(name, c.settings+" ") }) || !slices.Contains(of["link"], c.open) {
				t.Errorf("the buttons are %q, the links %q", of["button"], of["link"])
			}
			tab.click("#do-pause")
			tab.dialogSpoken()
		})
	}
}

// outline is the key of the headings with their levels.
const outline = "outline"

// inOrder gives the names under their roles, and wants headings without a gap
// and live regions that are told whole and at leisure.
func (t *tab) inOrder(nodes []node) map[string][]string {
	t.s.Helper()
	of, level := map[string][]string{}, 0
	for _, n := range nodes {
		of[n.Role] = append(of[n.Role], n.Name)
		if n.Role == "heading" {
			if n.Name == "" || n.Level > level+1 {
				t.s.Errorf("a heading %q of level %d after level %d", n.Name, n.Level, level)
			}
			level = n.Level
			of[outline] = append(of[outline], fmt.Sprint(n.Level, " ", n.Name))
		}
		if n.Role == "status" && (n.Live != "polite" || !n.Atomic) {
			t.s.Errorf("a live region is %+v", n)
		}
	}
	return of
}

// told wants a name of its own for everything: who goes through a list of all
// buttons hears what each is for.
func (t *tab) told(of map[string][]string) {
	t.s.Helper()
	for _, role := range []string{"button", "link", "DisclosureTriangle", "region", "article"} {
		seen := map[string]bool{}
		for _, name := range of[role] {
			if name == "" || seen[name] {
				t.s.Errorf("a %s is named as another, or not at all: %q of %q", role, name, of[role])
			}
			seen[name] = true
		}
		if len(seen) == 0 {
			t.s.Errorf("there is no %s", role)
		}
	}
}

// dialogSpoken wants a dialog with a name and a description, and groups of
// choices with theirs; of the page behind it nothing is said.
func (t *tab) dialogSpoken() {
	t.s.Helper()
	groups, choices := 0, 0
	for _, n := range t.tree() {
		switch n.Role {
		case "dialog":
			if n.Name == "" || n.Description == "" || !n.Modal {
				t.s.Errorf("the dialog is %+v", n)
			}
		case "group":
			if groups++; n.Name == "" {
				t.s.Error("a group of choices has no name")
			}
		case "radio":
			if choices++; n.Name == "" {
				t.s.Error("a choice has no name")
			}
		case "heading":
			if n.Level == 1 {
				t.s.Error("behind the dialog the headline is still told")
			}
		}
	}
	if groups != 2 || choices != 8 {
		t.s.Errorf("the dialog has %d groups and %d choices", groups, choices)
	}
}
