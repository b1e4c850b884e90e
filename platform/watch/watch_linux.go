package watch

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/clock"
)

// retryDelay is how soon, in milliseconds, events are offered again to a reader
// that has not made room.
const retryDelay = 10

// Watcher watches executables with inotify(7) and processes with pidfds
// (pidfd_open(2)), both through one epoll(7). Its methods may be called from
// several goroutines.
type Watcher struct {
	clock   clock.Clock
	epoll   int
	inotify int
	wake    int // eventfd(2) that ends the loop
	events  chan Event
	done    chan struct{} // closed when the loop has ended

	mu     sync.Mutex // guards all below
	closed bool
	files  files
	procs  procs
	queue  pending
}

// queued is how many events wait for a reader before events of the same kind
// and cause are joined.
const queued = 64

// New starts a Watcher that watches nothing yet. One goroutine serves it until
// Close.
func New(c clock.Clock) (*Watcher, error) {
	w := &Watcher{clock: c, epoll: -1, inotify: -1, wake: -1, events: make(chan Event, queued), done: make(chan struct{})}
	if err := w.open(); err != nil {
		w.closeFDs()
		return nil, fmt.Errorf("start watching: %w", err)
	}
	w.files = files{fd: w.inotify, watches: map[int32]*fileWatch{}}
	w.procs = procs{epoll: w.epoll, byFD: map[int32]*procWatch{}}
	go w.loop() // Close ends it and waits
	return w, nil
}

func (w *Watcher) open() (err error) {
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if w.inotify, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	if w.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	for _, fd := range []int{w.inotify, w.wake} {
		if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return nil
}

// Events is where events arrive. It is closed after Close. A reader that is
// slow gets the events of one kind and cause joined into one, and never none.
func (w *Watcher) Events() <-chan Event { return w.events }

// errClosed answers calls after Close.
var errClosed = errors.New("watch: is closed")

// SetExecutables watches the executables of a kind, in place of those it had
// before. The files need not be there. Call it before reading the facts, so
// that no change falls between. On an error, such as a folder that may not be
// read, the rest is watched all the same.
func (w *Watcher) SetExecutables(kind string, paths []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	return w.files.set(kind, paths)
}

// SetProcesses watches the processes of a kind for their end, in place of those
// it had before. exe tells what each of them runs, as /proc/PID/exe has it: a
// process that has ended meanwhile, or whose number belongs to something else
// now, counts as ended at once. An empty or missing path is not compared, nor
// is one that this user may not see.
func (w *Watcher) SetProcesses(kind string, pids []int, exe map[int]string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	gone, err := w.procs.set(kind, pids, exe)
	for _, pid := range gone {
		w.queue.add(Event{Kind: kind, Cause: CauseExit, Path: exe[pid], PID: pid, At: w.clock.Boot()})
	}
	w.queue.flush(w.events)
	if len(w.queue.order) > 0 { // let the loop offer the rest
		return errors.Join(err, w.nudge())
	}
	return err
}

// Close ends the watching and returns when the goroutine has ended.
func (w *Watcher) Close() error {
	if err := w.end(); err != nil {
		return fmt.Errorf("stop watching: %w", err)
	}
	<-w.done
	return nil
}

// end tells the loop to end, under the lock that closing the descriptors takes.
func (w *Watcher) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.nudge()
}

// nudge makes the loop turn once. The caller holds mu.
func (w *Watcher) nudge() error {
	_, err := unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	if err == unix.EAGAIN { // it was nudged already
		return nil
	}
	return os.NewSyscallError("write", err)
}

// loop takes notices from the system until Close.
func (w *Watcher) loop() {
	defer close(w.done)
	defer close(w.events)
	defer w.closeFDs()
	ready := make([]unix.EpollEvent, 32)
	buf := make([]byte, 64<<10)
	wait := -1
	for {
		n, err := unix.EpollWait(w.epoll, ready, wait)
		if err != nil && err != unix.EINTR {
			return // only a closed descriptor does this, and only we close it
		}
		if !w.turn(ready[:max(n, 0)], buf) {
			return
		}
		wait = w.waitFor()
	}
}

// turn handles what is ready and hands over events; false ends the loop.
func (w *Watcher) turn(ready []unix.EpollEvent, buf []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	now := w.clock.Boot()
	emit := func(kind, cause, path string, pid int) {
		w.queue.add(Event{Kind: kind, Cause: cause, Path: path, PID: pid, At: now})
	}
	for _, e := range ready {
		switch int(e.Fd) {
		case w.wake:
			unix.Read(w.wake, buf[:8])
		case w.inotify:
			w.files.read(buf, emit)
		default:
			w.procs.ended(e.Fd, e.Pad, emit)
		}
	}
	w.queue.flush(w.events)
	return true
}

// waitFor is for how long epoll may sleep, in milliseconds.
func (w *Watcher) waitFor() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue.order) > 0 {
		return retryDelay
	}
	return -1
}

// closeFDs runs at the end of the loop, or when New fails.
func (w *Watcher) closeFDs() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.procs.closeAll()
	for _, fd := range []int{w.epoll, w.inotify, w.wake} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
