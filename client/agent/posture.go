package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postern-zt/postern/client/state"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Watch tells when something may have changed (platform/watch).
type Watch interface {
	Events() <-chan watch.Event
	SetExecutables(kind string, paths []string) error
	SetProcesses(kind string, pids []int, exe map[int]string) error
	SetFiles(kind string, paths []string) error
	SetRegistry(kind string, keys []string) error
	SetServices(kind string, names []string) error
	SetSecurityCenter(kind string) error
	SetMounts(kind string) error
	SetFirewall(kind string) error
	SetUevents(kind string) error
}

const (
	// backstop bounds how long a change can go unnoticed that no event told.
	backstop = 30 * time.Second
	// missingPoll is how often a product that ought to run is looked for while
	// it does not: soon after it was missed, and when it has been for long.
	missingPoll = time.Second
	missedLong  = 2 * time.Minute
	missingRare = 10 * time.Second
)

// settle is how soon after a start was noticed the program is looked for: an
// executable is opened a little before its process shows it.
var settle = []time.Duration{2 * time.Millisecond, 5 * time.Millisecond, 15 * time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond}

// slower lists the signals that are not the product watcher's. Endpoint
// security products are its alone, so that none is ever known to run and not
// watched.
func (a *Agent) slower() []string {
	return slices.DeleteFunc(a.cfg.Posture.Signals(), func(s string) bool { return s == fact.SignalEDR })
}

// posture reads the machine once, then again whenever something tells that it
// may have changed. Slow readings go beside, so that they never delay this.
func (a *Agent) posture(ctx context.Context) {
	w := watcher{agent: a, seen: map[string]bool{}}
	w.declare(a.catalogue())
	var told <-chan watch.Event
	if a.cfg.Watch != nil {
		told = a.cfg.Watch.Events()
		if err := a.cfg.Watch.SetSecurityCenter(fact.SignalEDR); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			a.cfg.Log.Debug("watch the security center; a poll does alone", "error", err)
		}
	}
	followers := map[string]*follower{}
	for _, signal := range a.slower() {
		followers[signal] = newFollower(a, signal)
	}
	a.work.Go(func() { a.everything(ctx, followers) })
	// A program that was opened before it was watched may start only now, so
	// the first looks follow each other as after a start.
	w.look(ctx, a.cfg.Clock.Boot())
	a.readOnce()
	for ctx.Err() == nil {
		timer := a.cfg.Clock.NewTimer(w.next())
		select {
		case <-ctx.Done():
		case e, ok := <-told:
			if !ok { // the watcher has ended; the polls go on
				told = nil
				break
			}
			if f, ok := followers[e.Kind]; ok {
				f.tell(e)
				break
			}
			w.told(ctx, e)
		case next := <-a.observing.rows:
			w.recatalogue(ctx, next.rows)
			if f, ok := followers[fact.SignalCustom]; ok {
				f.tell(watch.Event{Kind: fact.SignalCustom, At: a.cfg.Clock.Boot()})
			}
			close(next.done)
		case looked := <-a.products:
			w.look(ctx, a.cfg.Clock.Boot())
			close(looked)
		case <-timer.C():
			w.look(ctx, a.cfg.Clock.Boot())
		}
		timer.Stop()
	}
}

// readOnce notes that one of the two first readings has finished.
func (a *Agent) readOnce() {
	if a.unread.Add(-1) == 0 {
		close(a.read)
	}
}

// everything reads the slower signals once, side by side, has each followed
// from then on, and lets values that could not be read again run out.
func (a *Agent) everything(ctx context.Context, followers map[string]*follower) {
	_, changes := a.reread(ctx, a.slower()...)
	a.readOnce()
	if len(changes) > 0 {
		a.report(ctx, changes, a.cfg.Clock.Boot())
	}
	for _, f := range followers {
		a.work.Go(func() { f.follow(ctx) })
	}
	for ctx.Err() == nil {
		at := a.cfg.Clock.Boot() + backstop
		if next, ok := a.cfg.Posture.NextExpiry(); ok {
			at = min(at, next)
		}
		timer := a.cfg.Clock.NewTimer(at)
		select {
		case <-ctx.Done():
		case <-a.expiry: // a value was held just now: see when it ends
		case <-timer.C():
			if _, changes := a.cfg.Posture.Expire(); len(changes) > 0 {
				a.report(ctx, changes, a.cfg.Clock.Boot())
			}
		}
		timer.Stop()
	}
}

// reread reads signals again and has the next expiry computed anew.
func (a *Agent) reread(ctx context.Context, signals ...string) (fact.Report, []fact.Change) {
	report, changes := a.cfg.Posture.Reread(ctx, signals...)
	select {
	case a.expiry <- struct{}{}:
	default:
	}
	return report, changes
}

