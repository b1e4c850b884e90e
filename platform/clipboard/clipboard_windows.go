package clipboard

import (
	"errors"
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	unicodeText = 13     // CF_UNICODETEXT, winuser.h
	moveable    = 0x0002 // GMEM_MOVEABLE: what SetClipboardData takes, winbase.h

	// Another program may have the clipboard open for a moment, so opening it
	// is tried again for a while.
	tries, pause = 40, 25 * time.Millisecond
)

func supported() error { return nil }

// library finds functions that x/sys does not wrap.
type library struct{ user32, kernel32 *windows.LazyDLL }

func load() library {
	return library{windows.NewLazySystemDLL("user32.dll"), windows.NewLazySystemDLL("kernel32.dll")}
}

// call calls a function whose result 0 is a failure. What pointers in args
// point to is kept in place until it returns.
//
//go:uintptrescapes
func call(dll *windows.LazyDLL, name string, args ...uintptr) (uintptr, error) {
	f := dll.NewProc(name)
	if err := f.Find(); err != nil {
		return 0, err
	}
	r, _, errno := f.Call(args...)
	if r == 0 {
		return 0, fmt.Errorf("%s: %w", name, errno)
	}
	return r, nil
}

// put follows Microsoft Learn, "Clipboard Operations". The clipboard belongs to a
// window: without one, EmptyClipboard leaves it without an owner and
// SetClipboardData may fail ("OpenClipboard function", remarks). A window for
// messages only is enough; it and the open clipboard belong to one thread.
func put(text string) (err error) {
	wide, err := windows.UTF16FromString(text)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lib := load()
	window, err := messageWindow(lib)
	if err != nil {
		return err
	}
	defer call(lib.user32, "DestroyWindow", window)
	if err := open(lib, window); err != nil {
		return err
	}
	defer func() {
		_, closed := call(lib.user32, "CloseClipboard")
		err = errors.Join(err, closed)
	}()
	if _, err := call(lib.user32, "EmptyClipboard"); err != nil {
		return err
	}
	memory, err := global(lib, wide)
	if err != nil {
		return err
	}
	if _, err := call(lib.user32, "SetClipboardData", unicodeText, memory); err != nil {
		call(lib.kernel32, "GlobalFree", memory) // else it is the system's
		return err
	}
	return nil
}

// messageWindow makes a window that is never seen, of the class of static texts.
func messageWindow(lib library) (uintptr, error) {
	class, err := windows.UTF16PtrFromString("STATIC")
	if err != nil {
		return 0, err
	}
	const messageOnly = ^uintptr(2) // HWND_MESSAGE, -3
	window, err := call(lib.user32, "CreateWindowExW", 0, uintptr(unsafe.Pointer(class)), 0, 0, 0, 0, 0, 0, messageOnly, 0, 0, 0)
	return window, err
}

func open(lib library, window uintptr) error {
	var err error
	for range tries {
		if _, err = call(lib.user32, "OpenClipboard", window); err == nil {
			return nil
		}
		time.Sleep(pause)
	}
	return err
}

// global copies text into memory that the clipboard can take over.
func global(lib library, text []uint16) (uintptr, error) {
	size := uintptr(len(text)) * 2
	memory, err := call(lib.kernel32, "GlobalAlloc", moveable, size)
	if err != nil {
		return 0, err
	}
	at, err := call(lib.kernel32, "GlobalLock", memory)
	if err != nil {
		call(lib.kernel32, "GlobalFree", memory)
		return 0, err
	}
	// RtlMoveMemory copies, so that this program never makes a pointer of a
	// number.
	move := lib.kernel32.NewProc("RtlMoveMemory")
	if err := move.Find(); err != nil {
		call(lib.kernel32, "GlobalFree", memory)
		return 0, err
	}
	move.Call(at, uintptr(unsafe.Pointer(&text[0])), size)
	lib.kernel32.NewProc("GlobalUnlock").Call(memory) // 0 when nothing locks it any more
	return memory, nil
}
