package watch

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// system watches with three loops, so that nothing slow stands before the end
// of a process, nor before a start: ends has the processes, starts has the
// executables, and calm has all else, with notices held to be taken together.
type system struct {
	ends, starts, calm *loop
	procs              procs  // of ends
	executables        *files // of starts
	files              *files // of calm, as all below
	mounts             mounts
	firewall, devices  netlink
	tables             *files // the lock of iptables-legacy
}

// tablesLock is what every call of iptables-legacy that may change something
// holds a lock on, from before the change until after it (iptables(8), -w). It
// is opened for reading, and also to list rules; iptables-legacy-save does
// without it.
const tablesLock = "/run/xtables.lock"

func (s *system) loops() []*loop { return []*loop{s.ends, s.starts, s.calm} }

func newSystem(send tell) (*system, error) {
	s := &system{}
	if err := s.open(send); err != nil {
		for _, l := range s.loops() {
			if l != nil {
				l.release()
			}
		}
		return nil, err
	}
	for _, l := range s.loops() {
		go l.run() // close ends them and waits
	}
	return s, nil
}

func (s *system) open(send tell) (err error) {
	for _, l := range []**loop{&s.ends, &s.starts, &s.calm} {
		if *l, err = newLoop(send); err != nil {
			return err
		}
	}
	s.procs = procs{loop: s.ends, watched: map[*source]procWatch{}}
	if s.executables, err = newInotify(s.starts, CauseReplaced, exeMask, false, s.starts.tell); err != nil {
		return err
	}
	if s.files, err = newInotify(s.calm, CauseFile, fileMask, true, s.calm.tell); err != nil {
		return err
	}
	if s.tables, err = newInotify(s.calm, CauseFirewall, lockMask, true, s.tellTables); err != nil {
		return err
	}
	s.mounts = mounts{loop: s.calm, kinds: map[string]bool{}, moved: s.remounted}
	s.firewall = newNetlink(s.calm, unix.NETLINK_NETFILTER, nftablesGroup, CauseFirewall, always)
	s.devices = newNetlink(s.calm, unix.NETLINK_KOBJECT_UEVENT, kernelGroup, CauseDevice, aboutBlockDevice)
	return nil
}

func (s *system) setExecutables(kind string, paths []string) error {
	return s.setPaths(s.starts, s.executables, kind, paths)
}

func (s *system) setProcesses(kind string, pids []int, exe map[int]string) error {
	return s.ends.do(func() error { return s.procs.set(kind, pids, exe) })
}

func (s *system) setFiles(kind string, paths []string) error {
	return s.setPaths(s.calm, s.files, kind, paths)
}

// setPaths has mounts noticed too, since one of them may cover a path.
func (s *system) setPaths(l *loop, f *files, kind string, paths []string) error {
	var err error
	if len(paths) > 0 {
		if err = s.calm.do(s.mounts.open); errors.Is(err, errClosed) {
			return err
		}
	}
	return errors.Join(err, l.do(func() error { return f.set(kind, paths) }))
}

// remounted runs in the calm loop. A loop that was closed meanwhile has nobody
// to tell.
func (s *system) remounted() {
	s.files.remounted()
	s.tables.remounted()
	s.starts.do(func() error { s.executables.remounted(); return nil })
}

func (s *system) setMounts(kind string) error {
	return s.calm.do(func() error { return s.mounts.set(kind) })
}

// setFirewall watches nftables, and iptables-legacy, of which the kernel tells
// nobody, by its lock. Who may not hear of the one cannot read the other either.
func (s *system) setFirewall(kind string) error {
	err := s.calm.do(func() error { return s.firewall.set(kind) })
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errClosed) {
		return err
	}
	return errors.Join(err, s.setPaths(s.calm, s.tables, kind, []string{tablesLock}))
}

// tellTables names no path: the lock is not what anybody asked to watch.
func (s *system) tellTables(kind, cause, _ string, _ int) { s.calm.tell(kind, cause, "", 0) }

func (s *system) setUevents(kind string) error {
	return s.calm.do(func() error { return s.devices.set(kind) })
}

func (s *system) setRegistry(string, []string) error {
	return unsupported("the registry", "only Windows has one")
}

func (s *system) setServices(string, []string) error {
	return unsupported("services", "only Windows tells of them without asking a daemon; watch the processes instead")
}

// close begins with the loop that waits for another's lock.
func (s *system) close() error {
	return errors.Join(s.calm.close(), s.starts.close(), s.ends.close())
}

func (s *system) setSecurityCenter(string) error {
	return unsupported("the security center", "it is part of Windows")
}
