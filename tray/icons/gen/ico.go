package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
)

// pngFrom is the size from which pictures in an ICO are PNG. The smaller ones
// are bitmaps, which everything that ever read an ICO can read.
const pngFrom = 48

// ico packs pictures of several sizes into one file of the ICO format: a header,
// a directory and the pictures (ICONDIR and ICONDIRENTRY in Microsoft's
// "Icons").
func ico(pictures []*image.NRGBA) ([]byte, error) {
	var head, body bytes.Buffer
	write(&head, uint16(0), uint16(1), uint16(len(pictures))) // 1 is an icon
	const headSize, entrySize = 6, 16
	for _, m := range pictures {
		size := m.Bounds().Dx()
		data := bitmap(m)
		if size >= pngFrom {
			var err error
			if data, err = encode(m); err != nil {
				return nil, err
			}
		}
		// 256 is written as 0; no palette; one plane of 32 bits.
		write(&head, uint8(size), uint8(size), uint8(0), uint8(0), uint16(1), uint16(32),
			uint32(len(data)), uint32(headSize+entrySize*len(pictures)+body.Len()))
		body.Write(data)
	}
	return append(head.Bytes(), body.Bytes()...), nil
}

// bitmap is a picture as in an ICO: BITMAPINFOHEADER, the rows from below in
// BGRA, and the mask of one bit for each pixel that comes from before there was
// an alpha, all of it zero.
func bitmap(m *image.NRGBA) []byte {
	size := m.Bounds().Dx()
	var b bytes.Buffer
	write(&b, uint32(40), uint32(size), uint32(2*size), uint16(1), uint16(32),
		uint32(0), uint32(4*size*size), uint32(0), uint32(0), uint32(0), uint32(0))
	for y := size - 1; y >= 0; y-- {
		for x := range size {
			c := m.NRGBAAt(x, y)
			b.Write([]byte{c.B, c.G, c.R, c.A})
		}
	}
	b.Write(make([]byte, (size+31)/32*4*size))
	return b.Bytes()
}

// write adds numbers in the order of bytes that Windows has. A bytes.Buffer
// takes all there is.
func write(b *bytes.Buffer, values ...any) {
	for _, v := range values {
		binary.Write(b, binary.LittleEndian, v)
	}
}

// encode is a picture as PNG.
func encode(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("write png: %w", err)
	}
	return b.Bytes(), nil
}
