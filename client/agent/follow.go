package agent

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// follower reads one signal again when something it stood on may have changed,
// and at the latest after the backstop. Each signal has one of its own, so that
// a slow one never delays another. It belongs to one goroutine, but for told,
// which one other fills.
type follower struct {
	agent   *Agent
	signal  string
	told    chan notice // holds one
	watched evidence.Inputs
	overdue time.Duration // boot time of the backstop

	programs []string        // whose processes are watched, sorted
	pids     []int           // of those processes, sorted
	ran      map[string]bool // programs that were seen to run
	gone     bool            // one of them does not, since goneAt
	goneAt   time.Duration
	retry    int // index into settle
}

// notice is what one or several events ask for.
type notice struct {
	at      time.Duration // boot time of the first
	read    bool          // something changed
	started bool          // a program was opened, or put there: it may run in a moment
}

func newFollower(a *Agent, signal string) *follower {
	return &follower{agent: a, signal: signal, told: make(chan notice, 1), ran: map[string]bool{}, retry: len(settle)}
}

// tell passes an event on; one that still waits is joined with it. Only one
// goroutine may tell.
func (f *follower) tell(e watch.Event) {
	n := notice{at: e.At, read: e.Cause != watch.CauseExec, started: e.Cause == watch.CauseExec || e.Cause == watch.CauseReplaced}
	select {
	case before := <-f.told:
		n = notice{before.at, n.read || before.read, n.started || before.started}
	default:
	}
	f.told <- n
}

// follow goes on until ctx ends. The signal was read once before.
func (f *follower) follow(ctx context.Context) {
	clock := f.agent.cfg.Clock
	f.arm(ctx, clock.Boot())
	for ctx.Err() == nil {
		timer := clock.NewTimer(f.next())
		select {
		case <-ctx.Done():
		case n := <-f.told:
			if n.started {
				f.retry = 0
			}
			if n.read {
				f.read(ctx, n.at)
			} else {
				f.look(ctx, n.at)
			}
		case <-timer.C():
			if now := clock.Boot(); now >= f.overdue {
				f.read(ctx, now)
			} else {
				f.look(ctx, now)
			}
		}
		timer.Stop()
	}
}

// next is when to look for programs, or to read, without having been told.
func (f *follower) next() time.Duration {
	now, at := f.agent.cfg.Clock.Boot(), f.overdue
	switch {
	case len(f.programs) == 0:
	case f.retry < len(settle):
		at = now + settle[f.retry]
		f.retry++
	case f.gone && now-f.goneAt < missedLong:
		at = now + missingPoll
	case f.gone:
		at = now + missingRare
	}
	return min(at, f.overdue)
}

// read reads the signal, hands on what changed, and watches what it read.
func (f *follower) read(ctx context.Context, noticed time.Duration) {
	f.reread(ctx, noticed)
	f.arm(ctx, noticed)
}

func (f *follower) reread(ctx context.Context, noticed time.Duration) {
	if _, changes := f.agent.reread(ctx, f.signal); len(changes) > 0 {
		f.agent.report(ctx, changes, noticed)
	}
}

// look reads only if other processes of the programs run than those watched.
func (f *follower) look(ctx context.Context, noticed time.Duration) {
	if now := f.agent.processesOf(ctx, f.programs); !slices.Equal(now.pids, f.pids) {
		f.read(ctx, noticed)
	}
}

// arm watches what the last reading looked at. Where that is not what was
// watched, something may have changed in between, so it is read once more. In
// the end nothing is known to run whose end would go unnoticed.
func (f *follower) arm(ctx context.Context, noticed time.Duration) {
	clock := f.agent.cfg.Clock
	defer func() { f.overdue = clock.Boot() + backstop - rand.N(backstop/5) }()
	if f.agent.cfg.Watch == nil {
		return
	}
	for range maxLooks {
		inputs, ids := f.agent.cfg.Posture.Inputs(f.signal), f.wanted(ctx)
		programs := slices.Compact(slices.Sorted(maps.Values(ids)))
		now := f.agent.processesOf(ctx, programs)
		if ctx.Err() != nil {
			return
		}
		known := same(inputs, f.watched)
		if known && slices.Equal(programs, f.programs) && slices.Equal(now.pids, f.pids) && !f.outrun(ids, now) {
			return
		}
		if !known {
			f.watched = inputs
			f.watch(inputs)
		}
		f.watchPrograms(programs, now)
		f.reread(ctx, noticed)
	}
	f.retry = 0 // processes come and go: look again in a moment
}

// wanted gives the programs whose starts and ends the signal's facts hang on, by
// the keys of the facts. Those of products are the product watcher's.
func (f *follower) wanted(ctx context.Context) map[string]string {
	if f.signal != fact.SignalCustom {
		return nil
	}
	return f.agent.observedPrograms(ctx)
}

