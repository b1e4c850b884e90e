//go:build !windows && !darwin && !postern_purego

package shell

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"slices"
	"sync/atomic"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/view"
)

// propertiesFace is the interface by which an object is asked for its
// properties (D-Bus specification, "Standard Interfaces").
const propertiesFace = "org.freedesktop.DBus.Properties"

// What the item's Status says (StatusNotifierItem specification). It is never
// Passive: hosts put such icons out of sight.
const (
	statusActive    = "Active"
	statusAttention = "NeedsAttention"
)

// busItem answers for the item's properties on the bus. The library that systray
// has them kept by writes a new icon into the slice that another goroutine may
// just be sending to a host (dbus.Store into the slice that prop.Get gave out).
// Here what was given out never changes: each change makes a new set.
type busItem struct {
	o     Options
	props atomic.Pointer[map[string]dbus.Variant]

	icon     string // the name of the one in the properties
	pictures []pixmap
	tip      string
	status   string
}

// pixmap is a picture as hosts take it, (iiay): ARGB of 32 bits each in network
// byte order, the colours not multiplied by the alpha.
type pixmap struct {
	Width, Height int32
	Pixels        []byte
}

// toolTip is the property of that name, (sa(iiay)ss).
type toolTip struct {
	IconName    string
	Icon        []pixmap
	Title, Text string
}

// newBusItem makes the item with the face of m, and gives the signals for a host
// that has read systray's before.
func newBusItem(o Options, m view.Menu) (*busItem, []busSignal) {
	b := &busItem{o: o}
	return b, b.set(m)
}

// set takes the face of m and returns the signals by which hosts learn of what
// has changed, each with what goes with it. Only one goroutine may call it.
func (b *busItem) set(m view.Menu) (news []busSignal) {
	tell := func(name string, with ...any) { news = append(news, busSignal{itemFace + "." + name, with}) }
	status := statusActive
	if m.Icon == view.IconClosed {
		status = statusAttention
	}
	if m.Icon != b.icon {
		if pictures := b.draw(m.Icon); len(pictures) > 0 {
			b.icon, b.pictures = m.Icon, pictures
			tell("NewIcon")
			if status == statusAttention { // the one that hosts show then
				tell("NewAttentionIcon")
			}
		} else {
			b.o.Log.Warn("no image of this tray icon", "icon", m.Icon)
		}
	}
	if m.Tooltip != b.tip {
		b.tip = m.Tooltip
		tell("NewToolTip")
	}
	if status != b.status {
		b.status = status
		tell("NewStatus", status)
	}
	props := b.properties()
	b.props.Store(&props)
	return news
}

// busSignal is one signal of the item.
type busSignal struct {
	name string
	with []any
}

// draw makes the pictures of an icon, none if there is no image of it.
func (b *busItem) draw(name string) []pixmap {
	var out []pixmap
	for _, data := range b.o.Icons(name).PNG {
		m, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			b.o.Log.Warn("read tray icon", "icon", name, "error", err)
			continue
		}
		out = append(out, pixmapOf(m))
	}
	slices.SortStableFunc(out, func(x, y pixmap) int { return cmp.Compare(x.Width, y.Width) })
	return out
}

func pixmapOf(m image.Image) pixmap {
	plain := image.NewNRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
	draw.Draw(plain, plain.Bounds(), m, m.Bounds().Min, draw.Src)
	for i := 0; i < len(plain.Pix); i += 4 {
		p := plain.Pix[i : i+4 : i+4]
		p[0], p[1], p[2], p[3] = p[3], p[0], p[1], p[2]
	}
	return pixmap{Width: int32(plain.Rect.Dx()), Height: int32(plain.Rect.Dy()), Pixels: plain.Pix}
}

// properties are all that the interface has, those too that say nothing here: a
// host may ask for each.
func (b *busItem) properties() map[string]dbus.Variant {
	attention := []pixmap{}
	if b.status == statusAttention {
		attention = b.pictures
	}
	props := map[string]dbus.Variant{}
	for name, value := range map[string]any{
		"Category": "ApplicationStatus", "Id": b.o.Name, "Title": b.o.Name, "Status": b.status, "WindowId": int32(0),
		"Menu": menuPath, "ItemIsMenu": true,
		"IconName": "", "IconPixmap": b.pictures, "IconThemePath": "",
		"OverlayIconName": "", "OverlayIconPixmap": []pixmap{},
		"AttentionIconName": "", "AttentionIconPixmap": attention, "AttentionMovieName": "",
		"ToolTip": toolTip{Icon: []pixmap{}, Title: b.tip},
	} {
		props[name] = dbus.MakeVariant(value)
	}
	return props
}

// methods are those of the interface of properties.
func (b *busItem) methods() map[string]any {
	return map[string]any{"Get": b.get, "GetAll": b.getAll, "Set": b.refuse}
}

func (b *busItem) get(face, name string) (dbus.Variant, *dbus.Error) {
	props, err := b.getAll(face)
	if err != nil {
		return dbus.MakeVariant(""), err
	}
	value, ok := props[name]
	if !ok {
		return dbus.MakeVariant(""), busError("UnknownProperty", "the tray item has no property %q", name)
	}
	return value, nil
}

// getAll gives the properties of an interface; "" stands for all of them (D-Bus
// specification, org.freedesktop.DBus.Properties). Nobody changes what it gives.
func (b *busItem) getAll(face string) (map[string]dbus.Variant, *dbus.Error) {
	if face != itemFace && face != "" {
		return map[string]dbus.Variant{}, busError("UnknownInterface", "the tray item has no properties of %q", face)
	}
	return *b.props.Load(), nil
}

func (b *busItem) refuse(_, name string, _ dbus.Variant) *dbus.Error {
	return busError("PropertyReadOnly", "the property %q of the tray item is not for hosts to set", name)
}

// busError is an error of the D-Bus specification's own.
func busError(name, format string, args ...any) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error."+name, []any{fmt.Sprintf(format, args...)})
}

// tellItem tells hosts what is new.
func tellItem(conn *dbus.Conn, news []busSignal) error {
	for _, s := range news {
		if err := conn.Emit(itemPath, s.name, s.with...); err != nil {
			return fmt.Errorf("announce the tray icon: %w", err)
		}
	}
	return nil
}
