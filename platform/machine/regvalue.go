package machine

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/postern-zt/postern/posture/evidence"
)

// The types of values of the Windows registry ("Registry value types").
const (
	regNone = iota
	regText
	regExpand
	regBinary
	regDword
	regDwordBig
	regLink
	regMulti
	regResources
	regDescriptor
	regRequirements
	regQword
)

// regTypes are the names of the types, by number, as reg.exe prints them.
func regTypes() []string {
	return []string{
		"REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN", "REG_LINK", "REG_MULTI_SZ",
		"REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD",
	}
}

// regValue is one value of a key in the form of evidence.RegistryValue. A
// number whose length is not that of its type has no data.
func regValue(name string, kind uint32, data []byte) evidence.RegistryValue {
	v := evidence.RegistryValue{Name: name, Type: fmt.Sprintf("REG_%d", kind)}
	if names := regTypes(); kind < uint32(len(names)) {
		v.Type = names[kind]
	}
	switch {
	case kind == regText || kind == regExpand || kind == regLink:
		v.Data, _, _ = strings.Cut(wide(data), "\x00")
	case kind == regMulti:
		texts := strings.Split(wide(data), "\x00")
		if end := slices.Index(texts, ""); end >= 0 { // an empty text ends the list
			texts = texts[:end]
		}
		v.Data = strings.Join(texts, `\0`)
	case kind == regDword && len(data) == 4:
		v.Data = fmt.Sprintf("0x%x", binary.LittleEndian.Uint32(data))
	case kind == regDwordBig && len(data) == 4:
		v.Data = fmt.Sprintf("0x%x", binary.BigEndian.Uint32(data))
	case kind == regQword && len(data) == 8:
		v.Data = fmt.Sprintf("0x%x", binary.LittleEndian.Uint64(data))
	case kind != regDword && kind != regDwordBig && kind != regQword:
		v.Data = strings.ToUpper(hex.EncodeToString(data))
	}
	return v
}

// wide reads UTF-16, low byte first; half a character at the end is lost.
func wide(data []byte) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}
