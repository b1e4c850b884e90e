package desktop

import (
	"image"
	"image/color"
)

const (
	// menuEdge is how wide the frame of a menu is at most, in pixels.
	menuEdge = 4
	// rowGap is how many empty lines of pixels end a row: more than between a
	// letter and its dots, less than between two entries.
	rowGap = 4
	// rowLeast is how high a row with text is at least; separators are lower.
	rowLeast = 5
)

// Rows finds the entries of a menu, from above, in a picture of a screen: the
// bands in which something is written. Separators do not count. A click in the
// middle of a row chooses its entry.
func Rows(screen image.Image, menu image.Rectangle) []image.Rectangle {
	m := pixels(screen)
	inside := menu.Intersect(m.Bounds()).Inset(menuEdge)
	ground := commonest(m, inside)
	var rows []image.Rectangle
	from, last := -1, -1
	end := func() {
		if from >= 0 && last-from+1 >= rowLeast {
			rows = append(rows, image.Rect(inside.Min.X, from, inside.Max.X, last+1))
		}
		from = -1
	}
	for y := inside.Min.Y; y < inside.Max.Y; y++ {
		if written(m, inside, y, ground) {
			if from < 0 {
				from = y
			}
			last = y
		} else if from >= 0 && y-last >= rowGap {
			end()
		}
	}
	end()
	return rows
}

// written says whether a line of pixels has another colour than the ground.
func written(m *image.RGBA, inside image.Rectangle, y int, ground color.RGBA) bool {
	for x := inside.Min.X; x < inside.Max.X; x++ {
		c := m.RGBAAt(x, y)
		if differ([]byte{c.R, c.G, c.B}, []byte{ground.R, ground.G, ground.B}) {
			return true
		}
	}
	return false
}

// commonest is the colour that most pixels of a place have.
func commonest(m *image.RGBA, place image.Rectangle) color.RGBA {
	count := map[color.RGBA]int{}
	var best color.RGBA
	for y := place.Min.Y; y < place.Max.Y; y++ {
		for x := place.Min.X; x < place.Max.X; x++ {
			c := m.RGBAAt(x, y)
			if count[c]++; count[c] > count[best] {
				best = c
			}
		}
	}
	return best
}
