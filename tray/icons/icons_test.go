package icons

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
	"testing"
)

func decode(t *testing.T, data []byte, size int) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, size, size) {
		t.Fatalf("%v, want %d pixels", m.Bounds(), size)
	}
	return m
}

// TestEveryFormIsThere reads what callers get: each form of each icon in its
// size, and nothing for other names.
func TestEveryFormIsThere(t *testing.T) {
	for _, name := range Names() {
		i, ok := Tray(name)
		if !ok || len(i.PNG) != len(Sizes()) {
			t.Fatalf("%s: %v, %d sizes", name, ok, len(i.PNG))
		}
		for _, size := range Sizes() {
			decode(t, i.PNG[size], size)
		}
		checkICO(t, i.ICO, 16, 20, 24, 32, 48, 64)
		for size, data := range map[int][]byte{16: i.Template, 32: i.Template2x} {
			m := decode(t, data, size)
			for p := range size * size {
				if r, g, b, _ := m.At(p%size, p/size).RGBA(); r|g|b != 0 {
					t.Fatalf("%s: the template has colours", name)
				}
			}
		}
		clear(i.ICO)
		if again, _ := Tray(name); bytes.Equal(again.ICO, i.ICO) {
			t.Errorf("%s: a caller's change is seen by others", name)
		}
	}
	for _, name := range []string{"", "app", "../png/healthy", "Healthy"} {
		if _, ok := Tray(name); ok {
			t.Errorf("there is an icon %q", name)
		}
	}
	p := App()
	for _, size := range []int{16, 24, 32, 48, 64, 128, 256} {
		decode(t, p.PNG[size], size)
	}
	if !bytes.HasPrefix(p.SVG, []byte("<svg ")) || len(p.PNG) != 7 {
		t.Error("the program's icon is not complete")
	}
	checkICO(t, p.ICO, 16, 24, 32, 48, 256)
}

// checkICO reads the directory of an ICO and the header of each picture in it.
func checkICO(t *testing.T, data []byte, sizes ...int) {
	t.Helper()
	le := binary.LittleEndian
	if len(data) < 6 || le.Uint16(data) != 0 || le.Uint16(data[2:]) != 1 || int(le.Uint16(data[4:])) != len(sizes) {
		t.Fatalf("no ICO of %d pictures: % x", len(sizes), data[:min(6, len(data))])
	}
	end := 6 + 16*len(sizes)
	for i, size := range sizes {
		entry := data[6+16*i:]
		length, from := int(le.Uint32(entry[8:])), int(le.Uint32(entry[12:]))
		if int(entry[0]) != size%256 || int(entry[1]) != size%256 || le.Uint16(entry[6:]) != 32 || from != end || from+length > len(data) {
			t.Fatalf("entry %d of the ICO: % x", i, entry[:16])
		}
		picture := data[from : from+length]
		end += length
		if size >= 48 {
			decode(t, picture, size)
			continue
		}
		// Twice as high: the mask counts.
		if le.Uint32(picture) != 40 || int(le.Uint32(picture[4:])) != size || int(le.Uint32(picture[8:])) != 2*size ||
			length != 40+4*size*size+(size+31)/32*4*size {
			t.Fatalf("picture %d of the ICO: % x in %d bytes", i, picture[:40], length)
		}
	}
	if end != len(data) {
		t.Errorf("%d bytes after the last picture", len(data)-end)
	}
}

// panels are the colours of panels: black, white, and the dark and the light
// one of widespread desktops (Adwaita's).
var panels = [...]color.NRGBA{{A: 255}, {255, 255, 255, 255}, {0x2e, 0x34, 0x36, 255}, {0xf6, 0xf5, 0xf4, 255}}

// over is the luminance, from 0 to 1, of a pixel on a panel (WCAG 2.2, relative
// luminance).
func over(c color.Color, panel color.NRGBA) float64 {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	channel := func(top, ground uint8) float64 {
		a := float64(n.A) / 255
		v := (a*float64(top) + (1-a)*float64(ground)) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n.R, panel.R) + 0.7152*channel(n.G, panel.G) + 0.0722*channel(n.B, panel.B)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// TestContrast has every icon stand out from every panel: what it is covers
// enough pixels, each with at least 3:1 (WCAG 2.2, 1.4.11, graphical objects).
func TestContrast(t *testing.T) {
	const enough = 0.16 // of all pixels
	for _, name := range Names() {
		i, _ := Tray(name)
		for _, size := range Sizes() {
			m := decode(t, i.PNG[size], size)
			for _, panel := range panels {
				ground, seen := over(color.Transparent, panel), 0
				for p := range size * size {
					c := m.At(p%size, p/size)
					clear := contrast(over(c, panel), ground) >= 3
					if clear {
						seen++
					}
					if _, _, _, a := c.RGBA(); a == 0xffff && !clear {
						t.Fatalf("%s at %d: a full pixel has only %.2f:1 on %v", name, size, contrast(over(c, panel), ground), panel)
					}
				}
				if share := float64(seen) / float64(size*size); share < enough {
					t.Errorf("%s at %d on %v: only %.3f of it stand out", name, size, panel, share)
				}
			}
		}
	}
}

// TestShapesDiffer compares each two icons as somebody sees them who sees no
// colours: by what they cover, and in greys on every panel.
func TestShapesDiffer(t *testing.T) {
	const apart = 0.15 // of the whole picture, at least
	names := Names()
	for n, a := range names {
		for _, b := range names[n+1:] {
			for _, size := range Sizes() {
				x, _ := Tray(a)
				y, _ := Tray(b)
				p, q := decode(t, x.PNG[size], size), decode(t, y.PNG[size], size)
				if d := difference(p, q, alpha); d < apart {
					t.Errorf("%s and %s at %d: shapes only %.3f apart", a, b, size, d)
				}
				for _, panel := range panels {
					grey := func(c color.Color) float64 { return lightness(over(c, panel)) }
					span := math.Abs(grey(color.Transparent) - grey(color.NRGBA{0x80, 0x80, 0x80, 255}))
					if d := difference(p, q, grey); d < apart*span*0.75 {
						t.Errorf("%s and %s at %d on %v: greys only %.3f apart", a, b, size, panel, d)
					}
				}
			}
		}
	}
	if slices.Contains(names, "app") {
		t.Error("the program's icon is one of the tray's")
	}
}

func alpha(c color.Color) float64 {
	_, _, _, a := c.RGBA()
	return float64(a) / 0xffff
}

// lightness is how bright a luminance looks, from 0 to 1 (CIE 1976 L*).
func lightness(y float64) float64 {
	if y <= 216.0/24389 {
		return y * 24389 / 27 / 100
	}
	return (116*math.Cbrt(y) - 16) / 100
}

func difference(a, b image.Image, of func(color.Color) float64) float64 {
	sum, size := 0.0, a.Bounds().Dx()
	for p := range size * size {
		sum += math.Abs(of(a.At(p%size, p/size)) - of(b.At(p%size, p/size)))
	}
	return sum / float64(size*size)
}
