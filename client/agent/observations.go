package agent

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Observe is who says what to read beyond the built-in signals, and who reads
// it. Without a Broker only Config.Catalogue is looked for.
type Observe struct {
	Broker  Observations
	Posture Observer
	// Local and Forbid are of this machine's settings.
	Local  []observe.Observation
	Forbid observe.Forbid
}

// Observations is the broker's word (client/brokerclient).
type Observations interface {
	// Observations asks; an error leaves the last good document in force.
	Observations(ctx context.Context) (doc observe.Document, changed bool, err error)
	// KeptObservations is the last good document, of an earlier run too.
	KeptObservations() observe.Document
}

// Observer is the machine's collectors (posture/collect).
type Observer interface {
	SetObservations(catalogue []observe.EDRRow, list []observe.Observation, forbid observe.Forbid)
	SetReleases(text string) error
}

const (
	// observeEvery is how often the broker is asked without having been told
	// that something changed; an unchanged document is not sent again.
	observeEvery = 10 * time.Minute
	// observeAgain is how soon it is asked again after a failure, at first.
	observeAgain = 30 * time.Second
	// observeFirst bounds how long an attestation that the broker asks for
	// waits until what it asks to read has been read.
	observeFirst = 3 * time.Second
)

// observing keeps what is read in step with what the broker asks to read.
type observing struct {
	nudge chan struct{} // somebody wants the broker asked; holds one
	rows  chan newRows  // for the product watcher

	mu      sync.Mutex
	waiting []chan struct{} // closed when an asking that began later is over
	last    chan struct{}   // newest of all that ever waited
	rowsNow []observe.EDRRow
	listNow []observe.Observation
}

// newRows is a catalogue for the product watcher, which closes done once it
// follows it.
type newRows struct {
	rows []observe.EDRRow
	done chan struct{}
}

func newObserving(cfg Config) *observing {
	return &observing{nudge: make(chan struct{}, 1), rows: make(chan newRows), rowsNow: cfg.Catalogue, listNow: cfg.Observe.Local}
}

// catalogue is the rows in force.
func (a *Agent) catalogue() []observe.EDRRow {
	a.observing.mu.Lock()
	defer a.observing.mu.Unlock()
	return a.observing.rowsNow
}

// observedPrograms gives the programs of which observations want to know
// whether they run, by the observations' ids. What the settings forbid is not
// watched either, nor is what a path leads to by a link but could not have named.
func (a *Agent) observedPrograms(ctx context.Context) map[string]string {
	a.observing.mu.Lock()
	list := a.observing.listNow
	a.observing.mu.Unlock()
	forbid, system := a.cfg.Observe.Forbid, string(a.cfg.Machine.System())
	out := map[string]string{}
	for _, o := range list {
		if o.Kind != observe.KindProcess || !o.On(system) || forbid.Observation(o) {
			continue
		}
		if real := evidence.Resolve(ctx, a.cfg.Machine, o.Path); real != o.Path && (forbid.Path(real) || observe.Readable(real) != nil) {
			continue
		}
		out[o.ID] = o.Path
	}
	return out
}

// askObservations has the broker asked.
func (a *Agent) askObservations() {
	o := a.observing
	if a.cfg.Observe.Broker == nil {
		return
	}
	done := make(chan struct{})
	o.mu.Lock()
	o.waiting, o.last = append(o.waiting, done), done
	o.mu.Unlock()
	select {
	case o.nudge <- struct{}{}:
	default:
	}
}

// heardOf takes what the broker says about observations, and holds back its
// wish for an attestation until they have been read: a check that was new with
// them would fail otherwise, and close what is open. It tells whether that is
// all that is to be done about the event.
func (a *Agent) heardOf(ctx context.Context, name string, post func()) bool {
	if a.cfg.Observe.Broker == nil {
		return false
	}
	switch name {
	case api.EventObservations:
		a.askObservations()
		return true
	case api.EventAttestNow:
		o := a.observing
		o.mu.Lock()
		last := o.last
		o.mu.Unlock()
		if last == nil {
			return false
		}
		select {
		case <-last:
			return false
		default:
		}
		a.work.Go(func() {
			late := a.cfg.Clock.NewTimer(a.cfg.Clock.Boot() + observeFirst)
			defer late.Stop()
			select {
			case <-last:
			case <-late.C():
			case <-ctx.Done():
			}
			post()
		})
		return true
	}
	return false
}

