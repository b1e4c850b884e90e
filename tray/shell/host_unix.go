//go:build !windows && !darwin

package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// The watcher brings items and hosts together; the item is systray's.
const (
	itemPath    = dbus.ObjectPath("/StatusNotifierItem")
	watcherName = "org.kde.StatusNotifierWatcher"
	watcherPath = dbus.ObjectPath("/StatusNotifierWatcher")
)

// settling is when a watcher that took its name but does not answer yet is
// asked again: panels take the name first and are ready a little later. After
// the last of them nothing is asked until the watcher says something.
func settling() []time.Duration {
	return []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second}
}

func watchHost(ctx context.Context, told func(present bool)) error {
	last, ever := false, false
	tell := func(present bool) {
		if !ever || present != last {
			last, ever = present, true
			told(present)
		}
	}
	err := followWatcher(ctx, func(conn *dbus.Conn, _ int) (certain bool) {
		present, err := hostPresent(ctx, conn)
		if ctx.Err() != nil {
			return true
		}
		tell(present)
		return err == nil
	})
	if err != nil {
		tell(false)
		return fmt.Errorf("watch for a tray host: %w", err)
	}
	return nil
}

// hostPresent asks whether there is a watcher with a host.
func hostPresent(ctx context.Context, conn *dbus.Conn) (bool, error) {
	owned, err := watcherOwned(ctx, conn)
	if err != nil || !owned {
		return false, err
	}
	value, err := property(ctx, conn, watcherName, watcherPath, watcherName+".IsStatusNotifierHostRegistered")
	if err != nil {
		return false, err
	}
	present, ok := value.Value().(bool)
	if !ok {
		return false, errors.New("the watcher's answer is not a boolean")
	}
	return present, nil
}

func watcherOwned(ctx context.Context, conn *dbus.Conn) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, busAnswer)
	defer cancel()
	var owned bool
	err := conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, watcherName).Store(&owned)
	if err != nil {
		return false, fmt.Errorf("ask for the owner of %s: %w", watcherName, err)
	}
	return owned, nil
}

// followWatcher calls look at the start and whenever the watcher comes, goes or
// says something (attempt 0), and again after a while as long as look is not
// certain (attempt 1 and up). It returns nil when ctx ends. It has a connection of its own: systray takes each
// signal on the shared one for the watcher's coming.
func followWatcher(ctx context.Context, look func(conn *dbus.Conn, attempt int) (certain bool)) error {
	conn, err := ownConnection(ctx)
	if ctx.Err() != nil {
		if err == nil {
			_ = conn.Close()
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, watcherName)},
		{dbus.WithMatchSender(watcherName), dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostRegistered")},
		{dbus.WithMatchSender(watcherName), dbus.WithMatchInterface(watcherName), dbus.WithMatchMember("StatusNotifierHostUnregistered")},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("listen for the watcher: %w", err)
		}
	}
	pauses, attempt := settling(), 0
	for {
		var later <-chan time.Time
		if !look(conn, attempt) && attempt < len(pauses) {
			later = time.After(pauses[attempt])
			attempt++
		}
		select {
		case <-ctx.Done():
			return nil
		case <-later:
		case _, open := <-signals:
			if !open {
				if ctx.Err() != nil {
					return nil
				}
				return ErrSessionBusGone
			}
			attempt = 0
		}
	}
}

// stayRegistered sees to it that the watcher of the moment lists the item of
// conn. systray registers when a watcher takes its name, and once only: not
// when the watcher was not ready for it, and not when it came between systray's
// first attempt and its listening.
func (b *fyneBackend) stayRegistered(ctx context.Context, conn *dbus.Conn) {
	err := followWatcher(ctx, func(own *dbus.Conn, attempt int) bool {
		if owned, err := watcherOwned(ctx, own); err != nil || !owned {
			return err == nil
		}
		if listed(ctx, own, conn.Names()) {
			return true
		}
		if attempt == 0 {
			return false // systray's own registration may be under way
		}
		call := conn.Object(watcherName, watcherPath).CallWithContext(ctx, watcherName+".RegisterStatusNotifierItem", dbus.FlagNoAutoStart, string(itemPath))
		if call.Err != nil && ctx.Err() == nil {
			b.o.Log.Warn("register the tray item", "error", call.Err)
		}
		return false // until it is listed
	})
	if err != nil && !errors.Is(err, ErrSessionBusGone) {
		b.o.Log.Warn("watch over the tray item's registration", "error", err)
	}
}

// listed reports whether the watcher lists an item of the connection that has
// these names. Watchers write the name with the path behind it or without.
func listed(ctx context.Context, conn *dbus.Conn, names []string) bool {
	value, err := property(ctx, conn, watcherName, watcherPath, watcherName+".RegisteredStatusNotifierItems")
	if err != nil {
		return false
	}
	items, _ := value.Value().([]string)
	for _, item := range items {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(item, name); ok && (rest == "" || rest[0] == '/' || rest[0] == '@') {
				return true
			}
		}
	}
	return false
}
