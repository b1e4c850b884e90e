package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/postern-zt/postern/platform/files"
)

// maxLinks is how many links the settings may lie behind (Linux follows 40,
// path_resolution(7)); more is a circle.
const maxLinks = 16

// trusted describes the settings file, links followed, if nobody but the agent's
// user and root could put another in its place or change it by owning it. An
// error has fs.ErrNotExist in its chain if nothing is at path.
func trusted(path string) (fs.FileInfo, error) {
	for hop := range maxLinks {
		info, err := os.Lstat(path)
		if err != nil {
			if hop > 0 && errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("it is a link to %s, which is not there", path)
			}
			return nil, err
		}
		if hop == 0 {
			err = files.CheckDir(filepath.Dir(path))
		} else {
			err = trustedDir(filepath.Dir(path))
		}
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return info, trustedOwner(path, info)
		}
		target, err := os.Readlink(path)
		if err != nil {
			return nil, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return nil, errors.New("it leads over too many links")
}

// trustedDir is nil for a folder in which nobody but its owner, who is this user
// or root, can put a file in another's place. Root's own places count, as a
// system that is built from a description keeps settings there.
func trustedDir(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := trustedOwner(path, info); err != nil {
		return err
	}
	if writable(info) && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("mode %04o of %s lets others write to it", info.Mode().Perm(), path)
	}
	return nil
}

// trustedOwner is nil if a file belongs to this user or to root. Where the system
// does not say whose it is, the access list of its folder has to do.
func trustedOwner(path string, info fs.FileInfo) error {
	uid, known := ownerOf(info)
	if !known || uid == 0 || uid == int64(os.Geteuid()) {
		return nil
	}
	return fmt.Errorf("%s belongs to another user (uid %d)", path, uid)
}

// hasModes tells whether permission bits mean anything; on Windows the access
// list of the folder is what protects a file.
func hasModes() bool { return runtime.GOOS != "windows" }

func writable(info fs.FileInfo) bool { return hasModes() && info.Mode().Perm()&0o022 != 0 }
