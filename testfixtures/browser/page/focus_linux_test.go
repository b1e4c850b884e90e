package page

import (
	"image"
	"image/color"
	"math"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
)

// usable is everything that the keyboard leads to.
const usable = `button:not([hidden]), a[href], summary, input`

// In every look it is seen where the focus is: the ring is there in the picture,
// and as large and as plain as WCAG 2.2 wants it (2.4.13: at least what a line
// of 2 px around it has, three to one against what was there before). Without
// the focus every place is seen too.
func TestFocusIsSeen(t *testing.T) {
	t.Parallel()
	dir := artifacts(t)
	for _, looks := range [][]like{{{Still: true}, {Still: true, Dark: true}, {Still: true, Contrast: true}, {Still: true, Width: 320, Dark: true}}, {{Still: true, Forced: true}, {Still: true, Forced: true, Dark: true}}} {
		first := brief(closed())
		first.checked.Attested, first.checked.Reason = false, localapi.CodeUnreachable // a message that stays
		_, tab := newStage(t, first, "en", like{})
		for _, in := range []struct {
			name, selector string
			least          int
			come, leave    func()
		}{
			{"page", usable, 8, func() { tab.click("#do-check"); tab.said("not judged") }, func() { tab.click("#hide") }},
			{"dialog", `dialog :is(button, input)`, 10, func() { tab.click("#do-pause"); tab.click("#pause-other") }, func() { tab.press("Escape") }},
		} {
			in.come()
			for _, l := range looks {
				tab.look(l)
				tab.ringed(l, in.selector, filepath.Join(dir, in.name+"-"+l.String()), in.least)
			}
			in.leave()
		}
	}
}

// place is where something is in the window, in CSS pixels.
type place struct {
	Name                string
	X, Y, Width, Height float64
}

// around is its place in a picture with the ring that belongs to it.
func (p place) around(ring float64) image.Rectangle {
	return image.Rect(int(p.X-ring), int(p.Y-ring), int(math.Ceil(p.X+p.Width+ring)), int(math.Ceil(p.Y+p.Height+ring)))
}

// ringed wants a ring at every place, and something to see there without one.
func (t *tab) ringed(l like, selector, path string, least int) {
	t.s.Helper()
	var places []place
	t.do("rings", map[string]any{"selector": selector, "before": path + ".png", "after": path + "-focus.png"}, &places)
	before, after := read(t.s.T, path+".png"), read(t.s.T, path+"-focus.png")
	if len(places) < least {
		t.s.Errorf("%s: there are %d places, want %d", l, len(places), least)
	}
	for _, p := range places {
		want := int(4 * (p.Width + p.Height)) // a line of 2 px around it
		if got := differs(before, after, p.around(6)); got < want {
			t.s.Errorf("%s: the focus at %s shows in %d pixels, want %d", l, p.Name, got, want)
		}
		if got := drawn(before, p.around(0)); got < 20 && p.Name != "skip" {
			t.s.Errorf("%s: of %s only %d pixels are seen", l, p.Name, got)
		}
	}
}

// differs counts the pixels of a place that are plainly other than before.
func differs(before, after image.Image, in image.Rectangle) int {
	n := 0
	in = in.Intersect(before.Bounds())
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if contrast(before.At(x, y), after.At(x, y)) >= 3 {
				n++
			}
		}
	}
	return n
}

// drawn counts the pixels of a place that stand out from its own ground, which
// is what most of it is.
func drawn(m image.Image, in image.Rectangle) int {
	seen := map[color.Color]int{}
	in = in.Intersect(m.Bounds())
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			seen[m.At(x, y)]++
		}
	}
	var ground color.Color = color.White
	for c, n := range seen {
		if n > seen[ground] {
			ground = c
		}
	}
	n := 0
	for c, times := range seen {
		if contrast(c, ground) >= 3 {
			n += times
		}
	}
	return n
}

// contrast is that of WCAG 2.2, "contrast ratio": 1 is the same, 21 black on white.
func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance is WCAG 2.2, "relative luminance", of an opaque colour of sRGB.
func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 {
		s := float64(v) / 0xffff
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// What has the focus is in the window, and not behind a message (WCAG 2.2,
// 2.4.11), however long that is and however large the letters.
func TestFocusIsNotHidden(t *testing.T) {
	t.Parallel()
	first := brief(closed())
	first.checked.Attested, first.checked.Reason = false, localapi.CodeUnreachable
	_, tab := newStage(t, first, "de", like{Locale: "de"})
	tab.click("#do-check")
	tab.until(`!document.getElementById("hide").hidden && document.getElementById("proof").hidden === false`)
	for _, l := range []like{{Still: true}, {Still: true, Width: 320}, {Still: true, Width: 320, Big: true}} {
		l.Height = 900
		tab.look(l)
		ask[any](tab, `document.getElementById("skip").focus()`)
		places := 0
		for at := ""; places < 60; places++ {
			tab.press("Tab")
			now := ask[struct {
				ID   string
				Seen bool
			}](tab, `(() => { const e = document.activeElement, r = e.getBoundingClientRect(), over = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
				return { ID: e.id || e.tagName, Seen: e === document.body || e.contains(over) }; })()`)
			if now.ID == "BODY" || now.ID == at {
				break
			}
			if at = now.ID; !now.Seen {
				t.Errorf("%s: what has the focus is hidden: %s", l, now.ID)
			}
		}
		if places < 12 {
			t.Errorf("%s: Tab led to %d places", l, places)
		}
	}
}
