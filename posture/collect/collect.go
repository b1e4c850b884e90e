// Package collect runs the collectors with deadlines, keeps the last report and says what changed.
package collect

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/posture/custom"
	"github.com/postern-zt/postern/posture/device"
	"github.com/postern-zt/postern/posture/disk"
	"github.com/postern-zt/postern/posture/edr"
	"github.com/postern-zt/postern/posture/enrolment"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/firewall"
	"github.com/postern-zt/postern/posture/integrity"
	"github.com/postern-zt/postern/posture/observe"
	"github.com/postern-zt/postern/posture/osversion"
	"github.com/postern-zt/postern/posture/patch"
	"github.com/postern-zt/postern/posture/release"
	"github.com/postern-zt/postern/posture/screenlock"
)

// DefaultDeadline bounds one collector's run, its retry included.
const DefaultDeadline = 5 * time.Second

// Config is what a Collector needs.
type Config struct {
	Machine   evidence.Machine
	Catalogue []observe.EDRRow // products to look for, merged and validated
	// Observations are what is asked for beyond the built-in signals, merged
	// and validated, and Forbid what of it is not to be read.
	Observations []observe.Observation
	Forbid       observe.Forbid
	Clock        clock.Clock   // boot time decides how long a value stands
	Deadline     time.Duration // per collector; zero means DefaultDeadline
	Version      string        // of the agent, written into every signal
}

// Collector reads the machine's posture and remembers it. Its methods may be
// called from several goroutines; runs of one signal follow each other.
type Collector struct {
	clock clock.Clock
	slots []*slot
	asked atomic.Pointer[asked]
	table atomic.Pointer[release.Table] // of releases; nil: the shipped one

	mu     sync.Mutex // guards all below
	kept   map[string]kept
	inputs map[string]evidence.Inputs
}

// New makes a Collector of every built-in signal. Until the first Read each
// signal is unknown, not-yet-read.
func New(cfg Config) *Collector {
	c := &Collector{}
	c.SetObservations(cfg.Catalogue, cfg.Observations, cfg.Forbid)
	return c.build(cfg, []source{
		{fact.SignalOS, c.byTable(osversion.Collect, osversion.CollectBy)},
		{fact.SignalPatch, c.byTable(patch.Collect, patch.CollectBy)},
		{fact.SignalDisk, disk.Collect},
		{fact.SignalFirewall, firewall.Collect},
		{fact.SignalEDR, func(ctx context.Context, m evidence.Machine) fact.Signal {
			return edr.Collect(ctx, m, c.asked.Load().catalogue)
		}},
		{fact.SignalIntegrity, integrity.Collect},
		{fact.SignalScreenLock, screenlock.Collect},
		{fact.SignalEnrolment, enrolment.Collect},
		{fact.SignalDevice, device.Collect},
		{fact.SignalCustom, func(ctx context.Context, m evidence.Machine) fact.Signal {
			a := c.asked.Load()
			return custom.Collect(ctx, m, a.list, a.forbid)
		}},
	})
}

// byTable reads by the table of releases in force.
func (c *Collector) byTable(
	shipped func(context.Context, evidence.Machine) fact.Signal,
	by func(context.Context, evidence.Machine, release.Table) fact.Signal,
) func(context.Context, evidence.Machine) fact.Signal {
	return func(ctx context.Context, m evidence.Machine) fact.Signal {
		if table := c.table.Load(); table != nil {
			return by(ctx, m, *table)
		}
		return shipped(ctx, m)
	}
}

// SetReleases puts a table of releases in force, in the form of posture/release,
// where it is newer than the shipped one; otherwise, and with the empty text,
// the shipped one. It reads nothing by itself; the signals concerned are
// fact.SignalOS and fact.SignalPatch. Text that is no table is an error and
// changes nothing.
func (c *Collector) SetReleases(text string) error {
	table, err := release.Newest(text)
	if err != nil {
		return fmt.Errorf("table of releases: %w", err)
	}
	c.table.Store(&table)
	return nil
}

// source is one signal and how to read it.
type source struct {
	name    string
	collect func(context.Context, evidence.Machine) fact.Signal
}

func build(cfg Config, sources []source) *Collector { return (&Collector{}).build(cfg, sources) }