// observe asks the broker whenever somebody wants it asked, and now and then.
func (a *Agent) observe(ctx context.Context) {
	o, failures := a.observing, 0
	for ctx.Err() == nil {
		wait := observeEvery - rand.N(observeEvery/10)
		if failures > 0 {
			wait = min(wait, observeAgain<<min(failures-1, 6))
		}
		timer := a.cfg.Clock.NewTimer(a.cfg.Clock.Boot() + wait)
		select {
		case <-ctx.Done():
		case <-o.nudge:
		case <-timer.C():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		o.mu.Lock()
		waiting := o.waiting
		o.waiting = nil
		o.mu.Unlock()
		if err := a.refresh(ctx); err != nil && ctx.Err() == nil {
			failures++
			a.cfg.Log.Warn("ask the broker what to read; what it said before stays", "error", err)
		} else {
			failures = 0
		}
		for _, done := range waiting {
			close(done)
		}
	}
}

// refresh asks once, and reads what is new.
func (a *Agent) refresh(ctx context.Context) error {
	if a.cfg.Broker.Record().DeviceID == "" {
		return nil // enrolment asks
	}
	doc, changed, err := a.cfg.Observe.Broker.Observations(ctx)
	if err != nil || !changed {
		return err
	}
	rows := a.takeObservations(doc)
	next := newRows{rows: rows, done: make(chan struct{})}
	select {
	case a.observing.rows <- next:
		select {
		case <-next.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	noticed := a.cfg.Clock.Boot()
	if _, changes := a.reread(ctx, fact.SignalCustom, fact.SignalOS, fact.SignalPatch); len(changes) > 0 {
		a.report(ctx, changes, noticed)
	}
	a.cfg.Log.Info("observations in force", "version", doc.Version, "read", len(doc.Observations), "products", len(doc.EDR))
	return nil
}

// takeObservations puts a document into force beside what shipped and what the
// settings say, and gives the rows in force. Where two declare one id, the
// broker's stands: it is the one that the policy means.
func (a *Agent) takeObservations(doc observe.Document) []observe.EDRRow {
	cfg := a.cfg.Observe
	shipped, local := splitRows(a.cfg.Catalogue)
	fromBroker, forbidden := cfg.Forbid.Rows(doc.EDR)
	for _, r := range forbidden {
		a.cfg.Log.Warn("the settings of this machine forbid to look for a product", "id", r.ID)
	}
	rows := joined(slices.Concat(shipped, fromBroker), local, func(all ...[]observe.EDRRow) error {
		_, err := observe.Merge(all...)
		return err
	}, func(r observe.EDRRow, err error) {
		a.cfg.Log.Warn("a product of the settings is not looked for", "id", r.ID, "error", err)
	})
	list := joined(doc.Observations, cfg.Local, func(all ...[]observe.Observation) error {
		_, err := observe.MergeObservations(all...)
		return err
	}, func(o observe.Observation, err error) {
		a.cfg.Log.Warn("an observation of the settings is not read", "id", o.ID, "error", err)
	})
	cfg.Posture.SetObservations(rows, list, cfg.Forbid)
	if err := cfg.Posture.SetReleases(doc.Releases); err != nil {
		a.cfg.Log.Warn("the broker's table of releases is not used", "error", err)
	}
	a.observing.mu.Lock()
	defer a.observing.mu.Unlock()
	a.observing.rowsNow, a.observing.listNow = rows, list
	return rows
}

// splitRows tells what shipped from what the settings say.
func splitRows(rows []observe.EDRRow) (shipped, local []observe.EDRRow) {
	for _, r := range rows {
		if r.Origin == fact.OriginBuiltIn {
			shipped = append(shipped, r)
			continue
		}
		local = append(local, r)
	}
	return shipped, local
}

// joined adds to a list what goes with it, one by one.
func joined[T any](list, more []T, fits func(...[]T) error, left func(T, error)) []T {
	list = slices.Clone(list)
	for _, one := range more {
		if err := fits(list, []T{one}); err != nil {
			left(one, err)
			continue
		}
		list = append(list, one)
	}
	return list
}

// recatalogue makes the product watcher follow other rows.
func (w *watcher) recatalogue(ctx context.Context, rows []observe.EDRRow) {
	w.declare(rows)
	w.retry = 0
	w.look(ctx, w.agent.cfg.Clock.Boot())
}
