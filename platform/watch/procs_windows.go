package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

// procs are the watched processes, each by a handle, which is signalled when
// the process ends.
type procs struct {
	pool    *pool
	watched map[*source]procWatch
}

type procWatch struct {
	kind string
	pid  int
	exe  string
}

// set replaces the processes of a kind and tells of those that have ended.
func (p *procs) set(kind string, pids []int, exe map[int]string) error {
	wanted := make(map[int]bool, len(pids))
	for _, pid := range pids {
		wanted[pid] = true
	}
	for s, w := range p.watched {
		if w.kind != kind {
			continue
		}
		if wanted[w.pid] && w.exe == exe[w.pid] {
			delete(wanted, w.pid)
			continue
		}
		p.drop(s)
	}
	var errs []error
	for pid := range wanted {
		w := procWatch{kind: kind, pid: pid, exe: exe[pid]}
		ended, err := p.add(w)
		if ended {
			p.pool.tell(kind, CauseExit, w.exe, pid)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// add opens the process and then looks whether the number still is the one that
// the caller meant: from there on the handle stands for it. A process that has
// ended, but is still open somewhere, is signalled at once.
func (p *procs) add(w procWatch) (ended bool, err error) {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(w.pid))
	if err == windows.ERROR_ACCESS_DENIED {
		h, err = windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(w.pid))
	}
	if err == windows.ERROR_INVALID_PARAMETER { // no process has the number
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("watch process %d: %w", w.pid, os.NewSyscallError("OpenProcess", err))
	}
	if !stillRuns(h, w.exe) {
		windows.CloseHandle(h)
		return true, nil
	}
	s := &source{handle: h}
	s.take = func() {
		p.pool.tell(w.kind, CauseExit, w.exe, w.pid)
		p.drop(s)
	}
	if err := p.pool.add(s); err != nil {
		return false, fmt.Errorf("watch process %d: %w", w.pid, err)
	}
	p.watched[s] = w
	return false, nil
}

// stillRuns reports whether the process runs exe. What this user may not see is
// not held against it, nor another form of the path (a device's name, a short
// name): the file's own name decides.
func stillRuns(process windows.Handle, exe string) bool {
	if exe == "" {
		return true
	}
	buf := make([]uint16, windows.MAX_LONG_PATH)
	size := uint32(len(buf))
	if err := windows.QueryFullProcessImageName(process, 0, &buf[0], &size); err != nil {
		return true
	}
	return strings.EqualFold(filepath.Base(windows.UTF16ToString(buf[:size])), filepath.Base(exe))
}

func (p *procs) drop(s *source) {
	delete(p.watched, s)
	p.pool.drop(s)
}