// build makes c ready for use.
func (c *Collector) build(cfg Config, sources []source) *Collector {
	if cfg.Deadline <= 0 {
		cfg.Deadline = DefaultDeadline
	}
	c.clock, c.kept, c.inputs = cfg.Clock, map[string]kept{}, map[string]evidence.Inputs{}
	for _, s := range sources {
		c.slots = append(c.slots, &slot{source: s, cfg: cfg, turn: make(chan struct{}, 1)})
		c.kept[s.name] = kept{signal: fact.Signal{
			Name: s.name, State: fact.Unknown, Reason: fact.ReasonNotYetRead,
			Collector: label(s.name, cfg.Version), ObservedAt: cfg.Machine.Now().UTC(),
		}}
	}
	return c
}

// label names a collector of an agent version: "disk@1.4.0".
func label(name, version string) string { return fact.Clip(name + "@" + version) }

// Read runs every collector once, side by side, each within its own deadline,
// and returns the new report. Who leaves before, by the context, gets the last
// values of what has not answered by then.
func (c *Collector) Read(ctx context.Context) fact.Report {
	report, _ := c.reread(ctx, c.slots)
	return report
}

// Reread runs only the named signals' collectors again; the others keep their
// last values. It returns the whole new report and what moved since the one
// before, worse facts first. Names of no signal are ignored. A collector whose
// caller leaves before it has answered goes on within its deadline; what it
// found counts, and has moved, with the next call of Reread, Read or Expire.
func (c *Collector) Reread(ctx context.Context, signals ...string) (fact.Report, []fact.Change) {
	var chosen []*slot
	for _, s := range c.slots {
		if slices.Contains(signals, s.source.name) {
			chosen = append(chosen, s)
		}
	}
	return c.reread(ctx, chosen)
}

// Signals lists the names of the signals, in the order of the report.
func (c *Collector) Signals() []string {
	var out []string
	for _, s := range c.slots {
		out = append(out, s.source.name)
	}
	return out
}

// Inputs is what the signal's last reading looked at.
func (c *Collector) Inputs(signal string) evidence.Inputs {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inputs[signal]
}

// Last is the report as it stands, without reading anything.
func (c *Collector) Last() fact.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.report()
}

// Expire turns every value that outlived its validity after transient failures
// into unknown, reason stale, and returns the report and what moved.
func (c *Collector) Expire() (fact.Report, []fact.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.report()
	c.takeLeftovers()
	now := c.clock.Boot()
	for name, k := range c.kept {
		c.kept[name] = k.expire(now)
	}
	after := c.report()
	return after, fact.Compare(before, after)
}

// NextExpiry is the boot time at which Expire will next have something to do,
// and whether there is such a moment.
func (c *Collector) NextExpiry() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var next time.Duration
	found := false
	for _, k := range c.kept {
		if at, ok := k.nextExpiry(); ok && (!found || at < next) {
			next, found = at, true
		}
	}
	return next, found
}

// reread runs the chosen collectors, waits for all of them and takes their
// answers over in one step.
func (c *Collector) reread(ctx context.Context, chosen []*slot) (fact.Report, []fact.Change) {
	answers := make([]answer, len(chosen))
	came := make([]bool, len(chosen))
	var wg sync.WaitGroup
	for i, s := range chosen {
		wg.Go(func() { answers[i], came[i] = s.read(ctx) })
	}
	wg.Wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.report()
	c.takeLeftovers()
	for i, a := range answers {
		if came[i] {
			c.take(a)
		}
	}
	after := c.report()
	return after, fact.Compare(before, after)
}

// take takes an answer over. The caller holds mu.
func (c *Collector) take(a answer) {
	last := c.kept[a.signal.Name]
	if a.began < last.began { // a later run has answered already
		return
	}
	c.kept[a.signal.Name] = last.take(a, c.clock.Boot())
	if a.inputs.Any() {
		c.inputs[a.signal.Name] = a.inputs
	}
}

// takeLeftovers takes over what came after its callers had left. It happens
// only where somebody is told what moved: that something got worse must not
// get lost between two who ask. The caller holds mu.
func (c *Collector) takeLeftovers() {
	for _, s := range c.slots {
		if a, ok := s.leftover(); ok {
			c.take(a)
		}
	}
}

// report copies the kept signals in their fixed order. The caller holds mu.
func (c *Collector) report() fact.Report {
	r := fact.Report{Signals: make([]fact.Signal, 0, len(c.slots))}
	for _, s := range c.slots {
		sig := c.kept[s.source.name].signal
		sig.Facts = slices.Clone(sig.Facts)
		r.Signals = append(r.Signals, sig)
	}
	return r
}
