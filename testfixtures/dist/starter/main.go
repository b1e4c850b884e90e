//go:build windows

// Command starter starts a program of the desktop as a command prompt or a double click does, and prints what a person then sees.
//
//	starter console PROGRAM [ARGUMENT …]   from a console: what stands in it
//	starter shared PROGRAM [ARGUMENT …]    the same, with a program that is attached to it as it starts
//	starter alone PROGRAM [ARGUMENT …]     without one: what stands in a box, which it closes
//
// The first line is "exit" with the program's exit code.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// patience bounds every wait.
const patience = time.Minute

func main() {
	code, seen, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "starter:", err)
		os.Exit(1)
	}
	fmt.Printf("exit %d\n%s\n", code, seen)
}

func run(args []string) (code uint32, seen string, err error) {
	if len(args) < 2 {
		return 0, "", errors.New("usage: starter console|shared|alone PROGRAM [ARGUMENT …]")
	}
	kernel := windows.NewLazySystemDLL("kernel32.dll")
	kernel.NewProc("FreeConsole").Call() // whatever the tests came with
	if args[0] != "alone" {
		if ok, _, err := kernel.NewProc("AllocConsole").Call(); ok == 0 {
			return 0, "", fmt.Errorf("get a console: %w", err)
		}
	}
	// Windows attaches no program of the desktop, but Wine does.
	flags := uint32(windows.DETACHED_PROCESS)
	if args[0] == "shared" {
		flags = 0
	}
	process, err := start(flags, args[1:])
	if err != nil {
		return 0, "", err
	}
	defer windows.CloseHandle(process)
	if args[0] == "alone" {
		if seen, err = readBox(); err != nil {
			return 0, "", errors.Join(err, windows.TerminateProcess(process, 99))
		}
	}
	if what, err := windows.WaitForSingleObject(process, uint32(patience.Milliseconds())); what != windows.WAIT_OBJECT_0 {
		return 0, "", errors.Join(fmt.Errorf("wait for the program: %#x", what), err, windows.TerminateProcess(process, 99))
	}
	if err := windows.GetExitCodeProcess(process, &code); err != nil {
		return 0, "", fmt.Errorf("read the exit code: %w", err)
	}
	if args[0] != "alone" {
		seen, err = readConsole()
	}
	return code, seen, err
}

// start starts a program without any of the three files that os/exec would give
// it, as Explorer does.
func start(flags uint32, args []string) (windows.Handle, error) {
	line, err := windows.UTF16PtrFromString(windows.ComposeCommandLine(args))
	if err != nil {
		return 0, err
	}
	var p windows.ProcessInformation
	s := windows.StartupInfo{Cb: uint32(unsafe.Sizeof(windows.StartupInfo{}))}
	for _, std := range []uint32{windows.STD_INPUT_HANDLE, windows.STD_OUTPUT_HANDLE, windows.STD_ERROR_HANDLE} {
		h, err := windows.GetStdHandle(std)
		if err != nil {
			return 0, err
		}
		if err := windows.SetStdHandle(std, 0); err != nil { // what a child would be given
			return 0, err
		}
		defer windows.SetStdHandle(std, h)
	}
	if err := windows.CreateProcess(nil, line, nil, nil, false, flags, nil, nil, &s, &p); err != nil {
		return 0, fmt.Errorf("start %s: %w", args[0], err)
	}
	return p.Process, windows.CloseHandle(p.Thread)
}

// readConsole gives what stands in this process's console, without what is empty
// at the ends of lines.
func readConsole() (string, error) {
	const columns, rows = 200, 50
	f, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("open the console: %w", err)
	}
	defer f.Close()
	var info windows.ConsoleScreenBufferInfo
	if err := windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info); err != nil {
		return "", fmt.Errorf("ask for the console's size: %w", err)
	}
	read := windows.NewLazySystemDLL("kernel32.dll").NewProc("ReadConsoleOutputCharacterW")
	var lines []string
	for y := range min(int(info.Size.Y), rows) {
		text := make([]uint16, min(int(info.Size.X), columns))
		var n uint32
		ok, _, err := read.Call(f.Fd(), uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), uintptr(y)<<16, uintptr(unsafe.Pointer(&n)))
		if ok == 0 {
			return "", fmt.Errorf("read the console: %w", err)
		}
		lines = append(lines, strings.TrimRight(syscall.UTF16ToString(text[:n]), " "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n")), nil
}

// readBox waits for a box of the product's, gives its text and closes it.
func readBox() (string, error) {
	user := windows.NewLazySystemDLL("user32.dll")
	name := func(s string) uintptr {
		p, _ := windows.UTF16PtrFromString(s) // without a zero in it
		return uintptr(unsafe.Pointer(p))
	}
	find := user.NewProc("FindWindowExW")
	// #32770 is the class of boxes; 0xFFFF the id of the text in one.
	for end := time.Now().Add(patience); ; {
		window, _, _ := find.Call(0, 0, name("#32770"), name("Postern"))
		words, _, _ := user.NewProc("GetDlgItem").Call(window, 0xFFFF)
		if window != 0 && words != 0 {
			text := make([]uint16, 4096)
			// WM_GETTEXT, then WM_COMMAND with IDOK.
			user.NewProc("SendMessageW").Call(words, 0x0D, uintptr(len(text)), uintptr(unsafe.Pointer(&text[0])))
			user.NewProc("PostMessageW").Call(window, 0x111, 1, 0)
			return syscall.UTF16ToString(text), nil
		}
		if time.Now().After(end) {
			return "", errors.New("no box came")
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}
