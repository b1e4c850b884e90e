package watch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// procs are the watched processes, each by a pidfd, which becomes readable when
// the process ends.
type procs struct {
	epoll int
	byFD  map[int32]*procWatch
	next  int32 // generation of the next watch
}

type procWatch struct {
	kind       string
	pid        int
	exe        string
	generation int32 // tells a watch from an older one with the same descriptor
}

// set replaces the processes of a kind and returns those that have ended.
func (p *procs) set(kind string, pids []int, exe map[int]string) (gone []int, err error) {
	kept := map[int]bool{}
	for fd, w := range p.byFD {
		if w.kind != kind {
			continue
		}
		if slices.Contains(pids, w.pid) && w.exe == exe[w.pid] {
			kept[w.pid] = true
			continue
		}
		p.drop(fd)
	}
	for _, pid := range pids {
		if kept[pid] {
			continue
		}
		kept[pid] = true
		ended, openErr := p.add(kind, pid, exe[pid])
		if ended {
			gone = append(gone, pid)
		}
		err = errors.Join(err, openErr)
	}
	return gone, err
}

// add opens a pidfd and then looks whether the number still is the process that
// the caller meant: from there on the descriptor stands for it.
func (p *procs) add(kind string, pid int, exe string) (ended bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("watch process %d: %w", pid, os.NewSyscallError("pidfd_open", err))
	}
	if !stillRuns(pid, exe) {
		unix.Close(fd)
		return true, nil
	}
	p.next++
	w := &procWatch{kind: kind, pid: pid, exe: exe, generation: p.next}
	err = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd), Pad: w.generation})
	if err != nil {
		unix.Close(fd)
		return false, fmt.Errorf("watch process %d: %w", pid, os.NewSyscallError("epoll_ctl", err))
	}
	p.byFD[int32(fd)] = w
	return false, nil
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

// ended handles a readable pidfd.
func (p *procs) ended(fd, generation int32, emit func(kind, cause, path string, pid int)) {
	w, ok := p.byFD[fd]
	if !ok || w.generation != generation {
		return // of a watch that was dropped after the system had put this notice
	}
	emit(w.kind, CauseExit, w.exe, w.pid)
	p.drop(fd)
}

// drop closes a pidfd, which takes it out of epoll too.
func (p *procs) drop(fd int32) {
	delete(p.byFD, fd)
	unix.Close(int(fd))
}

func (p *procs) closeAll() {
	for fd := range p.byFD {
		p.drop(fd)
	}
}
