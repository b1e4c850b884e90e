//go:build linux || darwin

package terminal

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Is asks for the settings that only a terminal has (termios(3)).
func Is(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), ioctlGetTermios)
	return err == nil
}

func Size(f *os.File) (columns, rows int) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(ws.Col), int(ws.Row)
}

func Escapes(*os.File) bool { return true }

// Resized tells on the channel when the terminal has another size, until stop.
func Resized() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}

// Foreground reports whether this process may read from the terminal: one
// that was started in the background would be stopped (termios(3), "Job
// control" in tty_ioctl(4)).
func Foreground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// ReadUnseen lets lines of any length be read, and does not show them: in its
// usual mode a terminal cuts a line at 4,095 bytes on Linux and at 1,023 on
// macOS (MAX_CANON, termios(3)), and a sign-in's answer can be longer. Ctrl-C
// works on. The function gives the terminal back as it was.
func ReadUnseen(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	was, err := unix.IoctlGetTermios(fd, ioctlGetTermios)
	if err != nil {
		return nil, fmt.Errorf("read terminal settings: %w", err)
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, ioctlSetTermios, &now); err != nil {
		return nil, fmt.Errorf("set terminal: %w", err)
	}
	return func() {
		// If the terminal is gone there is nothing to give back.
		_ = unix.IoctlSetTermios(fd, ioctlSetTermios, was)
	}, nil
}
