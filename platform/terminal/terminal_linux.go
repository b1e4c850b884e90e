package terminal

import "golang.org/x/sys/unix"

// ioctl_tty(2); setting waits until what was written is out.
const (
	ioctlGetTermios = unix.TCGETS
	ioctlSetTermios = unix.TCSETSW
)
