package desktop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
)

// The fields of the header of an X window dump that are read here, as places in
// it, each of 32 bits and big endian (X11/XWDFile.h, version 7).
const (
	xwdHeaderSize   = 0
	xwdVersion      = 1
	xwdFormat       = 2
	xwdWidth        = 4
	xwdHeight       = 5
	xwdByteOrder    = 7
	xwdBitsPerPixel = 11
	xwdBytesPerLine = 12
	xwdColours      = 19
	xwdFields       = 25
)

// colourSize is the size of an entry of the dump's colour map (XWDColor).
const colourSize = 12

// decodeXWD reads an X window dump of 32 bits for each pixel, red in the
// highest of the lower three bytes, as Xvfb keeps its screen of depth 24.
func decodeXWD(data []byte) (*image.RGBA, error) {
	if len(data) < 4*xwdFields {
		return nil, errors.New("read screen: cut short")
	}
	field := func(i int) int { return int(binary.BigEndian.Uint32(data[4*i:])) }
	if field(xwdVersion) != 7 || field(xwdFormat) != 2 || field(xwdBitsPerPixel) != 32 {
		return nil, fmt.Errorf("read screen: version %d, format %d, %d bits", field(xwdVersion), field(xwdFormat), field(xwdBitsPerPixel))
	}
	width, height, line := field(xwdWidth), field(xwdHeight), field(xwdBytesPerLine)
	start := field(xwdHeaderSize) + colourSize*field(xwdColours)
	if width > 1<<14 || height > 1<<14 || line < 4*width || len(data) < start+line*height {
		return nil, fmt.Errorf("read screen: %d bytes do not hold %d × %d", len(data), width, height)
	}
	red, blue := 1, 3 // places in a pixel, most significant byte first
	green := 2
	if field(xwdByteOrder) == 0 {
		red, green, blue = 2, 1, 0
	}
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		from, to := data[start+y*line:], out.Pix[y*out.Stride:]
		for x := range width {
			p := from[4*x : 4*x+4]
			to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = p[red], p[green], p[blue], 0xff
		}
	}
	return out, nil
}
