package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// fileMask: opened (every start does), or no longer what it was.
	fileMask = unix.IN_OPEN | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_MOVE_SELF | unix.IN_DELETE_SELF
	// folderMask: a name appears or goes, or the folder itself does.
	folderMask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE |
		unix.IN_MOVE_SELF | unix.IN_DELETE_SELF
	// maxTries bounds how often folders are looked for while they come and go.
	maxTries = 256
)

// target is one executable watched for one kind.
type target struct{ kind, path string }

// files are the watched executables. Each has a watch on itself, if it is
// there, and one on its folder, or on the nearest folder above that is there.
type files struct {
	fd      int
	targets []target
	watches map[int32]*fileWatch // by watch descriptor
}

// fileWatch is one inotify watch and whom it serves.
type fileWatch struct {
	self  []target          // the watch is on the executable itself
	below map[target]string // the watch is on a folder: the name to look for
}

// set replaces the executables of a kind.
func (f *files) set(kind string, paths []string) error {
	for _, t := range slices.Clone(f.targets) {
		if t.kind == kind {
			f.release(t)
		}
	}
	f.targets = slices.DeleteFunc(f.targets, func(t target) bool { return t.kind == kind })
	var errs []error
	for _, p := range paths {
		t := target{kind, filepath.Clean(p)}
		if !filepath.IsAbs(t.path) {
			errs = append(errs, fmt.Errorf("watch %s: not an absolute path", p))
			continue
		}
		if slices.Contains(f.targets, t) {
			continue
		}
		f.targets = append(f.targets, t)
		if err := f.arm(t); err != nil {
			errs = append(errs, err)
		}
	}
	f.sweep()
	return errors.Join(errs...)
}

// arm puts the watches of one target: the folder's first, so that a file that
// appears meanwhile is seen by one or the other.
func (f *files) arm(t target) error {
	name, dir := filepath.Base(t.path), filepath.Dir(t.path)
	for tries := 0; ; tries++ {
		if tries > maxTries {
			return fmt.Errorf("watch folder %s: it keeps coming and going", dir)
		}
		w, err := f.add(dir, folderMask|unix.IN_ONLYDIR)
		if err == nil {
			w.below[t] = name
			next := filepath.Join(dir, name)
			if next == t.path {
				break
			}
			if info, err := os.Stat(next); err != nil || !info.IsDir() {
				return nil // the executable's folder is not there yet
			}
			// It appeared just now: begin again below it.
			delete(w.below, t)
			name, dir = filepath.Base(t.path), filepath.Dir(t.path)
			continue
		}
		if !missing(err) || dir == "/" {
			return fmt.Errorf("watch folder %s: %w", dir, err)
		}
		name, dir = filepath.Base(dir), filepath.Dir(dir)
	}
	w, err := f.add(t.path, fileMask)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", t.path, err)
	}
	w.self = append(w.self, t)
	return nil
}

func missing(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) }

// add watches a path; one file has one watch, however many ask for it.
func (f *files) add(path string, mask uint32) (*fileWatch, error) {
	wd, err := unix.InotifyAddWatch(f.fd, path, mask|unix.IN_MASK_ADD)
	if err != nil {
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	w, ok := f.watches[int32(wd)]
	if !ok {
		w = &fileWatch{below: map[target]string{}}
		f.watches[int32(wd)] = w
	}
	return w, nil
}

// release takes a target out of every watch; sweep then removes idle ones.
func (f *files) release(t target) {
	for _, w := range f.watches {
		delete(w.below, t)
		w.self = slices.DeleteFunc(w.self, func(s target) bool { return s == t })
	}
}

func (f *files) sweep() {
	for wd, w := range f.watches {
		if len(w.self) == 0 && len(w.below) == 0 {
			delete(f.watches, wd)
			// Fails only where the system has removed it already.
			unix.InotifyRmWatch(f.fd, uint32(wd))
		}
	}
}

// read takes every waiting notice, tells of each, and watches anew what moved.
func (f *files) read(buf []byte, emit func(kind, cause, path string, pid int)) {
	moved := map[target]bool{}
	for {
		n, err := unix.Read(f.fd, buf)
		if n <= 0 || err != nil {
			break
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			wd := int32(binary.NativeEndian.Uint32(rest[0:]))
			mask := binary.NativeEndian.Uint32(rest[4:])
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			if size > len(rest) {
				break
			}
			name := strings.TrimRight(string(rest[unix.SizeofInotifyEvent:size]), "\x00")
			f.notice(wd, mask, name, moved, emit)
			rest = rest[size:]
		}
	}
	for t := range moved {
		f.release(t)
		if err := f.arm(t); err != nil {
			emit(t.kind, CauseLost, t.path, 0) // no notice will come for it any more
		}
	}
	if len(moved) > 0 {
		f.sweep()
	}
}

// notice handles one inotify event.
func (f *files) notice(wd int32, mask uint32, name string, moved map[target]bool, emit func(kind, cause, path string, pid int)) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		for _, t := range f.targets {
			emit(t.kind, CauseLost, t.path, 0)
			moved[t] = true
		}
		return
	}
	w, ok := f.watches[wd]
	if !ok {
		return
	}
	replaced := func(t target) {
		emit(t.kind, CauseReplaced, t.path, 0)
		moved[t] = true
	}
	gone := mask&(unix.IN_MOVE_SELF|unix.IN_DELETE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0
	for _, t := range w.self {
		if mask&unix.IN_OPEN != 0 {
			emit(t.kind, CauseExec, t.path, 0)
		}
		if gone || mask&(fileMask&^unix.IN_OPEN) != 0 {
			replaced(t)
		}
	}
	for t, want := range w.below {
		if gone || name == want {
			replaced(t)
		}
	}
	if mask&unix.IN_IGNORED != 0 {
		delete(f.watches, wd)
	}
}
