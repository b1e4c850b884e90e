//go:build linux || darwin

package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// maxSteps bounds one walk: the names of a path with those of the links on
	// it, while folders may come and go.
	maxSteps = 1024
	// maxLinks is how many links the kernel follows before it says ELOOP.
	maxLinks = 40
	// maxEntries is how many entries of a folder get watches of their own, on
	// systems where the folder's watch does not tell of their contents.
	maxEntries = 256
)

// walk follows one target from the root to what it leads to and puts watches on
// the way. Each watch is put before what it watches is looked at, so that a
// change is seen by one or the other.
type walk struct {
	files  *files
	target target
	dir    string   // the folder reached so far; no link is in its path
	rest   []string // the names still to follow
	links  int
	parts  []held
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == filepath.Separator })
}

func (w *walk) run() error {
	w.dir, w.rest = "/", names(w.target.path)
	for range maxSteps {
		if len(w.rest) == 0 { // the path is the root, or ended in "..": a folder
			return w.hold(w.dir, held{part: partSelf})
		}
		done, err := w.step()
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("watch %s: folders on its way keep coming and going", w.target.path)
}

// step follows one name; done means that nothing is left to follow.
func (w *walk) step() (done bool, err error) {
	name := w.rest[0]
	if name == "." || name == ".." {
		w.dir, w.rest = filepath.Join(w.dir, name), w.rest[1:]
		return false, nil
	}
	path := filepath.Join(w.dir, name)
	if silent(path) {
		return true, nil
	}
	info, err := os.Lstat(path) // info is nil on an error
	switch {
	case missing(err) || err == nil && w.barred(info):
		return w.absent(name, info)
	case err != nil:
		return true, fmt.Errorf("watch %s: %w", w.target.path, err)
	case len(w.rest) == 1:
		if err := w.lookFor(name, info); err != nil {
			return w.again(err)
		}
	}
	switch {
	case link(info):
		w.links++
		// Links in a circle lead nowhere until one of them changes.
		return w.links > maxLinks, w.follow(path)
	case len(w.rest) == 1:
		return true, w.end(path, info)
	}
	return false, w.pass(path)
}

// barred tells that the path cannot go on below what is no folder.
func (w *walk) barred(info os.FileInfo) bool {
	return len(w.rest) > 1 && !info.IsDir() && !link(info)
}

// again starts over where the folder reached has gone meanwhile.
func (w *walk) again(err error) (done bool, _ error) {
	if !missing(err) {
		return true, err
	}
	w.dir, w.rest, w.links = "/", names(w.target.path), 0
	return false, nil
}

// pass goes on below a folder.
func (w *walk) pass(path string) error {
	err := w.hold(path, held{part: partWay})
	switch {
	case missing(err): // it was replaced just now: the same name again
		return nil
	case err != nil && !errors.Is(err, os.ErrPermission):
		return err
	}
	// A folder that this user may pass but not read is passed: that it moves,
	// which only the owner of the folder above can do, is then not noticed.
	w.dir, w.rest = path, w.rest[1:]
	return nil
}

func link(info os.FileInfo) bool { return info.Mode()&os.ModeSymlink != 0 }

func missing(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// absent waits for a name that is not there, or that is no folder where one
// should be.
func (w *walk) absent(name string, was os.FileInfo) (done bool, err error) {
	if err := w.lookFor(name, was); err != nil {
		return w.again(err)
	}
	info, err := os.Lstat(filepath.Join(w.dir, name))
	return err != nil || w.barred(info), nil // or it appeared: the same name again
}

// lookFor watches the folder reached for a name.
func (w *walk) lookFor(name string, was os.FileInfo) error {
	return w.hold(w.dir, held{part: partNames, name: name, was: was})
}

// follow watches a link and goes on where it leads.
func (w *walk) follow(path string) error {
	err := w.hold(path, held{part: partLink})
	switch {
	case missing(err): // it was replaced just now: the same name again
		return nil
	case err != nil && !errors.Is(err, os.ErrPermission):
		return err
	}
	to, err := os.Readlink(path)
	if err != nil {
		return nil
	}
	if filepath.IsAbs(to) {
		w.dir = "/"
	}
	w.rest = append(names(to), w.rest[1:]...)
	return nil
}

// end watches what the path leads to.
func (w *walk) end(path string, info os.FileInfo) error {
	err := w.hold(path, held{part: partSelf})
	if errors.Is(err, os.ErrPermission) {
		return w.fromOutside(err)
	}
	if missing(err) {
		return nil // its folder's watch tells when it comes
	}
	if err != nil || !info.IsDir() || w.files.watches.namesEntries() || w.files.cause != CauseFile {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.target.path, err)
	}
	for _, e := range entries[:min(len(entries), maxEntries)] {
		if e.IsDir() {
			continue // its watch would tell of what is in it
		}
		if err := w.hold(filepath.Join(path, e.Name()), held{part: partSelf}); err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

// fromOutside watches a file that this user may not read by its folder, which
// looks for its name already.
func (w *walk) fromOutside(refused error) error {
	if w.files.watches.addContents(w.dir) != nil {
		return refused
	}
	return nil
}

// hold puts one watch.
func (w *walk) hold(path string, h held) error {
	id, err := w.files.watches.add(path, h.part)
	if err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	h.node = id
	if w.files.watches.namesEntries() {
		h.was = nil // never asked for
	}
	w.parts = append(w.parts, h)
	w.files.serve(w.target, path, h)
	return nil
}
