package patch

import (
	"context"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// metadataAge is how old the list of available updates may be before it no
// longer shows that nothing waits: the text of update-notifier itself says
// "more than a week old" after that. What it shows to wait still waits.
const metadataAge = 7 * 24 * time.Hour

// linux asks the package manager's own files, and the kernel. Nothing is
// refreshed: everything is as of the metadata that lies on the machine.
//
// "current" is about all installed packages: it is true when nothing at all
// waits by metadata younger than a week, and false when something does.
func linux(ctx context.Context, r *evidence.Reading) {
	l := &look{ctx: ctx, r: r, m: r.Machine()}
	r.Unknown("build_released_at", "", fact.ReasonUnsupported)
	k := l.kernel()
	ask, why := l.manager()
	u := nothing(why)
	if why == "" {
		u = ask(l)
	}
	l.moment("last_update_at", u.last)
	l.moment("checked_at", u.checked)
	l.answer("pending", u.pending)
	l.answer("current", u.pending.not())
	l.answer("security_pending", u.security)
	if u.contradicts != "" {
		l.contradicted(u)
	}
	l.answer("auto_update", u.auto)
	l.answer("kernel_current", k.current)
	l.answer("reboot_pending", l.restart(k, u))
	l.answer("livepatch", l.livepatch())
	if newest := newestKernel(append(k.installed, u.kernel), k.flavour); newest != "" {
		r.Observe("newest_known", "", fact.Str(newest))
	} else {
		r.Unknown("newest_known", "", k.why)
	}
}

// contradicted states both sides where a second source knows of a security
// update that the first does not.
func (l *look) contradicted(u updates) {
	l.r.Conflict("security_pending", "", fact.Bool(false), u.source, fact.Bool(true), u.contradicts)
	if u.pending.says(false) {
		l.r.Conflict("pending", "", fact.Bool(false), u.source, fact.Bool(true), u.contradicts)
		l.r.Unknown("current", "", fact.ReasonDisagree)
	}
}

// updates is what a package manager tells. The zero value tells nothing and
// must not be used: see nothing.
type updates struct {
	source            string // what said so, for a conflict
	contradicts       string // a second source, which knows of a security update that source does not
	blind             bool   // no metadata was compared with what is installed
	last, checked     moment
	pending, security answer
	auto              answer
	restart           answer // an installed update waits for a restart, by what the manager notes itself
	kernel            string // release of the newest kernel on offer; may be empty
}

// nothing is what is said where nobody can be asked, or all that is left open
// by somebody who could.
func nothing(why fact.Reason) updates {
	open := unknown(why)
	return updates{last: moment{why: why}, checked: moment{why: why}, pending: open, security: open, auto: open, restart: open}
}

// manager finds whose the installed system is. Tools of another family may be
// installed too, so that only a package database that is in use counts.
func (l *look) manager() (func(*look) updates, fact.Reason) {
	first := fact.ReasonToolMissing
	const databases = true // which are not in use while they are empty
	for _, known := range []struct {
		marker string
		ask    func(*look) updates
		fills  bool
	}{
		{"/run/ostree-booted", ostree, false},
		{dpkgStatus, apt, databases},
		{updatesAvailable, apt, false},
		{"/usr/lib/sysimage/rpm/rpmdb.sqlite", rpm, databases},
		{"/usr/lib/sysimage/rpm/Packages.db", rpm, databases},
		{"/usr/lib/sysimage/rpm/Packages", rpm, databases},
		{"/var/lib/rpm/rpmdb.sqlite", rpm, databases},
		{"/var/lib/rpm/Packages.db", rpm, databases},
		{"/var/lib/rpm/Packages", rpm, databases},
		{pacmanLocal, pacman, false},
		{pacmanLog, pacman, false},
		{"/lib/apk/db/installed", apk, databases},
		{"/usr/lib/apk/db/installed", apk, databases},
		{"/etc/NIXOS", nil, false},
		{"/var/db/pkg", nil, false},  // Gentoo
		{"/var/db/xbps", nil, false}, // Void
		{"/var/lib/eopkg", nil, false},
	} {
		info, err := l.m.Stat(l.ctx, known.marker)
		switch why := evidence.ReasonOf(err); {
		case err != nil && why != fact.ReasonNotFound && first == fact.ReasonToolMissing:
			first = why
		case err != nil || info.Size == 0 && info.Mode.IsRegular() && known.fills:
		case known.ask == nil:
			return nil, fact.ReasonUnsupported
		default:
			return known.ask, ""
		}
	}
	return nil, first
}

// rpm tells the two package managers apart that use rpm's database.
func rpm(l *look) updates {
	for _, place := range []string{"/etc/zypp/repos.d", "/etc/zypp/zypp.conf", "/var/cache/zypp", "/usr/bin/zypper"} {
		if l.there(place) {
			return zypper(l)
		}
	}
	return dnf(l)
}
