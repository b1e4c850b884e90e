package desktop

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// noticed is by how much one of the three colours of a pixel (of 255) has to
// differ to count as changed.
const noticed = 8

// Changed is the smallest rectangle that holds every pixel of the place (all of
// the first picture if it is empty) that differs between two pictures.
func Changed(a, b image.Image, place image.Rectangle) image.Rectangle {
	if place.Empty() {
		place = a.Bounds()
	}
	x, y := pixels(a), pixels(b)
	place = place.Intersect(a.Bounds()).Intersect(b.Bounds())
	var out image.Rectangle
	for py := place.Min.Y; py < place.Max.Y; py++ {
		i, j := x.PixOffset(place.Min.X, py), y.PixOffset(place.Min.X, py)
		if bytes.Equal(x.Pix[i:i+4*place.Dx()], y.Pix[j:j+4*place.Dx()]) {
			continue
		}
		for px := range place.Dx() {
			if differ(x.Pix[i+4*px:], y.Pix[j+4*px:]) {
				at := image.Pt(place.Min.X+px, py)
				out = out.Union(image.Rectangle{at, at.Add(image.Pt(1, 1))})
			}
		}
	}
	return out
}

func differ(a, b []byte) bool {
	for c := range 3 {
		if d := int(a[c]) - int(b[c]); d > noticed || d < -noticed {
			return true
		}
	}
	return false
}

// pixels is the picture as RGBA, itself if it is that.
func pixels(m image.Image) *image.RGBA {
	if rgba, ok := m.(*image.RGBA); ok {
		return rgba
	}
	out := image.NewRGBA(m.Bounds())
	draw.Draw(out, out.Bounds(), m, m.Bounds().Min, draw.Src)
	return out
}

// Crop is a copy of a place of a picture, with its corner at 0, 0.
func Crop(m image.Image, place image.Rectangle) *image.RGBA {
	place = place.Intersect(m.Bounds())
	out := image.NewRGBA(image.Rectangle{Max: place.Size()})
	draw.Draw(out, out.Bounds(), m, place.Min, draw.Src)
	return out
}

// fields is into how many fields, each way, a picture is divided to be compared.
const fields = 8

// Distance says how much two pictures differ to somebody who looks from afar:
// both are divided into eight by eight fields, whatever their sizes, and it is
// the root of the mean square of the differences of the fields' mean greys. 0
// is the same, 1 is black against white. Fonts and smoothing hardly count.
func Distance(a, b image.Image) float64 {
	x, y := greys(a), greys(b)
	sum := 0.0
	for i := range x {
		sum += (x[i] - y[i]) * (x[i] - y[i])
	}
	return math.Sqrt(sum / float64(len(x)))
}

// greys are the means of the fields, from 0 for black to 1 for white. A pixel
// that lies in two fields counts for each by its share.
func greys(m image.Image) [fields * fields]float64 {
	p := pixels(m)
	var sum, weight [fields * fields]float64
	w, h := p.Bounds().Dx(), p.Bounds().Dy()
	for y := range h {
		for x := range w {
			c := p.Pix[p.PixOffset(p.Rect.Min.X+x, p.Rect.Min.Y+y):]
			// Rec. 601, as in image/color.
			grey := (0.299*float64(c[0]) + 0.587*float64(c[1]) + 0.114*float64(c[2])) / 255
			for _, v := range shares(y, h) {
				for _, u := range shares(x, w) {
					i := v.field*fields + u.field
					sum[i] += grey * u.share * v.share
					weight[i] += u.share * v.share
				}
			}
		}
	}
	for i := range sum {
		if weight[i] > 0 {
			sum[i] /= weight[i]
		}
	}
	return sum
}

type share struct {
	field int
	share float64
}

// shares says in which fields the pixel i of n lies.
func shares(i, n int) []share {
	from, to := float64(i)*fields/float64(n), float64(i+1)*fields/float64(n)
	var out []share
	for f := int(from); f < fields && float64(f) < to; f++ {
		if s := min(to, float64(f+1)) - max(from, float64(f)); s > 0 {
			out = append(out, share{f, s})
		}
	}
	return out
}

// update is the variable with which references are written instead of compared.
const update = "POSTERN_UPDATE"

// Reference compares a picture by Distance with the PNG at path; further away
// than limit is an error. With POSTERN_UPDATE set it writes the PNG instead.
func Reference(path string, got image.Image, limit float64) error {
	if os.Getenv(update) != "" {
		return writePNG(path, got)
	}
	want, err := readPNG(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no reference picture: look at the new one and run again with %s=1: %w", update, err)
	}
	if err != nil {
		return err
	}
	if d := Distance(want, got); d > limit {
		return fmt.Errorf("%s: differs by %.3f, at most %.3f is allowed", filepath.Base(path), d, limit)
	}
	return nil
}

func readPNG(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return m, nil
}

func writePNG(path string, m image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
