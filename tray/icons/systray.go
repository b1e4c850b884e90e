package icons

import (
	"bytes"
	"fmt"
	"image"
	"image/draw"
	"image/png"
)

// ForSystray gives a PNG in the form from which fyne.io/systray 1.12 makes the
// right colours on Linux. It hands the lower byte of each colour of 16 bits,
// already multiplied by the alpha, to the panel, which wants the upper byte of
// the plain colour (StatusNotifierItem specification, IconPixmap). Where a pixel
// is neither clear nor opaque, at the edges of every shape, the two have nothing
// to do with each other. So the colours here are ones that come out as those of
// the picture; looked at as a PNG, the edges of what this gives are wrong.
func ForSystray(picture []byte) ([]byte, error) {
	m, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("read icon: %w", err)
	}
	out := image.NewNRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
	for i := 0; i < len(out.Pix); i += 4 {
		before(out.Pix[i : i+4])
	}
	var b bytes.Buffer
	if err := png.Encode(&b, out); err != nil {
		return nil, fmt.Errorf("write icon: %w", err)
	}
	return b.Bytes(), nil
}

// near is by how much an alpha may be another one, so that the colours are
// right: at some, 127 above all, hardly any colour comes out.
const near = 6

// before makes a pixel, its colours and its alpha, the one that comes out most
// like it.
func before(pixel []byte) {
	if pixel[3] == 0 || pixel[3] == 0xff {
		return
	}
	var best [4]byte
	least := 1 << 16
	for alpha := max(int(pixel[3])-near, 1); alpha <= min(int(pixel[3])+near, 0xfe); alpha++ {
		try := [4]byte{3: uint8(alpha)}
		off := distance(pixel[3], try[3])
		for c := range 3 {
			var d int
			try[c], d = nearest(pixel[c], try[3])
			off += d
		}
		if off < least {
			best, least = try, off
		}
	}
	copy(pixel, best[:])
}

// nearest is the colour that comes out nearest to the one wanted, and how far
// from it.
func nearest(wanted, alpha uint8) (best uint8, off int) {
	off = 256
	for c := range 256 {
		if d := distance(comesOut(uint8(c), alpha), wanted); d < off {
			best, off = uint8(c), d
		}
	}
	return best, off
}

// comesOut is the lower byte of a colour of 16 bits that is multiplied by the
// alpha (image/color, NRGBA.RGBA).
func comesOut(c, alpha uint8) uint8 { return uint8(uint32(c) * 0x101 * uint32(alpha) / 0xff) }

func distance(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }
