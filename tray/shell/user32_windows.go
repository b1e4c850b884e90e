//go:build !postern_purego

package shell

import (
	"syscall"
	"unsafe"
)

// Messages (winuser.h).
const (
	wmNull    = 0x0000
	wmQuit    = 0x0012
	wmCommand = 0x0111
)

// removeMessage is PM_REMOVE: PeekMessage takes what it finds.
const removeMessage = 1

// message is MSG (Windows documentation, "MSG structure").
type message struct {
	window  uintptr
	id      uint32
	wParam  uintptr
	lParam  uintptr
	time    uint32
	x, y    int32
	private uint32
}

// Both libraries are loaded in every process already and are never looked for
// in a folder (Windows documentation, "Dynamic-link library search order",
// known DLLs).
var (
	user32             = syscall.NewLazyDLL("user32.dll")
	findWindow         = user32.NewProc("FindWindowW")
	getMessage         = user32.NewProc("GetMessageW")
	peekMessage        = user32.NewProc("PeekMessageW")
	translateMessage   = user32.NewProc("TranslateMessage")
	dispatchMessage    = user32.NewProc("DispatchMessageW")
	postThreadMessage  = user32.NewProc("PostThreadMessageW")
	getCurrentThreadID = syscall.NewLazyDLL("kernel32.dll").NewProc("GetCurrentThreadId")
)

// taskbar reports whether the taskbar's window is there.
func taskbar() bool {
	class, err := syscall.UTF16PtrFromString("Shell_TrayWnd")
	if err != nil {
		return false
	}
	window, _, _ := findWindow.Call(uintptr(unsafe.Pointer(class)), 0)
	return window != 0
}

func currentThread() uintptr {
	id, _, _ := getCurrentThreadID.Call()
	return id
}

// wakeThread lets a thread that waits for a message look up.
func wakeThread(id uintptr) { _, _, _ = postThreadMessage.Call(id, wmNull, 0, 0) }

// nextMessage takes the next message of this thread and reports whether there
// was one; with wait it waits for it.
func nextMessage(m *message, wait bool) (bool, error) {
	if !wait {
		got, _, _ := peekMessage.Call(uintptr(unsafe.Pointer(m)), 0, 0, 0, removeMessage)
		return got != 0, nil
	}
	got, _, err := getMessage.Call(uintptr(unsafe.Pointer(m)), 0, 0, 0)
	if int32(got) == -1 {
		return false, err
	}
	return true, nil
}

func dispatch(m *message) {
	_, _, _ = translateMessage.Call(uintptr(unsafe.Pointer(m)))
	_, _, _ = dispatchMessage.Call(uintptr(unsafe.Pointer(m)))
}
