package shell

import "sync"

// waiting is how many calls wait while one lasts; a person does not choose more
// than that in earnest.
const waiting = 16

// calls makes the calls into the program, one at a time and in order, so that
// no drawing thread ever waits for what an entry does.
type calls struct {
	queue chan func()
	stop  chan struct{}
	once  sync.Once
	ended chan struct{}
}

// newCalls starts the one goroutine of calls; end ends it.
func newCalls() *calls {
	c := &calls{queue: make(chan func(), waiting), stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for {
			select {
			case <-c.stop:
				return
			case f := <-c.queue:
				f()
			}
		}
	}()
	return c
}

// add queues f and reports whether there was room. It never waits.
func (c *calls) add(f func()) bool {
	select {
	case c.queue <- f:
		return true
	default:
		return false
	}
}

// end drops what has not begun and waits for the call under way.
func (c *calls) end() {
	c.once.Do(func() { close(c.stop) })
	<-c.ended
}
