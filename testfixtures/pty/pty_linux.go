// Package pty opens pseudo-terminals, for tests of programs that people sit at.
package pty

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open gives both sides of a new pseudo-terminal (ptmx(4), pts(4)): that of
// whoever sits at it, and that of the program.
func Open() (control, file *os.File, err error) {
	control, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	fail := func(err error) (*os.File, *os.File, error) {
		control.Close()
		return nil, nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	if err := unix.IoctlSetPointerInt(int(control.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return fail(err)
	}
	n, err := unix.IoctlGetInt(int(control.Fd()), unix.TIOCGPTN)
	if err != nil {
		return fail(err)
	}
	if file, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return fail(err)
	}
	return control, file, nil
}

// Resize gives the terminal another size.
func Resize(control *os.File, columns, rows uint16) error {
	return unix.IoctlSetWinsize(int(control.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
}

// Settings are those of termios(3), to be compared.
func Settings(file *os.File) (string, error) {
	t, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("read terminal settings: %w", err)
	}
	return fmt.Sprintf("%+v", *t), nil
}
