package desktop

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"strings"

	"github.com/godbus/dbus/v5"
)

// itemInterface is the interface of a tray icon (StatusNotifierItem
// specification).
const itemInterface = "org.kde.StatusNotifierItem"

// Item is a tray icon as its program offers it on the session bus.
type Item struct {
	Service string // the name on the bus, mostly a unique one
	Path    dbus.ObjectPath

	d *Desktop
}

// Properties are what a tray icon says of itself.
type Properties struct {
	ID, Category, Title string
	Status              string // Passive, Active or NeedsAttention
	IconName            string // of a theme; "" where the icon comes as pixels
	Icons               []*image.NRGBA
	TooltipTitle        string
	TooltipText         string
	ItemIsMenu          bool
	Menu                dbus.ObjectPath
}

func (d *Desktop) watcher() dbus.BusObject { return d.bus.Object(watcherName, watcherPath) }

// Items lists the tray icons that are registered with the panel.
func (d *Desktop) Items() ([]*Item, error) {
	v, err := d.watcher().GetProperty(watcherName + ".RegisteredStatusNotifierItems")
	if err != nil {
		return nil, fmt.Errorf("list tray icons: %w", err)
	}
	names, ok := v.Value().([]string)
	if !ok {
		return nil, fmt.Errorf("list tray icons: a %s", v.Signature())
	}
	var items []*Item
	for _, name := range names {
		service, path, _ := strings.Cut(name, "/")
		items = append(items, &Item{Service: service, Path: dbus.ObjectPath("/" + path), d: d})
	}
	return items, nil
}

// ItemAt is the tray icon of a program by its name on the bus, whether or not
// anybody lists it.
func (d *Desktop) ItemAt(service string) *Item {
	return &Item{Service: service, Path: "/StatusNotifierItem", d: d}
}

// WaitForItem waits until exactly one tray icon is there, and gives it.
func (d *Desktop) WaitForItem() (*Item, error) {
	var items []*Item
	err := Until("one tray icon", Patience, func() (bool, error) {
		var err error
		if items, err = d.Items(); err == nil && len(items) != 1 {
			err = fmt.Errorf("there are %d", len(items))
		}
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

// WaitForNoItem waits until no tray icon is there.
func (d *Desktop) WaitForNoItem() error {
	return Until("no tray icon", Patience, func() (bool, error) {
		items, err := d.Items()
		return err == nil && len(items) == 0, err
	})
}

func (i *Item) object() dbus.BusObject { return i.d.bus.Object(i.Service, i.Path) }

// Properties reads what the icon says of itself now.
func (i *Item) Properties() (Properties, error) {
	var all map[string]dbus.Variant
	if err := i.object().Call("org.freedesktop.DBus.Properties.GetAll", 0, itemInterface).Store(&all); err != nil {
		return Properties{}, fmt.Errorf("read tray icon: %w", err)
	}
	var p Properties
	var pixmaps []pixmap
	var tip struct {
		Name        string
		Icons       []pixmap
		Title, Text string
	}
	for name, to := range map[string]any{
		"Id": &p.ID, "Category": &p.Category, "Title": &p.Title, "Status": &p.Status, "IconName": &p.IconName,
		"ItemIsMenu": &p.ItemIsMenu, "Menu": &p.Menu, "IconPixmap": &pixmaps, "ToolTip": &tip,
	} {
		v, ok := all[name]
		if !ok {
			continue
		}
		if err := v.Store(to); err != nil {
			return Properties{}, fmt.Errorf("read tray icon: %s: %w", name, err)
		}
	}
	p.TooltipTitle, p.TooltipText = tip.Title, tip.Text
	for _, m := range pixmaps {
		icon, err := m.image()
		if err != nil {
			return Properties{}, fmt.Errorf("read tray icon: %w", err)
		}
		p.Icons = append(p.Icons, icon)
	}
	return p, nil
}

// WaitFor waits until the icon's properties are as wanted, and gives them.
func (i *Item) WaitFor(what string, wanted func(Properties) bool) (Properties, error) {
	var p Properties
	err := Until(what, Patience, func() (bool, error) {
		var err error
		p, err = i.Properties()
		return err == nil && wanted(p), err
	})
	return p, err
}

// Activate does what a click with the left button asks the program for, where
// the icon is not only a menu.
func (i *Item) Activate() error {
	if err := i.object().Call(itemInterface+".Activate", 0, int32(0), int32(0)).Err; err != nil {
		return fmt.Errorf("activate tray icon: %w", err)
	}
	return nil
}

// pixmap is an icon as pixels: ARGB, each of 32 bits in network byte order.
type pixmap struct {
	Width, Height int32
	Pixels        []byte
}

func (m pixmap) image() (*image.NRGBA, error) {
	if m.Width < 0 || m.Height < 0 || m.Width > 4096 || m.Height > 4096 || len(m.Pixels) != int(4*m.Width*m.Height) {
		return nil, fmt.Errorf("an icon of %d × %d in %d bytes", m.Width, m.Height, len(m.Pixels))
	}
	out := image.NewNRGBA(image.Rect(0, 0, int(m.Width), int(m.Height)))
	for n := range int(m.Width * m.Height) {
		v := binary.BigEndian.Uint32(m.Pixels[4*n:])
		out.SetNRGBA(n%int(m.Width), n/int(m.Width), color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: uint8(v >> 24)})
	}
	return out, nil
}
