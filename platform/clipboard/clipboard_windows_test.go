package clipboard

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// read returns what other programs would paste.
func read(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	lib := load()
	if err := open(lib, 0); err != nil {
		t.Fatal(err)
	}
	defer call(lib.user32, "CloseClipboard")
	memory, err := call(lib.user32, "GetClipboardData", unicodeText)
	if err != nil {
		t.Fatal(err)
	}
	size, err := call(lib.kernel32, "GlobalSize", memory)
	if err != nil {
		t.Fatal(err)
	}
	at, err := call(lib.kernel32, "GlobalLock", memory)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]uint16, size/2)
	lib.kernel32.NewProc("RtlMoveMemory").Call(uintptr(unsafe.Pointer(&text[0])), at, size)
	lib.kernel32.NewProc("GlobalUnlock").Call(memory)
	return windows.UTF16ToString(text)
}

func TestCopy(t *testing.T) {
	for _, text := range []string{"https://app.example/?a=b&c=d", "grün 🌱\r\nsecond line", strings.Repeat("lang ", 40_000)} {
		if err := Copy(text); err != nil {
			t.Fatal(err)
		}
		if got := read(t); got != text {
			t.Errorf("pasted %.40q (%d bytes), want %.40q", got, len(got), text)
		}
	}
}

// TestCopyRefused leaves what was there.
func TestCopyRefused(t *testing.T) {
	if err := Copy("before"); err != nil {
		t.Fatal(err)
	}
	if err := Copy("cut\x00off"); !errors.Is(err, ErrText) {
		t.Errorf("%v", err)
	}
	if got := read(t); got != "before" {
		t.Errorf("pasted %q", got)
	}
}

// TestCopyWaits: while another thread has the clipboard open, Copy waits.
func TestCopyWaits(t *testing.T) {
	opened, held := make(chan error), make(chan struct{})
	var other sync.WaitGroup
	other.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		lib := load()
		window, err := messageWindow(lib)
		if err == nil {
			err = open(lib, window)
		}
		opened <- err
		<-held
		call(lib.user32, "CloseClipboard")
		call(lib.user32, "DestroyWindow", window)
	})
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	release := time.AfterFunc(3*pause, func() { close(held) })
	defer release.Stop()
	if err := Copy("in the end"); err != nil {
		t.Errorf("%v", err)
	}
	other.Wait()
	if got := read(t); got != "in the end" {
		t.Errorf("pasted %q", got)
	}
}