// report hands changes to the one writer.
func (a *Agent) report(ctx context.Context, changes []fact.Change, noticed time.Duration) {
	a.post(ctx, occurred{event: state.PostureChanged{At: a.cfg.Clock.Boot(), Worse: fact.Worsened(changes)}, noticed: noticed})
}

// watcher follows the endpoint security products. It belongs to one goroutine.
type watcher struct {
	agent   *Agent
	paths   []string
	retry   int                      // index into settle
	seen    map[string]bool          // products that ran since the agent started
	missing map[string]time.Duration // products that ought to run and do not, since when
}

// declare watches for what the rows declare, in place of what was declared before.
func (w *watcher) declare(rows []observe.EDRRow) {
	a := w.agent
	w.paths = executables(rows, a.cfg.Machine.System())
	if a.cfg.Watch == nil {
		return
	}
	if err := a.cfg.Watch.SetExecutables(fact.SignalEDR, w.paths); err != nil {
		a.cfg.Log.Warn("watch for starting products; a poll does alone", "error", err)
	}
	if err := a.cfg.Watch.SetServices(fact.SignalEDR, services(rows)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		a.cfg.Log.Warn("watch the services of products; a poll does alone", "error", err)
	}
}

// next is when to look without having been told.
func (w *watcher) next() time.Duration {
	now := w.agent.cfg.Clock.Boot()
	switch {
	case w.retry < len(settle):
		d := settle[w.retry]
		w.retry++
		return now + d
	case len(w.missing) > 0:
		for _, since := range w.missing {
			if now-since < missedLong {
				return now + missingPoll
			}
		}
		return now + missingRare
	}
	return now + backstop
}

// told acts on an event. What an end means is read at once; what runs now is
// looked for after.
func (w *watcher) told(ctx context.Context, e watch.Event) {
	switch e.Cause {
	case watch.CauseExec:
		w.retry = 0
	case watch.CauseExit:
		w.reread(ctx, e.At)
	}
	w.look(ctx, e.At)
}

// maxLooks bounds one look while processes come and go under it.
const maxLooks = 4

// look watches first and reads after, so that a process that ends in between
// is noticed by one or the other. Then it makes sure that the processes are
// still those it watches: one that started in between would be known to run,
// and its end would go unnoticed.
func (w *watcher) look(ctx context.Context, noticed time.Duration) {
	if w.agent.cfg.Watch == nil {
		w.reread(ctx, noticed)
		return
	}
	now := w.agent.processesOf(ctx, w.paths)
	for range maxLooks {
		if err := w.agent.cfg.Watch.SetProcesses(fact.SignalEDR, now.pids, now.exe); err != nil {
			w.agent.cfg.Log.Warn("watch processes; a poll does alone", "error", err)
		}
		w.reread(ctx, noticed)
		before := now.pids
		if now = w.agent.processesOf(ctx, w.paths); slices.Equal(before, now.pids) {
			return
		}
	}
	w.retry = 0
}

// reread reads the signal and hands on what changed.
func (w *watcher) reread(ctx context.Context, noticed time.Duration) {
	report, changes := w.agent.reread(ctx, fact.SignalEDR)
	before := len(w.missing)
	w.miss(report)
	if before > 0 && len(w.missing) == 0 {
		w.retry = len(settle)
	}
	if len(changes) > 0 {
		w.agent.report(ctx, changes, noticed)
	}
}

// miss notes which products ought to run and do not: those that somebody
// declared, and shipped ones that ran before. A shipped one that never ran,
// such as a sensor that comes with the system and was never set up, is left to
// the notices and the backstop.
func (w *watcher) miss(r fact.Report) {
	s, _ := r.Signal(fact.SignalEDR)
	missing := map[string]time.Duration{}
	for _, key := range s.Keys() {
		f, _ := s.Find(key, "running")
		if running, ok := f.Value.AsBool(); ok && running && s.StateOf(f).Usable() {
			w.seen[key] = true
			continue
		}
		origin, _ := s.Find(key, "origin")
		if shipped, _ := origin.Value.AsString(); shipped == fact.OriginBuiltIn && !w.seen[key] {
			continue
		}
		since, known := w.missing[key]
		if !known {
			since = w.agent.cfg.Clock.Boot()
		}
		missing[key] = since
	}
	w.missing = missing
}

// services lists the services of Windows that the catalogue declares.
func services(rows []observe.EDRRow) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.Services...)
	}
	return out
}

// executables lists what the catalogue declares for this system.
func executables(rows []observe.EDRRow, sys evidence.System) []string {
	var out []string
	for _, r := range rows {
		programs := map[evidence.System][]observe.Program{evidence.Linux: r.Linux, evidence.Windows: r.Windows, evidence.MacOS: r.MacOS}[sys]
		for _, p := range programs {
			out = append(out, p.Executable)
		}
	}
	return out
}
