package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf16"
)

// binaryPlist reads the binary form, as the comment at the head of Apple's
// CFBinaryPList.c lays it out: the magic, the objects, a table of where each
// object begins, and a trailer of 32 bytes.
type binaryPlist struct {
	data    []byte // up to the table of offsets, so that no object runs into it
	table   []byte
	offset  int // bytes of one entry of the table
	ref     int // bytes of one reference to an object
	objects uint64
	budget  plistBudget
}

// plistTrailer is the length of the binary form's trailer.
const plistTrailer = 32

// errPlistUID marks a value that is left out.
var errPlistUID = errors.New("property list: not a value")

func parseBinaryPlist(data []byte) (any, error) {
	p, top, err := openBinaryPlist(data)
	if err != nil {
		return nil, err
	}
	v, err := p.object(top, 0)
	if errors.Is(err, errPlistUID) {
		return nil, errors.New("property list: holds no value")
	}
	return v, err
}

// openBinaryPlist checks magic and trailer. Of the versions only 0 ("bplist00",
// and "bplist0?" written by early systems) is documented.
func openBinaryPlist(data []byte) (*binaryPlist, uint64, error) {
	const magic = "bplist0"
	if len(data) < len(magic)+1+plistTrailer || string(data[:len(magic)]) != magic {
		return nil, 0, errors.New("property list: binary form is cut short, or of another version")
	}
	trailer := data[len(data)-plistTrailer:]
	p := &binaryPlist{offset: int(trailer[6]), ref: int(trailer[7]), objects: binary.BigEndian.Uint64(trailer[8:])}
	top := binary.BigEndian.Uint64(trailer[16:])
	table := binary.BigEndian.Uint64(trailer[24:])
	end := uint64(len(data) - plistTrailer)
	switch {
	case p.offset < 1 || p.offset > 8 || p.ref < 1 || p.ref > 8:
		return nil, 0, errors.New("property list: sizes in the trailer are wrong")
	case table < uint64(len(magic)+1) || table > end || p.objects == 0 || p.objects > (end-table)/uint64(p.offset):
		return nil, 0, errors.New("property list: table of objects is not inside the file")
	}
	p.data, p.table = data[:table], data[table:end]
	return p, top, nil
}

