package settings

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// address is a page by its address.
type address string

func find(p Page) (place, error) {
	version, err := unix.Sysctl("kern.osproductversion")
	if err != nil {
		version = ""
	}
	a, err := macAddress(p, version)
	if err != nil {
		return nil, err
	}
	return address(a), nil
}

const (
	coreFoundation = "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
	coreServices   = "/System/Library/Frameworks/CoreServices.framework/CoreServices"

	utf8 = 0x08000100 // kCFStringEncodingUTF8, CFString.h
)

// open hands the address to Launch Services with LSOpenCFURLRef. NSWorkspace
// would do the same but loads AppKit, which wants the first thread; Launch
// Services may be called on any ("Thread-safe since Mac OS version 10.2", Apple's
// documentation of Core Services), so it serves the command line and the tray
// alike, and no child process of ours is needed as for open(1).
func (a address) open(context.Context) error {
	foundation, err := functions(coreFoundation, "CFURLCreateWithBytes", "CFRelease")
	if err != nil {
		return err
	}
	services, err := functions(coreServices, "LSOpenCFURLRef")
	if err != nil {
		return err
	}
	text := []byte(a)
	url, _, _ := purego.SyscallN(foundation[0], 0, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), utf8, 0)
	if url == 0 {
		return fmt.Errorf("make address %s", a)
	}
	defer purego.SyscallN(foundation[1], url)
	if status, _, _ := purego.SyscallN(services[0], url, 0); int32(status) != 0 {
		return fmt.Errorf("launch services: status %d", int32(status))
	}
	return nil
}

// functions finds functions of a framework.
func functions(framework string, names ...string) ([]uintptr, error) {
	lib, err := purego.Dlopen(framework, purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", framework, err)
	}
	list := make([]uintptr, len(names))
	for i, name := range names {
		if list[i], err = purego.Dlsym(lib, name); err != nil {
			return nil, fmt.Errorf("find %s: %w", name, err)
		}
	}
	return list, nil
}
