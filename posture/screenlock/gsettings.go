package screenlock

import (
	"context"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// key is one setting of GSettings.
type key struct {
	schema, name string
	kind         byte // GVariant type
	fallback     *int64
}

// path is the setting's place in dconf: the schema's name with slashes.
func (k key) path() string { return "/" + strings.ReplaceAll(k.schema, ".", "/") + "/" + k.name }

// desktop is where a desktop made on GSettings keeps its lock settings.
type desktop struct {
	idle, lock, delay, off key
	activate               *key          // a switch for doing anything when idle
	unit                   time.Duration // of idle and delay
}

// Defaults of GNOME are those of its gsettings-desktop-schemas: idle-delay 300,
// lock-enabled true, lock-delay 0, disable-lock-screen false. They stand in
// where the compiled schemas of the system cannot be read. For the others the
// compiled schemas are needed, as distributions ship different defaults.
func gnome() desktop {
	const session, saver = "org.gnome.desktop.session", "org.gnome.desktop.screensaver"
	return desktop{
		idle: key{session, "idle-delay", 'u', ptr(300)}, lock: key{saver, "lock-enabled", 'b', ptr(1)},
		delay: key{saver, "lock-delay", 'u', ptr(0)}, off: key{"org.gnome.desktop.lockdown", "disable-lock-screen", 'b', ptr(0)},
		unit: time.Second,
	}
}

func cinnamon() desktop {
	const session, saver = "org.cinnamon.desktop.session", "org.cinnamon.desktop.screensaver"
	return desktop{
		idle: key{session, "idle-delay", 'u', nil}, lock: key{saver, "lock-enabled", 'b', nil},
		delay: key{saver, "lock-delay", 'u', nil}, off: key{"org.cinnamon.desktop.lockdown", "disable-lock-screen", 'b', ptr(0)},
		unit: time.Second,
	}
}

// mate counts in minutes.
func mate() desktop {
	const saver = "org.mate.screensaver"
	return desktop{
		idle: key{"org.mate.session", "idle-delay", 'i', nil}, lock: key{saver, "lock-enabled", 'b', nil},
		delay: key{saver, "lock-delay", 'i', nil}, off: key{"org.mate.lockdown", "disable-lock-screen", 'b', ptr(0)},
		activate: &key{saver, "idle-activation-enabled", 'b', nil}, unit: time.Minute,
	}
}

func ptr(n int64) *int64 { return &n }

// settings reads a person's values of GSettings.
type settings struct {
	layers  []layer
	schemas gvdb
	known   bool // schemas could be read
}

func openSettings(ctx context.Context, m evidence.Machine, who evidence.Session) (settings, error) {
	var s settings
	var err error
	if s.layers, err = layers(ctx, m, who); err != nil {
		return s, err
	}
	if data, err := m.ReadFile(ctx, "/usr/share/glib-2.0/schemas/gschemas.compiled"); err == nil {
		s.schemas, err = parseGVDB(data)
		s.known = err == nil
	}
	return s, nil
}

// setting is a value that counts, and whether the person may change it.
type setting struct {
	n      int64
	why    fact.Reason // not known
	locked bool
}

// get is the value in effect. One of another type than the schema's does not
// count: GSettings then takes the default.
func (s settings) get(k key, pending bool) setting {
	v, set, locked, failure := lookup(s.layers, k.path(), pending)
	switch {
	case failure != "":
		return setting{why: failure, locked: locked}
	case set && v.kind == k.kind:
		return setting{n: v.n, locked: locked}
	}
	if s.known {
		if schema, ok := s.schemas.inner(k.schema); ok {
			if v, ok := schema.schemaDefault(k.name); ok && v.kind == k.kind {
				return setting{n: v.n, locked: locked}
			}
		}
	}
	if k.fallback != nil {
		return setting{n: *k.fallback, locked: locked}
	}
	return setting{why: fact.ReasonNotFound, locked: locked}
}

// read makes the four facts of a desktop's settings. Where settings that were
// never compiled would change one of them, it is a conflict: what the
// administrator wrote is not what the desktop does.
func (d desktop) read(s settings, source string) state {
	is, meant := d.evaluate(s, source, false), d.evaluate(s, "key files that dconf update did not compile", true)
	return state{is.enabled.against(meant.enabled), is.idle.against(meant.idle), is.delay.against(meant.delay), is.managed.against(meant.managed)}
}

func (d desktop) evaluate(s settings, source string, pending bool) state {
	idle, lock, delay := s.get(d.idle, pending), s.get(d.lock, pending), s.get(d.delay, pending)
	never := []setting{inverted(lock), s.get(d.off, pending)}
	if d.activate != nil {
		never = append(never, inverted(s.get(*d.activate, pending)))
	}
	out := state{managed: yesNo(idle.locked && lock.locked, source)}
	out.idle, out.delay = d.length(idle, source), d.length(delay, source)
	zero := setting{why: idle.why}
	if idle.why == "" && idle.n <= 0 {
		zero.n = 1
		out.idle = unknown(fact.ReasonNotFound) // never: there is no such time
	}
	out.enabled = yesNo(true, source)
	for _, n := range append(never, zero) {
		switch {
		case n.why == "" && n.n != 0:
			out.enabled = yesNo(false, source)
			return out
		case n.why != "":
			out.enabled = unknown(n.why)
		}
	}
	return out
}

// inverted is the opposite of a switch.
func inverted(s setting) setting {
	s.n = 1 - s.n
	return s
}

func (d desktop) length(s setting, source string) answer {
	if s.why != "" {
		return unknown(s.why)
	}
	if t, ok := seconds(s.n * int64(d.unit/time.Second)); ok {
		return lasting(t, source)
	}
	return unknown(fact.ReasonMalformed)
}
