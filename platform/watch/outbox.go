package watch

import (
	"sync"

	"github.com/postern-zt/postern/platform/clock"
)

// queued is how many different events wait for a reader before events of the
// same kind and cause are joined.
const queued = 64

// pending holds events that were not handed over yet, the first one of each
// sort, so that it can neither grow nor forget that something changed.
type pending struct {
	order []Event
}

// add keeps an event unless one that says the same is waiting. Which process
// ended and which program started is kept apart while there is room; of all
// else, one event of a kind and cause says everything.
func (p *pending) add(e Event) {
	apart := (e.Cause == CauseExit || e.Cause == CauseExec || e.Cause == CauseReplaced) && len(p.order) < queued
	for _, old := range p.order {
		if old.Kind == e.Kind && old.Cause == e.Cause && (!apart || old.PID == e.PID && old.Path == e.Path) {
			return
		}
	}
	p.order = append(p.order, e)
}

// next takes the event that has waited longest.
func (p *pending) next() (Event, bool) {
	if len(p.order) == 0 {
		p.order = nil // lets go of what the slice has passed over
		return Event{}, false
	}
	e := p.order[0]
	p.order = p.order[1:]
	return e, true
}

// outbox hands events to the reader. Putting one in never waits.
type outbox struct {
	clock  clock.Clock
	events chan Event
	more   chan struct{} // holds one token while something was put in
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	pending pending
}

// newOutbox starts the goroutine that hands events over; end ends it.
func newOutbox(c clock.Clock) *outbox {
	o := &outbox{
		clock: c, events: make(chan Event), more: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go o.run()
	return o
}

func (o *outbox) put(kind, cause, path string, pid int) {
	o.mu.Lock()
	o.pending.add(Event{Kind: kind, Cause: cause, Path: path, PID: pid, At: o.clock.Boot()})
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default: // the token is there already
	}
}

func (o *outbox) take() (Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pending.next()
}

func (o *outbox) run() {
	defer close(o.done)
	defer close(o.events)
	for {
		e, ok := o.take()
		if !ok {
			select {
			case <-o.more:
				continue
			case <-o.stop:
				return
			}
		}
		select {
		case o.events <- e:
		case <-o.stop:
			return
		}
	}
}

// end is called once; it returns when the goroutine has ended.
func (o *outbox) end() {
	close(o.stop)
	<-o.done
}
