package wine

import (
	"bytes"
	"encoding/binary"
)

// shim is bcryptprimitives.dll, without which no program of Go starts and which
// Wine has only since version 9: a library whose one function, ProcessPrng,
// stands for another that Wine has, SystemFunction036 of advapi32 (known as
// RtlGenRandom). The layout is that of "PE Format" in Microsoft's
// documentation: headers in the first 512 bytes, the export directory in the
// second.
func shim() []byte {
	const (
		base       = 0x180000000
		directory  = 0x1000 // where the second half lies in memory
		half       = 0x200
		peHeader   = 0x40
		optional   = peHeader + 24
		tables     = optional + 112
		section    = tables + 16*8
		x64        = 0x8664
		dll        = 0x2022 // a library, for addresses of 64 bits
		readOnly   = 0x40000040
		console    = 3
		movable    = 0x0160
		peMagic    = 0x20b
		windows6   = 6
		pageSize   = 0x1000
		imageSize  = 0x2000
		reserve    = 0x100000
		tableCount = 16
	)
	exports := exportDirectory(directory)
	file := make([]byte, 2*half)
	le := binary.LittleEndian
	copy(file, "MZ")
	le.PutUint32(file[0x3c:], peHeader)
	copy(file[peHeader:], "PE\x00\x00")
	le.PutUint16(file[peHeader+4:], x64)
	le.PutUint16(file[peHeader+6:], 1) // sections
	le.PutUint16(file[peHeader+20:], section-optional)
	le.PutUint16(file[peHeader+22:], dll)
	le.PutUint16(file[optional:], peMagic)
	for at, v := range map[int]uint32{
		8: half, 20: directory, 32: pageSize, 36: half, 56: imageSize, 60: half, 108: tableCount,
		112: directory, 116: uint32(len(exports)),
	} {
		le.PutUint32(file[optional+at:], v)
	}
	for at, v := range map[int]uint16{40: windows6, 48: windows6, 68: console, 70: movable} {
		le.PutUint16(file[optional+at:], v)
	}
	for at, v := range map[int]uint64{24: base, 72: reserve, 80: pageSize, 88: reserve, 96: pageSize} {
		le.PutUint64(file[optional+at:], v)
	}
	copy(file[section:], ".edata")
	for at, v := range map[int]uint32{8: uint32(len(exports)), 12: directory, 16: half, 20: half, 36: readOnly} {
		le.PutUint32(file[section+at:], v)
	}
	copy(file[half:], exports)
	return file
}

// exportDirectory lists the one function. Its address is inside the directory,
// which marks it as the name of another one.
func exportDirectory(at uint32) []byte {
	const head = 40
	var b bytes.Buffer
	b.Write(make([]byte, head+4+4+2)) // the head, one address, one name, one ordinal
	place := func(text string) uint32 {
		where := at + uint32(b.Len())
		b.WriteString(text + "\x00")
		return where
	}
	library, name, other := place("bcryptprimitives.dll"), place("ProcessPrng"), place("advapi32.SystemFunction036")
	out := b.Bytes()
	le := binary.LittleEndian
	for offset, v := range map[int]uint32{
		12: library, 16: 1, 20: 1, 24: 1, // first ordinal, functions, names
		28: at + head, 32: at + head + 4, 36: at + head + 8,
		head: other, head + 4: name,
	} {
		le.PutUint32(out[offset:], v)
	}
	return out
}
