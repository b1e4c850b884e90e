package desktop

import (
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

// menuInterface is the interface of a menu on the bus (com.canonical.dbusmenu,
// as libdbusmenu describes it).
const menuInterface = "com.canonical.dbusmenu"

// Entry is an entry of a menu, or the menu itself at its root.
type Entry struct {
	ID        int32
	Text      string // without the underscores of access keys
	Enabled   bool
	Visible   bool
	Separator bool
	Checkable bool
	Checked   bool
	Entries   []*Entry // of the submenu
}

// layout is a node of what GetLayout gives.
type layout struct {
	ID         int32
	Properties map[string]dbus.Variant
	Children   []dbus.Variant
}

// Layout reads the icon's menu, with its submenus.
func (i *Item) Layout() (*Entry, error) {
	p, err := i.Properties()
	if err != nil {
		return nil, err
	}
	if p.Menu == "" {
		return nil, errors.New("read menu: the icon has none")
	}
	root, err := i.layout(i.d.bus.Object(i.Service, p.Menu), 0)
	if err != nil {
		return nil, fmt.Errorf("read menu: %w", err)
	}
	return root, nil
}

// layout reads an entry and those below it. What it does not get at once it asks
// for by itself: a program may give only the first level.
func (i *Item) layout(menu dbus.BusObject, id int32) (*Entry, error) {
	var revision uint32
	var node layout
	if err := menu.Call(menuInterface+".GetLayout", 0, id, int32(-1), []string{}).Store(&revision, &node); err != nil {
		return nil, err
	}
	entry, err := node.entry()
	if err != nil {
		return nil, err
	}
	return entry, i.complete(menu, entry, node)
}

func (i *Item) complete(menu dbus.BusObject, entry *Entry, node layout) error {
	for n, child := range node.Children {
		var below layout
		if err := child.Store(&below); err != nil {
			return err
		}
		if text(below.Properties, "children-display") == "submenu" && len(below.Children) == 0 {
			full, err := i.layout(menu, below.ID)
			if err != nil {
				return err
			}
			entry.Entries[n] = full
			continue
		}
		if err := i.complete(menu, entry.Entries[n], below); err != nil {
			return err
		}
	}
	return nil
}

// entry is the node with those below it as far as they came with it.
func (l layout) entry() (*Entry, error) {
	e := &Entry{
		ID: l.ID, Text: label(text(l.Properties, "label")),
		Enabled: truth(l.Properties, "enabled"), Visible: truth(l.Properties, "visible"),
		Separator: text(l.Properties, "type") == "separator",
		Checkable: text(l.Properties, "toggle-type") != "",
	}
	if v, ok := l.Properties["toggle-state"]; ok && e.Checkable {
		e.Checked = v.Value() == int32(1)
	}
	for _, child := range l.Children {
		var node layout
		if err := child.Store(&node); err != nil {
			return nil, err
		}
		below, err := node.entry()
		if err != nil {
			return nil, err
		}
		e.Entries = append(e.Entries, below)
	}
	return e, nil
}

func text(properties map[string]dbus.Variant, name string) string {
	s, _ := properties[name].Value().(string)
	return s
}

// truth is a property that is true where it is not set.
func truth(properties map[string]dbus.Variant, name string) bool {
	b, ok := properties[name].Value().(bool)
	return b || !ok
}

// label takes the underscore before an access key away; two stand for one.
func label(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+1 < len(s) {
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// Find gives the entry at a path of texts, through submenus; nil when there is
// none.
func (e *Entry) Find(path ...string) *Entry {
	for _, text := range path {
		var next *Entry
		for _, below := range e.Entries {
			if below.Text == text && below.Visible && !below.Separator {
				next = below
				break
			}
		}
		if next == nil {
			return nil
		}
		e = next
	}
	return e
}

// String draws the menu as text, one entry to a line, submenus indented:
// "(…)" cannot be chosen, "[x] …" and "[ ] …" have a mark or none, "---" is a
// separator.
func (e *Entry) String() string {
	var out strings.Builder
	e.draw(&out, "")
	return out.String()
}

func (e *Entry) draw(out *strings.Builder, indent string) {
	for _, below := range e.Entries {
		if !below.Visible {
			continue
		}
		line := below.Text
		switch {
		case below.Separator:
			line = "---"
		case !below.Enabled:
			line = "(" + line + ")"
		}
		if below.Checkable {
			line = map[bool]string{true: "[x] ", false: "[ ] "}[below.Checked] + line
		}
		fmt.Fprintf(out, "%s%s\n", indent, line)
		below.draw(out, indent+"  ")
	}
}

// ClickEntry chooses the entry at a path of texts, as the panel does when it is
// clicked. One that cannot be chosen is an error.
func (i *Item) ClickEntry(path ...string) error {
	root, err := i.Layout()
	if err != nil {
		return err
	}
	entry := root.Find(path...)
	where := strings.Join(path, " > ")
	if entry == nil {
		return fmt.Errorf("click %s: no such entry in\n%s", where, root)
	}
	if !entry.Enabled {
		return fmt.Errorf("click %s: it cannot be chosen", where)
	}
	p, err := i.Properties()
	if err != nil {
		return err
	}
	call := i.d.bus.Object(i.Service, p.Menu).Call(menuInterface+".Event", 0, entry.ID, "clicked", dbus.MakeVariant(int32(0)), uint32(0))
	if call.Err != nil {
		return fmt.Errorf("click %s: %w", where, call.Err)
	}
	return nil
}

// WaitForMenu waits until the menu is as wanted, and gives it.
func (i *Item) WaitForMenu(what string, wanted func(*Entry) bool) (*Entry, error) {
	var root *Entry
	err := Until(what, Patience, func() (bool, error) {
		var err error
		if root, err = i.Layout(); err != nil {
			return false, err
		}
		if !wanted(root) {
			return false, fmt.Errorf("the menu is\n%s", root)
		}
		return true, nil
	})
	return root, err
}
