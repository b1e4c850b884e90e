//go:build (!darwin || cgo) && !postern_purego

package shell

import (
	"errors"
	"testing"

	"github.com/postern-zt/postern/tray/view"
)

func TestSameEntries(t *testing.T) {
	words := sample().Items
	words[0].Text, words[3].Items[0].Text = "other", "words"
	if !sameEntries(sample().Items, words) {
		t.Error("other words are another menu")
	}
	for name, change := range map[string]func([]view.Item) []view.Item{
		"one less":        func(i []view.Item) []view.Item { return i[1:] },
		"another entry":   func(i []view.Item) []view.Item { i[0].ID = "x"; return i },
		"another action":  func(i []view.Item) []view.Item { i[2].Do.Argument = "x"; return i },
		"checked":         func(i []view.Item) []view.Item { i[4].Checked = true; return i },
		"a line":          func(i []view.Item) []view.Item { i[1].Separator = false; return i },
		"in a submenu":    func(i []view.Item) []view.Item { i[3].Items[0].Do.Kind = "x"; return i },
		"another submenu": func(i []view.Item) []view.Item { i[4].Items = i[:1]; return i },
		"off":             func(i []view.Item) []view.Item { i[2].Do = view.Action{}; return i },
	} {
		if sameEntries(sample().Items, change(sample().Items)) {
			t.Errorf("%s is the same menu", name)
		}
	}
}

// TestFull: the number of an entry from its low 16 bits, wherever the menu's
// numbers lie.
func TestFull(t *testing.T) {
	for _, first := range []uint32{1, 65_500, 65_535, 65_536, 1 << 20, 1<<31 - 5} {
		d := drawer{first: first}
		for i := range uint32(100) {
			if got := d.full((first + i) & 0xFFFF); got != first+i {
				t.Errorf("first %d: entry %d is taken for %d", first, first+i, got)
			}
			if got := d.full(first + i); got != first+i {
				t.Errorf("first %d: whole number %d is taken for %d", first, first+i, got)
			}
		}
	}
}

func TestRunRefusesEmpty(t *testing.T) {
	if err := New(Options{}).Run(t.Context(), view.Menu{}, nil); !errors.Is(err, ErrEmptyMenu) {
		t.Errorf("got %v", err)
	}
	if err := New(Options{}).Show(view.Menu{}); !errors.Is(err, ErrEmptyMenu) {
		t.Errorf("got %v", err)
	}
}
