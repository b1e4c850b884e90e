//go:build (!darwin || cgo) && !postern_purego

package shell

import (
	"reflect"

	"fyne.io/systray"

	"github.com/postern-zt/postern/tray/view"
)

// drawer holds what systray was last told. Only one goroutine at a time uses
// it; drawFace and drawItems may be used by two.
type drawer struct {
	o    Options
	pick func(view.Action)

	icon, tip string // the face

	items []view.Item // what is drawn
	nodes []*node     // and what systray made of it
	lives []*node     // those of them that can be chosen
	stop  chan struct{}
	ended chan struct{}
	last  uint32 // the number of the last entry made, as systray counts
	first uint32 // and of the first one in the menu as it is
}

// node is one entry as systray holds it.
type node struct {
	item *systray.MenuItem // nil for a separator
	do   view.Action
	kids []*node
}

// draw brings everything up to m.
func (d *drawer) draw(m view.Menu) {
	d.drawFace(m)
	d.drawItems(m.Items)
	d.drew()
}

func (d *drawer) drew() {
	if d.o.Drawn != nil {
		d.o.Drawn()
	}
}

// drawFace sets what has changed of the icon and the tooltip.
func (d *drawer) drawFace(m view.Menu) {
	if m.Icon != d.icon {
		// systray.SetIcon reads the first byte of what it is given, and on
		// Linux and Windows nothing would be drawn any more.
		if icon := picture(d.o.Icons(m.Icon)); len(icon) > 0 {
			setIcon(icon)
			d.icon = m.Icon
		} else {
			d.o.Log.Warn("no image of this tray icon", "icon", m.Icon)
		}
	}
	if m.Tooltip != d.tip {
		systray.SetTooltip(m.Tooltip)
		d.tip = m.Tooltip
	}
}

// drawItems rebuilds the menu whole, unless only words in it have changed:
// replacing an open menu for a new number in one line would make it flicker.
func (d *drawer) drawItems(items []view.Item) {
	if d.nodes != nil && sameEntries(d.items, items) {
		retitle(d.nodes, d.items, items)
		d.items = items
		return
	}
	d.clear()
	d.first = d.last + 1
	d.items = items
	d.nodes = d.add(nil, items)
	d.listen()
}

// sameEntries reports whether a and b differ in their texts at most. What an
// entry does is compared too: choosing does what the person read, even if the
// click crosses a change on its way.
func sameEntries(a, b []view.Item) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x.ID != y.ID || x.Do != y.Do || x.Separator != y.Separator || x.Checked != y.Checked || !sameEntries(x.Items, y.Items) {
			return false
		}
	}
	return true
}

func retitle(nodes []*node, before, now []view.Item) {
	for i, n := range nodes {
		if before[i].Text != now[i].Text {
			n.item.SetTitle(doubled(now[i].Text, mnemonic))
		}
		retitle(n.kids, before[i].Items, now[i].Items)
	}
}

// add makes items under parent, or at the top where parent is nil.
func (d *drawer) add(parent *systray.MenuItem, items []view.Item) []*node {
	nodes := make([]*node, len(items))
	for i, it := range items {
		n := &node{do: it.Do}
		nodes[i] = n
		d.last++
		if it.Separator {
			addSeparator(parent)
			continue
		}
		n.item = addEntry(parent, doubled(it.Text, mnemonic), it.Checked)
		if choosable(it) {
			// systray drops a click that nobody is waiting for at that very
			// moment: with room for one, none is lost.
			n.item.ClickedCh = make(chan struct{}, 1)
			d.lives = append(d.lives, n)
		} else {
			n.item.ClickedCh = nil
		}
		if !enabled(it) {
			n.item.Disable()
		}
		n.kids = d.add(n.item, it.Items)
	}
	return nodes
}

func addSeparator(parent *systray.MenuItem) {
	if parent == nil {
		systray.AddSeparator()
	} else {
		parent.AddSeparator()
	}
}

// addEntry makes an entry with a box to check only where it is checked: others
// would be indented on Linux.
func addEntry(parent *systray.MenuItem, text string, checked bool) *systray.MenuItem {
	switch {
	case parent == nil && checked:
		return systray.AddMenuItemCheckbox(text, "", true)
	case parent == nil:
		return systray.AddMenuItem(text, "")
	case checked:
		return parent.AddSubMenuItemCheckbox(text, "", true)
	}
	return parent.AddSubMenuItem(text, "")
}

// listen starts the one goroutine that hears the clicks in the menu as it is.
func (d *drawer) listen() {
	stop, ended := make(chan struct{}), make(chan struct{})
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(stop)}}
	does := []view.Action{{}}
	for _, n := range d.lives {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(n.item.ClickedCh)})
		does = append(does, n.do)
	}
	pick := d.pick
	go func() {
		defer close(ended)
		for {
			i, _, _ := reflect.Select(cases)
			if i > 0 {
				pick(does[i])
				continue
			}
			for i, c := range cases[1:] { // clicks that came before the end
				if _, clicked := c.Chan.TryRecv(); clicked {
					pick(does[i+1])
				}
			}
			return
		}
	}()
	d.stop, d.ended = stop, ended
}

// clear takes the menu away.
func (d *drawer) clear() {
	if d.nodes == nil {
		return
	}
	// Removing an entry closes its channel, and a click that systray is just
	// delivering on another goroutine would panic on the closed channel. With
	// no channel there is nothing to close: the late click goes nowhere.
	for _, n := range d.lives {
		n.item.ClickedCh = nil
	}
	systray.ResetMenu()
	d.end()
	d.nodes, d.lives = nil, nil
}

// end ends the goroutine that hears the clicks.
func (d *drawer) end() {
	if d.stop != nil {
		close(d.stop)
		<-d.ended
		d.stop = nil
	}
}

// full is the number of the entry in the menu as it is whose low 16 bits are
// those of id: Windows reports a menu's command in the low word of a message
// (Windows documentation, "WM_COMMAND message"), and systray, which never uses
// a number twice, passes 65535 in a tray that runs for weeks.
func (d *drawer) full(id uint32) uint32 {
	return d.first + uint32(uint16(id)-uint16(d.first))
}
