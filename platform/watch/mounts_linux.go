package watch

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mounts waits for changes of the mounted file systems and swap spaces: their
// files in /proc show POLLPRI and POLLERR once after each change (proc(5),
// "mounts"). The thread's own file is the process's, unless the thread was
// moved to another mount namespace.
type mounts struct {
	loop   *loop
	kinds  map[string]bool
	opened bool
	moved  func() // what is watched may lead elsewhere now
}

const (
	mountsFile = "/proc/thread-self/mountinfo"
	swapsFile  = "/proc/swaps"
)

func (m *mounts) set(kind string) error {
	if err := m.open(); err != nil {
		return err
	}
	m.kinds[kind] = true
	return nil
}

// open does nothing when it has been done.
func (m *mounts) open() error {
	if m.opened {
		return nil
	}
	if err := m.wait(mountsFile, m.changed); err != nil {
		return err
	}
	m.opened = true
	// A kernel without swapping does not have the file.
	if err := m.wait(swapsFile, m.announce); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (m *mounts) wait(path string, take func()) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("watch mounts: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	if err := m.loop.add(&source{fd: fd, events: unix.EPOLLPRI, held: true, take: take}); err != nil {
		return fmt.Errorf("watch mounts: %s: %w", path, err)
	}
	return nil
}

func (m *mounts) changed() {
	m.moved()
	m.announce()
}

func (m *mounts) announce() {
	for kind := range m.kinds {
		m.loop.tell(kind, CauseMount, "", 0)
	}
}
