package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"slices"
	"strconv"
	"strings"
)

// drawing is an SVG of the small kind that our icons are: shapes on a square,
// each filled or stroked in one colour.
type drawing struct {
	size   float32 // of the square, in units of the drawing
	shapes []shape
	masks  map[string][]shape
}

// shape is an outline and how it is painted.
type shape struct {
	lines  []polyline
	fill   *color.RGBA // nil for none
	stroke *color.RGBA
	width  float32 // of the stroke
	mask   string  // the id of the mask it is seen through, "" for none
}

// element is an element of the file before it is understood.
type element struct {
	name string
	attr map[string]string
}

// attributes lists what each element may have. Whatever else there is in a file
// is an error, as it would be drawn by others and not by us.
func attributes(name string) []string {
	paint := []string{"fill", "stroke", "stroke-width", "mask"}
	switch name {
	case "svg":
		return []string{"xmlns", "viewBox"}
	case "title":
		return []string{}
	case "mask":
		return []string{"id", "maskUnits", "x", "y", "width", "height"}
	case "path":
		return append(paint, "d")
	case "circle":
		return append(paint, "cx", "cy", "r")
	case "rect":
		return append(paint, "x", "y", "width", "height")
	case "line":
		return append(paint, "x1", "y1", "x2", "y2")
	}
	return nil
}

// parse reads a drawing.
func parse(data []byte) (*drawing, error) {
	d := &drawing{masks: map[string][]shape{}}
	mask := "" // the one whose content is being read
	decoder := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read svg: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e, err := understand(token)
			if err != nil {
				return nil, fmt.Errorf("read svg: %w", err)
			}
			if e.name == "mask" {
				mask = e.attr["id"]
			} else if err := d.add(e, mask); err != nil {
				return nil, fmt.Errorf("read svg: %s: %w", e.name, err)
			}
		case xml.EndElement:
			if token.Name.Local == "mask" {
				mask = ""
			}
		}
	}
	if d.size == 0 || len(d.shapes) == 0 {
		return nil, errors.New("read svg: nothing in it")
	}
	return d, nil
}

func understand(start xml.StartElement) (element, error) {
	e := element{start.Name.Local, map[string]string{}}
	known := attributes(e.name)
	if known == nil {
		return e, fmt.Errorf("element %s is not one that is drawn", e.name)
	}
	for _, a := range start.Attr {
		if !slices.Contains(known, a.Name.Local) {
			return e, fmt.Errorf("attribute %s of %s is not one that is drawn", a.Name.Local, e.name)
		}
		e.attr[a.Name.Local] = a.Value
	}
	return e, nil
}

// add takes the size from the root and the outline from shapes.
func (d *drawing) add(e element, mask string) error {
	var s shape
	var err error
	switch e.name {
	case "title":
		return nil
	case "svg":
		box, err := numbers(e.attr["viewBox"])
		if err != nil || len(box) != 4 || box[0] != 0 || box[1] != 0 || box[2] != box[3] || box[2] <= 0 {
			return fmt.Errorf("viewBox %q is not a square from 0 0", e.attr["viewBox"])
		}
		d.size = box[2]
		return nil
	case "path":
		s.lines, err = outlines(e.attr["d"])
	case "circle":
		s.lines, err = circle(e)
	case "rect":
		s.lines, err = rectangle(e)
	case "line":
		s.lines, err = line(e)
	}
	if err != nil {
		return err
	}
	if err := s.painted(e); err != nil {
		return err
	}
	if mask != "" {
		d.masks[mask] = append(d.masks[mask], s)
	} else {
		d.shapes = append(d.shapes, s)
	}
	return nil
}

// painted reads how a shape is painted; what SVG fills in black by default has
// to say so here.
func (s *shape) painted(e element) error {
	var err error
	if s.fill, err = paint(e.attr["fill"]); err != nil {
		return err
	}
	if s.stroke, err = paint(e.attr["stroke"]); err != nil {
		return err
	}
	if s.fill == nil && s.stroke == nil {
		return errors.New("neither filled nor stroked")
	}
	if s.fill == nil && e.attr["fill"] != "none" && e.name != "line" {
		return errors.New(`without a fill; say fill="none"`)
	}
	if s.stroke != nil {
		if s.width, err = e.number("stroke-width"); err != nil || s.width <= 0 {
			return fmt.Errorf("stroke-width %q", e.attr["stroke-width"])
		}
	}
	if m := e.attr["mask"]; m != "" {
		id, ok := strings.CutPrefix(m, "url(#")
		s.mask, ok = strings.TrimSuffix(id, ")"), ok && strings.HasSuffix(id, ")")
		if !ok {
			return fmt.Errorf("mask %q", m)
		}
	}
	return nil
}

// paint reads a colour of the form #rrggbb; none and nothing are nil.
func paint(s string) (*color.RGBA, error) {
	if s == "" || s == "none" {
		return nil, nil
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	if err != nil || len(s) != 7 || s[0] != '#' {
		return nil, fmt.Errorf("colour %q is not of the form #rrggbb", s)
	}
	return &color.RGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}, nil
}

func (e element) number(name string) (float32, error) {
	all, err := numbers(e.attr[name])
	if err != nil || len(all) != 1 {
		return 0, fmt.Errorf("%s %q is not a number", name, e.attr[name])
	}
	return all[0], nil
}

// values reads several attributes.
func (e element) values(names ...string) ([]float32, error) {
	var out []float32
	for _, name := range names {
		v, err := e.number(name)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func numbers(s string) ([]float32, error) {
	var out []float32
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }) {
		v, err := strconv.ParseFloat(f, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", f)
		}
		out = append(out, float32(v))
	}
	return out, nil
}
