//go:build !windows && !darwin && !postern_purego

package shell

import (
	"context"
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

func picture(i Image) []byte { return i.PNG }

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
	// kept and never sent. The title becomes the item's identifier as well. The
	// menu is for a host that asks before ours is there, a moment later.
	systray.SetTitle(b.o.Name)
	first, _ := b.wanted.take()
	d.draw(first)
	start, end := systray.RunWithExternalLoop(nil, nil)
	start()
	menu := newBusMenu(d.pick)
	menu.set(first.Items) // before anybody can ask
	if err := onBus(ctx, conn, menu); err != nil {
		_ = conn.Close() // systray's end would panic over a start that failed
		switch {
		case ctx.Err() != nil:
			return nil
		case conn.Context().Err() != nil:
			return ErrSessionBusGone
		}
		return err
	}
	defer end()
	if err := announce(conn, menu, first); err != nil {
		return err
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
				d.drawFace(m)
				if err := announce(conn, menu, m); err != nil {
					b.o.Log.Warn("announce the tray menu", "error", err)
				}
				d.drew()
			}
		}
	}
}

// onBus puts our menu in the place of systray's, and asks for what systray should
// have put on the bus, for it only logs when it could not.
func onBus(ctx context.Context, conn *dbus.Conn, menu *busMenu) error {
	if err := conn.ExportMethodTable(menu.methods(), menuPath, menuFace); err != nil {
		return fmt.Errorf("put the tray menu on the session bus: %w", err)
	}
	for path, prop := range map[dbus.ObjectPath]string{itemPath: itemFace + ".Id", menuPath: menuFace + ".Version"} {
		if _, err := property(ctx, conn, conn.Names()[0], path, prop); err != nil {
			return fmt.Errorf("put the tray item on the session bus: %w", err)
		}
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
