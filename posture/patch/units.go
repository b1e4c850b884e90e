package patch

import (
	"path"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// enabled tells whether systemd starts a unit by itself (systemctl(1),
// "enable"): something wants it, and it is not masked, that is, neither a link
// to /dev/null nor empty.
func (l *look) enabled(unit string) answer {
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system"} {
		at := path.Join(dir, unit)
		if target, err := l.m.ReadLink(l.ctx, at); err == nil && target == "/dev/null" {
			l.r.From(at)
			return known(false)
		}
		if info, err := l.m.Stat(l.ctx, at); err == nil && info.Mode.IsRegular() && info.Size == 0 {
			return known(false)
		}
	}
	var wanted []answer
	for _, dir := range []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"} {
		for _, target := range []string{"timers.target.wants", "multi-user.target.wants", "basic.target.wants"} {
			wanted = append(wanted, l.linked(path.Join(dir, target, unit)))
		}
	}
	return either(wanted...)
}

// linked tells whether a link is there, wherever it leads.
func (l *look) linked(at string) answer {
	_, err := l.m.ReadLink(l.ctx, at)
	if err == nil {
		return known(true)
	}
	if why := evidence.ReasonOf(err); why == fact.ReasonNotFound {
		return known(false)
	}
	return l.is(at)
}
