// Package files writes and reads files that belong to one owner only, whole or not at all, and locks files.
//
// "Owner" is the user this process runs as (its effective user id). On Windows
// the owner of an existing file or folder is not compared and permission bits
// do not exist: what MkdirOwnerOnly creates there carries a protected access
// list (owner, SYSTEM, Administrators), files inherit it, links are refused,
// and a folder or file that was already there is taken as it is.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

var (
	// ErrNotPrivate is in the chain of every error about a file or folder that
	// somebody else owns, may read or may write, or that is a link.
	ErrNotPrivate = errors.New("not private to its owner")
	// ErrTooLarge is in the chain when a file holds more than the caller takes.
	ErrTooLarge = errors.New("too large")
)

// WriteOwnerOnly puts data at path so that at any moment, a power cut
// included, path holds the old content or the new, never a mixture: a new file
// in the same folder (mode 0600) is written, synced and renamed over path, and
// the folder is synced. The folder must exist. If path is a link, the link is
// replaced, not what it points to. (Windows offers no sync of a folder, and does
// not replace a file that another program has open: it is waited for, at most
// half a second.)
func WriteOwnerOnly(path string, data []byte) error {
	return put(path, data, rename)
}

// CreateOwnerOnly is WriteOwnerOnly for a file that must not be there yet; of
// several callers at once exactly one succeeds. The others get an error with
// fs.ErrExist in its chain.
func CreateOwnerOnly(path string, data []byte) error {
	return put(path, data, func(temp, path string) error {
		// Unlike rename(2), link(2) refuses to replace.
		if err := os.Link(temp, path); err != nil {
			return err
		}
		return remove(temp)
	})
}

// put writes a synced temporary file beside path and lets place move it there.
func put(path string, data []byte, place func(temp, path string) error) (err error) {
	dir, name := filepath.Split(filepath.Clean(path))
	if dir == "" {
		dir = "."
	}
	temp, err := os.CreateTemp(dir, "."+name+".tmp-*") // O_EXCL, mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			temp.Close()
			remove(temp.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if _, err := temp.Write(data); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := place(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// Remove deletes the file at path for good: the folder is synced, so that it
// does not come back after a power cut. A file that is not there is an error
// with fs.ErrNotExist in its chain.
func Remove(path string) error {
	if err := remove(path); err != nil {
		return err // a *fs.PathError, which says all
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// MkdirOwnerOnly makes the folder path with mode 0700, and its missing parents
// with mode 0755. A folder that is already there is taken if CheckDir finds nothing
// against it; it may then be readable by others.
func MkdirOwnerOnly(path string) error { return mkdir(path, 0o700) }

// MkdirShared is MkdirOwnerOnly for a folder that others may enter and list but
// only the owner may change: the new folder, not its parents, has mode 0755
// whatever the umask.
func MkdirShared(path string) error { return mkdir(path, 0o755) }

func mkdir(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make folder %s: %w", path, err)
	}
	err := mkdirOS(path, mode)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder %s: %w", path, err)
	}
	return CheckDir(path)
}

// CheckDir returns an error, with ErrNotPrivate in its chain, if path is a link
// or not a folder, if another user owns it, or if its group or others may
// write to it. Its parents are not examined.
func CheckDir(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("check folder %s: %w", path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("check folder %s: it is a %s, not a folder: %w", path, kindOf(info.Mode()), ErrNotPrivate)
	}
	if err := ownedBySelf(info); err != nil {
		return fmt.Errorf("check folder %s: %w", path, err)
	}
	if mode := info.Mode().Perm(); hasModes && mode&0o022 != 0 {
		return fmt.Errorf("check folder %s: mode %04o lets others write to it: %w", path, mode, ErrNotPrivate)
	}
	return nil
}

// ReadOwnerOnly returns the content of the regular file at path. It refuses,
// with ErrNotPrivate in the error's chain, a link, a file of another owner and
// one that group or others may read or write, and, with ErrTooLarge, one of
// more than limit bytes. What is checked is the opened file, not its name.
func ReadOwnerOnly(path string, limit int64) ([]byte, error) {
	f, err := openNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := ownedBySelf(info); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if mode := info.Mode().Perm(); hasModes && mode&0o077 != 0 {
		return nil, fmt.Errorf("read %s: mode %04o lets others at it, it must be 0600: %w", path, mode, ErrNotPrivate)
	}
	return readRegular(f, path, limit)
}

// ReadLimited returns the content of the regular file at path, whoever owns it
// and links followed, or an error with ErrTooLarge in its chain if it holds more
// than limit bytes.
func ReadLimited(path string, limit int64) ([]byte, error) {
	f, err := openFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readRegular(f, path, limit)
}

// readRegular reads f to its end. It does not trust the size that the system
// states, which is 0 for every file under /proc.
func readRegular(f *os.File, path string, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: it is a %s, not a file", path, kindOf(info.Mode()))
	}
	// One byte more than allowed, and never a read after the end: a file under
	// /proc may have grown again by then.
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: more than %d bytes: %w", path, limit, ErrTooLarge)
	}
	return data, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode.IsDir():
		return "folder"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	case mode.IsRegular():
		return "file"
	}
	return "special file"
}
