package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/postern-zt/postern/platform/files"
)

// MaxFile is the size in bytes at which a file is put aside by default.
const MaxFile = 64 << 20

// Open returns a Log that appends to the file at path, made with mode 0600. A
// file that would grow past max bytes is first renamed to path with ".1" at
// its end, over the one that was there: at most two files of max bytes exist.
// It refuses, with files.ErrNotPrivate in the chain, a file that others may
// read and a folder that others may change. One program only may have it open.
func Open(path string, max int64, clock func() time.Time) (*Log, error) {
	f := &file{path: path, max: max}
	torn, err := f.open()
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l := New(f, clock)
	l.torn = torn
	return l, nil
}

// file is an io.Writer of whole lines with a cap on its size.
type file struct {
	path string
	max  int64
	f    *os.File // nil after a rotation that went wrong
	size int64
}

// open opens the file for appending; torn says that it does not end a line.
func (f *file) open() (torn bool, err error) {
	if err := files.CheckDir(filepath.Dir(f.path)); err != nil {
		return false, err
	}
	if err := files.CreateOwnerOnly(f.path, nil); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	info, err := os.Lstat(f.path)
	if err != nil {
		return false, err
	}
	if mode := info.Mode(); !mode.IsRegular() || runtime.GOOS != "windows" && mode.Perm()&0o077 != 0 {
		return false, fmt.Errorf("%s has mode %v, it must be a file with 0600: %w", f.path, mode, files.ErrNotPrivate)
	}
	opened, err := os.OpenFile(f.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return false, err
	}
	f.f, f.size = opened, info.Size()
	if f.size == 0 {
		return false, nil
	}
	var last [1]byte
	if _, err := opened.ReadAt(last[:], f.size-1); err != nil {
		return false, errors.Join(err, f.Close())
	}
	return last[0] != '\n', nil
}

// Write appends one line, in a new file when this one has no room for it. A
// line longer than the cap gets a file for itself. When the file cannot be put
// aside the line is written all the same: a file too long is better than an
// event lost, and the error tells.
func (f *file) Write(line []byte) (int, error) {
	var rotated error
	if f.f != nil && f.size > 0 && f.size+int64(len(line)) > f.max {
		rotated = f.rotate()
	}
	if f.f == nil {
		if _, err := f.open(); err != nil {
			return 0, errors.Join(rotated, err)
		}
	}
	n, err := f.f.Write(line)
	f.size += int64(n)
	return n, errors.Join(rotated, err)
}

func (f *file) rotate() error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.path, f.path+".1")
}

// Close may be called again, and the file be written to again.
func (f *file) Close() error {
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}
