package watch

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	goneMask = unix.IN_MOVE_SELF | unix.IN_DELETE_SELF
	// namesMask: a name appears or goes.
	namesMask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
	// exeMask: opened, as every start does, or written to, or its metadata.
	exeMask = unix.IN_OPEN | unix.IN_MODIFY | unix.IN_ATTRIB
	// fileMask: written to, or closed by who could write (by a memory map, too,
	// which is not told by itself), or its metadata.
	fileMask = unix.IN_MODIFY | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB
	// lockMask: closed by whoever had it open, which lets go of its lock.
	lockMask = unix.IN_CLOSE_WRITE | unix.IN_CLOSE_NOWRITE
)

// inotify puts watches of inotify(7). For a folder's entries it names them, and
// tells of their contents too.
type inotify struct {
	fd       int
	contents uint32 // exeMask, fileMask or lockMask
	files    *files
	buf      []byte
}

// newInotify makes a loop watch files for what contents names, and tell it;
// held says whether notices wait for others.
func newInotify(l *loop, cause string, contents uint32, held bool, tell tell) (*files, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	in := &inotify{fd: fd, contents: contents, buf: make([]byte, 64<<10)}
	in.files = newFiles(in, cause, tell)
	return in.files, l.add(&source{fd: fd, events: unix.EPOLLIN, held: held, take: in.take})
}

func (in *inotify) namesEntries() bool { return true }

func (in *inotify) add(path string, p part) (int32, error) {
	mask := uint32(goneMask)
	switch p {
	case partSelf:
		mask |= in.contents
		if in.contents == fileMask {
			mask |= namesMask | unix.IN_EXCL_UNLINK
		}
	case partWay:
		mask |= unix.IN_ONLYDIR
	case partLink:
		mask |= unix.IN_ATTRIB // it has one link less when another is moved over it
	case partNames:
		mask |= namesMask | unix.IN_ONLYDIR
	}
	return in.watch(path, mask)
}

func (in *inotify) addContents(folder string) error {
	_, err := in.watch(folder, in.contents|unix.IN_ONLYDIR)
	return err
}

func (in *inotify) watch(path string, mask uint32) (int32, error) {
	wd, err := unix.InotifyAddWatch(in.fd, path, mask|unix.IN_MASK_ADD|unix.IN_DONT_FOLLOW)
	if err == unix.ENOSPC {
		return 0, fmt.Errorf("the limit fs.inotify.max_user_watches is reached: %w", err)
	}
	return int32(wd), os.NewSyscallError("inotify_add_watch", err)
}

// remove fails only where the system has removed the watch already.
func (in *inotify) remove(id int32) { unix.InotifyRmWatch(in.fd, uint32(id)) }

// take reads every waiting notice.
func (in *inotify) take() {
	for {
		n, err := unix.Read(in.fd, in.buf)
		if n <= 0 || err != nil {
			break
		}
		eachInotify(in.buf[:n], in.one)
	}
	in.files.settle()
}

// one handles one inotify event.
func (in *inotify) one(wd int32, mask uint32, name string) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		in.lost()
		return
	}
	e := notice{node: wd, name: name}
	for _, is := range []struct {
		mask uint32
		what what
	}{
		{unix.IN_MODIFY | lockMask, whatContent},
		{unix.IN_ATTRIB, whatMeta},
		{unix.IN_OPEN, whatOpened},
		{goneMask | unix.IN_UNMOUNT | unix.IN_IGNORED, whatGone},
		{namesMask, whatEntry},
	} {
		if mask&is.mask != 0 {
			e.what |= is.what
		}
	}
	in.files.notice(e)
	if mask&unix.IN_IGNORED != 0 {
		in.files.forget(wd)
	}
}

// lost tells that anything may have happened to any path.
func (in *inotify) lost() {
	f, kinds := in.files, map[string]bool{}
	for t := range f.targets {
		kinds[t.kind] = true
		f.stale[t] = true
	}
	for k := range kinds {
		f.tell(k, CauseLost, "", 0)
	}
}

// silent are the file systems that the kernel makes up when they are read.
func silent(path string) bool {
	return path == "/proc" || path == "/sys" || strings.HasPrefix(path, "/proc/") || strings.HasPrefix(path, "/sys/")
}
