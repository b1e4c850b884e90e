package watch

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// procs are the watched processes, each by EVFILT_PROC with NOTE_EXIT, which
// any user may ask for.
type procs struct {
	loop    *loop
	watched map[procWatch]bool
}

type procWatch struct {
	kind string
	pid  int
	exe  string
}

// set replaces the processes of a kind and tells of those that have ended.
func (p *procs) set(kind string, pids []int, exe map[int]string) error {
	for w := range p.watched {
		if w.kind == kind { // its kevent stays: it tells nobody, or the same process
			delete(p.watched, w)
		}
	}
	var errs []error
	for _, pid := range pids {
		w := procWatch{kind: kind, pid: pid, exe: exe[pid]}
		err := p.loop.change(pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT, unix.NOTE_EXIT)
		switch {
		case errors.Is(err, unix.ESRCH) || err == nil && !stillRuns(pid, w.exe):
			p.loop.tell(kind, CauseExit, w.exe, pid)
		case err != nil:
			errs = append(errs, fmt.Errorf("watch process %d: %w", pid, err))
		default:
			p.watched[w] = true
		}
	}
	return errors.Join(errs...)
}

// ended handles the end of a process.
func (p *procs) ended(e unix.Kevent_t) {
	for w := range p.watched {
		if w.pid == int(e.Ident) {
			p.loop.tell(w.kind, CauseExit, w.exe, w.pid)
			delete(p.watched, w)
		}
	}
}

// stillRuns reports whether the process runs exe. It does not only if both its
// short name (which may be a link's, or cut) and the path it was started by say
// so; what this user may not see is not held against it.
func stillRuns(pid int, exe string) bool {
	if exe == "" {
		return true
	}
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return true
	}
	name := filepath.Base(exe)
	comm := unix.ByteSliceToString(info.Proc.P_comm[:])
	if comm == name[:min(len(name), len(info.Proc.P_comm)-1)] {
		return true
	}
	arguments, err := unix.SysctlRaw("kern.procargs2", pid)
	path := executedPath(arguments)
	return err != nil || path == "" || filepath.Base(path) == name
}
