package watch

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// system watches with two loops, so that nothing slow stands before the end of
// a process: urgent has the processes, calm has all else, with notices held to
// be handled together.
type system struct {
	urgent, calm *loop
	procs        procs // of urgent
	paths        []paths
	mounts       map[string]bool // kinds
	mountsAsked  bool
}

// paths are the files of one cause with their watches.
type paths struct {
	files  *files
	vnodes *vnodes
}

const (
	replacedPaths = iota
	filePaths
	firewallPaths
)

// mountNotes are VQ_MOUNT, VQ_UNMOUNT and VQ_UPDATE of sys/mount.h.
const mountNotes = 0x0008 | 0x0010 | 0x0100

func newSystem(send tell) (*system, error) {
	urgent, err := newLoop(send)
	if err != nil {
		return nil, err
	}
	calm, err := newLoop(send)
	if err != nil {
		unix.Close(urgent.queue)
		return nil, err
	}
	s := &system{urgent: urgent, calm: calm, procs: procs{loop: urgent, watched: map[procWatch]bool{}}, mounts: map[string]bool{}}
	for _, cause := range []string{CauseReplaced, CauseFile, CauseFirewall} { // in the order of the constants
		v := newVnodes(calm)
		s.paths = append(s.paths, paths{newFiles(v, cause, calm.tell), v})
	}
	urgent.now, calm.later = s.procs.ended, s.later
	go urgent.run() // close ends them and waits
	go calm.run()
	return s, nil
}

// later handles held notices.
func (s *system) later(notices map[uint64]uint32, mounts bool) {
	for _, p := range s.paths {
		for fd, notes := range notices {
			p.vnodes.tell(p.files, fd, notes)
		}
		p.files.settle()
		if mounts {
			p.files.remounted()
		}
	}
	if mounts {
		for kind := range s.mounts {
			s.calm.tell(kind, CauseMount, "", 0)
		}
	}
}

// set has mounts noticed too, since one of them may cover a path.
func (s *system) set(of int, kind string, to []string) error {
	return s.calm.do(func() error {
		return errors.Join(s.askMounts(), s.paths[of].files.set(kind, to))
	})
}

func (s *system) askMounts() error {
	if s.mountsAsked {
		return nil
	}
	if err := s.calm.change(0, unix.EVFILT_FS, unix.EV_ADD|unix.EV_CLEAR, mountNotes); err != nil {
		return fmt.Errorf("watch mounts: %w", err)
	}
	s.mountsAsked = true
	return nil
}

func (s *system) setExecutables(kind string, to []string) error {
	return s.set(replacedPaths, kind, to)
}

func (s *system) setFiles(kind string, to []string) error { return s.set(filePaths, kind, to) }

func (s *system) setProcesses(kind string, pids []int, exe map[int]string) error {
	return s.urgent.do(func() error { return s.procs.set(kind, pids, exe) })
}

func (s *system) setMounts(kind string) error {
	return s.calm.do(func() error {
		if err := s.askMounts(); err != nil {
			return err
		}
		s.mounts[kind] = true
		return nil
	})
}

const (
	// firewallFile has the application firewall's settings up to macOS 14.
	firewallFile = "/Library/Preferences/com.apple.alf.plist"
	// withoutFile is the version of Darwin that macOS 15 has.
	withoutFile = 24
)

func (s *system) setFirewall(kind string) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("watch the firewall: %w", os.NewSyscallError("uname", err))
	}
	major, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), ".")
	if version, err := strconv.Atoi(major); err != nil || version >= withoutFile {
		return unsupported("the firewall", "since macOS 15 its settings are in no file, and no other notice of them is known")
	}
	return s.set(firewallPaths, kind, []string{firewallFile})
}

func (s *system) setUevents(string) error {
	return unsupported("devices", "disks are told by Disk Arbitration only; watch the mounts instead")
}

func (s *system) setRegistry(string, []string) error {
	return unsupported("the registry", "only Windows has one")
}

func (s *system) setServices(string, []string) error {
	return unsupported("services", "launchd tells nobody of them; watch the processes instead")
}

func (s *system) close() error {
	urgent := s.urgent.close(func() {})
	calm := s.calm.close(func() {
		for _, p := range s.paths {
			p.vnodes.closeAll()
		}
	})
	return errors.Join(urgent, calm)
}

func (s *system) setSecurityCenter(string) error {
	return unsupported("the security center", "it is part of Windows")
}
