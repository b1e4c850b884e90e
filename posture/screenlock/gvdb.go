package screenlock

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
)

// gvdb is a table of GLib's GVDB format, in which dconf keeps its databases and
// GSettings its compiled schemas. The file begins with a signature that tells
// the byte order of the values; everything else is little-endian: a pointer
// (start and end) to the root table, and for a table the number of words of
// its Bloom filter, the number of hash buckets, both arrays, and items of 24
// bytes: hash, parent, key's start, key's size (16 bit), type, unused byte,
// pointer to the value. An item's key follows that of its parent.
type gvdb struct {
	data  []byte
	items []byte
	order binary.ByteOrder // of values
}

const (
	gvdbItem    = 24
	gvdbNoItem  = 0xffffffff
	gvdbNesting = 64 // parents of one item
	gvdbValue   = 'v'
	gvdbTable   = 'H'
)

var errGVDB = errors.New("gvdb: not a well-formed database")

func parseGVDB(data []byte) (gvdb, error) {
	if len(data) < 24 {
		return gvdb{}, errGVDB
	}
	t := gvdb{data: data}
	switch string(data[:8]) {
	case "GVariant":
		t.order = binary.LittleEndian
	case "raVGtnai":
		t.order = binary.BigEndian
	default:
		return gvdb{}, errGVDB
	}
	if binary.LittleEndian.Uint32(data[8:]) != 0 { // version
		return gvdb{}, errGVDB
	}
	return t.table(data[16:24])
}

// slice is what a pointer points to.
func (t gvdb) slice(pointer []byte) ([]byte, bool) {
	start, end := binary.LittleEndian.Uint32(pointer), binary.LittleEndian.Uint32(pointer[4:])
	if start > end || int64(end) > int64(len(t.data)) {
		return nil, false
	}
	return t.data[start:end], true
}

func (t gvdb) table(pointer []byte) (gvdb, error) {
	body, ok := t.slice(pointer)
	if !ok || len(body) < 8 {
		return gvdb{}, errGVDB
	}
	words := int64(binary.LittleEndian.Uint32(body) & (1<<27 - 1)) // the upper bits are the filter's shift
	buckets := int64(binary.LittleEndian.Uint32(body[4:]))
	skip := 8 + 4*words + 4*buckets
	if skip > int64(len(body)) {
		return gvdb{}, errGVDB
	}
	t.items = body[skip:]
	return t, nil
}

// find gives the bytes behind the pointer of the item with that key and type.
// It looks at each item once; only those of the right hash are compared.
func (t gvdb) find(key string, kind byte) (pointer []byte, ok bool) {
	hash := djb(key)
	for at := 0; at+gvdbItem <= len(t.items); at += gvdbItem {
		item := t.items[at : at+gvdbItem]
		if binary.LittleEndian.Uint32(item) == hash && item[14] == kind && t.named(item, key) {
			return item[16:24], true
		}
	}
	return nil, false
}

// named compares a key with the item's own part of it and those of its parents.
func (t gvdb) named(item []byte, key string) bool {
	for range gvdbNesting {
		start := int64(binary.LittleEndian.Uint32(item[8:]))
		end := start + int64(binary.LittleEndian.Uint16(item[12:]))
		if end > int64(len(t.data)) || !strings.HasSuffix(key, string(t.data[start:end])) {
			return false
		}
		key = key[:len(key)-int(end-start)]
		parent := binary.LittleEndian.Uint32(item[4:])
		if parent == gvdbNoItem {
			return key == ""
		}
		at := int64(parent) * gvdbItem
		if at+gvdbItem > int64(len(t.items)) {
			return false
		}
		item = t.items[at : at+gvdbItem]
	}
	return false
}

// djb is the hash of GVDB, of bytes taken as signed.
func djb(key string) uint32 {
	hash := uint32(5381)
	for i := range len(key) {
		hash = hash*33 + uint32(int32(int8(key[i])))
	}
	return hash
}

// scalar is a boolean, or a number of 32 bits, of a GVariant type: b, i or u.
type scalar struct {
	kind byte
	n    int64
}

// value reads the item with that key. there tells whether it exists, whatever
// it is; the scalar is zero where it is of another type.
func (t gvdb) value(key string) (v scalar, there bool) {
	pointer, ok := t.find(key, gvdbValue)
	if !ok {
		return scalar{}, false
	}
	raw, ok := t.slice(pointer)
	if !ok {
		return scalar{}, true
	}
	content, kind := splitVariant(raw)
	return t.scalar(content, kind), true
}

// inner is a table inside this one.
func (t gvdb) inner(key string) (gvdb, bool) {
	pointer, ok := t.find(key, gvdbTable)
	if !ok {
		return gvdb{}, false
	}
	in, err := t.table(pointer)
	return in, err == nil
}

// has tells whether there is an item of that key, as a list of locks has one
// for every path.
func (t gvdb) has(key string) bool {
	_, ok := t.find(key, gvdbValue)
	return ok
}

// schemaDefault reads the default of a setting from a schema's table, in which
// a key's value is a tuple that begins with it. Where the schema has another
// default for some desktop, it is not known which one counts.
func (t gvdb) schemaDefault(key string) (scalar, bool) {
	pointer, ok := t.find(key, gvdbValue)
	if !ok {
		return scalar{}, false
	}
	raw, ok := t.slice(pointer)
	if !ok {
		return scalar{}, false
	}
	content, kind := splitVariant(raw)
	kind, ok = strings.CutPrefix(kind, "(")
	if !ok || kind == "" || strings.Contains(kind, "a{sv}") {
		return scalar{}, false
	}
	size := map[byte]int{'b': 1, 'i': 4, 'u': 4}[kind[0]]
	if size == 0 || len(content) < size {
		return scalar{}, false
	}
	v := t.scalar(content[:size], kind[:1])
	return v, v.kind != 0
}

// splitVariant takes a serialised variant apart: content, zero byte, type.
func splitVariant(raw []byte) (content []byte, kind string) {
	i := bytes.LastIndexByte(raw, 0)
	if i < 0 {
		return nil, ""
	}
	return raw[:i], string(raw[i+1:])
}

func (t gvdb) scalar(content []byte, kind string) scalar {
	switch {
	case kind == "b" && len(content) == 1 && content[0] <= 1:
		return scalar{'b', int64(content[0])}
	case kind == "i" && len(content) == 4:
		return scalar{'i', int64(int32(t.order.Uint32(content)))}
	case kind == "u" && len(content) == 4:
		return scalar{'u', int64(t.order.Uint32(content))}
	}
	return scalar{}
}
