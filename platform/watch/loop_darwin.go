package watch

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop waits for one kqueue(2). Events leave it when the notices they came from
// are done: by then whatever appeared is watched.
type loop struct {
	send  tell
	queue int
	done  chan struct{} // closed when the loop has ended
	now   func(e unix.Kevent_t)
	later func(notices map[uint64]uint32, mounts bool) // held notices, by descriptor

	mu      sync.Mutex // guards all below, and what the notices stand for
	closed  bool
	told    pending
	notices map[uint64]uint32
	mounts  bool
	due     time.Time // when held notices are handled; zero while there are none
}

// wakeUp is the identifier of the loop's own EVFILT_USER.
const wakeUp = 0

func newLoop(send tell) (*loop, error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(queue)
	l := &loop{send: send, queue: queue, done: make(chan struct{}), notices: map[uint64]uint32{}}
	if err := l.change(wakeUp, unix.EVFILT_USER, unix.EV_ADD|unix.EV_CLEAR, 0); err != nil {
		unix.Close(queue)
		return nil, err
	}
	return l, nil
}

// change adds, changes or triggers one kevent.
func (l *loop) change(ident, filter, flags int, what uint32) error {
	e := unix.Kevent_t{Fflags: what}
	unix.SetKevent(&e, ident, filter, flags)
	_, err := unix.Kevent(l.queue, []unix.Kevent_t{e}, nil, nil)
	return os.NewSyscallError("kevent", err)
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
	events := make([]unix.Kevent_t, 64)
	var wait *unix.Timespec // for ever
	for {
		n, err := unix.Kevent(l.queue, nil, events, wait)
		if err != nil && err != unix.EINTR {
			return // only a closed descriptor does this, and only we close it
		}
		var ok bool
		if wait, ok = l.turn(events[:max(n, 0)], time.Now()); !ok {
			return
		}
	}
}

// turn handles what is ready and what was held long enough. It returns for how
// long kevent may sleep; false ends the loop.
func (l *loop) turn(events []unix.Kevent_t, now time.Time) (wait *unix.Timespec, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, false
	}
	for _, e := range events {
		switch e.Filter {
		case unix.EVFILT_VNODE:
			l.notices[e.Ident] |= e.Fflags
		case unix.EVFILT_FS:
			l.mounts = true
		case unix.EVFILT_PROC:
			l.now(e)
		}
	}
	l.flush()
	if len(l.notices) == 0 && !l.mounts {
		return nil, true
	}
	if l.due.IsZero() {
		l.due = now.Add(hold)
	}
	if left := l.due.Sub(now); left > 0 {
		t := unix.NsecToTimespec(int64(left))
		return &t, true
	}
	notices, mounts := l.notices, l.mounts
	l.notices, l.mounts, l.due = map[uint64]uint32{}, false, time.Time{}
	l.later(notices, mounts)
	l.flush()
	return nil, true
}

// close lets go of what is watched and returns when the loop has ended.
func (l *loop) close(letGo func()) error {
	err := l.do(func() error {
		letGo()
		l.closed = true
		return l.change(wakeUp, unix.EVFILT_USER, 0, unix.NOTE_TRIGGER)
	})
	if err != nil {
		return err
	}
	<-l.done
	return os.NewSyscallError("close", unix.Close(l.queue))
}