// bigEndian is a big-endian number of any length up to 8 bytes.
func bigEndian(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// at gives the marker of an object and what follows it.
func (p *binaryPlist) at(index uint64) (marker byte, rest []byte, err error) {
	if index >= p.objects {
		return 0, nil, fmt.Errorf("property list: object %d is not in the table", index)
	}
	start := int(index) * p.offset
	where := bigEndian(p.table[start : start+p.offset])
	if where >= uint64(len(p.data)) {
		return 0, nil, fmt.Errorf("property list: object %d is not inside the file", index)
	}
	return p.data[where], p.data[where+1:], nil
}

// object reads one value. The upper half of the marker is the kind, the lower
// one a size or a length.
func (p *binaryPlist) object(index uint64, depth int) (any, error) {
	if depth > maxPlistDepth {
		return nil, errors.New("property list: nested too deep")
	}
	marker, rest, err := p.at(index)
	if err != nil {
		return nil, err
	}
	kind, low := marker>>4, int(marker&0x0f)
	switch kind {
	case 0x0:
		return p.constant(marker)
	case 0x1, 0x2, 0x3:
		return p.fixed(kind, low, rest)
	case 0x8:
		return nil, errPlistUID
	}
	count, rest, err := p.count(low, rest)
	if err != nil {
		return nil, err
	}
	switch kind {
	case 0x4, 0x5, 0x6, 0x7:
		return p.text(kind, count, rest)
	case 0xa, 0xb, 0xc: // array, ordered set, set
		return p.array(count, rest, depth)
	case 0xd:
		return p.dict(count, rest, depth)
	}
	return nil, fmt.Errorf("property list: object of unknown kind %#x", marker)
}

func (p *binaryPlist) constant(marker byte) (any, error) {
	if err := p.budget.take(0); err != nil {
		return nil, err
	}
	switch marker {
	case 0x08:
		return false, nil
	case 0x09:
		return true, nil
	case 0x00:
		return nil, errPlistUID
	}
	return nil, fmt.Errorf("property list: object of unknown kind %#x", marker)
}

// fixed reads integers (0x1), reals (0x2) and dates (0x3) of 2^low bytes.
func (p *binaryPlist) fixed(kind byte, low int, rest []byte) (any, error) {
	if low > 4 || len(rest) < 1<<low {
		return nil, errors.New("property list: number is cut short")
	}
	b := rest[:1<<low]
	if err := p.budget.take(24); err != nil {
		return nil, err
	}
	switch {
	case kind == 0x1 && len(b) == 16:
		return plistHuge(b), nil
	case kind == 0x1 && len(b) == 8: // only numbers of 8 bytes have a sign
		return fmt.Sprint(int64(bigEndian(b))), nil
	case kind == 0x1:
		return fmt.Sprint(bigEndian(b)), nil
	case kind == 0x2 && len(b) == 4:
		return plistReal(float64(math.Float32frombits(uint32(bigEndian(b)))), 32), nil
	case kind == 0x2 && len(b) == 8:
		return plistReal(math.Float64frombits(bigEndian(b)), 64), nil
	case kind == 0x3 && len(b) == 8:
		if at, ok := plistDate(math.Float64frombits(bigEndian(b))); ok {
			return at, nil
		}
		return nil, errors.New("property list: date is no date")
	}
	return nil, errors.New("property list: number of an unknown size")
}

// plistHuge writes a number of 16 bytes, in two's complement.
func plistHuge(b []byte) string {
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n.String()
}

// count is how many bytes, characters or elements an object has: low itself,
// or the integer that follows.
func (p *binaryPlist) count(low int, rest []byte) (int, []byte, error) {
	if low == 0x0f {
		if len(rest) < 1 || rest[0]>>4 != 0x1 || rest[0]&0x0f > 3 {
			return 0, nil, errors.New("property list: length is not a number")
		}
		size := 1 << (rest[0] & 0x0f)
		if len(rest) < 1+size {
			return 0, nil, errors.New("property list: length is cut short")
		}
		n := bigEndian(rest[1 : 1+size])
		if n > uint64(len(p.data)) {
			return 0, nil, errors.New("property list: longer than the file")
		}
		return int(n), rest[1+size:], nil
	}
	return low, rest, nil
}

// text reads data (0x4), ASCII (0x5), UTF-16 (0x6) and UTF-8 (0x7).
func (p *binaryPlist) text(kind byte, count int, rest []byte) (any, error) {
	size := count
	if kind == 0x6 {
		size *= 2
	}
	if size > len(rest) {
		return nil, errors.New("property list: text is cut short")
	}
	if err := p.budget.take(size * 2); err != nil {
		return nil, err
	}
	b := rest[:size]
	switch kind {
	case 0x4:
		return base64.StdEncoding.EncodeToString(b), nil
	case 0x6:
		units := make([]uint16, count)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(b[2*i:])
		}
		return strings.TrimSpace(string(utf16.Decode(units))), nil
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "\uFFFD")), nil
}

// refs cuts the first count references off.
func (p *binaryPlist) refs(count int, rest []byte) (refs, after []byte, err error) {
	if count > len(rest)/p.ref {
		return nil, nil, errors.New("property list: container is cut short")
	}
	return rest[:count*p.ref], rest[count*p.ref:], nil
}

func (p *binaryPlist) nth(refs []byte, i int) uint64 { return bigEndian(refs[i*p.ref : (i+1)*p.ref]) }

func (p *binaryPlist) array(count int, rest []byte, depth int) (any, error) {
	refs, _, err := p.refs(count, rest)
	if err != nil {
		return nil, err
	}
	if err := p.budget.take(0); err != nil {
		return nil, err
	}
	var out []any
	for i := range count {
		v, err := p.object(p.nth(refs, i), depth+1)
		if errors.Is(err, errPlistUID) {
			if err := p.budget.take(0); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (p *binaryPlist) dict(count int, rest []byte, depth int) (any, error) {
	keys, rest, err := p.refs(count, rest)
	if err != nil {
		return nil, err
	}
	values, _, err := p.refs(count, rest)
	if err != nil {
		return nil, err
	}
	if err := p.budget.take(0); err != nil {
		return nil, err
	}
	out := map[string]any{}
	for i := range count {
		key, err := p.key(p.nth(keys, i))
		if err != nil {
			return nil, err
		}
		v, err := p.object(p.nth(values, i), depth+1)
		if errors.Is(err, errPlistUID) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}

// key reads an object that must be text.
func (p *binaryPlist) key(index uint64) (string, error) {
	marker, rest, err := p.at(index)
	if err != nil {
		return "", err
	}
	kind := marker >> 4
	if kind < 0x5 || kind > 0x7 {
		return "", errors.New("property list: a dictionary's key is not text")
	}
	count, rest, err := p.count(int(marker&0x0f), rest)
	if err != nil {
		return "", err
	}
	text, err := p.text(kind, count, rest)
	if err != nil {
		return "", err
	}
	return text.(string), nil
}
