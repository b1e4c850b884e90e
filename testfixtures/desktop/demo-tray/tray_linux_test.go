package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/shell"
	"github.com/postern-zt/postern/tray/view"
)

func sample() view.Menu {
	return view.Menu{Icon: view.IconHealthy, Tooltip: "2 apps open", Items: []view.Item{
		{ID: "headline", Text: "2 apps_open & more"},
		{Separator: true},
		{ID: "app", Text: "Payroll", Checked: true, Do: view.Action{Kind: view.DoOpenApp, Argument: "payroll"}},
		{ID: "pause", Text: "Pause", Items: []view.Item{
			{ID: "pause.1", Text: "1 hour", Do: view.Action{Kind: view.DoPause, Argument: "1h"}},
			{Separator: true},
			{ID: "pause.2", Text: "never mind"},
		}},
		{ID: "quit", Text: "Quit", Do: view.Action{Kind: view.DoQuitTray}},
	}}
}

const sampleText = "2 apps__open & more (off)\n---\nPayroll [x]\nPause\n  1 hour\n  ---\n  never mind (off)\nQuit\n"

// onDesktop starts a bus, a watcher with a host, and the tray on them.
func onDesktop(t *testing.T) (*tray, *item) {
	t.Helper()
	b := startBus(t)
	w := startWatcher(t, b, true).serve().take()
	p := startTray(t, "DBUS_SESSION_BUS_ADDRESS="+b.address)
	return p, w.item()
}

// shows waits until the whole menu reads like text: systray gives a host that
// asks first only the top of it, and the rest shortly after.
func (i *item) shows(text string) {
	i.t.Helper()
	got := ""
	defer func() {
		if got != text {
			i.t.Errorf("the menu is\n%s", got)
		}
	}()
	eventually(i.t, "the menu that was shown", func() bool {
		root, _ := i.layout()
		got = root.text("")
		return got == text
	})
}

func TestTray(t *testing.T) {
	p, it := onDesktop(t)
	if id, title := it.property("Id"), it.property("Title"); id != "Postern demo" || title != "Postern demo" {
		t.Errorf("id %v, title %v", id, title)
	}
	it.shows("Waiting for a menu (off)\nQuit\n")
	p.show(sample())
	it.shows(sampleText)
	eventually(t, "the tooltip", func() bool { return fmt.Sprint(it.property("ToolTip")) == "[ [] 2 apps open ]" })
	it.click("Payroll")
	if got := p.next("chose"); got != "chose open payroll" {
		t.Error(got)
	}
	// An entry that is off does nothing, even if a host says it was clicked.
	it.click("2 apps__open & more")
	it.click("never mind")
	it.click("1 hour")
	if got := p.next("chose"); got != "chose pause 1h" {
		t.Error(got)
	}
	it.click("Quit")
	if got := p.next("ended", "chose"); got != "chose quit " {
		t.Error(got)
	}
	if got := p.next("ended"); got != "ended <nil>" {
		t.Error(got)
	}
}

// TestWords: a change of words keeps the entries, so that an open menu stays;
// any other change makes new ones, so that a late click does not do another
// thing than was read.
func TestWords(t *testing.T) {
	p, it := onDesktop(t)
	p.show(sample())
	it.shows(sampleText)
	before, _ := it.layout()
	words := sample()
	words.Items[0].Text = "3 apps open"
	p.show(words)
	it.shows(strings.Replace(sampleText, "2 apps__open & more", "3 apps open", 1))
	after, _ := it.layout()
	app, _ := before.find("Payroll")
	if same, _ := after.find("Payroll"); same.id != app.id {
		t.Error("other words made another entry")
	}
	other := sample()
	other.Items[2].Do.Argument = "another"
	p.show(other)
	eventually(t, "an entry that does another thing", func() bool {
		root, _ := it.layout()
		found, ok := root.find("Payroll")
		return ok && found.id != app.id
	})
	it.shows(sampleText)
	if err := it.clickID(app.id); err == nil {
		t.Error("an entry that is gone took a click")
	}
	it.click("Quit")
	if got := p.next("chose"); got != "chose quit " {
		t.Errorf("the click into the old menu: %s", got)
	}
}

func TestEmptyMenu(t *testing.T) {
	p, it := onDesktop(t)
	p.show(sample())
	it.shows(sampleText)
	p.show(view.Menu{Icon: view.IconClosed, Items: []view.Item{{Separator: true}}})
	if got := p.next("refused"); !strings.Contains(got, "no entry") {
		t.Error(got)
	}
	it.shows(sampleText)
}

// TestIcons: an icon without an image leaves the one before.
func TestIcons(t *testing.T) {
	p, it := onDesktop(t)
	p.show(sample())
	it.shows(sampleText)
	before := fmt.Sprint(it.property("IconPixmap"))
	unknown := sample()
	unknown.Icon, unknown.Tooltip = "unknown", "another"
	p.show(unknown)
	eventually(t, "the tooltip", func() bool { return fmt.Sprint(it.property("ToolTip")) == "[ [] another ]" })
	if fmt.Sprint(it.property("IconPixmap")) != before {
		t.Error("the icon is gone")
	}
	closed := sample()
	closed.Icon = view.IconClosed
	p.show(closed)
	eventually(t, "the other icon", func() bool { return fmt.Sprint(it.property("IconPixmap")) != before })
}

