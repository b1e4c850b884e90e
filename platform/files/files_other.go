//go:build !unix && !windows

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

const hasModes = false

func unsupported() error {
	return fmt.Errorf("who owns a file is not known on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func mkdirOS(string, fs.FileMode) error        { return unsupported() }
func ownedBySelf(fs.FileInfo) error            { return unsupported() }
func openNoFollow(string) (*os.File, error)    { return nil, unsupported() }
func openFollow(path string) (*os.File, error) { return os.Open(path) }
func rename(from, to string) error             { return os.Rename(from, to) }
func remove(path string) error                 { return os.Remove(path) }
func syncDir(string) error                     { return unsupported() }
func openLock(string) (*os.File, error)        { return nil, unsupported() }
func lockFile(*os.File) (held bool, err error) { return false, unsupported() }
