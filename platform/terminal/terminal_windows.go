package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

func Is(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

func Size(f *os.File) (columns, rows int) {
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(windows.Handle(f.Fd()), &info) != nil {
		return 0, 0
	}
	return int(info.Window.Right-info.Window.Left) + 1, int(info.Window.Bottom-info.Window.Top) + 1
}

// Escapes switches control sequences on; consoles before Windows 10
// version 1511 refuse ("Console Virtual Terminal Sequences", Microsoft Learn).
func Escapes(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	return mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0 ||
		windows.SetConsoleMode(h, mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}

// Resized never tells: a console does so by input events, which are not read.
func Resized() (<-chan os.Signal, func()) { return nil, func() {} }

func Foreground(*os.File) bool { return true }

// ReadUnseen does not show what is typed. A console cuts no line that is
// shorter than what it is asked for.
func ReadUnseen(f *os.File) (restore func(), err error) {
	h := windows.Handle(f.Fd())
	var was uint32
	if err := windows.GetConsoleMode(h, &was); err != nil {
		return nil, fmt.Errorf("read console mode: %w", err)
	}
	if err := windows.SetConsoleMode(h, was&^windows.ENABLE_ECHO_INPUT); err != nil {
		return nil, fmt.Errorf("set console mode: %w", err)
	}
	return func() {
		// If the console is gone there is nothing to give back.
		_ = windows.SetConsoleMode(h, was)
	}, nil
}
