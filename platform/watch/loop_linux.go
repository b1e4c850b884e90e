package watch

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// source is one descriptor that a loop waits for.
type source struct {
	fd         int
	generation int32 // tells a source from an older one with the same descriptor
	events     uint32
	held       bool      // notices wait for others of the same burst
	due        time.Time // when a held source that has notices is taken
	take       func()    // handles the notices; it runs under the loop's lock
}

// loop waits for descriptors with one epoll(7). Events that a source tells
// leave the loop when the source is done: by then whatever appeared is watched,
// so that who reads after the event misses nothing.
type loop struct {
	send  tell
	epoll int
	wake  int           // eventfd(2) that makes the loop turn
	done  chan struct{} // closed when the loop has ended

	mu      sync.Mutex // guards all below, and what the sources stand for
	closed  bool
	sources map[int32]*source
	waiting []*source // held sources that have notices, the earliest first
	told    pending
	last    int32 // generation of the newest source
	wait    int   // for how long epoll sleeps now, in milliseconds; -1 is for ever
	turns   int   // how often it woke up
}

// newLoop opens a loop; nothing runs until start.
func newLoop(send tell) (*loop, error) {
	l := &loop{send: send, epoll: -1, wake: -1, done: make(chan struct{}), sources: map[int32]*source{}, wait: -1}
	if err := l.open(); err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

func (l *loop) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	return l.add(&source{fd: l.wake, events: unix.EPOLLIN, take: func() { unix.Read(l.wake, make([]byte, 8)) }})
}

// add waits for a source from now on. The loop closes its descriptor, here too
// when it fails. The caller holds mu once the loop runs.
func (l *loop) add(s *source) error {
	l.last++
	s.generation = l.last
	if s.held { // after one notice the kernel is silent until rearm
		s.events |= unix.EPOLLONESHOT
	}
	err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: s.events, Fd: int32(s.fd), Pad: s.generation})
	if err != nil {
		unix.Close(s.fd)
		return os.NewSyscallError("epoll_ctl", err)
	}
	l.sources[int32(s.fd)] = s
	return nil
}

// drop closes a source's descriptor, which takes it out of epoll too.
func (l *loop) drop(s *source) {
	delete(l.sources, int32(s.fd))
	unix.Close(s.fd)
}

// tell notes an event that leaves with the next flush.
func (l *loop) tell(kind, cause, path string, pid int) {
	l.told.add(Event{Kind: kind, Cause: cause, Path: path, PID: pid})
}

func (l *loop) flush() {
	for e, ok := l.told.next(); ok; e, ok = l.told.next() {
		l.send(e.Kind, e.Cause, e.Path, e.PID)
	}
}

// do runs something that changes what is watched.
func (l *loop) do(what func() error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	defer l.flush()
	return what()
}

// run takes notices from the system until close.
func (l *loop) run() {
	defer close(l.done)
	defer l.release()
	ready := make([]unix.EpollEvent, 32)
	for wait := -1; ; {
		n, err := unix.EpollWait(l.epoll, ready, wait)
		if err != nil && err != unix.EINTR {
			return // only a closed descriptor does this, and only we close it
		}
		var ok bool
		if wait, ok = l.turn(ready[:max(n, 0)], time.Now()); !ok {
			return
		}
	}
}

// turn handles what is ready and what has waited long enough. It returns for
// how long epoll may sleep; false ends the loop.
func (l *loop) turn(ready []unix.EpollEvent, now time.Time) (wait int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turns++
	if l.closed {
		return 0, false
	}
	for _, e := range ready {
		s, ok := l.sources[e.Fd]
		switch {
		case !ok || s.generation != e.Pad:
			// Of a source that was dropped after the system had put this notice.
		case s.held:
			s.due = now.Add(hold)
			l.waiting = append(l.waiting, s)
		default:
			s.take()
			l.flush()
		}
	}
	for len(l.waiting) > 0 && !l.waiting[0].due.After(now) {
		l.rearm(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
	l.wait = l.sleep(time.Now())
	return l.wait, true
}

// rearm listens to a held source again and then takes what it has: a change
// after that gives a notice, one before is told now.
func (l *loop) rearm(s *source) {
	// It cannot fail for a descriptor that is in the set.
	unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: s.events, Fd: int32(s.fd), Pad: s.generation})
	s.take()
	l.flush()
}

// sleep is for how long epoll may sleep, in milliseconds, rounded up.
func (l *loop) sleep(now time.Time) int {
	if len(l.waiting) == 0 {
		l.waiting = nil // lets go of what the slice has passed over
		return -1
	}
	return int((max(l.waiting[0].due.Sub(now), 0) + time.Millisecond - 1) / time.Millisecond)
}

// close ends the loop and returns when it has ended.
func (l *loop) close() error {
	if err := l.end(); err != nil {
		return err
	}
	<-l.done
	return nil
}

// end tells the loop to end, under the lock that closing the descriptors takes.
func (l *loop) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	_, err := unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return os.NewSyscallError("write", err)
}

// release closes everything, at the end of the loop or when it never began.
func (l *loop) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, s := range l.sources { // the eventfd among them
		unix.Close(s.fd)
	}
	clear(l.sources)
	if l.epoll >= 0 {
		unix.Close(l.epoll)
	}
}
