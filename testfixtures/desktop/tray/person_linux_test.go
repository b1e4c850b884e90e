package tray

import (
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/view"
)

// person is somebody at a desktop who has the tray.
type person struct {
	*desktop.Desktop
	t     testing.TB
	notes *notes
	item  *desktop.Item // once the icon has been found
	urls  string        // the file in which their browser writes what it is to show
	heard *heard
}

// newPerson opens a desktop with a notification service and a browser.
func newPerson(t testing.TB, o desktop.Options) *person {
	t.Helper()
	p := &person{t: t, Desktop: desktop.StartWith(t, o)}
	p.notes = serveNotes(t, p.Desktop)
	p.heard = hear(t, p.Desktop)
	p.installBrowser()
	return p
}

// installBrowser makes a script the person's browser, which writes down what it
// is to show: xdg-open asks for the program of a kind of address first, and for
// $BROWSER where there is none.
func (p *person) installBrowser() {
	p.t.Helper()
	script := filepath.Join(p.Home(), "browser")
	p.urls = filepath.Join(p.Home(), "urls")
	const kinds = "x-scheme-handler/http=sample.desktop\nx-scheme-handler/https=sample.desktop\n"
	for path, text := range map[string]string{
		script: "#!/bin/sh\nprintf '%s\\n' \"$1\" >>" + p.urls + "\n",
		filepath.Join(p.Home(), ".local/share/applications/sample.desktop"): "[Desktop Entry]\nType=Application\nName=Sample\nExec=" + script + " %u\n",
		filepath.Join(p.Home(), ".config/mimeapps.list"):                    "[Default Applications]\n" + kinds,
	} {
		ok(p.t, os.MkdirAll(filepath.Dir(path), 0o700))
		ok(p.t, os.WriteFile(path, []byte(text), 0o700))
	}
}

// environment is what the tray gets beside the desktop's: with a desktop that
// xdg-open knows, that one's own opener would have to be there.
func (p *person) environment(more ...string) []string {
	return append([]string{"BROWSER=" + filepath.Join(p.Home(), "browser"), "XDG_CURRENT_DESKTOP=X-Generic"}, more...)
}

// start starts the tray for the agent at a socket.
func (p *person) start(socket string, env ...string) *desktop.Process {
	p.t.Helper()
	return must[*desktop.Process](p.t)(p.Run(p.environment(env...), program("postern-tray"), "--socket", socket, "--verbose"))
}

// find waits for the icon on the bus.
func (p *person) find() { p.t.Helper(); p.item = must[*desktop.Item](p.t)(p.WaitForItem()) }

// opened waits until the browser was given an address that begins so.
func (p *person) opened(prefix string) string {
	p.t.Helper()
	var url string
	ok(p.t, desktop.Until("the browser to open "+prefix, desktop.Patience, func() (bool, error) {
		data, _ := os.ReadFile(p.urls)
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(line, prefix) {
				url = strings.TrimSpace(line)
			}
		}
		return url != "", fmt.Errorf("it got %q", data)
	}))
	ok(p.t, os.WriteFile(p.urls, nil, 0o600))
	return url
}

// shows waits until the menu's text has every part, and gives the menu.
func (p *person) shows(parts ...string) *desktop.Entry {
	p.t.Helper()
	return must[*desktop.Entry](p.t)(p.item.WaitForMenu(fmt.Sprintf("%q in the menu", parts), func(e *desktop.Entry) bool {
		text := e.String()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return true
	}))
}

// choose clicks an entry over the bus.
func (p *person) choose(path ...string) { p.t.Helper(); ok(p.t, p.item.ClickEntry(path...)) }

// chooseByHand opens the menu with the mouse and clicks where the entry of the
// first level is drawn.
func (p *person) chooseByHand(text string) {
	p.t.Helper()
	root := must[*desktop.Entry](p.t)(p.item.Layout())
	row, n := -1, 0
	for _, e := range root.Entries {
		if e.Separator || !e.Visible {
			continue
		}
		if e.Text == text {
			row = n
		}
		n++
	}
	if row < 0 {
		p.t.Fatalf("no entry %q in\n%s", text, root)
	}
	menu, shot, err := p.OpenMenu(desktop.Right)
	ok(p.t, err)
	must[string](p.t)(p.Keep("menu", shot))
	rows := desktop.Rows(shot, menu)
	if len(rows) != n {
		p.t.Fatalf("%d rows are drawn of\n%s", len(rows), root)
	}
	ok(p.t, p.Click(desktop.Middle(rows[row]), desktop.Left))
	ok(p.t, p.WaitForNoMenu(menu))
}

// menuSeen opens the menu with the mouse, closes it, and gives how it was drawn.
func (p *person) menuSeen() image.Image {
	p.t.Helper()
	menu, shot, err := p.OpenMenu(desktop.Right)
	ok(p.t, err)
	ok(p.t, p.CloseMenu(menu))
	return desktop.Crop(shot, menu)
}

// onBus waits until the tray is on the bus, whether or not there is a panel.
func (p *person) onBus() {
	p.t.Helper()
	conn := must[*dbus.Conn](p.t)(p.Connect())
	defer conn.Close()
	ok(p.t, desktop.Until("the tray on the bus", desktop.Patience, func() (bool, error) {
		var names []string
		if err := conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
			return false, err
		}
		for _, name := range names {
			if conn.Object(name, "/StatusNotifierItem").Call("org.freedesktop.DBus.Properties.Get", 0, "org.kde.StatusNotifierItem", "Id").Err == nil {
				return true, nil
			}
		}
		return false, fmt.Errorf("there are %v", names)
	}))
}

// wears waits until the icon is the one of that name, on the bus and on the
// screen, and the tooltip has the words.
func (p *person) wears(name, tooltip string) {
	p.t.Helper()
	p.wearsOnBus(name, tooltip)
	seen(p.t, &p.Tray, "icon-", name)
}

func (p *person) wearsOnBus(name, tooltip string) {
	p.t.Helper()
	var want []*image.NRGBA
	for _, size := range sizes {
		want = append(want, drawn(p.t, name, size))
	}
	status := "Active"
	if name == view.IconClosed {
		status = "NeedsAttention"
	}
	_, err := p.item.WaitFor("the icon "+name+" with "+tooltip, func(x desktop.Properties) bool {
		return same(x.Icons, want) && strings.Contains(x.TooltipTitle, tooltip) && x.Status == status
	})
	if err != nil {
		x, _ := p.item.Properties()
		p.t.Fatalf("%v; it has %d pictures, the tooltip is %q, the status %s", err, len(x.Icons), x.TooltipTitle, x.Status)
	}
}
