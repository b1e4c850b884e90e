package main

import (
	"bytes"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFilesAreFromTheDrawings makes every file again and compares it byte for
// byte with the one in the tree; there are no others.
func TestFilesAreFromTheDrawings(t *testing.T) {
	files, err := generate("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		there, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(there, data) {
			t.Errorf("%s is not what the drawing gives: run go generate ./tray/icons", name)
		}
	}
	for _, folder := range []string{"png", "ico", "template"} {
		err := fs.WalkDir(os.DirFS(".."), folder, func(name string, e fs.DirEntry, err error) error {
			if _, made := files[name]; err == nil && !e.IsDir() && !made {
				t.Errorf("%s is from no drawing", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestRun writes the files to another place.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "svg"), os.DirFS(filepath.Join("..", "svg"))); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{dir}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "ico", "offline.ico"))
	want, err2 := os.ReadFile(filepath.Join("..", "ico", "offline.ico"))
	if err != nil || err2 != nil || !bytes.Equal(data, want) {
		t.Error("another file", err, err2)
	}
	if run(nil) == nil || run([]string{t.TempDir()}) == nil {
		t.Error("without a folder, or without drawings in it, it ran")
	}
}

// draw gives the drawing of elements on a square of 16.
func drawn(t *testing.T, size int, elements string) *image.NRGBA {
	t.Helper()
	d, err := parse([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">` + elements + `</svg>`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.render(size, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// area is how much is covered, in units of the drawing.
func area(m *image.NRGBA) float64 {
	sum := 0
	for i := 3; i < len(m.Pix); i += 4 {
		sum += int(m.Pix[i])
	}
	scale := float64(m.Bounds().Dx()) / 16
	return float64(sum) / 255 / scale / scale
}

// TestAreas draws what geometry knows the area of.
func TestAreas(t *testing.T) {
	for elements, want := range map[string]float64{
		`<rect x="2" y="3" width="4" height="5" fill="#ff0000"/>`:                                                                                 20,
		`<circle cx="8" cy="8" r="5" fill="#ff0000"/>`:                                                                                            25 * math.Pi,
		`<circle cx="8" cy="8" r="5" fill="none" stroke="#ff0000" stroke-width="2"/>`:                                                             (36 - 16) * math.Pi,
		`<circle cx="8" cy="8" r="5" fill="#ff0000" stroke="#00ff00" stroke-width="2"/>`:                                                          36 * math.Pi,
		`<line x1="3" y1="4" x2="9" y2="12" stroke="#ff0000" stroke-width="2"/>`:                                                                  20,
		`<rect x="3" y="3" width="10" height="10" fill="none" stroke="#ff0000" stroke-width="2"/>`:                                                144 - 64,
		`<path d="M2 2 L14 2 L14 14 Z" fill="#ff0000"/>`:                                                                                          72,
		`<path d="M2 2 H14 V14 H2 Z M4 4 V12 H12 V4 Z" fill="#ff0000"/>`:                                                                          144 - 64,
		`<path d="M0 8 Q8 0 16 8 Z" fill="#ff0000"/>`:                                                                                             16 * 4 * 2.0 / 3,
		`<path d="M3 3 H13 V13" fill="none" stroke="#ff0000" stroke-width="2"/>`:                                                                  10*2 + 10*2 + 0,
		`<mask id="a"><rect x="0" y="0" width="8" height="16" fill="#ffffff"/></mask><circle cx="8" cy="8" r="5" fill="#ff0000" mask="url(#a)"/>`: 25 * math.Pi / 2,
	} {
		for _, size := range []int{16, 22, 64, 256} {
			// A pixel's cover is rounded to 8 bits.
			if got := area(drawn(t, size, elements)); math.Abs(got-want) > 0.02*want {
				t.Errorf("%s at %d: area %.2f, want %.2f", elements, size, got, want)
			}
		}
	}
}

// TestColours has later shapes over earlier ones and edges in the colour of
// their shape.
func TestColours(t *testing.T) {
	m := drawn(t, 32, `<rect x="0" y="0" width="16" height="16" fill="#102030"/><rect x="4" y="4" width="8" height="8" fill="#a0b0c0"/>`)
	if c := m.NRGBAAt(2, 2); c.R != 0x10 || c.G != 0x20 || c.B != 0x30 || c.A != 255 {
		t.Errorf("outside %v", c)
	}
	if c := m.NRGBAAt(16, 16); c.R != 0xa0 || c.G != 0xb0 || c.B != 0xc0 {
		t.Errorf("inside %v", c)
	}
	edge := drawn(t, 16, `<rect x="2.5" y="0" width="4" height="16" fill="#a0b0c0"/>`).NRGBAAt(2, 8)
	if edge.A < 126 || edge.A > 129 || edge.R < 0x9e || edge.R > 0xa2 {
		t.Errorf("an edge is %v", edge)
	}
}

// TestParseRefuses has it refuse whatever would be drawn otherwise by others.
func TestParseRefuses(t *testing.T) {
	const open, shut = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">`, `</svg>`
	const good = `<rect x="1" y="1" width="2" height="2" fill="#123456"/>`
	for text, want := range map[string]string{
		``:                          "nothing in it",
		open + shut:                 "nothing in it",
		open + good:                 "unexpected EOF",
		`<svg>` + good + shut:       "viewBox",
		`<svg viewBox="0 0 16 9"/>`: "viewBox",
		open + `<text>a</text>`:     "element text",
		open + `<rect rx="1"/>`:     "attribute rx",
		open + `<rect fill="red"/>`: "x",
		open + `<circle cx="1" cy="1" r="1" fill="red"/>`:                 `colour "red"`,
		open + `<circle cx="1" cy="1" r="1"/>`:                            "neither",
		open + `<circle cx="1" cy="1" r="1" stroke="#000000"/>`:           "without a fill",
		open + `<line x1="1" y1="1" x2="2" y2="2" stroke="#000000"/>`:     "stroke-width",
		open + `<circle cx="1" cy="1" r="1" fill="#000000" mask="none"/>`: "mask",
		open + `<path d="" fill="#000000"/>`:                              "without commands",
		open + `<path d="L1 1" fill="#000000"/>`:                          "without a move",
		open + `<path d="M1 1 Z L2 2" fill="#000000"/>`:                   "without a move",
		open + `<path d="M1 1 A2 2 0 0 0 1 1" fill="#000000"/>`:           "command A",
		open + `<path d="M1 1 l2 2" fill="#000000"/>`:                     "command l",
		open + `<path d="M1 1 L2" fill="#000000"/>`:                       "command L",
		open + `<path d="M1 -" fill="#000000"/>`:                          "not a number",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	d, err := parse([]byte(open + `<circle cx="1" cy="1" r="1" fill="#000000" mask="url(#b)"/>` + shut))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.render(16, nil); err == nil {
		t.Error("a mask that is not there was drawn through")
	}
}
