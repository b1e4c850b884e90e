package watch

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// eachInotify takes what read(2) returned of inotify apart: the watch's number,
// the mask, a cookie, the size of the name, the name padded by zero bytes
// (struct inotify_event, inotify(7)).
func eachInotify(b []byte, one func(wd int32, mask uint32, name string)) {
	const head = 16
	for len(b) >= head {
		size := head + uint64(binary.NativeEndian.Uint32(b[12:]))
		if size > uint64(len(b)) {
			return
		}
		name := strings.TrimRight(string(b[head:size]), "\x00")
		one(int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), name)
		b = b[size:]
	}
}

// eachFolderNotice takes what ReadDirectoryChangesW returned apart: the offset
// of the next record, the action, the size of the name, the name in UTF-16
// (FILE_NOTIFY_INFORMATION).
func eachFolderNotice(b []byte, one func(action uint32, name string)) {
	const head = 12
	for len(b) >= head {
		next, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
		if uint64(size) > uint64(len(b)-head) {
			return
		}
		units := make([]uint16, size/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(b[head+2*i:])
		}
		one(binary.LittleEndian.Uint32(b[4:]), string(utf16.Decode(units)))
		if next < head+size || uint64(next) > uint64(len(b)) {
			return
		}
		b = b[next:]
	}
}

// aboutBlockDevice tells whether a uevent is about a block device: strings
// ended by zero bytes, first ACTION@DEVPATH, then KEY=VALUE (the kernel's
// lib/kobject_uevent.c).
func aboutBlockDevice(message []byte) bool {
	for i := 0; len(message) > 0; i++ {
		var field []byte
		field, message, _ = bytes.Cut(message, []byte{0})
		if i > 0 && string(field) == "SUBSYSTEM=block" {
			return true
		}
	}
	return false
}

// executedPath is the path that a process of macOS was started by: after the
// number of arguments, up to the first zero byte (kern.procargs2, sysctl(3)).
func executedPath(arguments []byte) string {
	if len(arguments) < 4 {
		return ""
	}
	path, _, ended := bytes.Cut(arguments[4:], []byte{0})
	if !ended {
		return ""
	}
	return string(path)
}
