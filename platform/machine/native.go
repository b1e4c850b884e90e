package machine

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	// nativeTimeout bounds a call whose context has no deadline.
	nativeTimeout = 20 * time.Second
	// maxNative is how many calls may be under way, hung ones included. Each
	// holds a thread of the system for as long as it does not return.
	maxNative = 24
)

// native counts the calls into the system's own interfaces that are under way,
// and remembers the outcomes of the slow ones. Its zero value is complete.
type native struct {
	running atomic.Int32

	mu   sync.Mutex
	work map[string]*work
}

// work is one call of later, under way until done is closed.
type work struct {
	done  chan struct{}
	value []byte
	err   error
	from  time.Time // when it was done
	until time.Time // for how long the value stands
}

var errManyHang = errors.New("too many earlier calls have not returned")

// await runs f on a thread of its own and gives its outcome, or timeout when
// ctx ends first: calls into COM, the service manager or a file system may hang
// for ever, and cannot be broken off. A call that hangs goes on, its outcome is
// thrown away, and it counts against maxNative until it returns, so that no
// number of repetitions takes all threads.
func await[T any](ctx context.Context, n *native, op string, f func() (T, error)) (T, error) {
	var nothing T
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, nativeTimeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return nothing, evidence.Wrap(op, err)
	}
	if n.running.Add(1) > maxNative {
		n.running.Add(-1)
		return nothing, &evidence.Error{Reason: fact.ReasonTimeout, Op: op, Err: errManyHang}
	}
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() { // ends with f; n counts it
		defer n.running.Add(-1)
		runtime.LockOSThread() // COM and error modes belong to a thread
		defer runtime.UnlockOSThread()
		value, err := f()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, fail(op, o.err)
	case <-ctx.Done():
		return nothing, evidence.Wrap(op, ctx.Err())
	}
}

// later is for calls that take longer than anyone waits: it gives the outcome
// of the last one while that stands, or else of one that is under way or
// starts now, if it comes before ctx ends. The call goes on after that, for
// whoever asks next. f says how long its value stands; an error never does.
func (n *native) later(ctx context.Context, now func() time.Time, name string, f func() ([]byte, time.Duration, error)) ([]byte, error) {
	w, err := n.join(now, name, f)
	if err != nil {
		return nil, err
	}
	select {
	case <-w.done:
		return w.value, w.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// join finds the work that counts or starts it.
func (n *native) join(now func() time.Time, name string, f func() ([]byte, time.Duration, error)) (*work, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w := n.work[name]; w != nil {
		select {
		case <-w.done:
			if at := now(); w.err == nil && !at.Before(w.from) && at.Before(w.until) {
				return w, nil
			}
		default:
			return w, nil
		}
	}
	if n.running.Add(1) > maxNative {
		n.running.Add(-1)
		return nil, &evidence.Error{Reason: fact.ReasonTimeout, Op: name, Err: errManyHang}
	}
	w := &work{done: make(chan struct{})}
	if n.work == nil {
		n.work = map[string]*work{}
	}
	n.work[name] = w
	go func() { // ends with f; n counts it
		defer n.running.Add(-1)
		defer close(w.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var stands time.Duration
		w.value, stands, w.err = f()
		w.from = now()
		w.until = w.from.Add(stands)
	}()
	return w, nil
}

// fail makes an *evidence.Error of any error of an interface of the system.
// Codes of Windows keep their number and decide the reason.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *evidence.Error
	if errors.As(err, &known) {
		return err
	}
	if c, ok := codeOf(err); ok {
		return &evidence.Error{Reason: c.reason(), Op: op, Code: c.String(), Err: err}
	}
	return wrap(op, err)
}
