package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

// hasModes is false: Go makes up permission bits from the read-only flag.
const hasModes = false

// ownerOnly is a protected access list: full access for the owner (OW), SYSTEM
// (SY) and Administrators (BA), inherited by files and folders inside.
// sharedDir adds read access for Users (BU).
const (
	ownerOnly = "D:P(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
	sharedDir = ownerOnly + "(A;OICI;FRFX;;;BU)"
)

func mkdirOS(path string, mode fs.FileMode) error {
	sddl := ownerOnly
	if mode&0o005 != 0 {
		sddl = sharedDir
	}
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	return windows.CreateDirectory(name, sa)
}

// ownedBySelf does not compare owners: see the package comment.
func ownedBySelf(fs.FileInfo) error { return nil }

func openNoFollow(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	// Junctions and other reparse points are ModeIrregular to Go.
	if info.Mode()&(fs.ModeSymlink|fs.ModeIrregular) != 0 {
		return nil, fmt.Errorf("read %s: it is a link: %w", path, ErrNotPrivate)
	}
	return os.Open(path)
}

func openFollow(path string) (*os.File, error) { return os.Open(path) }

// syncDir does nothing: Windows has no sync of a folder.
func syncDir(string) error { return nil }

func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// lockFile locks one byte far behind the note, because LockFileEx also keeps
// others from reading what it covers. The system releases it with the process.
func lockFile(f *os.File) (held bool, err error) {
	over := &windows.Overlapped{OffsetHigh: 1 << 16}
	err = windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, over)
	return errors.Is(err, windows.ERROR_LOCK_VIOLATION), err
}
