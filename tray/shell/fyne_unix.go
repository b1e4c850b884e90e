//go:build !windows && !darwin && !postern_purego

package shell

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"fyne.io/systray"
	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/view"
)

// mnemonic is what marks the access key in a label: "two consecutive underscore
// characters are displayed as a single underscore" (com.canonical.dbusmenu).
const mnemonic = "_"

// Where systray puts the item and its menu on the bus.
const (
	menuPath = dbus.ObjectPath("/StatusNotifierItem/menu")
	itemFace = "org.kde.StatusNotifierItem"
	menuFace = "com.canonical.dbusmenu"
)

// picture is for systray, which takes one: hosts see it for a moment at the
// start, until what is ours is there.
func picture(i Image) []byte {
	if len(i.PNG) == 0 {
		return nil
	}
	return i.PNG[len(i.PNG)-1]
}

func setIcon(icon []byte) { systray.SetIcon(icon) }

// ready finds the session bus, and names it to systray's D-Bus library, which
// reads the environment and would start a bus if it found none.
func (b *fyneBackend) ready(context.Context) error {
	address, err := sessionBus()
	if err != nil {
		return err
	}
	if os.Getenv(busVariable) == "" {
		if err := os.Setenv(busVariable, address); err != nil {
			return fmt.Errorf("name the session bus: %w", err)
		}
	}
	return nil
}

func (b *fyneBackend) run(ctx context.Context, d *drawer) error {
	// systray uses the library's shared connection; it must be this one, for
	// the item belongs to whoever is connected by it.
	conn, err := dbus.SessionBus()
	if err != nil {
		return fmt.Errorf("connect to the session bus: %w", err)
	}
	// All of this before start: what is set while systray goes on the bus may be
	// kept and never sent. The title becomes the item's identifier as well. Face
	// and menu are for a host that asks before ours are there, a moment later.
	systray.SetTitle(b.o.Name)
	first, _ := b.wanted.take()
	d.draw(first)
	item, news := newBusItem(b.o, first)
	menu := newBusMenu(d.pick)
	menu.set(first.Items) // before anybody can ask
	start, end := systray.RunWithExternalLoop(nil, nil)
	start()
	if err := onBus(ctx, conn, item, menu); err != nil {
		_ = conn.Close() // systray's end would panic over a start that failed
		return endOf(ctx, conn, err)
	}
	defer end()
	if err := errors.Join(tellItem(conn, news), announce(conn, menu, first)); err != nil {
		return endOf(ctx, conn, err)
	}

	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { b.stayRegistered(watching, conn) })
	defer watch.Wait()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-conn.Context().Done():
			return ErrSessionBusGone
		case <-b.wake:
			if m, fresh := b.wanted.take(); fresh {
				if err := errors.Join(tellItem(conn, item.set(m)), announce(conn, menu, m)); err != nil {
					b.o.Log.Warn("draw the tray", "error", err)
				}
				d.drew()
			}
		}
	}
}

// endOf is what Run ends with after an error: none when it was to end, and one of
// its own for a bus that has gone.
func endOf(ctx context.Context, conn *dbus.Conn, err error) error {
	switch {
	case ctx.Err() != nil:
		return nil
	case conn.Context().Err() != nil, errors.Is(err, dbus.ErrClosed):
		return ErrSessionBusGone
	}
	return err
}

// onBus puts our properties and our menu in the place of systray's, and asks for
// what systray should have put on the bus, for it only logs when it could not.
func onBus(ctx context.Context, conn *dbus.Conn, item *busItem, menu *busMenu) error {
	if err := conn.ExportMethodTable(item.methods(), itemPath, propertiesFace); err != nil {
		return fmt.Errorf("put the tray icon on the session bus: %w", err)
	}
	if err := conn.ExportMethodTable(menu.methods(), menuPath, menuFace); err != nil {
		return fmt.Errorf("put the tray menu on the session bus: %w", err)
	}
	// The last thing that systray puts there.
	if _, err := property(ctx, conn, conn.Names()[0], menuPath, menuFace+".Version"); err != nil {
		return fmt.Errorf("put the tray item on the session bus: %w", err)
	}
	return nil
}

// announce replaces the menu and tells hosts: of words that changed in entries
// that stay, and to read the menu again, which some only do.
func announce(conn *dbus.Conn, menu *busMenu, m view.Menu) error {
	revision, changed := menu.set(m.Items)
	if len(changed) > 0 {
		if err := conn.Emit(menuPath, menuFace+".ItemsPropertiesUpdated", changed, []struct {
			ID    int32
			Names []string
		}{}); err != nil {
			return fmt.Errorf("announce changed entries: %w", err)
		}
	}
	if err := conn.Emit(menuPath, menuFace+".LayoutUpdated", revision, int32(0)); err != nil {
		return fmt.Errorf("announce the menu: %w", err)
	}
	return nil
}
