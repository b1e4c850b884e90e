package dist

import (
	"debug/pe"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// Types of resources (Microsoft Learn, "Resource Types").
const (
	typeIcon      = 3
	typeGroupIcon = 14
	typeVersion   = 16
	typeManifest  = 24
)

// resource is one resource of a program for Windows.
type resource struct {
	kind, id, language uint32
	data               []byte
}

var le = binary.LittleEndian

// resourcesOf reads the resources of a program (Microsoft Learn, "PE Format",
// the .rsrc section): a tree of three levels, type, id and language.
func resourcesOf(f *pe.File) ([]resource, error) {
	section := f.Section(".rsrc")
	if section == nil {
		return nil, errors.New("no section of resources")
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	r := reader{data, section.VirtualAddress}
	var all []resource
	err = r.each(0, func(kind, at uint32) error {
		return r.each(at, func(id, at uint32) error {
			return r.each(at, func(language, at uint32) error {
				content, err := r.content(at)
				all = append(all, resource{kind, id, language, content})
				return err
			})
		})
	})
	return all, err
}

// reader reads a section that begins at an address.
type reader struct {
	data    []byte
	address uint32
}

// each gives the entries of a folder of the tree: their numbers, and where they
// lead to. Names do not occur in ours.
func (r reader) each(at uint32, f func(number, to uint32) error) error {
	const head, entry, deeper = 16, 8, 1 << 31
	if int(at)+head > len(r.data) {
		return errors.New("a folder lies outside the section")
	}
	n := uint32(le.Uint16(r.data[at+12:])) + uint32(le.Uint16(r.data[at+14:]))
	for i := range n {
		e := at + head + i*entry
		if int(e)+entry > len(r.data) {
			return errors.New("an entry lies outside the section")
		}
		if err := f(le.Uint32(r.data[e:]), le.Uint32(r.data[e+4:])&^deeper); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) content(at uint32) ([]byte, error) {
	if int(at)+16 > len(r.data) {
		return nil, errors.New("a leaf lies outside the section")
	}
	from, size := le.Uint32(r.data[at:])-r.address, le.Uint32(r.data[at+4:])
	if uint64(from)+uint64(size) > uint64(len(r.data)) {
		return nil, fmt.Errorf("a resource of %d bytes lies outside the section", size)
	}
	return r.data[from : from+size], nil
}

// versionOf reads version information (Microsoft Learn, "VS_VERSIONINFO
// structure"): the four numbers of the file, and the texts by their names.
func versionOf(data []byte) (numbers [4]uint16, texts map[string]string, err error) {
	texts = map[string]string{}
	err = blocks(data, 0, func(path int, key string, value []byte) {
		switch {
		case key == "VS_VERSION_INFO" && len(value) >= 52 && le.Uint32(value) == 0xFEEF04BD:
			high, low := le.Uint32(value[8:]), le.Uint32(value[12:])
			numbers = [4]uint16{uint16(high >> 16), uint16(high), uint16(low >> 16), uint16(low)}
		case path == 3: // below StringFileInfo and a language
			texts[key] = wide(value)
		}
	})
	return numbers, texts, err
}

// blocks walks through a block and those in it: length, length of the value,
// whether it is text, the name, the value, all on borders of four bytes.
func blocks(data []byte, depth int, f func(depth int, key string, value []byte)) error {
	for len(data) >= 6 {
		size, count, text := int(le.Uint16(data)), int(le.Uint16(data[2:])), le.Uint16(data[4:]) == 1
		if size < 6 || size > len(data) {
			return fmt.Errorf("a block of %d bytes in %d", size, len(data))
		}
		key := wide(data[6:size])
		at := (6 + 2*len(utf16.Encode([]rune(key))) + 2 + 3) &^ 3
		if text {
			count *= 2
		}
		if at+count > size {
			if at = min(at, size); count > 0 {
				return fmt.Errorf("the value of %s is too long", key)
			}
		}
		f(depth, key, data[at:at+count])
		if key != "VarFileInfo" {
			if err := blocks(data[min((at+count+3)&^3, size):size], depth+1, f); err != nil {
				return err
			}
		}
		data = data[min((size+3)&^3, len(data)):]
	}
	return nil
}

// wide reads UTF-16 up to a zero.
func wide(data []byte) string {
	var units []uint16
	for i := 0; i+1 < len(data); i += 2 {
		u := le.Uint16(data[i:])
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
