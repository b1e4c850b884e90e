package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// point is a place in units of the drawing, x to the right and y down.
type point struct{ x, y float32 }

// polyline is an outline of straight pieces. Curves have become many of them.
type polyline struct {
	points []point
	closed bool
}

// pieces is how many straight pieces stand for a curve. At 256 pixels they are
// apart from it by less than a hundredth of a pixel.
const pieces = 48

// outlines reads the commands M, L, H, V, C, Q and Z of path data (SVG 1.1 §8.3),
// each with its letter and in absolute coordinates.
func outlines(data string) ([]polyline, error) {
	var out []polyline
	for len(strings.TrimSpace(data)) > 0 {
		data = strings.TrimSpace(data)
		command := data[0]
		end := strings.IndexFunc(data[1:], unicode.IsLetter) + 1
		if end == 0 {
			end = len(data)
		}
		args, err := numbers(data[1:end])
		if err != nil {
			return nil, err
		}
		if out, err = step(out, command, args); err != nil {
			return nil, fmt.Errorf("command %c: %w", command, err)
		}
		data = data[end:]
	}
	if len(out) == 0 {
		return nil, errors.New("a path without commands")
	}
	return out, nil
}

// step adds one command to the outlines.
func step(out []polyline, command byte, args []float32) ([]polyline, error) {
	want := map[byte]int{'M': 2, 'L': 2, 'H': 1, 'V': 1, 'C': 6, 'Q': 4, 'Z': 0}
	n, known := want[command]
	if !known || len(args) != n {
		return nil, fmt.Errorf("unknown, or with %d numbers", len(args))
	}
	if command == 'M' {
		return append(out, polyline{points: []point{{args[0], args[1]}}}), nil
	}
	if len(out) == 0 || out[len(out)-1].closed {
		return nil, errors.New("without a move before it")
	}
	last := &out[len(out)-1]
	from := last.points[len(last.points)-1]
	switch command {
	case 'L':
		last.points = append(last.points, point{args[0], args[1]})
	case 'H':
		last.points = append(last.points, point{args[0], from.y})
	case 'V':
		last.points = append(last.points, point{from.x, args[0]})
	case 'Q':
		// The same curve as one of degree three (its control points lie two thirds
		// of the way to the one given).
		q, to := point{args[0], args[1]}, point{args[2], args[3]}
		last.curve(between(from, q, 2.0/3), between(to, q, 2.0/3), to)
	case 'C':
		last.curve(point{args[0], args[1]}, point{args[2], args[3]}, point{args[4], args[5]})
	case 'Z':
		last.closed = true
	}
	return out, nil
}

func between(a, b point, t float32) point {
	return point{a.x + float32((b.x-a.x)*t), a.y + float32((b.y-a.y)*t)}
}

// curve adds a Bézier curve of degree three, by de Casteljau's way.
func (l *polyline) curve(b, c, d point) {
	a := l.points[len(l.points)-1]
	for i := 1; i <= pieces; i++ {
		t := float32(i) / pieces
		ab, bc, cd := between(a, b, t), between(b, c, t), between(c, d, t)
		l.points = append(l.points, between(between(ab, bc, t), between(bc, cd, t), t))
	}
}

// round is how far the control points of a quarter of a circle lie from its
// ends, of its radius.
const round = 0.5522847

func circle(e element) ([]polyline, error) {
	v, err := e.values("cx", "cy", "r")
	if err != nil {
		return nil, err
	}
	return []polyline{disc(point{v[0], v[1]}, v[2])}, nil
}

// disc is the outline of a circle, clockwise.
func disc(m point, r float32) polyline {
	k := float32(r * round)
	l := polyline{points: []point{{m.x + r, m.y}}, closed: true}
	l.curve(point{m.x + r, m.y + k}, point{m.x + k, m.y + r}, point{m.x, m.y + r})
	l.curve(point{m.x - k, m.y + r}, point{m.x - r, m.y + k}, point{m.x - r, m.y})
	l.curve(point{m.x - r, m.y - k}, point{m.x - k, m.y - r}, point{m.x, m.y - r})
	l.curve(point{m.x + k, m.y - r}, point{m.x + r, m.y - k}, point{m.x + r, m.y})
	return l
}

func rectangle(e element) ([]polyline, error) {
	v, err := e.values("x", "y", "width", "height")
	if err != nil {
		return nil, err
	}
	x, y, r, b := v[0], v[1], v[0]+v[2], v[1]+v[3]
	return []polyline{{points: []point{{x, y}, {r, y}, {r, b}, {x, b}}, closed: true}}, nil
}

func line(e element) ([]polyline, error) {
	v, err := e.values("x1", "y1", "x2", "y2")
	if err != nil {
		return nil, err
	}
	return []polyline{{points: []point{{v[0], v[1]}, {v[2], v[3]}}}}, nil
}
