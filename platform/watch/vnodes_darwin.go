package watch

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	goneNotes   = unix.NOTE_DELETE | unix.NOTE_RENAME | unix.NOTE_REVOKE
	folderNotes = goneNotes | unix.NOTE_WRITE // an entry appears or goes
	selfNotes   = folderNotes | unix.NOTE_EXTEND | unix.NOTE_ATTRIB | unix.NOTE_LINK
)

// vnodes puts watches of EVFILT_VNODE, each by a descriptor that is open for
// nothing else. They do not name a folder's entries, nor tell of their contents.
type vnodes struct {
	loop   *loop
	byPath map[string]*vnode
	byFD   map[int32]*vnode
}

type vnode struct {
	path  string
	fd    int32
	notes uint32
}

func newVnodes(l *loop) *vnodes {
	return &vnodes{loop: l, byPath: map[string]*vnode{}, byFD: map[int32]*vnode{}}
}

func (v *vnodes) namesEntries() bool { return false }

// addContents never helps: a folder does not tell of contents.
func (v *vnodes) addContents(string) error { return os.ErrPermission }

func (v *vnodes) add(path string, p part) (int32, error) {
	notes := uint32(goneNotes)
	switch p {
	case partSelf:
		notes = selfNotes
	case partNames:
		notes = folderNotes
	}
	n := v.byPath[path]
	if n == nil || !n.still() {
		fd, err := unix.Open(path, unix.O_EVTONLY|unix.O_SYMLINK|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return 0, os.NewSyscallError("open", err)
		}
		n = &vnode{path: path, fd: int32(fd)}
	}
	if n.notes|notes != n.notes {
		if err := v.loop.change(int(n.fd), unix.EVFILT_VNODE, unix.EV_ADD|unix.EV_CLEAR, n.notes|notes); err != nil {
			if v.byFD[n.fd] != n {
				unix.Close(int(n.fd))
			}
			return 0, err
		}
	}
	n.notes |= notes
	v.byPath[path], v.byFD[n.fd] = n, n
	return n.fd, nil
}

// still tells whether the path leads to what was opened.
func (n *vnode) still() bool {
	var was, is unix.Stat_t
	return unix.Fstat(int(n.fd), &was) == nil && unix.Lstat(n.path, &is) == nil && was.Dev == is.Dev && was.Ino == is.Ino
}

// remove closes the descriptor, which ends its notices.
func (v *vnodes) remove(id int32) {
	n := v.byFD[id]
	if n == nil {
		return
	}
	delete(v.byFD, id)
	if v.byPath[n.path] == n {
		delete(v.byPath, n.path)
	}
	unix.Close(int(id))
}

func (v *vnodes) closeAll() {
	for id := range v.byFD {
		v.remove(id)
	}
}

// tell hands one notice to the files that the watch is for.
func (v *vnodes) tell(f *files, fd uint64, notes uint32) {
	n := v.byFD[int32(fd)]
	if n == nil {
		return // another's, or of one that was closed meanwhile
	}
	e := notice{node: n.fd}
	if notes&goneNotes != 0 {
		e.what |= whatGone
	}
	if notes&(unix.NOTE_ATTRIB|unix.NOTE_LINK) != 0 {
		e.what |= whatMeta
	}
	if notes&(unix.NOTE_WRITE|unix.NOTE_EXTEND) != 0 {
		e.what |= whatContent | whatEntry // of a file, or of a folder
	}
	f.notice(e)
}

// silent are no paths here.
func silent(string) bool { return false }
