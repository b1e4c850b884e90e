package machine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// libSystem finds a function of the one library that every program of macOS
// has, for what neither Go nor x/sys wraps.
func libSystem(name string) (uintptr, error) {
	lib, err := purego.Dlopen("/usr/lib/libSystem.B.dylib", purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return 0, fmt.Errorf("open libSystem: %w", err)
	}
	f, err := purego.Dlsym(lib, name)
	if err != nil {
		return 0, unsupported("find " + name)
	}
	return f, nil
}

// processPath is proc_pidpath of libproc: the path of the program that a
// process runs. It may be asked of every process.
func processPath(f uintptr, pid int) (string, error) {
	buf := make([]byte, 4096) // PROC_PIDPATHINFO_MAXSIZE
	n, _, errno := purego.SyscallN(f, uintptr(pid), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	if int32(n) <= 0 || int(int32(n)) > len(buf) {
		return "", syscall.Errno(errno)
	}
	return string(bytes.TrimRight(buf[:int(int32(n))], "\x00")), nil
}

// activeCSR is csr_get_active_config: the protections of the system that are
// switched off, as bits. It is what csrutil(8) reads.
func activeCSR() (uint32, error) {
	f, err := libSystem("csr_get_active_config")
	if err != nil {
		return 0, err
	}
	var config uint32
	r, _, errno := purego.SyscallN(f, uintptr(unsafe.Pointer(&config)))
	if int32(r) != 0 {
		return 0, syscall.Errno(errno)
	}
	return config, nil
}

// attributeList is struct attrlist of getattrlist(2).
type attributeList struct {
	count, reserved                 uint16
	common, volume, dir, file, fork uint32
}

// volumeFormat is the format capabilities of the volume mounted at a path, as
// far as they are valid (getattrlist(2), ATTR_VOL_CAPABILITIES).
func volumeFormat(path string) (uint32, error) {
	f, err := libSystem("getattrlist")
	if err != nil {
		return 0, err
	}
	p, err := syscall.BytePtrFromString(path)
	if err != nil {
		return 0, err
	}
	const volInfo, capabilities = 0x80000000, 0x00020000
	list := attributeList{count: 5, volume: volInfo | capabilities}
	var buf [4 + 16 + 16]byte // length, four words of capabilities, four that say which are valid
	r, _, errno := purego.SyscallN(f, uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&list)), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0)
	if int32(r) != 0 {
		return 0, syscall.Errno(errno)
	}
	return binary.LittleEndian.Uint32(buf[4:]) & binary.LittleEndian.Uint32(buf[20:]), nil
}
