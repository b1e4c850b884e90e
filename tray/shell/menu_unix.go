//go:build !windows && !darwin && !postern_purego

package shell

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/view"
)

// busMenu is our menu on the bus, in the place of systray's: the interface
// com.canonical.dbusmenu (dbus-menu.xml of libdbusmenu). systray changes its own
// entry by entry, announces each step (38 announcements for a menu of 20
// entries), and in between a host reads half a menu or none; and it can end the
// process when a click arrives while the entry is taken away. Here a menu is
// replaced in one step and announced once.
type busMenu struct {
	pick func(view.Action)

	mu       sync.Mutex
	revision uint32
	nodes    map[int32]*busNode
	ids      map[string]int32 // of the entries in the menu, by what they are
	last     int32
}

// busNode is one entry on the bus.
type busNode struct {
	props map[string]dbus.Variant
	do    view.Action // zero where choosing does nothing
	kids  []int32
}

// busLayout is an entry with its children as the interface passes it, (ia{sv}av).
type busLayout struct {
	ID    int32
	Props map[string]dbus.Variant
	Kids  []dbus.Variant
}

// busProps are an entry's properties, (ia{sv}).
type busProps struct {
	ID    int32
	Props map[string]dbus.Variant
}

// busEvent is one of several events, (isvu).
type busEvent struct {
	ID   int32
	Kind string
	Data dbus.Variant
	Time uint32
}

// newBusMenu begins far behind the numbers that systray gives, which a host may
// have read before ours were there.
func newBusMenu(pick func(view.Action)) *busMenu {
	return &busMenu{pick: pick, revision: 1 << 16, last: 1 << 16, nodes: map[int32]*busNode{0: {}}}
}

// set replaces the menu, and returns its revision and the properties of those
// entries that stay and look different.
func (b *busMenu) set(items []view.Item) (revision uint32, changed []busProps) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, ids := b.nodes, b.ids
	b.nodes, b.ids = map[int32]*busNode{}, map[string]int32{}
	b.nodes[0] = &busNode{
		props: map[string]dbus.Variant{"children-display": dbus.MakeVariant("submenu")},
		kids:  b.add("", items, ids),
	}
	for _, id := range slices.Sorted(maps.Keys(b.nodes)) {
		old, stays := before[id]
		if stays && id != 0 && !maps.EqualFunc(old.props, b.nodes[id].props, sameVariant) {
			changed = append(changed, busProps{ID: id, Props: b.nodes[id].props})
		}
	}
	b.revision++
	return b.revision, changed
}

func sameVariant(x, y dbus.Variant) bool { return x.Value() == y.Value() }

// add makes the nodes of items. An entry that was there before and does the same
// keeps its number, so that a host keeps its line in an open menu; a number
// never gets another meaning, so that a late click does what was read or nothing.
func (b *busMenu) add(above string, items []view.Item, before map[string]int32) []int32 {
	kids := make([]int32, 0, len(items))
	for i, it := range items {
		name := fmt.Sprintf("%s/%q %q %q %t", above, it.ID, it.Do.Kind, it.Do.Argument, len(it.Items) > 0)
		if it.Separator {
			name = fmt.Sprintf("%s/- %d", above, i)
		}
		id, ok := before[name]
		if _, twice := b.ids[name]; !ok || twice {
			b.last++
			id = b.last
		}
		b.ids[name] = id
		n := &busNode{props: look(it)}
		if choosable(it) {
			n.do = it.Do
		}
		b.nodes[id] = n
		n.kids = b.add(name, it.Items, before)
		kids = append(kids, id)
	}
	return kids
}

// look returns an entry's properties. Each is always there: a host that only
// takes what it is told would keep an old value.
func look(it view.Item) map[string]dbus.Variant {
	if it.Separator {
		return map[string]dbus.Variant{"type": dbus.MakeVariant("separator"), "visible": dbus.MakeVariant(true)}
	}
	props := map[string]dbus.Variant{
		"label":        dbus.MakeVariant(doubled(it.Text, mnemonic)),
		"enabled":      dbus.MakeVariant(enabled(it)),
		"visible":      dbus.MakeVariant(true),
		"toggle-type":  dbus.MakeVariant(""),
		"toggle-state": dbus.MakeVariant(int32(0)),
	}
	if it.Checked {
		props["toggle-type"], props["toggle-state"] = dbus.MakeVariant("checkmark"), dbus.MakeVariant(int32(1))
	}
	if len(it.Items) > 0 {
		props["children-display"] = dbus.MakeVariant("submenu")
	}
	return props
}

// methods are the interface's methods.
func (b *busMenu) methods() map[string]any {
	return map[string]any{
		"GetLayout": b.getLayout, "GetGroupProperties": b.getGroupProperties, "GetProperty": b.getProperty,
		"Event": b.event, "EventGroup": b.eventGroup,
		"AboutToShow": b.aboutToShow, "AboutToShowGroup": b.aboutToShowGroup,
	}
}

func (b *busMenu) getLayout(parent, depth int32, _ []string) (uint32, busLayout, *dbus.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nodes[parent] == nil {
		return 0, busLayout{}, noEntry(parent)
	}
	return b.revision, b.layout(parent, depth), nil
}

// layout describes an entry and depth levels below it, all of them if depth is
// negative.
func (b *busMenu) layout(id, depth int32) busLayout {
	n := b.nodes[id]
	l := busLayout{ID: id, Props: n.props, Kids: []dbus.Variant{}}
	if depth != 0 {
		for _, kid := range n.kids {
			l.Kids = append(l.Kids, dbus.MakeVariant(b.layout(kid, depth-1)))
		}
	}
	return l
}

func (b *busMenu) getGroupProperties(ids []int32, _ []string) ([]busProps, *dbus.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(ids) == 0 { // all of them
		ids = slices.Sorted(maps.Keys(b.nodes))
	}
	props := []busProps{}
	for _, id := range ids {
		if n := b.nodes[id]; n != nil {
			props = append(props, busProps{ID: id, Props: n.props})
		}
	}
	return props, nil
}

func (b *busMenu) getProperty(id int32, name string) (dbus.Variant, *dbus.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.nodes[id]; n != nil {
		if v, ok := n.props[name]; ok {
			return v, nil
		}
	}
	return dbus.MakeVariant(""), noEntry(id)
}

func (b *busMenu) event(id int32, kind string, _ dbus.Variant, _ uint32) *dbus.Error {
	b.mu.Lock()
	n := b.nodes[id]
	b.mu.Unlock()
	if n == nil {
		return noEntry(id)
	}
	if kind == "clicked" && n.do != (view.Action{}) {
		b.pick(n.do)
	}
	return nil
}

func (b *busMenu) eventGroup(events []busEvent) ([]int32, *dbus.Error) {
	wrong := []int32{}
	for _, e := range events {
		if b.event(e.ID, e.Kind, e.Data, e.Time) != nil {
			wrong = append(wrong, e.ID)
		}
	}
	if len(events) > 0 && len(wrong) == len(events) {
		return nil, noEntry(wrong[0])
	}
	return wrong, nil
}

// aboutToShow says that nothing is to be read again: what is on the bus is
// always the newest.
func (b *busMenu) aboutToShow(int32) (bool, *dbus.Error) { return false, nil }

func (b *busMenu) aboutToShowGroup([]int32) (needed, wrong []int32, err *dbus.Error) {
	return []int32{}, []int32{}, nil
}

func noEntry(id int32) *dbus.Error {
	return dbus.MakeFailedError(fmt.Errorf("the menu has no entry %d", id))
}
