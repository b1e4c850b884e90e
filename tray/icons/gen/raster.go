package main

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	"golang.org/x/image/vector"
)

// render draws at a size in pixels. With flat set every colour becomes that one.
func (d *drawing) render(size int, flat *color.RGBA) (*image.NRGBA, error) {
	sheet := image.NewRGBA(image.Rect(0, 0, size, size))
	for _, s := range d.shapes {
		var through *image.Alpha
		if s.mask != "" {
			shapes, ok := d.masks[s.mask]
			if !ok {
				return nil, fmt.Errorf("no mask %s", s.mask)
			}
			through = d.mask(shapes, size)
		}
		if flat != nil {
			s = s.inOne(*flat)
		}
		d.paint(sheet, s, through)
	}
	// Pixels are kept as colour and cover apart, as PNG has them.
	out := image.NewNRGBA(sheet.Bounds())
	draw.Draw(out, out.Bounds(), sheet, image.Point{}, draw.Src)
	return out, nil
}

func (s shape) inOne(c color.RGBA) shape {
	if s.fill != nil {
		s.fill = &c
	}
	if s.stroke != nil {
		s.stroke = &c
	}
	return s
}

// mask draws a mask: white lets through, black does not (SVG 1.1 §14.4, for
// greys only, which all of ours are).
func (d *drawing) mask(shapes []shape, size int) *image.Alpha {
	sheet := image.NewRGBA(image.Rect(0, 0, size, size))
	for _, s := range shapes {
		d.paint(sheet, s, nil)
	}
	out := image.NewAlpha(sheet.Bounds())
	for i := range out.Pix {
		out.Pix[i] = sheet.Pix[4*i]
	}
	return out
}

// paint puts a shape onto the sheet: first what is filled, then its stroke.
func (d *drawing) paint(sheet *image.RGBA, s shape, through *image.Alpha) {
	if s.fill != nil {
		d.cover(sheet, s.lines, *s.fill, through)
	}
	if s.stroke != nil {
		var outline []polyline
		for _, l := range s.lines {
			outline = append(outline, stroke(l, s.width/2)...)
		}
		d.cover(sheet, outline, *s.stroke, through)
	}
}

// cover paints the inside of outlines.
func (d *drawing) cover(sheet *image.RGBA, lines []polyline, c color.RGBA, through *image.Alpha) {
	size := sheet.Bounds().Dx()
	scale := float32(size) / d.size
	r := vector.NewRasterizer(size, size)
	for _, l := range lines {
		for i, p := range l.points {
			x, y := float32(p.x*scale), float32(p.y*scale)
			if i == 0 {
				r.MoveTo(x, y)
			} else {
				r.LineTo(x, y)
			}
		}
		r.ClosePath()
	}
	inside := image.NewAlpha(sheet.Bounds())
	r.Draw(inside, inside.Bounds(), image.Opaque, image.Point{})
	if through != nil {
		for i := range inside.Pix {
			inside.Pix[i] = uint8(int(inside.Pix[i]) * int(through.Pix[i]) / 0xff)
		}
	}
	draw.DrawMask(sheet, sheet.Bounds(), image.NewUniform(c), image.Point{}, inside, image.Point{}, draw.Over)
}

// stroke is what a pen covers along a line, radius to each side: its corners are
// mitred and its ends cut off, as SVG has it by default.
func stroke(l polyline, radius float32) []polyline {
	left, right := beside(l, radius), beside(l, -radius)
	slices.Reverse(right)
	if l.closed {
		// Two rings, the inner one the other way round.
		return []polyline{{points: left, closed: true}, {points: right, closed: true}}
	}
	return []polyline{{points: append(left, right...), closed: true}}
}

// beside is a line at a distance from another, to its right if that is
// positive.
func beside(l polyline, distance float32) []point {
	points := slices.Compact(slices.Clone(l.points))
	if l.closed && len(points) > 1 && points[0] == points[len(points)-1] {
		points = points[1:]
	}
	n := len(points)
	out := make([]point, 0, n)
	for i, p := range points {
		before, after := max(i-1, 0), min(i+1, n-1)
		if l.closed {
			before, after = (i+n-1)%n, (i+1)%n
		}
		u, v := normal(points[before], p), normal(p, points[after])
		if before == i {
			u = v
		}
		if after == i {
			v = u
		}
		// Along the middle of both normals, so far that it is at the distance
		// from both pieces.
		k := distance / (1 + float32(u.x*v.x) + float32(u.y*v.y))
		out = append(out, point{p.x + float32((u.x+v.x)*k), p.y + float32((u.y+v.y)*k)})
	}
	return out
}

// normal is the direction across a piece, of length 1.
func normal(a, b point) point {
	dx, dy := b.x-a.x, b.y-a.y
	length := float32(math.Hypot(float64(dx), float64(dy)))
	if length == 0 {
		return point{}
	}
	return point{-dy / length, dx / length}
}
