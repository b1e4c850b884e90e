package desktop

import (
	"image"
	"image/draw"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// near is how far apart a picture of the desktop and its reference may be. The
// two icons of the sample are five times that apart.
const near = 0.06

// TestTray goes through all that the desktop can do, with the sample program.
func TestTray(t *testing.T) {
	l := newLaps(t)
	d := Start(t)
	l.lap("desktop with a panel")
	notes := diary(filepath.Join(d.Home(), "diary"))
	p := must[*Process](t)(d.Run(nil, built, string(notes)))
	item := must[*Item](t)(d.WaitForItem())
	l.lap("icon registered")
	first := must[*image.RGBA](t)(d.Icon())
	l.lap("icon seen")
	compare(t, &d.Tray, "icon-first", first)
	checkProperties(t, item)
	checkMenu(t, item)
	l.lap("icon and menu read from the bus")

	tip, shot, err := d.Hover()
	ok(t, err)
	must[string](t)(d.Keep("tooltip", shot))
	if tip.Dx() < 60 || tip.Dy() < 12 || tip.Dy() > 60 {
		t.Errorf("the tooltip is at %v", tip)
	}
	l.lap("tooltip seen")
	clickByHand(t, d, item, notes)
	l.lap("two menus opened, an entry and one of a submenu clicked by hand")

	ok(t, item.ClickEntry("Change"))
	notes.expect(t, "change")
	second := must[*image.RGBA](t)(d.WaitForIcon(first))
	l.lap("icon changed by a click over the bus")
	compare(t, &d.Tray, "icon-second", second)
	if apart := Distance(first, second); apart < 3*near {
		t.Errorf("the two icons are only %.3f apart", apart)
	}

	ok(t, d.RestartPanel())
	l.lap("panel killed and started again")
	item = must[*Item](t)(d.WaitForItem())
	again := must[*image.RGBA](t)(d.Icon())
	l.lap("icon is back")
	if !Changed(second, again, image.Rectangle{}).Empty() {
		t.Error("another icon came back")
	}
	ok(t, item.ClickEntry("Quit"))
	ok(t, d.WaitForNoIcon())
	ok(t, d.WaitForNoItem())
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	notes.expect(t, "ended")
	l.lap("program has quit")
}

// compare keeps a picture and compares it with the reference.
func compare(t *testing.T, d *Tray, name string, m *image.RGBA) {
	t.Helper()
	must[string](t)(d.Keep(name, m))
	if err := Reference(filepath.Join("reference", name+".png"), m, near); err != nil {
		t.Error(err)
	}
}

func checkProperties(t *testing.T, item *Item) {
	t.Helper()
	p, err := item.WaitFor("the tooltip", func(p Properties) bool { return p.TooltipTitle == "Sample: first icon" })
	ok(t, err)
	if p.Title != "Sample" || p.Status != "Active" || p.Category != "ApplicationStatus" || len(p.Icons) != 1 {
		t.Errorf("title %q, status %q, category %q, %d icons", p.Title, p.Status, p.Category, len(p.Icons))
	}
	drawn := must[image.Image](t)(readPNG(filepath.Join("..", "..", "tray", "icons", "png", "healthy-32.png")))
	want := image.NewNRGBA(drawn.Bounds())
	draw.Draw(want, want.Bounds(), drawn, image.Point{}, draw.Src)
	for i, got := range p.Icons[0].Pix {
		if alpha := want.Pix[i|3]; alpha != 0 && max(int(got)-int(want.Pix[i]), int(want.Pix[i])-int(got)) > 9 {
			t.Fatalf("byte %d of the icon on the bus is %d, in the picture %d", i, got, want.Pix[i])
		}
	}
	if err := item.Activate(); err == nil {
		t.Error("an icon that is only a menu was activated")
	}
}

// sampleMenu is the menu of the sample. The access key of its first entry is no
// longer in the text.
const sampleMenu = `(Sample menu)
---
[ ] Mark
More
  Deep
Change
Quit
`

func checkMenu(t *testing.T, item *Item) {
	t.Helper()
	_, err := item.WaitForMenu("the menu", func(e *Entry) bool { return e.String() == sampleMenu })
	ok(t, err)
	for path, want := range map[string]string{"Sample menu": "cannot be chosen", "More > Nothing": "no such entry", "": "no such entry"} {
		if err := item.ClickEntry(strings.Split(path, " > ")...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("click %q: %v, want %q", path, err, want)
		}
	}
}

// clickByHand opens the menu by both buttons of the mouse and clicks where its
// entries are drawn.
func clickByHand(t *testing.T, d *Desktop, item *Item, notes diary) {
	t.Helper()
	menu, shot, err := d.OpenMenu(Right)
	ok(t, err)
	rows := Rows(shot, menu)
	if len(rows) != 5 {
		t.Fatalf("%d rows in the menu: %v", len(rows), rows)
	}
	compare(t, &d.Tray, "menu", Crop(shot, menu))
	ok(t, d.Key("Escape"))
	ok(t, d.WaitForNoMenu(menu))
	menu, _, err = d.OpenMenu(Right)
	ok(t, err)
	ok(t, d.CloseMenu(menu))
	menu, shot, err = d.OpenMenu(Right)
	ok(t, err)
	rows = Rows(shot, menu)
	ok(t, d.Click(Middle(rows[1]), Left))
	notes.expect(t, "mark")
	ok(t, d.WaitForNoMenu(menu))
	root, err := item.WaitForMenu("the mark", func(e *Entry) bool { return e.Find("Mark").Checked })
	ok(t, err)
	if !strings.Contains(root.String(), "[x] Mark\n") {
		t.Errorf("the menu is\n%s", root)
	}

	menu, shot, err = d.OpenMenu(Left)
	ok(t, err)
	deep, now, err := d.OpenSubmenu(menu, rows[2], shot)
	ok(t, err)
	must[string](t)(d.Keep("submenu", now))
	ok(t, d.Click(Middle(deep), Left))
	notes.expect(t, "deep")
	ok(t, d.WaitForNoMenu(menu.Union(deep)))
	notes.never(t, "change")
}

// TestPanelComesLate has a program that is there before the panel, and one that
// loses it, on a dark desktop.
func TestPanelComesLate(t *testing.T) {
	d := StartWith(t, Options{Dark: true, NoPanel: true})
	if owned := must[bool](t)(d.Owned(watcherName)); owned {
		t.Fatal("somebody keeps a list of icons without a panel")
	}
	if _, err := d.FindIcon(); err == nil {
		t.Fatal("an icon without a panel")
	}
	notes := diary(filepath.Join(d.Home(), "diary"))
	p := must[*Process](t)(d.Run([]string{"SAMPLE=1"}, built, string(notes)))
	notes.expect(t, "ready")
	for range 2 {
		ok(t, d.StartPanel())
		must[*Item](t)(d.WaitForItem())
		compare(t, &d.Tray, "icon-dark", must[*image.RGBA](t)(d.Icon()))
		ok(t, d.StopPanel())
	}
	ok(t, d.StartPanel())
	must[image.Rectangle](t)(d.FindIcon())
	ok(t, p.Stop())
	ok(t, d.WaitForNoIcon())
	if d.StartPanel() == nil {
		t.Error("a second panel was started")
	}
}

// TestNothingIsLeft has a program leave a process behind, which is found, ended
// and told; without one nothing is left of the desktop's own.
func TestNothingIsLeft(t *testing.T) {
	d := must[*Desktop](t)(Open(t.TempDir(), Options{}))
	dir := d.dir
	for _, name := range []string{"Xvfb", "dbus-daemon", "openbox", "xfce4-panel", "xfconfd", "wrapper-2.0"} {
		if !strings.Contains(strings.Join(values(marked(dir)), "\n"), name) {
			t.Errorf("%s is not known as part of the desktop: %v", name, marked(dir))
		}
	}
	ok(t, d.Close())
	if left := marked(dir); len(left) > 0 {
		t.Fatalf("left: %v", left)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its folder is left: %v", err)
	}

	d = must[*Desktop](t)(Open(t.TempDir(), Options{NoPanel: true}))
	sleep := must[string](t)(exec.LookPath("sleep"))
	shell := must[*Process](t)(d.Run(nil, "/bin/sh", "-c", sleep+" 1000 &"))
	ok(t, shell.Err())
	dir, d.grace = d.dir, time.Second
	if err := d.Close(); err == nil || !strings.Contains(err.Error(), "sleep 1000") {
		t.Errorf("a process left behind was not told: %v", err)
	}
	if left := marked(dir); len(left) > 0 {
		t.Errorf("what was left behind was not ended: %v", left)
	}
}

func values(m map[int]string) []string {
	var out []string
	for _, v := range m {
		out = append(out, v)
	}
	return out
}
