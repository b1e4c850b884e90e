package patch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// lz4Reader unpacks the LZ4 frame format (LZ4 Frame Format Description 1.6,
// LZ4 Block Format Description), in which apt keeps its lists when
// Acquire::GzipIndexes is set. Checksums are passed over: the content was
// verified against the signed Release file before it was packed here.
type lz4Reader struct {
	in      *bufio.Reader
	out     []byte // the last 64 KiB that later blocks may refer to, then what is not yet read
	unread  int    // index in out
	block   []byte
	largest int  // bytes of an unpacked block
	linked  bool // blocks refer to blocks before them
	sums    bool // a checksum follows each block
	endSum  bool // a checksum follows the last block
	started bool
	err     error
}

const (
	lz4Magic  = 0x184D2204
	lz4Window = 64 << 10
)

var errLZ4 = errors.New("lz4: damaged content")

func newLZ4(r io.Reader) *lz4Reader { return &lz4Reader{in: bufio.NewReaderSize(r, 1<<16)} }

// Read implements io.Reader.
func (z *lz4Reader) Read(p []byte) (int, error) {
	for z.unread == len(z.out) && z.err == nil {
		z.err = z.next()
	}
	if z.unread == len(z.out) {
		return 0, z.err
	}
	n := copy(p, z.out[z.unread:])
	z.unread += n
	return n, nil
}

// header reads the descriptor of a frame; io.EOF where no further one begins.
func (z *lz4Reader) header() error {
	var b [4]byte
	if _, err := io.ReadFull(z.in, b[:]); err != nil {
		return err
	}
	if magic := binary.LittleEndian.Uint32(b[:]); magic != lz4Magic {
		return fmt.Errorf("lz4: not a frame: %#x", magic)
	}
	if _, err := io.ReadFull(z.in, b[:2]); err != nil {
		return errLZ4
	}
	flags, size := b[0], b[1]>>4&7
	if flags>>6 != 1 || flags&1 != 0 || size < 4 { // version 01; no dictionary
		return fmt.Errorf("lz4: unsupported frame %#x %#x", flags, b[1])
	}
	z.linked, z.sums, z.endSum = flags&0x20 == 0, flags&0x10 != 0, flags&4 != 0
	z.largest = 1 << (8 + 2*size)
	skip := 1 // the header's own checksum
	if flags&8 != 0 {
		skip += 8 // size of the content
	}
	z.started = true
	return z.skip(skip)
}

func (z *lz4Reader) skip(n int) error {
	if _, err := z.in.Discard(n); err != nil {
		return errLZ4
	}
	return nil
}

// next unpacks one more block.
func (z *lz4Reader) next() error {
	if !z.started {
		if err := z.header(); err != nil {
			return err
		}
		z.out, z.unread = z.out[:0], 0
	}
	var b [4]byte
	if _, err := io.ReadFull(z.in, b[:]); err != nil {
		return errLZ4
	}
	size := binary.LittleEndian.Uint32(b[:])
	if size == 0 {
		z.started = false
		if z.endSum {
			return z.skip(4)
		}
		return nil
	}
	plain := size&(1<<31) != 0
	size &^= 1 << 31
	if int64(size) > int64(z.largest) {
		return errLZ4
	}
	if cap(z.block) < int(size) {
		z.block = make([]byte, z.largest)
	}
	z.block = z.block[:size]
	if _, err := io.ReadFull(z.in, z.block); err != nil {
		return errLZ4
	}
	if z.sums {
		if err := z.skip(4); err != nil {
			return err
		}
	}
	return z.add(plain)
}

func (z *lz4Reader) add(plain bool) error {
	keep := 0
	if z.linked {
		keep = min(len(z.out), lz4Window)
	}
	copy(z.out, z.out[len(z.out)-keep:])
	z.out, z.unread = z.out[:keep], keep
	if plain {
		z.out = append(z.out, z.block...)
		return nil
	}
	var err error
	z.out, err = lz4Block(z.out, z.block, keep+z.largest)
	return err
}

// lz4Block appends what src unpacks to, up to a length of limit in all.
func lz4Block(out, src []byte, limit int) ([]byte, error) {
	for len(src) > 0 {
		token := src[0]
		literals, rest, ok := lz4Length(int(token>>4), src[1:], limit)
		if !ok || literals > len(rest) || len(out)+literals > limit {
			return out, errLZ4
		}
		out, src = append(out, rest[:literals]...), rest[literals:]
		if len(src) == 0 {
			return out, nil
		}
		if len(src) < 2 {
			return out, errLZ4
		}
		offset := int(binary.LittleEndian.Uint16(src))
		length, rest, ok := lz4Length(int(token&15), src[2:], limit)
		length += 4
		if !ok || offset == 0 || offset > len(out) || len(out)+length > limit {
			return out, errLZ4
		}
		src = rest
		for length > 0 { // a match may overlap what it writes
			n := min(length, offset)
			from := len(out) - offset
			out = append(out, out[from:from+n]...)
			length -= n
		}
	}
	return out, nil
}

// lz4Length adds the bytes that continue a length of 15.
func lz4Length(n int, src []byte, limit int) (length int, rest []byte, ok bool) {
	if n < 15 {
		return n, src, true
	}
	for i, b := range src {
		n += int(b)
		if b < 255 {
			return n, src[i+1:], true
		}
		if n > limit {
			break
		}
	}
	return 0, nil, false
}
