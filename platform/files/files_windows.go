package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
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
	var f *os.File
	err = patiently(func() (err error) { f, err = os.Open(path); return err }, windows.ERROR_SHARING_VIOLATION)
	return f, err
}

// rename and remove fail while somebody has the file open who does not let it be
// deleted ("CreateFileW", FILE_SHARE_DELETE): a virus scanner, a search indexer,
// or another call of this package, each for a moment.
func rename(from, to string) error {
	return patiently(func() error { return os.Rename(from, to) }, windows.ERROR_ACCESS_DENIED, windows.ERROR_SHARING_VIOLATION)
}

func remove(path string) error {
	return patiently(func() error { return os.Remove(path) }, windows.ERROR_ACCESS_DENIED, windows.ERROR_SHARING_VIOLATION)
}

const (
	// patience bounds how long something is tried that others stand in the way of.
	patience = 500 * time.Millisecond
	// breather is how long to wait before the next try; nothing tells when a file
	// is closed.
	breather = 5 * time.Millisecond
)

// patiently tries until the error is none of these.
func patiently(try func() error, passing ...windows.Errno) error {
	for began := time.Now(); ; time.Sleep(breather) {
		err := try()
		var why windows.Errno
		if !errors.As(err, &why) || !slices.Contains(passing, why) || time.Since(began) > patience {
			return err
		}
	}
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
