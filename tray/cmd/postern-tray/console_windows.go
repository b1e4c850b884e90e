package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/postern-zt/postern/platform/buildinfo"
)

// A program of the desktop has no console of its own. What it says goes where it
// was redirected to; else to the console it was started from; else, as nobody
// would read it, into a box.

// streams are where the program writes: answers, errors, and its log.
type streams struct{ out, err, log io.Writer }

func openStreams() streams {
	s := streams{out: redirected(os.Stdout), err: redirected(os.Stderr)}
	s.log = s.err
	if s.out == nil {
		s.out = &person{boxed: true}
	}
	if s.err == nil {
		s.err, s.log = &person{boxed: true}, &person{}
	}
	return s
}

// shut shows what no console took, and returns when the person has read it.
func (s streams) shut(code int) {
	var text strings.Builder
	for _, w := range []io.Writer{s.out, s.err} {
		if p, ok := w.(*person); ok {
			text.WriteString(p.kept.String())
		}
	}
	if text.Len() > 0 {
		box(strings.TrimSpace(text.String()), code)
	}
}

// redirected gives the file if it is one, a pipe or a device; nil if it is a
// console or nothing.
func redirected(f *os.File) io.Writer {
	h := syscall.Handle(f.Fd())
	if kind, err := syscall.GetFileType(h); err != nil || kind == syscall.FILE_TYPE_UNKNOWN {
		return nil
	}
	if consoleHandle(h) {
		return nil
	}
	return f
}

// consoleHandle says whether a handle is one of a console; those of a console
// that this process is not attached to do not answer before it is.
func consoleHandle(h syscall.Handle) bool {
	var mode uint32
	if syscall.GetConsoleMode(h, &mode) == nil {
		return true
	}
	detach, ok := attach()
	if !ok {
		return false
	}
	defer detach()
	return syscall.GetConsoleMode(h, &mode) == nil
}

// person writes to the console that the program was started from. It is attached
// to for each word only: whoever closes that console, or presses Ctrl-C there,
// does not mean the tray.
type person struct {
	boxed bool // keep what no console takes

	mu   sync.Mutex
	kept strings.Builder
}

func (p *person) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if detach, ok := attach(); ok {
		defer detach()
		if console, err := os.OpenFile("CONOUT$", os.O_RDWR, 0); err == nil {
			defer console.Close()
			return console.Write(text)
		}
	}
	if p.boxed {
		p.kept.Write(text)
	}
	return len(text), nil
}

// attachParent is ATTACH_PARENT_PROCESS (Microsoft Learn, "AttachConsole
// function").
const attachParent = ^uintptr(0) >> 32

// attach attaches to the console of the process that started this one, until
// detach. It may be attached already; so it is under Wine.
func attach() (detach func(), ok bool) {
	kernel := syscall.NewLazyDLL("kernel32.dll")
	switch done, _, err := kernel.NewProc("AttachConsole").Call(attachParent); {
	case done != 0:
		return func() { kernel.NewProc("FreeConsole").Call() }, true
	case errors.Is(err, syscall.ERROR_ACCESS_DENIED):
		return func() {}, true
	}
	return nil, false
}

// Styles of a box (Microsoft Learn, "MessageBoxW function").
const (
	boxError      = 0x10
	boxInform     = 0x40
	boxForeground = 0x10000
)

func box(text string, code int) {
	style := uintptr(boxForeground | boxInform)
	if code != exitOK {
		style = boxForeground | boxError
	}
	words, err := syscall.UTF16PtrFromString(text)
	title, err2 := syscall.UTF16PtrFromString(buildinfo.Product)
	if err != nil || err2 != nil {
		return
	}
	syscall.NewLazyDLL("user32.dll").NewProc("MessageBoxW").Call(0, uintptr(unsafe.Pointer(words)), uintptr(unsafe.Pointer(title)), style)
}
