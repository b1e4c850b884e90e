package icons

import (
	"image/color"
	"testing"
)

// TestForSystray has colours come out right at every alpha, and every icon keep
// its shape.
func TestForSystray(t *testing.T) {
	for alpha := range 256 {
		for _, wanted := range []color.NRGBA{{0x1f, 0x98, 0x52, 0}, {0xe3, 0x54, 0x59, 0}, {0x80, 0x85, 0x8e, 0}, {0, 127, 255, 0}} {
			pixel := []byte{wanted.R, wanted.G, wanted.B, uint8(alpha)}
			before(pixel)
			r, g, b, a := color.NRGBA{pixel[0], pixel[1], pixel[2], pixel[3]}.RGBA()
			if alpha == 0 {
				r, g, b = uint32(wanted.R), uint32(wanted.G), uint32(wanted.B) // nobody sees them
			}
			off := distance(uint8(r), wanted.R) + distance(uint8(g), wanted.G) + distance(uint8(b), wanted.B)
			if off > 9 || distance(uint8(a), uint8(alpha)) > near {
				t.Errorf("%v at alpha %d comes out as %d %d %d at %d", wanted, alpha, uint8(r), uint8(g), uint8(b), uint8(a))
			}
		}
	}
	for _, name := range Names() {
		i, _ := Tray(name)
		data, err := ForSystray(i.PNG[32])
		if err != nil {
			t.Fatal(err)
		}
		if d := difference(decode(t, i.PNG[32], 32), decode(t, data, 32), alpha); d > near/255.0 {
			t.Errorf("%s: another shape", name)
		}
	}
	if _, err := ForSystray([]byte("no picture")); err == nil {
		t.Error("what is no picture was read")
	}
}
