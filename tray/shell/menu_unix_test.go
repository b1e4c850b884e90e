//go:build !windows && !darwin && !postern_purego

package shell

import (
	"slices"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/view"
)

func TestBusMenuNumbers(t *testing.T) {
	var chosen []view.Action
	b := newBusMenu(func(a view.Action) { chosen = append(chosen, a) })
	first, _ := b.set(sample().Items)
	top := slices.Clone(b.nodes[0].kids)
	words := sample().Items
	words[0].Text = "other words"
	second, changed := b.set(words)
	if second <= first || !slices.Equal(b.nodes[0].kids, top) {
		t.Errorf("revision %d after %d, entries %v after %v", second, first, b.nodes[0].kids, top)
	}
	if len(changed) != 1 || changed[0].ID != top[0] || changed[0].Props["label"].Value() != "other words" {
		t.Errorf("changed: %v", changed)
	}
	// An entry before the others: all that were there keep their numbers.
	_, changed = b.set(append([]view.Item{{ID: "new", Text: "new"}}, words...))
	if kids := b.nodes[0].kids; !slices.Equal([]int32{kids[1], kids[3], kids[4], kids[5]}, []int32{top[0], top[2], top[3], top[4]}) || len(changed) != 0 {
		t.Errorf("entries %v after %v, changed %v", kids, top, changed)
	}
	// The same entry with another action is another one, also when it comes back.
	other := sample().Items
	other[2].Do.Argument = "other"
	b.set(other)
	b.set(sample().Items)
	if again := b.nodes[0].kids[2]; again == top[2] {
		t.Error("a number was used again")
	}
	if err := b.event(top[2], "clicked", dbus.Variant{}, 0); err == nil || len(chosen) != 0 {
		t.Errorf("a click on an entry that is gone: %v, %v", err, chosen)
	}
	for _, kind := range []string{"hovered", "opened", "clicked"} {
		if err := b.event(b.nodes[0].kids[2], kind, dbus.Variant{}, 0); err != nil {
			t.Error(err)
		}
	}
	if len(chosen) != 1 || chosen[0].Argument != "payroll" {
		t.Errorf("chosen %v", chosen)
	}
	// What has a submenu opens it and does nothing else.
	both := sample().Items
	both[3].Do = view.Action{Kind: "k"}
	b.set(both)
	if err := b.event(b.nodes[0].kids[3], "clicked", dbus.Variant{}, 0); err != nil || len(chosen) != 1 {
		t.Errorf("%v, chosen %v", err, chosen)
	}
}

// TestBusMenuTwins: entries that say the same of themselves are two entries.
func TestBusMenuTwins(t *testing.T) {
	b := newBusMenu(func(view.Action) {})
	twin := view.Item{ID: "t", Text: "t", Do: view.Action{Kind: "k"}}
	for range 3 {
		b.set([]view.Item{twin, twin, twin})
		kids := b.nodes[0].kids
		if len(kids) != 3 || kids[0] == kids[1] || kids[1] == kids[2] || kids[0] == kids[2] || len(b.nodes) != 4 {
			t.Fatalf("entries %v of %d", kids, len(b.nodes))
		}
	}
}

func TestBusMenuQuestions(t *testing.T) {
	b := newBusMenu(func(view.Action) {})
	b.set(sample().Items)
	for depth, want := range map[int32]int{0: 0, 1: 5, -1: 5} {
		if _, l, err := b.getLayout(0, depth, nil); err != nil || len(l.Kids) != want {
			t.Errorf("depth %d: %d entries, %v", depth, len(l.Kids), err)
		}
	}
	pause := b.nodes[0].kids[3]
	if _, l, _ := b.getLayout(pause, -1, nil); len(l.Kids) != 3 || l.Props["children-display"].Value() != "submenu" {
		t.Errorf("submenu %v", l)
	}
	if _, _, err := b.getLayout(7, -1, nil); err == nil {
		t.Error("an entry that is not there has a layout")
	}
	if all, _ := b.getGroupProperties(nil, nil); len(all) != 9 {
		t.Errorf("%d entries of all", len(all))
	}
	if some, _ := b.getGroupProperties([]int32{pause, 7}, nil); len(some) != 1 {
		t.Errorf("%d entries of one", len(some))
	}
	if v, err := b.getProperty(pause, "label"); err != nil || v.Value() != "Pause" {
		t.Errorf("%v %v", v, err)
	}
	if _, err := b.getProperty(pause, "nothing"); err == nil {
		t.Error("a property that is not there")
	}
	if wrong, err := b.eventGroup([]busEvent{{ID: 7}, {ID: pause, Kind: "opened"}}); err != nil || !slices.Equal(wrong, []int32{7}) {
		t.Errorf("%v %v", wrong, err)
	}
	if _, err := b.eventGroup([]busEvent{{ID: 7}}); err == nil {
		t.Error("no entry of the group is there")
	}
}
