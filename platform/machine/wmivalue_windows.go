package machine

import (
	"math"
	"strconv"
	"unsafe"

	"github.com/go-ole/go-ole"
	"golang.org/x/sys/windows"
)

// cimType is the type of a property as its class declares it (CIMTYPE_
// enumeration). The variant that carries the value may be of another one: an
// unsigned number of 32 bits comes as a signed one, one of 64 bits as text.
type cimType int32

const (
	cimSint16   cimType = 2
	cimSint32   cimType = 3
	cimReal32   cimType = 4
	cimReal64   cimType = 5
	cimString   cimType = 8
	cimBoolean  cimType = 11
	cimSint8    cimType = 16
	cimUint8    cimType = 17
	cimUint16   cimType = 18
	cimUint32   cimType = 19
	cimSint64   cimType = 20
	cimUint64   cimType = 21
	cimDatetime cimType = 101
	cimRef      cimType = 102
	cimChar16   cimType = 103
	cimArray    cimType = 0x2000
)

// bits gives size in bytes and sign of an integer type.
func (t cimType) bits() (bytes int, signed bool) {
	switch t {
	case cimSint8:
		return 1, true
	case cimUint8:
		return 1, false
	case cimSint16:
		return 2, true
	case cimUint16, cimChar16:
		return 2, false
	case cimSint32:
		return 4, true
	case cimUint32:
		return 4, false
	case cimUint64:
		return 8, false
	}
	return 8, true
}

// cells is the value of a property as text; ok is false for null and for
// objects inside objects.
func cells(v *ole.VARIANT, declared cimType) (values []string, ok bool) {
	if v.VT&ole.VT_ARRAY != 0 {
		return arrayCells(v, declared&^cimArray)
	}
	one, ok := cell(v.VT, v.Val, declared)
	if !ok {
		return nil, false
	}
	return []string{one}, true
}

func cell(kind ole.VT, raw int64, declared cimType) (string, bool) {
	switch kind {
	case ole.VT_BSTR:
		p := *(**uint16)(unsafe.Pointer(&raw))
		return ole.BstrToString(p), p != nil || declared == cimString
	case ole.VT_BOOL:
		return strconv.FormatBool(int16(raw) != 0), true
	case ole.VT_R4:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(raw))), 'g', -1, 32), true
	case ole.VT_R8:
		return strconv.FormatFloat(math.Float64frombits(uint64(raw)), 'g', -1, 64), true
	}
	n, ok := integer(kind, raw)
	if !ok {
		return "", false
	}
	bytes, signed := declared.bits()
	return decimal(n, bytes, signed), true
}

// safeArray is the head of a SAFEARRAY with one dimension.
type safeArray struct {
	dimensions uint16
	_          uint16 // features
	size       uint32 // of an element, in bytes
	_          uint32 // locks
	data       unsafe.Pointer
	elements   uint32
	_          int32 // index of the first
}

// maxElements bounds an array.
const maxElements = 1 << 16

func arrayCells(v *ole.VARIANT, declared cimType) ([]string, bool) {
	a := *(**safeArray)(unsafe.Pointer(&v.Val))
	if a == nil || a.dimensions != 1 || a.elements > maxElements || a.size == 0 || a.size > 8 {
		return nil, false
	}
	kind := v.VT &^ ole.VT_ARRAY
	out := make([]string, 0, a.elements)
	bytes := unsafe.Slice((*byte)(a.data), int(a.elements*a.size))
	for i := range int(a.elements) {
		var raw int64 // little-endian on every processor that Windows runs on
		for j := range int(a.size) {
			raw |= int64(bytes[i*int(a.size)+j]) << (8 * j)
		}
		one, ok := cell(kind, raw, declared)
		if !ok {
			return nil, false
		}
		out = append(out, one)
	}
	return out, true
}

// wideText is a text for a call, nil when it has a zero character inside.
func wideText(s string) *uint16 {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		return nil
	}
	return p
}
