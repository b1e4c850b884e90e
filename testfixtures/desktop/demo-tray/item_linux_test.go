package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/view"
)

const (
	itemFace   = "org.kde.StatusNotifierItem"
	properties = "org.freedesktop.DBus.Properties"
)

func (i *item) call(method string, args ...any) *dbus.Call {
	return i.conn.Object(i.name, i.path).Call(method, 0, args...)
}

// all reads the item as panels do.
func (i *item) all() map[string]dbus.Variant {
	i.t.Helper()
	call := i.call(properties+".GetAll", itemFace)
	if call.Err != nil {
		i.t.Fatal(call.Err)
	}
	return call.Body[0].(map[string]dbus.Variant) // Store would lose their types
}

// TestItem holds what the item says against the specification: each property
// there is and of its type, the pictures from the smallest in network byte
// order, nothing for a host to change.
func TestItem(t *testing.T) {
	p, it := onDesktop(t)
	p.show(sample())
	it.shows(sampleText)
	eventually(t, "the icon of the menu", func() bool { return fmt.Sprint(it.property("ToolTip")) == "[ [] 2 apps open ]" })
	all := it.all()
	want := map[string]string{ // StatusNotifierItem, org.kde.StatusNotifierItem
		"Category": "s ApplicationStatus", "Id": "s Postern demo", "Title": "s Postern demo", "Status": "s Active", "WindowId": "i 0",
		"IconName": "s ", "IconPixmap": "a(iiay)", "IconThemePath": "s ", "OverlayIconName": "s ", "OverlayIconPixmap": "a(iiay) []",
		"AttentionIconName": "s ", "AttentionIconPixmap": "a(iiay) []", "AttentionMovieName": "s ",
		"ToolTip": "(sa(iiay)ss) [ [] 2 apps open ]", "ItemIsMenu": "b true", "Menu": "o /StatusNotifierItem/menu",
	}
	for name, text := range want {
		v := all[name]
		got := v.Signature().String() + " " + fmt.Sprint(v.Value())
		if name == "IconPixmap" {
			got = v.Signature().String()
		}
		if got != text {
			t.Errorf("%s is %q, want %q", name, got, text)
		}
		if one := fmt.Sprint(it.property(name)); one != fmt.Sprint(v.Value()) {
			t.Errorf("%s alone is %s", name, one)
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d properties, want %d", len(all), len(want))
	}
	pictures := all["IconPixmap"].Value().([][]any)
	for n, size := range []int32{22, 32} {
		pixels := pictures[n][2].([]byte)
		if pictures[n][0] != size || pictures[n][1] != size || len(pixels) != int(4*size*size) {
			t.Fatalf("picture %d is of %v × %v in %d bytes", n, pictures[n][0], pictures[n][1], len(pixels))
		}
		// The disc is of one colour, half clear; its edge in the middle of the upper
		// side, its ground in the corner.
		if edge := pixels[4*(size+size/2):][:4]; !slices.Equal(edge, []byte{0x80, 0x1f, 0, 0xa0}) || pixels[0] != 0 {
			t.Errorf("picture %d: the edge is % x, the corner % x", n, edge, pixels[:4])
		}
	}
	it.refuses()
}

// refuses asks for what the item does not have or do. A host that activates an
// icon which is only a menu has to learn that there is no such thing, and opens
// the menu.
func (i *item) refuses() {
	i.t.Helper()
	for what, call := range map[string]*dbus.Call{
		"UnknownProperty":  i.call(properties+".Get", itemFace, "Nothing"),
		"UnknownInterface": i.call(properties+".GetAll", "org.example.Nothing"),
		"PropertyReadOnly": i.call(properties+".Set", itemFace, "Status", dbus.MakeVariant("Passive")),
		"UnknownMethod":    i.call(itemFace+".Activate", int32(1), int32(1)),
		"UnknownMethod ":   i.call(itemFace+".SecondaryActivate", int32(1), int32(1)),
		"UnknownMethod  ":  i.call(itemFace+".ContextMenu", int32(1), int32(1)),
		"UnknownMethod   ": i.call(itemFace+".Scroll", int32(1), "vertical"),
	} {
		err, _ := call.Err.(dbus.Error)
		if err.Name != "org.freedesktop.DBus.Error."+strings.TrimSpace(what) {
			i.t.Errorf("%v answered %v, %v", call.Method, call.Err, call.Body)
		}
	}
	var all map[string]dbus.Variant
	if err := i.call(properties+".GetAll", "").Store(&all); err != nil || len(all) == 0 {
		i.t.Errorf("of any interface: %v, %v", all, err)
	}
	if status := i.property("Status"); status != "Active" {
		i.t.Errorf("the status is %v by now", status)
	}
}

// TestNames has the item be known by the name of the specification, too, which
// begins with the program's number.
func TestNames(t *testing.T) {
	p, it := onDesktop(t)
	var owner string
	name := fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", p.cmd.Process.Pid)
	if err := it.conn.BusObject().Call("org.freedesktop.DBus.GetNameOwner", 0, name).Store(&owner); err != nil || owner != it.name {
		t.Errorf("%s belongs to %q, the item is at %q; %v", name, owner, it.name, err)
	}
}

// TestToldOnce counts what hosts are told: each thing that has changed, once,
// and nothing of what has not.
func TestToldOnce(t *testing.T) {
	p, it := onDesktop(t)
	p.show(sample())
	it.shows(sampleText)
	signals := make(chan *dbus.Signal, 1000)
	it.conn.Signal(signals)
	if err := it.conn.AddMatchSignal(dbus.WithMatchSender(it.name)); err != nil {
		t.Fatal(err)
	}
	closed := sample()
	closed.Icon, closed.Tooltip = view.IconClosed, "Payroll is closed"
	words := closed
	words.Tooltip = "Wiki is closed"
	entry := words
	entry.Items = append(slices.Clone(words.Items), view.Item{ID: "new", Text: "new"})
	for _, step := range []struct {
		menu view.Menu
		want []string
	}{
		{closed, []string{"NewIcon", "NewAttentionIcon", "NewToolTip", "NewStatus NeedsAttention", "LayoutUpdated"}},
		{words, []string{"NewToolTip", "LayoutUpdated"}},
		{entry, []string{"LayoutUpdated"}},
		{sample(), []string{"NewIcon", "NewToolTip", "NewStatus Active", "LayoutUpdated"}},
	} {
		p.show(step.menu)
		p.next("drawn")
		var got []string
		for len(got) == 0 || got[len(got)-1] != "LayoutUpdated" {
			s := <-signals
			text := s.Name[strings.LastIndexByte(s.Name, '.')+1:]
			if text == "NewStatus" {
				text += " " + fmt.Sprint(s.Body...)
			}
			got = append(got, text)
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("told %q, want %q", got, step.want)
		}
		pictures, attention := it.property("IconPixmap"), it.property("AttentionIconPixmap")
		if alert := it.property("Status") == "NeedsAttention"; alert != (fmt.Sprint(pictures) == fmt.Sprint(attention)) {
			t.Errorf("with %s another picture", it.property("Status"))
		}
	}
}
