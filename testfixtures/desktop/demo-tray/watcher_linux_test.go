package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
)

// watcher is a StatusNotifierWatcher and, if hosted, the host as well.
type watcher struct {
	t    *testing.T
	conn *dbus.Conn

	mu       sync.Mutex
	hosted   bool
	items    []string
	register int // registrations that it was asked for
	deaf     int // and how many of them it forgets
	came     chan string
}

// startWatcher connects a watcher: take takes its name, serve answers under it.
func startWatcher(t *testing.T, b *bus, hosted bool) *watcher {
	t.Helper()
	return &watcher{t: t, conn: b.connect(t), hosted: hosted, came: make(chan string, 100)}
}

func (w *watcher) take() *watcher {
	w.t.Helper()
	reply, err := w.conn.RequestName(watcherName, dbus.NameFlagDoNotQueue)
	if err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		w.t.Fatalf("take the watcher's name: %v %v", reply, err)
	}
	return w
}

func (w *watcher) serve() *watcher {
	w.t.Helper()
	for face, methods := range map[string]map[string]any{
		watcherName: {"RegisterStatusNotifierItem": w.registerItem},
		"org.freedesktop.DBus.Properties": {"Get": func(face, name string) (dbus.Variant, *dbus.Error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			switch name {
			case "IsStatusNotifierHostRegistered":
				return dbus.MakeVariant(w.hosted), nil
			case "RegisteredStatusNotifierItems":
				return dbus.MakeVariant(slices.Clone(w.items)), nil
			}
			return dbus.Variant{}, dbus.MakeFailedError(fmt.Errorf("no property %s", name))
		}},
	} {
		if err := w.conn.ExportMethodTable(methods, watcherPath, face); err != nil {
			w.t.Fatal(err)
		}
	}
	return w
}

func (w *watcher) registerItem(sender dbus.Sender, service string) *dbus.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.register++
	if w.register <= w.deaf {
		return nil
	}
	item := string(sender) + service
	if !strings.HasPrefix(service, "/") {
		item = service
	}
	if !slices.Contains(w.items, item) {
		w.items = append(w.items, item)
	}
	w.came <- item
	return nil
}

// leave gives the name up and forgets everything, as a panel that ends does.
func (w *watcher) leave() {
	w.t.Helper()
	if _, err := w.conn.ReleaseName(watcherName); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.items, w.register = nil, 0
}

// host says that a host comes or goes.
func (w *watcher) host(there bool) {
	w.t.Helper()
	w.mu.Lock()
	w.hosted = there
	w.mu.Unlock()
	signal := watcherName + ".StatusNotifierHostUnregistered"
	if there {
		signal = watcherName + ".StatusNotifierHostRegistered"
	}
	if err := w.conn.Emit(watcherPath, signal); err != nil {
		w.t.Fatal(err)
	}
}

// item waits for an item to register.
func (w *watcher) item() *item {
	w.t.Helper()
	var came string
	select {
	case came = <-w.came:
	case <-time.After(bound):
		w.t.Fatal("no item registers")
	}
	name, path, _ := strings.Cut(came, "/")
	return &item{t: w.t, conn: w.conn, name: name, path: dbus.ObjectPath("/" + path)}
}

// item is a tray item as a host sees it.
type item struct {
	t    *testing.T
	conn *dbus.Conn
	name string
	path dbus.ObjectPath
}

func (i *item) property(name string) any {
	i.t.Helper()
	v, err := i.conn.Object(i.name, i.path).GetProperty("org.kde.StatusNotifierItem." + name)
	if err != nil {
		i.t.Fatal(err)
	}
	return v.Value()
}

// entry is one entry of the item's menu.
type entry struct {
	id      int32
	label   string
	line    bool // a separator
	enabled bool
	checked bool
	entries []entry
}

func (i *item) menuObject() dbus.BusObject {
	return i.conn.Object(i.name, i.property("Menu").(dbus.ObjectPath))
}

// layout reads the whole menu and its revision.
func (i *item) layout() (entry, uint32) {
	i.t.Helper()
	var revision uint32
	var root []any
	call := i.menuObject().Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{})
	if call.Err != nil {
		i.t.Fatal(call.Err)
	}
	revision, _ = call.Body[0].(uint32)
	root, _ = call.Body[1].([]any)
	return parse(root), revision
}

func parse(node []any) entry {
	props := node[1].(map[string]dbus.Variant)
	e := entry{id: node[0].(int32), enabled: true}
	if v, ok := props["label"].Value().(string); ok {
		e.label = v
	}
	e.line = props["type"].Value() == "separator"
	if v, ok := props["enabled"].Value().(bool); ok {
		e.enabled = v
	}
	e.checked = props["toggle-type"].Value() == "checkmark" && props["toggle-state"].Value() == int32(1)
	for _, kid := range node[2].([]dbus.Variant) {
		e.entries = append(e.entries, parse(kid.Value().([]any)))
	}
	return e
}

// text draws the entries under e as lines.
func (e entry) text(indent string) string {
	var b strings.Builder
	for _, kid := range e.entries {
		switch {
		case kid.line:
			b.WriteString(indent + "---")
		default:
			b.WriteString(indent + kid.label)
		}
		if kid.checked {
			b.WriteString(" [x]")
		}
		if !kid.line && !kid.enabled {
			b.WriteString(" (off)")
		}
		b.WriteString("\n" + kid.text(indent+"  "))
	}
	return b.String()
}

// find returns the entry with this label.
func (e entry) find(label string) (entry, bool) {
	for _, kid := range e.entries {
		if kid.label == label {
			return kid, true
		}
		if found, ok := kid.find(label); ok {
			return found, true
		}
	}
	return entry{}, false
}

// click chooses the entry with this label.
func (i *item) click(label string) {
	i.t.Helper()
	root, _ := i.layout()
	e, ok := root.find(label)
	if !ok {
		i.t.Fatalf("no entry %q in\n%s", label, root.text(""))
	}
	if err := i.clickID(e.id); err != nil {
		i.t.Fatal(err)
	}
}

func (i *item) clickID(id int32) error {
	i.t.Helper()
	return i.menuObject().Call("com.canonical.dbusmenu.Event", 0, id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err
}
