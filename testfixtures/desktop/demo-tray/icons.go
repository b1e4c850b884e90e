package main

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"slices"

	"github.com/postern-zt/postern/tray/shell"
	"github.com/postern-zt/postern/tray/view"
)

// icons returns a disc for each icon name, with a gap whose size tells them
// apart; no name, no image.
func icons() func(name string) shell.Image {
	images := map[string]shell.Image{}
	for i, name := range view.Icons() {
		blue := color.NRGBA{R: 0x1f, G: uint8(0x30 * i), B: 0xa0, A: 0x80}
		small := disc(32, i, blue)
		images[name] = shell.Image{PNG: [][]byte{small, disc(22, i, blue)}, ICO: ico(small, 32), Template: disc(36, i, color.NRGBA{A: 0xff})}
	}
	return func(name string) shell.Image { return images[name] }
}

func disc(size, gap int, c color.NRGBA) []byte {
	im := image.NewNRGBA(image.Rect(0, 0, size, size))
	half := size / 2
	for y := range size {
		for x := range size {
			dx, dy := x-half, y-half
			if r := dx*dx + dy*dy; r < half*half && r >= gap*gap*4 {
				im.Set(x, y, c)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		return nil // a bytes.Buffer takes everything
	}
	return b.Bytes()
}

// ico puts a PNG into an icon file (Windows documentation, "Icons": an ICONDIR
// of one ICONDIRENTRY).
func ico(image []byte, size byte) []byte {
	head := []byte{0, 0, 1, 0, 1, 0, size, size, 0, 0, 1, 0, 32, 0}
	head = binary.LittleEndian.AppendUint32(head, uint32(len(image)))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(head)+4))
	return slices.Concat(head, image)
}