// outrun reports whether a program was read as running that has no process: it
// ended after it was read and before it was watched.
func (f *follower) outrun(ids map[string]string, now processes) bool {
	if len(ids) == 0 {
		return false
	}
	s, _ := f.agent.cfg.Posture.Last().Signal(f.signal)
	for id, program := range ids {
		known, _ := s.Find(id, "running")
		if runs, _ := known.Value.AsBool(); runs && s.StateOf(known).Usable() && !now.of[program] {
			return true
		}
	}
	return false
}

// watchPrograms watches programs for their starts, as far as the system tells
// of them, and those of their processes that run now for their ends.
func (f *follower) watchPrograms(programs []string, now processes) {
	w, log := f.agent.cfg.Watch, f.agent.cfg.Log
	if !slices.Equal(programs, f.programs) {
		if err := w.SetExecutables(f.signal, programs); err != nil {
			log.Warn("watch for starting programs; a poll does alone", "signal", f.signal, "error", err)
		}
		f.programs, f.ran, f.gone, f.retry = programs, map[string]bool{}, false, 0
	}
	if !slices.Equal(now.pids, f.pids) {
		if err := w.SetProcesses(f.signal, now.pids, now.exe); err != nil {
			log.Warn("watch processes; a poll does alone", "signal", f.signal, "error", err)
		}
		f.pids = now.pids
	}
	gone := false
	for _, p := range programs {
		f.ran[p] = f.ran[p] || now.of[p]
		gone = gone || f.ran[p] && !now.of[p]
	}
	if gone && !f.gone {
		f.goneAt = f.agent.cfg.Clock.Boot()
	}
	f.gone = gone
}

// processes are what runs of some programs.
type processes struct {
	pids []int           // sorted
	exe  map[int]string  // what each runs, as the system has it
	of   map[string]bool // programs that have a process
}

// processesOf lists the processes of programs, which are given by absolute path
// and may be known by a link. One whose file was replaced does not count.
func (a *Agent) processesOf(ctx context.Context, programs []string) processes {
	now := processes{exe: map[int]string{}, of: map[string]bool{}}
	if len(programs) == 0 {
		return now
	}
	name := func(path string) string { return path }
	if a.cfg.Machine.System() == evidence.Windows {
		name = strings.ToLower
	}
	procs, err := a.cfg.Machine.Processes(ctx)
	if err != nil {
		a.cfg.Log.Debug("list processes", "error", err)
	}
	known := map[string][]string{}
	for _, p := range programs {
		known[name(p)] = append(known[name(p)], p)
		if real := evidence.Resolve(ctx, a.cfg.Machine, p); real != p {
			known[name(real)] = append(known[name(real)], p)
		}
	}
	for _, p := range procs {
		if of := known[name(p.Executable)]; !p.Deleted && len(of) > 0 {
			now.pids = append(now.pids, p.PID)
			now.exe[p.PID] = p.Executable
			for _, program := range of {
				now.of[program] = true
			}
		}
	}
	slices.Sort(now.pids)
	return now
}

func same(a, b evidence.Inputs) bool {
	return slices.Equal(a.Files, b.Files) && slices.Equal(a.Keys, b.Keys) && a.Services == b.Services && a.Firewall == b.Firewall
}

// relevantServices are the services of Windows that a signal's facts hang on;
// those of products come from the catalogue.
var relevantServices = map[string][]string{
	fact.SignalFirewall: {"mpssvc", "BFE"},
	fact.SignalPatch:    {"wuauserv"},
}

// watch sets every watch that the system has for these inputs. What it has
// not, the backstop does.
func (f *follower) watch(in evidence.Inputs) {
	w := f.agent.cfg.Watch
	set := func(what string, err error) {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			f.agent.cfg.Log.Warn("watch for changes; a poll does alone", "signal", f.signal, "what", what, "error", err)
		}
	}
	set("files", w.SetFiles(f.signal, in.Files))
	if len(in.Keys) > 0 {
		set("registry", w.SetRegistry(f.signal, in.Keys))
	}
	if names := relevantServices[f.signal]; in.Services && len(names) > 0 {
		set("services", w.SetServices(f.signal, names))
	}
	if in.Firewall {
		set("packet filter", w.SetFirewall(f.signal))
		if err := w.SetSecurityCenter(f.signal); err != nil { // a server has none
			f.agent.cfg.Log.Debug("watch the security center; a poll does alone", "signal", f.signal, "error", err)
		}
	}
	if f.signal == fact.SignalDisk {
		set("mounts", w.SetMounts(f.signal))
		set("block devices", w.SetUevents(f.signal))
	}
}
