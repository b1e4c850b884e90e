//go:build linux || darwin

package localserver

import "syscall"

// descriptors is how many file descriptors this process may have open
// (getrlimit(2)): the soft limit, which Go's runtime has raised to what the
// system lets it have.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return leastDescriptors
	}
	return limit.Cur
}
