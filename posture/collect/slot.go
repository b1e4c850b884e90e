package collect

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// slot runs one collector, never twice at a time.
type slot struct {
	source source
	cfg    Config

	turn chan struct{} // holds one token while a run is in progress; guards hung
	hung chan struct{} // closed when a collector that overstayed ends; nil: none did

	mu   sync.Mutex
	left *answer // what came after its caller had gone, until somebody takes it
}

// answer is a collector's signal, the boot time at which its run began, and
// what it looked at; nothing, when it did not come back.
type answer struct {
	signal fact.Signal
	began  time.Duration
	inputs evidence.Inputs
}

// run is one run of the collector for one caller.
type run struct {
	ended  chan struct{} // closed when answer is there
	answer answer        // guarded by the slot's mu until then
	over   bool          // guarded by the slot's mu, as is left
	left   bool          // the caller has gone
}

// read runs the collector anew and waits for its answer, for as long as the
// caller's context lasts. A caller who leaves before gets none (false): how
// patient one is says nothing of the collector, which goes on to its own limit.
func (s *slot) read(ctx context.Context) (answer, bool) {
	if ctx.Err() != nil {
		return answer{}, false
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return answer{}, false
	}
	r := &run{ended: make(chan struct{})}
	go func() { // ends within the deadline; the turn keeps it the only one
		defer func() { <-s.turn }()
		s.end(r, s.within(context.WithoutCancel(ctx)))
	}()
	select {
	case <-r.ended:
		return r.answer, true
	case <-ctx.Done():
		return s.leave(r)
	}
}

// end brings a run's answer to its caller or, when that one has gone, keeps it.
func (s *slot) end(r *run, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.answer, r.over = a, true
	close(r.ended)
	if r.left {
		s.left = &a
	}
}

// leave is a caller going before the answer is there, or just as it comes.
func (s *slot) leave(r *run) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.left = true
	return r.answer, r.over
}

// leftover takes the answer that nobody waited for, if there is one.
func (s *slot) leftover() (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		return answer{}, false
	}
	a := *s.left
	s.left = nil
	return a, true
}

// within runs the collector within the deadline. A transient failure is retried
// once at once; the first try has half of the deadline, so that both fit. A
// collector that does not come back is left alone: until it ends, every
// reading counts as a timeout, and nothing is started on top of it.
func (s *slot) within(ctx context.Context) answer {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Deadline)
	defer cancel()
	a := s.try(ctx, s.cfg.Deadline/2)
	if failedTransiently(a.signal) && ctx.Err() == nil {
		a = s.try(ctx, s.cfg.Deadline)
	}
	return a
}

// try runs the collector once. The collector is told to give up after
// patience; try itself waits for as long as ctx lasts, which is the
// collector's own limit and not a caller's.
func (s *slot) try(ctx context.Context, patience time.Duration) answer {
	began := s.cfg.Clock.Boot()
	if s.stillHung() {
		return answer{signal: s.failure(fact.ReasonTimeout), began: began}
	}
	inner, cancel := context.WithTimeout(ctx, patience)
	traced := evidence.NewTracer(s.cfg.Machine)
	result := make(chan fact.Signal, 1)
	done := make(chan struct{})
	go func() { // ends with the collector; stillHung keeps it the only one
		defer close(done)
		defer cancel()
		result <- s.call(inner, traced)
	}()
	select {
	case sig := <-result:
		<-done
		return answer{sig, began, traced.Inputs()}
	case <-ctx.Done():
		s.hung = done
		return answer{signal: s.failure(fact.ReasonTimeout), began: began}
	}
}

func (s *slot) stillHung() bool {
	if s.hung == nil {
		return false
	}
	select {
	case <-s.hung:
		s.hung = nil
		return false
	default:
		return true
	}
}

// call runs the collector and makes its signal fit to be sent. Collectors
// promise not to panic; one that does all the same must not take the others
// and every tunnel down with it.
func (s *slot) call(ctx context.Context, m evidence.Machine) (sig fact.Signal) {
	defer func() {
		if recover() != nil {
			sig = s.failure(fact.ReasonUnreadable)
		}
	}()
	return s.fit(s.source.collect(ctx, m))
}

// fit cuts lists at their limit and refuses a signal that a broker would refuse.
func (s *slot) fit(sig fact.Signal) fact.Signal {
	sig.Name, sig.Collector = s.source.name, label(s.source.name, s.cfg.Version)
	if keys := sig.Keys(); len(keys) > fact.MaxEntries {
		cut := keys[fact.MaxEntries:]
		sig.Facts = slices.DeleteFunc(slices.Clone(sig.Facts), func(f fact.Fact) bool {
			return f.Key != "" && slices.Contains(cut, f.Key)
		})
		sig.Truncated = true
	}
	sig = shorten(sig)
	if err := (fact.Report{Signals: []fact.Signal{sig}}).Validate(); err != nil {
		return s.failure(fact.ReasonUnreadable)
	}
	return sig
}

// maxSignal is how many bytes of an attestation one list may take. There are
// four, and the other signals take a few hundred bytes each, so that all of
// them, written as base64, stay below the 64 KiB that a broker reads. What an
// administrator asked for by name may take twice as much.
const maxSignal = 6 << 10

func roomFor(signal string) int {
	if signal == fact.SignalCustom {
		return 2 * maxSignal
	}
	return maxSignal
}

// shorten takes entries off the end of a list, which collectors order by
// weight, until the signal is small enough to travel with the others.
func shorten(sig fact.Signal) fact.Signal {
	for len(sig.Keys()) > 0 && sizeOf(sig) > roomFor(sig.Name) {
		keys := sig.Keys()
		last := keys[len(keys)-1]
		sig.Facts = slices.DeleteFunc(slices.Clone(sig.Facts), func(f fact.Fact) bool { return f.Key == last })
		sig.Truncated = true
	}
	return sig
}

func sizeOf(sig fact.Signal) int {
	data, err := json.Marshal(sig)
	if err != nil {
		return roomFor(sig.Name) + 1
	}
	return len(data)
}

func (s *slot) failure(why fact.Reason) fact.Signal {
	return fact.Signal{
		Name: s.source.name, State: fact.Unknown, Reason: why,
		Collector: label(s.source.name, s.cfg.Version), ObservedAt: s.cfg.Machine.Now().UTC(),
	}
}

// failedTransiently reports whether the signal or any of its facts is unknown
// for a reason that may be gone the next moment.
func failedTransiently(s fact.Signal) bool {
	if s.State == fact.Unknown && s.Reason.Transient() {
		return true
	}
	return slices.ContainsFunc(s.Facts, func(f fact.Fact) bool { return transient(s, f) })
}

func transient(s fact.Signal, f fact.Fact) bool {
	why := f.Reason
	if why == "" {
		why = s.Reason
	}
	return s.StateOf(f) == fact.Unknown && why.Transient()
}
