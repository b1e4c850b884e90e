package watch

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// procs are the watched processes, each by a pidfd (pidfd_open(2)), which
// becomes readable when the process ends.
type procs struct {
	loop    *loop
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
			p.loop.tell(kind, CauseExit, w.exe, pid)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// add opens a pidfd and then looks whether the number still is the process that
// the caller meant: from there on the descriptor stands for it.
func (p *procs) add(w procWatch) (ended bool, err error) {
	fd, err := unix.PidfdOpen(w.pid, 0)
	if err == unix.ESRCH {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("watch process %d: %w", w.pid, os.NewSyscallError("pidfd_open", err))
	}
	if !stillRuns(w.pid, w.exe) {
		unix.Close(fd)
		return true, nil
	}
	s := &source{fd: fd, events: unix.EPOLLIN}
	s.take = func() {
		p.loop.tell(w.kind, CauseExit, w.exe, w.pid)
		p.drop(s)
	}
	if err := p.loop.add(s); err != nil {
		return false, fmt.Errorf("watch process %d: %w", w.pid, err)
	}
	p.watched[s] = w
	return false, nil
}

func (p *procs) drop(s *source) {
	delete(p.watched, s)
	p.loop.drop(s)
}

// stillRuns reports whether the process was started from exe. What this user
// may not see is not held against it.
func stillRuns(pid int, exe string) bool {
	if exe == "" {
		return true
	}
	is, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	if errors.Is(err, os.ErrPermission) {
		return true
	}
	return err == nil && is == exe
}
