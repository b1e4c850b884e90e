package desktop

import (
	"image"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/testfixtures/wine"
)

// TestWineTray goes through all that Wine's desktop can do, with the sample
// program built for Windows.
func TestWineTray(t *testing.T) {
	l := newLaps(t)
	d := StartWine(t)
	l.lap("wine's desktop with a taskbar")
	path := filepath.Join(t.TempDir(), "diary")
	notes := diary(path)
	p := must[*Process](t)(d.Run(nil, built+".exe", wine.Windows(path)))
	notes.expect(t, "ready")
	l.lap("program ready")
	first := must[*image.RGBA](t)(d.Icon())
	compare(t, &d.Tray, "wine-icon-first", first)
	l.lap("icon seen")

	tip, shot, err := d.Hover()
	ok(t, err)
	must[string](t)(d.Keep("tooltip", shot))
	if tip.Dx() < 60 || tip.Dy() < 12 || tip.Dy() > 60 {
		t.Errorf("the tooltip is at %v", tip)
	}
	ok(t, d.Rest())
	ok(t, d.WaitForNoMenu(tip))
	l.lap("tooltip seen and gone")

	menu, shot, _ := openWineMenu(t, d, Right)
	compare(t, &d.Tray, "wine-menu", Crop(shot, menu))
	ok(t, d.CloseMenu(menu))
	menu, shot, rows := openWineMenu(t, d, Left)
	deep, now, err := d.OpenSubmenu(menu, rows[2], shot)
	ok(t, err)
	must[string](t)(d.Keep("submenu", now))
	ok(t, d.Click(Middle(deep), Left))
	notes.expect(t, "deep")
	ok(t, d.WaitForNoMenu(menu.Union(deep)))
	l.lap("menu opened, closed, opened, an entry of a submenu clicked")

	_, _, rows = openWineMenu(t, d, Right)
	ok(t, d.Click(Middle(rows[3]), Left))
	notes.expect(t, "change")
	second := must[*image.RGBA](t)(d.WaitForIcon(first))
	compare(t, &d.Tray, "wine-icon-second", second)
	if apart := Distance(first, second); apart < 2*near {
		t.Errorf("the two icons are only %.3f apart", apart)
	}
	notes.never(t, "mark")
	l.lap("icon changed")

	_, _, rows = openWineMenu(t, d, Right)
	ok(t, d.Click(Middle(rows[4]), Left))
	notes.expect(t, "ended")
	ok(t, d.WaitForNoIcon())
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	l.lap("program has quit")
}

func openWineMenu(t *testing.T, d *WineDesktop, b Button) (image.Rectangle, *image.RGBA, []image.Rectangle) {
	t.Helper()
	menu, shot, err := d.OpenMenu(b)
	ok(t, err)
	rows := Rows(shot, menu)
	if len(rows) != 5 {
		must[string](t)(d.Keep("menu", shot))
		t.Fatalf("%d rows in the menu at %v: %v", len(rows), menu, rows)
	}
	return menu, shot, rows
}
