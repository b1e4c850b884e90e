package screenlock

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// builder writes the format of gvdb.go, as dconf and glib-compile-schemas do.
type builder struct{ out []byte }

// entry is a value with its type, or a table.
type entry struct {
	kind  string // GVariant type; empty: table
	value []byte
	table map[string]entry
}

func boolean(b byte) entry { return entry{kind: "b", value: []byte{b}} }

func u32(n uint32) entry { return entry{kind: "u", value: binary.LittleEndian.AppendUint32(nil, n)} }

func i32(n int32) entry {
	return entry{kind: "i", value: binary.LittleEndian.AppendUint32(nil, uint32(n))}
}

// inSchema is a default as schemas have it.
func (e entry) inSchema(more string) entry {
	e.kind = "(" + e.kind + more + ")"
	return e
}

func build(entries map[string]entry) string {
	b := &builder{out: append([]byte("GVariant"), make([]byte, 16)...)}
	start, end := b.table(entries)
	binary.LittleEndian.PutUint32(b.out[16:], start)
	binary.LittleEndian.PutUint32(b.out[20:], end)
	return string(b.out)
}

func (b *builder) append(data []byte) (start, end uint32) {
	for len(b.out)%8 != 0 {
		b.out = append(b.out, 0)
	}
	start = uint32(len(b.out))
	b.out = append(b.out, data...)
	return start, uint32(len(b.out))
}

// table writes one item for every folder of a key that is a path, and the item
// itself below it, as dconf does.
func (b *builder) table(entries map[string]entry) (start, end uint32) {
	var names []string
	for name := range entries {
		names = append(names, name)
		for i, c := range name {
			if folder := name[:i+1]; c == '/' && strings.HasPrefix(name, "/") && !slices.Contains(names, folder) && folder != name {
				names = append(names, folder)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	const buckets = 1
	body := binary.LittleEndian.AppendUint32(nil, 0)
	body = binary.LittleEndian.AppendUint32(body, buckets)
	body = binary.LittleEndian.AppendUint32(body, 0)
	for _, name := range names {
		e, real := entries[name]
		parent, part := uint32(gvdbNoItem), name
		if i := strings.LastIndexByte(strings.TrimSuffix(name, "/"), '/'); strings.HasPrefix(name, "/") && name != "/" {
			parent, part = uint32(slices.Index(names, name[:i+1])), name[i+1:]
		}
		keyStart, _ := b.append([]byte(part))
		kind, from, to := byte('L'), uint32(0), uint32(0)
		switch {
		case real && e.kind != "":
			kind = gvdbValue
			from, to = b.append(append(append(slices.Clone(e.value), 0), e.kind...))
		case real:
			kind = gvdbTable
			from, to = b.table(e.table)
		}
		item := binary.LittleEndian.AppendUint32(nil, djb(name))
		item = binary.LittleEndian.AppendUint32(item, parent)
		item = binary.LittleEndian.AppendUint32(item, keyStart)
		item = binary.LittleEndian.AppendUint16(item, uint16(len(part)))
		item = append(item, kind, 0)
		item = binary.LittleEndian.AppendUint32(item, from)
		body = append(body, binary.LittleEndian.AppendUint32(item, to)...)
	}
	return b.append(body)
}

func TestGVDB(t *testing.T) {
	db, err := parseGVDB([]byte(build(map[string]entry{
		"/org/gnome/desktop/session/idle-delay": u32(300), "/a/b": boolean(1), "/a/n": i32(-5), "/a/odd": {kind: "s", value: []byte("x\x00")},
		".locks": {table: map[string]entry{"/a/b": {kind: "()"}}},
	})))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]scalar{"/org/gnome/desktop/session/idle-delay": {'u', 300}, "/a/b": {'b', 1}, "/a/n": {'i', -5}, "/a/odd": {}} {
		if v, there := db.value(key); !there || v != want {
			t.Errorf("%s: %v, %v", key, v, there)
		}
	}
	for _, key := range []string{"/a/none", "b", "/b", "/org/gnome/", ""} {
		if v, there := db.value(key); there {
			t.Errorf("%s: %v", key, v)
		}
	}
	locks, ok := db.inner(".locks")
	if !ok || !locks.has("/a/b") || locks.has("/a/n") {
		t.Error("locks")
	}
	schemas, err := parseGVDB([]byte(build(map[string]entry{"org.x": {table: map[string]entry{
		"plain": u32(7).inSchema(""), "ranged": u32(8).inSchema("(y(uu))"), "own": u32(9).inSchema("(ya{sv})"), "text": {kind: "(s)", value: []byte("a\x00")},
	}}})))
	if err != nil {
		t.Fatal(err)
	}
	schema, _ := schemas.inner("org.x")
	for key, want := range map[string]scalar{"plain": {'u', 7}, "ranged": {'u', 8}, "own": {}, "text": {}, "none": {}} {
		if v, ok := schema.schemaDefault(key); v != want || ok != (want.kind != 0) {
			t.Errorf("%s: %v, %v", key, v, ok)
		}
	}
}

// A file that lies about its sizes is refused or finds nothing; it never
// reaches outside of itself.
func TestGVDBMalformed(t *testing.T) {
	whole := build(map[string]entry{"/a/b": boolean(1)})
	for n := range len(whole) {
		if db, err := parseGVDB([]byte(whole[:n])); err == nil {
			db.value("/a/b")
		}
		for _, bits := range []byte{0xff, 0x80, 1} {
			changed := []byte(whole)
			changed[n] ^= bits
			if db, err := parseGVDB(changed); err == nil {
				db.value("/a/b")
				db.inner("/a/b")
				db.schemaDefault("/a/b")
			}
		}
	}
	if _, err := parseGVDB([]byte("GVariant")); err == nil {
		t.Error("read a file of 8 bytes")
	}
}
