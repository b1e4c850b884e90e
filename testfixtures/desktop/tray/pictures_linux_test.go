package tray

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/postern-zt/postern/testfixtures/desktop"
	"github.com/postern-zt/postern/tray/icons"
)

// near is how far apart a picture and its reference may be.
const near = 0.06

// seen waits until the icon on a screen is near the reference of that name, and
// nearer to it than to every other one.
func seen(t testing.TB, tray *desktop.Tray, prefix, name string) {
	t.Helper()
	var icon *image.RGBA
	err := desktop.Until("the icon "+name+" to be drawn", desktop.Patience/2, func() (bool, error) {
		var err error
		if icon, err = tray.Icon(); err != nil {
			return false, err
		}
		return looks(t, prefix, name, icon)
	})
	if icon != nil {
		must[string](t)(tray.Keep(prefix+name, icon))
	}
	ok(t, err)
}

func looks(t testing.TB, prefix, name string, icon *image.RGBA) (bool, error) {
	t.Helper()
	own := apart(t, prefix, name, icon)
	for _, other := range icons.Names() {
		if other != name && apart(t, prefix, other, icon) <= own {
			return false, fmt.Errorf("it looks like %s", other)
		}
	}
	return own <= near, fmt.Errorf("it is %.3f from its reference", own)
}

// next waits until the icon is another than before, nil for the first one, and
// near the reference of that name. With POSTERN_UPDATE it writes that.
func next(t testing.TB, tray *desktop.Tray, prefix, name string, before *image.RGBA) *image.RGBA {
	t.Helper()
	var icon *image.RGBA
	err := desktop.Until("the icon "+name+" to be drawn", desktop.Patience, func() (bool, error) {
		var err error
		if icon, err = tray.Icon(); err != nil {
			return false, err
		}
		if before != nil && desktop.Changed(before, icon, image.Rectangle{}).Empty() {
			return false, errors.New("it is the one before")
		}
		if os.Getenv("POSTERN_UPDATE") != "" {
			return true, nil
		}
		return looks(t, prefix, name, icon)
	})
	if icon != nil {
		must[string](t)(tray.Keep(prefix+name, icon))
	}
	ok(t, err)
	ok(t, desktop.Reference(reference(prefix, name), icon, near)) // or writes it
	return icon
}

func reference(prefix, name string) string { return filepath.Join("reference", prefix+name+".png") }

// picture is a reference; nil where there is none yet.
func picture(t testing.TB, prefix, name string) image.Image {
	t.Helper()
	data, err := os.ReadFile(reference(prefix, name))
	if os.IsNotExist(err) {
		return nil
	}
	ok(t, err)
	return must[image.Image](t)(png.Decode(bytes.NewReader(data)))
}

// apart is how far a picture is from a reference; far where there is none yet.
func apart(t testing.TB, prefix, name string, m image.Image) float64 {
	t.Helper()
	if want := picture(t, prefix, name); want != nil {
		return desktop.Distance(want, m)
	}
	return 1
}

// sizes are the sizes in which the tray gives its icons.
var sizes = []int{16, 22, 24, 32, 48}

// drawn is an icon as it was drawn, in a size.
func drawn(t testing.TB, name string, size int) *image.NRGBA {
	t.Helper()
	icon, known := icons.Tray(name)
	if !known {
		t.Fatalf("no icon %s", name)
	}
	m := must[image.Image](t)(png.Decode(bytes.NewReader(icon.PNG[size])))
	out := image.NewNRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
	return out
}

// same says whether icons are those as they were drawn, each size to the last
// bit.
func same(got, want []*image.NRGBA) bool {
	return slices.EqualFunc(got, want, func(a, b *image.NRGBA) bool {
		return a.Bounds() == b.Bounds() && bytes.Equal(a.Pix, b.Pix)
	})
}
