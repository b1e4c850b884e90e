// Package shell draws a tray menu on the desktop and says what was chosen in it.
//
// It is the only room that opens the system's tray. Which backend New returns
// is settled when the program is built:
//
//   - macOS without cgo: AppKit, called through purego (appkit*.go);
//   - Linux, Windows, and macOS built with cgo: fyne.io/systray (fyne*.go). On
//     Linux the menu behind systray's item and what the item says of itself are
//     our own (menu_unix.go, item_unix.go), so that each changes in one step.
//
// # What was run where
//
// Linux: against a real message bus with a watcher and a host of our own
// (testfixtures/desktop/demo-tray), and in xfce4-panel 4.18. Windows: the same
// program under Wine 8, not on Windows itself. macOS: never. Of the AppKit
// backend the order, the threads and the ownership of every message are tested
// against a model of the Objective-C runtime (appkit_test.go), and the program
// is built and its imports are read for both architectures; that macOS draws it
// is what its documentation leads to expect. The file for macOS with cgo was
// type-checked only.
package shell

import (
	"context"
	"errors"
	"log/slog"

	"github.com/postern-zt/postern/tray/view"
)

var (
	// ErrEmptyMenu refuses a menu without an entry: a tray that opens nothing
	// looks broken. What was shown before stays.
	ErrEmptyMenu = errors.New("the menu has no entry")
	// ErrRunsOnce is returned by the second Run in a process: the systems'
	// toolkits cannot be started again once they ended.
	ErrRunsOnce = errors.New("the tray has already run in this process")
	// ErrNoSessionBus says that there is no D-Bus session bus to put a tray on.
	// No bus is ever started for it.
	ErrNoSessionBus = errors.New("no session bus")
	// ErrSessionBusGone says that the session bus ended, as it does with the
	// person's session.
	ErrSessionBusGone = errors.New("the session bus went away")
	// ErrNotFirstThread says that Run was not called on the process's first
	// thread, the only one that macOS draws from.
	ErrNotFirstThread = errors.New("not on the first thread of the process")
)

// Image is one icon in the forms that systems ask for.
type Image struct {
	PNG      [][]byte // Linux: colour, on a transparent ground, one of each size, from the smallest
	ICO      []byte   // Windows
	Template []byte   // macOS: a PNG of black and alpha, 36 pixels for 18 points
}

// Options are what a Backend is made from.
type Options struct {
	// Name is the product's name: what the item is called where a desktop lists
	// or remembers tray items.
	Name string
	// Icons gives the image of one of view's Icon… names. Where it gives none,
	// the image before stays.
	Icons func(name string) Image
	// Log is told what went wrong where nobody can be answered; nil for no log.
	Log *slog.Logger
	// Hidden, if not nil, is called once, in turn with chosen, when the system
	// seems to keep the icon from the screen. macOS 26 and later can (System
	// Settings, Menu Bar, "Allow in the Menu Bar") and have no call that says so.
	Hidden func()
	// Drawn, if not nil, is called after each menu that was drawn, where it was
	// drawn: it must return at once. For tests and measurements.
	Drawn func()
}

// Backend is the tray of one system.
type Backend interface {
	// Run shows first, or what Show was given before, until ctx ends, and then
	// returns nil. It draws on the goroutine that calls it, which must be
	// main's, and can run once in a process.
	//
	// chosen is called for each entry that a person chooses, one call at a
	// time, on a goroutine that draws nothing. Run returns after the call under
	// way did. Of many entries chosen while one call lasts, the first 16 are
	// kept.
	Run(ctx context.Context, first view.Menu, chosen func(view.Action)) error
	// Show replaces what is shown, from any goroutine, and does not wait for
	// the drawing: of several menus only the newest is drawn. An empty menu is
	// refused with ErrEmptyMenu.
	Show(m view.Menu) error
}

// New returns the backend that this program was built with. Nothing is opened
// before Run.
func New(o Options) Backend { return newBackend(o.filled()) }

// filled puts something in the place of what was left out and is always used.
func (o Options) filled() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Icons == nil {
		o.Icons = func(string) Image { return Image{} }
	}
	return o
}

// WatchHost tells whether the desktop has a place where a tray's icon shows:
// once at the start, and again whenever that changes, until ctx ends; it then
// returns nil.
//
// On Linux that place is a StatusNotifier host (freedesktop.org, "Status
// Notifier Item", and the org.kde.StatusNotifierWatcher interface); GNOME
// without an extension has none, and panels come late and restart. Without a
// session bus the answer is false and the error ErrNoSessionBus. Windows and
// macOS always have the place: there it tells true.
func WatchHost(ctx context.Context, told func(present bool)) error {
	return watchHost(ctx, told)
}
