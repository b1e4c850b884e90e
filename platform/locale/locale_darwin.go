package locale

import (
	"runtime"

	"github.com/ebitengine/purego"
)

// coreFoundation is where macOS keeps a person's languages; programs that the
// desktop starts have no LANG.
const coreFoundation = "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"

// maxTag is above the length of every language tag in use, in bytes.
const maxTag = 64

// utf8 is kCFStringEncodingUTF8 (CFString.h).
const utf8 = 0x08000100

// systemLanguage is the first of the person's preferred languages
// ("CFLocaleCopyPreferredLanguages", Apple Developer Documentation). It has
// never run: no Mac was at hand.
func systemLanguage() string {
	lib, err := purego.Dlopen(coreFoundation, purego.RTLD_LAZY|purego.RTLD_GLOBAL)
	if err != nil {
		return ""
	}
	call := func(name string, args ...uintptr) uintptr {
		f, err := purego.Dlsym(lib, name)
		if err != nil {
			return 0
		}
		r, _, _ := purego.SyscallN(f, args...)
		return r
	}
	list := call("CFLocaleCopyPreferredLanguages")
	if list == 0 {
		return ""
	}
	defer call("CFRelease", list)
	if call("CFArrayGetCount", list) == 0 {
		return ""
	}
	first := call("CFArrayGetValueAtIndex", list, 0) // owned by the list
	buf := make([]byte, maxTag)
	ok := call("CFStringGetCString", first, address(buf), maxTag, utf8)
	runtime.KeepAlive(buf)
	if byte(ok) == 0 { // a Boolean is one byte
		return ""
	}
	for i, b := range buf {
		if b == 0 {
			return string(buf[:i])
		}
	}
	return ""
}
