package tray

import (
	"image"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/testfixtures/wine"
	"github.com/postern-zt/postern/tray/view"
)

// pipe is where the agent listens under Wine, by a name that may be anybody's
// (platform/ipc).
const pipe = `\\.\pipe\postern\state-tray-test`

// TestWine is the tray for Windows on Wine's desktop: without an agent, with
// one that has good news, and with one that has not.
func TestWine(t *testing.T) {
	t.Parallel()
	d := desktop.StartWine(t)
	run := func(name string, args ...string) *desktop.Process {
		t.Helper()
		return must[*desktop.Process](t)(d.Run(nil, program(name), args...))
	}
	tray := run("postern-tray.exe", "--socket", pipe, "--verbose")
	next(t, &d.Tray, "wine-icon-", view.IconOffline, nil)
	// headline, hint, code, ask again, details, about, close
	rows := wineMenu(t, d, "offline", 7)
	ok(t, d.Click(desktop.Middle(rows[6]), desktop.Left))
	if err := tray.Err(); err != nil {
		t.Errorf("told to end, the tray ended with %v", err)
	}
	ok(t, d.WaitForNoIcon())

	w := newTwin(t, well())
	run("agent.exe", "--socket", pipe, "--status", wine.Windows(w.file))
	tray = run("postern-tray.exe", "--socket", pipe, "--verbose")
	before := next(t, &d.Tray, "wine-icon-", view.IconHealthy, nil)
	// headline, two applications, check, person, pause, details, more, close
	rows = wineMenu(t, d, "healthy", 9)
	ok(t, d.Click(desktop.Middle(rows[3]), desktop.Left))
	w.did("check")
	// and the proof of it
	rows = wineMenu(t, d, "", 10)
	ok(t, d.CloseMenu(rows[0].Union(rows[9])))
	w.says(denied())
	next(t, &d.Tray, "wine-icon-", view.IconClosed, before)
	rows = wineMenu(t, d, "closed", 13)
	ok(t, d.Click(desktop.Middle(rows[12]), desktop.Left))
	if err := tray.Err(); err != nil {
		t.Errorf("told to end, the tray ended with %v", err)
	}
}

// nearMenu is how far apart a menu and its reference may be: mostly ground, two
// menus with other entries are nearer to each other than two icons. The time of
// a reading in one is less.
const nearMenu = 0.012

// wineMenu opens the menu until it has so many rows, and gives them. A name is
// that of its reference picture.
func wineMenu(t *testing.T, d *desktop.WineDesktop, name string, want int) []image.Rectangle {
	t.Helper()
	var rows []image.Rectangle
	ok(t, desktop.Until("the menu "+name, desktop.Patience, func() (bool, error) {
		place, shot, err := d.OpenMenu(desktop.Right)
		if err != nil {
			return false, err
		}
		if rows = desktop.Rows(shot, place); len(rows) != want {
			must[string](t)(d.Keep("not-the-menu-"+name, shot))
			t.Logf("%d rows, want %d", len(rows), want)
			return false, d.CloseMenu(place)
		}
		must[string](t)(d.Keep("menu-"+name, shot))
		if name == "" {
			return true, nil
		}
		return true, desktop.Reference(filepath.Join("reference", "wine-menu-"+name+".png"), desktop.Crop(shot, place), nearMenu)
	}))
	return rows
}
