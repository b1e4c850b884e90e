package watch

import (
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/windows"
)

// perGroup is how many handles one goroutine waits for beside its own event:
// MAXIMUM_WAIT_OBJECTS less one (WaitForMultipleObjects).
const perGroup = 63

// source is one handle that a pool waits for.
type source struct {
	handle  windows.Handle
	held    bool      // notices wait for others of the same burst
	due     time.Time // when a held source that has a notice is taken
	take    func()    // handles the notice; it runs under the pool's lock
	group   *group
	waiting bool // for due
}

// pool waits for handles, in groups of perGroup with one goroutine each. Events
// that a source tells leave the pool when the source is done: by then whatever
// appeared is watched.
type pool struct {
	send  tell
	tasks sync.WaitGroup

	mu     sync.Mutex // guards all below, and what the sources stand for
	closed bool
	groups []*group
	told   pending
}

// group is what one goroutine waits for. Nobody else closes those handles: to
// close one that is waited for is undefined.
type group struct {
	wake    windows.Handle // an event that makes the goroutine look again
	sources []*source
	dropped []windows.Handle
}

// add waits for a source from now on; the pool closes its handle, here too when
// it fails. The caller holds mu.
func (p *pool) add(s *source) error {
	i := slices.IndexFunc(p.groups, func(g *group) bool { return len(g.sources) < perGroup })
	if i < 0 {
		wake, err := windows.CreateEvent(nil, 0, 0, nil)
		if err != nil {
			windows.CloseHandle(s.handle)
			return os.NewSyscallError("CreateEvent", err)
		}
		i = len(p.groups)
		g := &group{wake: wake}
		p.groups = append(p.groups, g)
		p.tasks.Go(func() { p.run(g) }) // close ends it and waits
	}
	s.group = p.groups[i]
	s.group.sources = append(s.group.sources, s)
	windows.SetEvent(s.group.wake)
	return nil
}

// drop stops waiting for a source and has its handle closed.
func (p *pool) drop(s *source) {
	g := s.group
	if g == nil {
		return
	}
	s.group = nil
	g.sources = slices.DeleteFunc(g.sources, func(o *source) bool { return o == s })
	g.dropped = append(g.dropped, s.handle)
	windows.SetEvent(g.wake)
}

// tell notes an event that leaves with the next flush.
func (p *pool) tell(kind, cause, path string, pid int) {
	p.told.add(Event{Kind: kind, Cause: cause, Path: path, PID: pid})
}

func (p *pool) flush() {
	for e, ok := p.told.next(); ok; e, ok = p.told.next() {
		p.send(e.Kind, e.Cause, e.Path, e.PID)
	}
}

// do runs something that changes what is watched.
func (p *pool) do(what func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	defer p.flush()
	return what()
}

// run waits for one group until close.
func (p *pool) run(g *group) {
	for {
		sources, handles, wait := p.next(g)
		if handles == nil {
			return
		}
		first, err := windows.WaitForMultipleObjects(handles, false, wait)
		if err != nil {
			return // only a closed handle does this, and only we close it
		}
		p.turn(sources, handles, int(first-windows.WAIT_OBJECT_0))
	}
}

// next says what to wait for, and for how many milliseconds; nothing at the end.
// The wake event is the first of the handles.
func (p *pool) next(g *group) ([]*source, []windows.Handle, uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range g.dropped {
		windows.CloseHandle(h)
	}
	g.dropped = nil
	if p.closed {
		for _, s := range g.sources {
			windows.CloseHandle(s.handle)
		}
		windows.CloseHandle(g.wake)
		return nil, nil, 0
	}
	now, wait := time.Now(), time.Duration(-1)
	sources, handles := []*source{nil}, []windows.Handle{g.wake}
	for _, s := range slices.Clone(g.sources) {
		if s.group != nil && s.waiting && !s.due.After(now) {
			s.waiting = false
			s.take()
			p.flush()
		}
		switch {
		case s.group == nil: // dropped as it, or one before it, was taken
		case !s.waiting:
			sources, handles = append(sources, s), append(handles, s.handle)
		case wait < 0 || s.due.Sub(now) < wait:
			wait = s.due.Sub(now)
		}
	}
	if wait < 0 {
		return sources, handles, windows.INFINITE
	}
	return sources, handles, uint32((max(wait, 0) + time.Millisecond - 1) / time.Millisecond)
}

// turn handles the source that was signalled, and those after it that are too,
// lest a busy one keeps the others waiting.
func (p *pool) turn(sources []*source, handles []windows.Handle, first int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for i := max(first, 1); i < len(sources); i++ {
		s := sources[i]
		if i != first {
			if e, err := windows.WaitForSingleObject(handles[i], 0); err != nil || e != windows.WAIT_OBJECT_0 {
				continue
			}
		}
		switch {
		case s.group == nil: // it was dropped meanwhile
		case s.held:
			s.waiting, s.due = true, time.Now().Add(hold)
		default:
			s.take()
			p.flush()
		}
	}
}

// close lets go of what is watched, ends the goroutines, and returns when they
// have ended.
func (p *pool) close(letGo func()) {
	p.mu.Lock()
	if !p.closed {
		letGo()
	}
	p.closed = true
	for _, g := range p.groups {
		windows.SetEvent(g.wake)
	}
	p.groups = nil
	p.mu.Unlock()
	p.tasks.Wait()
}
