package waiting

import (
	"context"
	"time"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/platform/watch"
)

// Watch tells of changes (platform/watch).
type Watch interface {
	SetFiles(kind string, paths []string) error
	Events() <-chan watch.Event
}

const (
	// settle is how long the settings must have been the same before they
	// count. Whoever writes them line by line, or in place, would else have the
	// agent go by a half: to another broker, or reading what the rest forbids.
	settle = time.Second
	// backstop is how often they are looked at though nothing tells of a change.
	backstop = 30 * time.Second
)

// kind of the watcher's notices; there are no others.
const kind = "settings"

// Await looks at the settings until an agent can go by them, and gives them; an
// error is that of ctx. Meanwhile it tells what is wrong. load reads the settings
// as config.Load does; w may be nil, then they are looked at now and then.
func (d *Door) Await(ctx context.Context, load func() (config.Settings, error), w Watch) (config.Settings, error) {
	told := d.now()
	d.log(told)
	seen, since := told, d.opts.Clock.Boot()
	d.follow(w, seen)
	for {
		s, err := load()
		next := look{s, err}
		switch now := d.opts.Clock.Boot(); {
		case !next.same(seen):
			seen, since = next, now
			d.follow(w, seen)
		case now < since+settle || seen.same(told):
		default:
			told = seen
			d.log(told)
			d.tell(told)
		}
		if told.leads() {
			return told.settings, nil
		}
		at := d.opts.Clock.Boot() + backstop
		if !seen.same(told) {
			at = since + settle
		}
		if err := d.rest(ctx, at, w); err != nil {
			return config.Settings{}, err
		}
	}
}

// now is the look that is told.
func (d *Door) now() look {
	_, l := d.behind()
	return l
}

// follow has the watcher tell of changes of every file that a look led to. What
// cannot be watched is looked at by the clock.
func (d *Door) follow(w Watch, l look) {
	if w == nil {
		return
	}
	if err := w.SetFiles(kind, l.settings.Files); err != nil {
		d.opts.Log.Warn("watch the settings; they are looked at now and then", "error", err)
	}
}

// rest returns at that boot time, or as soon as something may have changed.
func (d *Door) rest(ctx context.Context, at time.Duration, w Watch) error {
	var events <-chan watch.Event
	if w != nil {
		events = w.Events()
	}
	t := d.opts.Clock.NewTimer(at)
	defer t.Stop()
	for {
		select {
		case _, open := <-events:
			if open {
				return nil
			}
			events = nil // it was closed: the clock does alone
		case <-t.C():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// log says what is wrong in the agent's log.
func (d *Door) log(l look) {
	if l.leads() {
		d.opts.Log.Info("the settings are there", "file", l.settings.File)
		return
	}
	for _, p := range l.config().Warnings {
		d.opts.Log.Warn("waiting for settings", "problem", p)
	}
}
