//go:build unix

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasModes says that permission bits mean something on this system.
const hasModes = true

func mkdirOS(path string, mode fs.FileMode) error {
	if err := os.Mkdir(path, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode) // the umask may have taken bits away
}

func ownedBySelf(info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("its owner is unknown: %w", ErrNotPrivate)
	}
	if self := os.Geteuid(); int64(st.Uid) != int64(self) {
		return fmt.Errorf("it belongs to uid %d, this is uid %d: %w", st.Uid, self, ErrNotPrivate)
	}
	return nil
}

// openNoFollow opens path for reading unless its last part is a link.
// O_NONBLOCK keeps the open of a pipe without a writer from waiting.
func openNoFollow(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("read %s: it is a link: %w", path, ErrNotPrivate)
	}
	return f, err
}

func openFollow(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
}

// rename and remove ask nobody who has the file open.
func rename(from, to string) error { return os.Rename(from, to) }
func remove(path string) error     { return os.Remove(path) }

// syncDir makes a rename or removal in dir survive a power cut (fsync(2)).
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// openLock opens the lock file without following a link.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// lockFile takes flock(2), which belongs to the open file and so goes with the
// last process that holds it. held says that somebody else has the lock.
func lockFile(f *os.File) (held bool, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var locked error
	if err := conn.Control(func(fd uintptr) {
		for {
			locked = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
			if locked != unix.EINTR {
				return
			}
		}
	}); err != nil {
		return false, err
	}
	return locked == unix.EWOULDBLOCK, locked
}
