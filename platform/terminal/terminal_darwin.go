package terminal

import "golang.org/x/sys/unix"

// tty(4); setting waits until what was written is out.
const (
	ioctlGetTermios = unix.TIOCGETA
	ioctlSetTermios = unix.TIOCSETAW
)
