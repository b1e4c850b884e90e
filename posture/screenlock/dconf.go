package screenlock

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// layer is one database of a dconf profile (dconf(7)).
type layer struct {
	path    string
	db      gvdb
	locks   gvdb
	locked  bool // locks is there
	loaded  bool
	failure fact.Reason // it is there and could not be read
	// pending are settings that the administrator wrote and did not compile
	// with dconf update: they do not count, but somebody believes that they do.
	pending      map[string]scalar
	pendingLocks []string
}

const maxLayers = 16

// layers opens the databases of the person's profile in their order: the first
// is the person's own.
func layers(ctx context.Context, m evidence.Machine, who evidence.Session) ([]layer, error) {
	profile, err := dconfProfile(ctx, m, who)
	if err != nil {
		return nil, err
	}
	var out []layer
	for line := range strings.Lines(profile) {
		line, _, _ = strings.Cut(line, "#")
		kind, name, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || len(out) == maxLayers || strings.Contains(name, "..") {
			continue
		}
		switch kind {
		case "user-db":
			out = append(out, openLayer(ctx, m, who.Home+"/.config/dconf/"+name, false))
		case "service-db":
			out = append(out, openLayer(ctx, m, "/run/user/"+who.ID+"/dconf-service/"+name, false))
		case "system-db":
			out = append(out, openLayer(ctx, m, "/etc/dconf/db/"+name, true))
		case "file-db":
			out = append(out, openLayer(ctx, m, name, false))
		}
	}
	return out, nil
}

// dconfProfile is the list of databases: one that is forced on the person, the
// system's, a distribution's, or the person's database alone.
func dconfProfile(ctx context.Context, m evidence.Machine, who evidence.Session) (string, error) {
	for _, path := range []string{"/run/dconf/user/" + who.ID, "/etc/dconf/profile/user", "/usr/local/share/dconf/profile/user", "/usr/share/dconf/profile/user"} {
		data, err := m.ReadFile(ctx, path)
		if err == nil {
			return string(data), nil
		}
		if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
			return "", err
		}
	}
	return "user-db:user\n", nil
}

func openLayer(ctx context.Context, m evidence.Machine, path string, system bool) layer {
	l := layer{path: path}
	data, err := m.ReadFile(ctx, path)
	if err == nil && len(data) > 0 {
		if l.db, err = parseGVDB(data); err == nil {
			l.loaded = true
			l.locks, l.locked = l.db.inner(".locks")
			return l
		}
		l.failure = fact.ReasonUnreadable
		return l
	}
	if why := evidence.ReasonOf(err); err != nil && why != fact.ReasonNotFound {
		l.failure = why
		return l
	}
	if system {
		l.readPending(ctx, m)
	}
	return l
}

// readPending reads the files from which dconf update would make the database.
func (l *layer) readPending(ctx context.Context, m evidence.Machine) {
	l.pending = map[string]scalar{}
	names, err := m.ReadDir(ctx, l.path+".d")
	if err != nil {
		return
	}
	for _, name := range names[:min(len(names), 64)] {
		if data, err := m.ReadFile(ctx, l.path+".d/"+name); err == nil && name != "locks" {
			parseKeyfile(string(data), l.pending)
		}
	}
	names, err = m.ReadDir(ctx, l.path+".d/locks")
	if err != nil {
		return
	}
	for _, name := range names[:min(len(names), 64)] {
		data, _ := m.ReadFile(ctx, l.path+".d/locks/"+name)
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") && len(l.pendingLocks) < 4096 {
				l.pendingLocks = append(l.pendingLocks, line)
			}
		}
	}
}

// parseKeyfile adds the scalars of a key file of dconf: groups that are paths,
// and values as GVariant's text: true, 5, uint32 300.
func parseKeyfile(text string, into map[string]scalar) {
	group := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok && strings.HasSuffix(name, "]") {
			group = "/" + strings.Trim(strings.TrimSuffix(name, "]"), "/") + "/"
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || group == "" || strings.HasPrefix(line, "#") || len(into) >= 4096 {
			continue
		}
		if v, ok := parseScalar(strings.TrimSpace(value)); ok {
			into[group+strings.TrimSpace(name)] = v
		}
	}
}

func parseScalar(s string) (scalar, bool) {
	switch s {
	case "true":
		return scalar{'b', 1}, true
	case "false":
		return scalar{'b', 0}, true
	}
	kind := byte('i')
	for _, prefix := range []string{"uint32 ", "@u "} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			s, kind = strings.TrimSpace(rest), 'u'
		}
	}
	n, err := strconv.ParseInt(s, 10, 33)
	return scalar{kind, n}, err == nil && (kind == 'i' || n >= 0)
}

// lookup finds a setting the way dconf does: the topmost database that locks it
// hides all above; of the rest the first that has a value counts. With pending,
// settings that are not compiled take part.
func lookup(all []layer, key string, pending bool) (v scalar, set, locked bool, failure fact.Reason) {
	from := 0
	for i := len(all) - 1; i > 0; i-- {
		if all[i].locksKey(key, pending) {
			from, locked = i, true
			break
		}
	}
	for _, l := range all[from:] {
		if l.failure != "" {
			return scalar{}, false, locked, l.failure
		}
		if v, there := l.get(key, pending); there {
			return v, true, locked, ""
		}
	}
	return scalar{}, false, locked, ""
}

func (l layer) locksKey(key string, pending bool) bool {
	return l.locked && l.locks.has(key) || pending && slices.Contains(l.pendingLocks, key)
}

func (l layer) get(key string, pending bool) (scalar, bool) {
	if l.loaded {
		return l.db.value(key)
	}
	v, ok := l.pending[key]
	return v, ok && pending
}
