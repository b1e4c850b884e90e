package collect

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// probe is a collector whose answers a test sets.
type probe struct {
	mu    sync.Mutex
	runs  int
	reply func(ctx context.Context, run int) fact.Signal
}

func (p *probe) collect(ctx context.Context, _ evidence.Machine) fact.Signal {
	p.mu.Lock()
	p.runs++
	run, reply := p.runs, p.reply
	p.mu.Unlock()
	return reply(ctx, run)
}

func (p *probe) answer(s fact.Signal) {
	p.set(func(context.Context, int) fact.Signal { return s })
}

func (p *probe) set(f func(context.Context, int) fact.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply = f
}

func (p *probe) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.runs
}

// lab is a Collector of two probes on a clock that the test moves.
type lab struct {
	*Collector
	clock   *clock.Fake
	machine *evidence.Memory
	fire    *probe // firewall
	edr     *probe
}

func newLab() lab {
	l := lab{clock: clock.NewFake(day), machine: evidence.NewMemory(evidence.Linux, day), fire: &probe{}, edr: &probe{}}
	l.fire.answer(filter(day, true))
	l.edr.answer(product(day, "a", true))
	l.Collector = build(Config{Machine: l.machine, Clock: l.clock, Deadline: time.Second, Version: "1"}, []source{
		{fact.SignalFirewall, l.fire.collect}, {fact.SignalEDR, l.edr.collect},
	})
	return l
}

func filter(at time.Time, on bool) fact.Signal {
	return fact.Signal{Name: fact.SignalFirewall, State: fact.Observed, ObservedAt: at, Source: "test", Facts: []fact.Fact{
		{Field: "enabled", Value: fact.Bool(on)},
		{Field: "default_inbound", State: fact.Unknown, Reason: fact.ReasonUnsupported},
	}}
}

func product(at time.Time, key string, running bool) fact.Signal {
	return fact.Signal{Name: fact.SignalEDR, State: fact.Observed, ObservedAt: at, Facts: []fact.Fact{
		{Field: "installed", Key: key, Value: fact.Bool(true)},
		{Field: "running", Key: key, Value: fact.Bool(running)},
	}}
}

func failed(name string, why fact.Reason) fact.Signal {
	return fact.Signal{Name: name, State: fact.Unknown, Reason: why, ObservedAt: day}
}

func signal(t *testing.T, r fact.Report, name string) fact.Signal {
	t.Helper()
	s, ok := r.Signal(name)
	if !ok {
		t.Fatalf("no signal %s in %+v", name, r)
	}
	if err := r.Validate(); err != nil {
		t.Errorf("the report is not valid: %v", err)
	}
	return s
}

func stateOf(t *testing.T, r fact.Report, name, key, field string) (fact.State, fact.Reason) {
	t.Helper()
	s := signal(t, r, name)
	f, ok := s.Find(key, field)
	if !ok {
		t.Fatalf("no fact %s[%s].%s in %+v", name, key, field, s)
	}
	why := f.Reason
	if why == "" {
		why = s.Reason
	}
	return s.StateOf(f), why
}
