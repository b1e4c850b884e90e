package desktop

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// plain is a picture of one colour with a square of another in it.
func plain(size int, ground, square color.Color, at image.Rectangle) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, size, size))
	draw.Draw(m, m.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)
	draw.Draw(m, at, image.NewUniform(square), image.Point{}, draw.Src)
	return m
}

func TestChanged(t *testing.T) {
	at := image.Rect(3, 5, 9, 7)
	empty := plain(20, color.Black, color.Black, at)
	full := plain(20, color.Black, color.White, at)
	faint := plain(20, color.Black, color.Gray{noticed}, at)
	for _, c := range []struct {
		b           *image.RGBA
		place, want image.Rectangle
	}{
		{full, image.Rectangle{}, at},
		{full, image.Rect(0, 0, 5, 20), image.Rect(3, 5, 5, 7)},
		{full, image.Rect(10, 0, 20, 20), image.Rectangle{}},
		{full, image.Rect(-5, -5, 50, 50), at},
		{empty, image.Rectangle{}, image.Rectangle{}},
		{faint, image.Rectangle{}, image.Rectangle{}},
	} {
		if got := Changed(empty, c.b, c.place); !got.Eq(c.want) {
			t.Errorf("in %v: %v, want %v", c.place, got, c.want)
		}
	}
}

// TestDistance has it as the issue of the comparison: size and smoothing do not
// count, another picture does.
func TestDistance(t *testing.T) {
	square := plain(64, color.White, color.Black, image.Rect(16, 16, 48, 48))
	small := plain(22, color.White, color.Black, image.Rect(5, 5, 17, 17))
	moved := plain(64, color.White, color.Black, image.Rect(32, 16, 64, 48))
	black := plain(64, color.Black, color.Black, image.Rectangle{})
	white := plain(5, color.White, color.White, image.Rectangle{})
	for name, c := range map[string]struct {
		a, b      image.Image
		from, upt float64
	}{
		"same":            {square, square, 0, 0},
		"smaller":         {square, small, 0.01, 0.15},
		"moved":           {square, moved, 0.4, 0.6},
		"black and white": {black, white, 0.999, 1.001},
	} {
		d := Distance(c.a, c.b)
		if d < c.from || d > c.upt || math.Abs(d-Distance(c.b, c.a)) > 1e-9 {
			t.Errorf("%s: %.3f, want %.3f to %.3f", name, d, c.from, c.upt)
		}
	}
}

func TestReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "a.png")
	one := plain(16, color.White, color.Black, image.Rect(0, 0, 8, 8))
	other := plain(16, color.White, color.Black, image.Rect(8, 8, 16, 16))
	t.Setenv(update, "")
	if err := Reference(path, one, 1); err == nil || !strings.Contains(err.Error(), "no reference picture") {
		t.Errorf("without a reference: %v", err)
	}
	t.Setenv(update, "1")
	if err := Reference(path, one, 0); err != nil {
		t.Fatal(err)
	}
	t.Setenv(update, "")
	if err := Reference(path, one, 0); err != nil {
		t.Error(err)
	}
	if err := Reference(path, other, 0.3); err == nil {
		t.Error("another picture passed for it")
	}
}

// TestRows has a menu with a frame, a separator, a row in two parts that belong
// together and two rows apart.
func TestRows(t *testing.T) {
	m := plain(100, color.Black, color.White, image.Rect(10, 10, 60, 90))
	for _, r := range []image.Rectangle{
		{image.Pt(20, 20), image.Pt(40, 28)}, {image.Pt(14, 36), image.Pt(56, 37)}, // separator
		{image.Pt(20, 44), image.Pt(22, 45)}, {image.Pt(20, 47), image.Pt(40, 55)}, // letter and dot
		{image.Pt(20, 62), image.Pt(30, 70)},
	} {
		draw.Draw(m, r, image.NewUniform(color.Gray{0x40}), image.Point{}, draw.Src)
	}
	rows := Rows(m, image.Rect(10, 10, 60, 90))
	if len(rows) != 3 || rows[0].Min.Y != 20 || rows[1] != image.Rect(14, 44, 56, 55) || rows[2].Max.Y != 70 {
		t.Errorf("rows %v", rows)
	}
}

// dump is an X window dump of one row of two pixels.
func dump(order uint32, pixels ...byte) []byte {
	var head [xwdFields]uint32
	head[xwdHeaderSize], head[xwdVersion], head[xwdFormat] = 4*xwdFields, 7, 2
	head[xwdWidth], head[xwdHeight], head[xwdByteOrder] = 2, 1, order
	head[xwdBitsPerPixel], head[xwdBytesPerLine], head[xwdColours] = 32, 8, 1
	var out []byte
	for _, v := range head {
		out = binary.BigEndian.AppendUint32(out, v)
	}
	return append(append(out, make([]byte, colourSize)...), pixels...)
}

func TestDecodeXWD(t *testing.T) {
	for name, data := range map[string][]byte{
		"least first": dump(0, 3, 2, 1, 0, 30, 20, 10, 0),
		"most first":  dump(1, 0, 1, 2, 3, 0, 10, 20, 30),
	} {
		m, err := decodeXWD(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m.RGBAAt(0, 0) != (color.RGBA{1, 2, 3, 255}) || m.RGBAAt(1, 0) != (color.RGBA{10, 20, 30, 255}) {
			t.Errorf("%s: %v", name, m.Pix)
		}
		for n := range data {
			if _, err := decodeXWD(data[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes were enough", name, n, len(data))
			}
		}
	}
}