// TestWatcher: the desktop's panel comes late, goes, and comes again.
func TestWatcher(t *testing.T) {
	b := startBus(t)
	p := startTray(t, "DBUS_SESSION_BUS_ADDRESS="+b.address)
	present := func(want bool) {
		t.Helper()
		if got := p.next("present"); got != fmt.Sprint("present ", want) {
			t.Fatal(got)
		}
	}
	present(false)
	w := startWatcher(t, b, true).serve().take()
	w.item().shows("Waiting for a menu (off)\nQuit\n")
	present(true)
	w.leave()
	present(false)
	p.show(sample()) // nobody looks
	w.take()
	w.item().shows(sampleText)
	present(true)
	w.host(false)
	present(false)
	w.host(true)
	present(true)
}

// TestWatcherNotReady: it has its name before it answers, as panels do that
// start.
func TestWatcherNotReady(t *testing.T) {
	b := startBus(t)
	p := startTray(t, "DBUS_SESSION_BUS_ADDRESS="+b.address)
	p.next("present")
	w := startWatcher(t, b, true).take()
	// systray's one attempt has come and failed when this call has its answer.
	eventually(t, "an item on the bus", func() bool {
		var owned bool
		name := fmt.Sprintf("org.kde.StatusNotifierItem-%d-1", p.cmd.Process.Pid)
		err := w.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&owned)
		return err == nil && owned
	})
	w.serve()
	w.item().shows("Waiting for a menu (off)\nQuit\n")
	if got := p.next("present"); got != "present true" {
		t.Error(got)
	}
}

// TestWatcherForgets: it takes the registration and does not list the item, and
// does so again after each restart.
func TestWatcherForgets(t *testing.T) {
	b := startBus(t)
	w := startWatcher(t, b, true).serve()
	w.deaf = 2
	w.take()
	startTray(t, "DBUS_SESSION_BUS_ADDRESS="+b.address)
	for range 7 { // more often than one restart would be retried
		w.item().shows("Waiting for a menu (off)\nQuit\n")
		w.leave()
		w.take()
	}
}

// TestNoBus: without a bus the tray says so, and starts none.
func TestNoBus(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "started")
	launch := "#!/bin/sh\n: > " + mark + "\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte(launch), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, env := range map[string][]string{
		"nothing set":     nil,
		"no socket there": {"XDG_RUNTIME_DIR=" + t.TempDir()},
		"not a socket":    {"XDG_RUNTIME_DIR=" + dir},
		"start one":       {"DBUS_SESSION_BUS_ADDRESS=autolaunch:"},
		"or start one":    {"DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere;autolaunch:"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startTray(t, append(env, "PATH="+dir)...)
			if got := p.next("ended"); !strings.Contains(got, "no session bus") {
				t.Error(got)
			}
			if _, err := os.Stat(mark); err == nil {
				t.Error("it started a bus")
			}
		})
	}
}

// TestRuntimeDir: a bus that is only named by its place.
func TestRuntimeDir(t *testing.T) {
	b := startBus(t)
	dir := filepath.Dir(strings.Split(strings.TrimPrefix(b.address, "unix:path="), ",")[0])
	w := startWatcher(t, b, true).serve().take()
	startTray(t, "XDG_RUNTIME_DIR="+dir)
	w.item().shows("Waiting for a menu (off)\nQuit\n")
}

// TestBusGone: the session ends.
func TestBusGone(t *testing.T) {
	b := startBus(t)
	w := startWatcher(t, b, true).serve().take()
	p := startTray(t, "DBUS_SESSION_BUS_ADDRESS="+b.address)
	w.item()
	if got := p.next("present"); got != "present true" {
		t.Error(got)
	}
	b.stop()
	if got := p.next("ended"); !strings.Contains(got, "the session bus went away") {
		t.Error(got)
	}
}

// TestWatchHostBusGone: without a bus there is no place for a tray either.
func TestWatchHostBusGone(t *testing.T) {
	b := startBus(t)
	startWatcher(t, b, true).serve().take()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", b.address)
	told, ended := make(chan bool, 10), make(chan error)
	go func() { ended <- shell.WatchHost(t.Context(), func(present bool) { told <- present }) }()
	if !<-told {
		t.Error("there is a host")
	}
	b.stop()
	if err := <-ended; !errors.Is(err, shell.ErrSessionBusGone) {
		t.Error(err)
	}
	if <-told {
		t.Error("there is none any more")
	}
	if err := shell.WatchHost(t.Context(), func(present bool) { told <- present }); !errors.Is(err, shell.ErrNoSessionBus) {
		t.Error(err)
	}
	if <-told {
		t.Error("there is none")
	}
}

// TestNotABus: something else answers where the bus should be.
func TestNotABus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	p := startTray(t, "DBUS_SESSION_BUS_ADDRESS=unix:path="+dbus.EscapeBusAddressValue(socket))
	if got := p.next("ended"); got == "ended <nil>" {
		t.Error(got)
	}
}
