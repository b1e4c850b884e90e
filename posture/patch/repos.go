package patch

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// section is one section of an INI file; keys are in lower case.
type section struct {
	name   string
	values map[string]string
}

// parseINI reads [sections] of key=value; comments begin with # or ;.
func parseINI(text string) []section {
	var all []section
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			name, _, _ := strings.Cut(line[1:], "]")
			all = append(all, section{name, map[string]string{}})
		case len(all) > 0:
			if key, value, ok := strings.Cut(line, "="); ok {
				all[len(all)-1].values[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
	return all
}

// yes knows how configuration files of this family write "yes"; what is not
// set has a default.
func yes(value string, otherwise bool) bool {
	switch strings.ToLower(strings.Trim(value, `"'`)) {
	case "":
		return otherwise
	case "1", "yes", "true", "on", "enabled":
		return true
	}
	return false
}

// repositories lists the ids of the repositories that are in use, as the .repo
// files in those folders say; a later folder overrides an earlier one.
func (l *look) repositories(dirs ...string) ([]string, fact.Reason) {
	enabled := map[string]bool{}
	for _, dir := range dirs {
		files, why := l.parts(dir, ".repo")
		if why != "" {
			return nil, why
		}
		for _, f := range files {
			for _, s := range parseINI(f.text) {
				if s.name != "main" {
					before, there := enabled[s.name]
					enabled[s.name] = yes(s.values["enabled"], before || !there)
				}
			}
		}
	}
	var ids []string
	for id, on := range enabled {
		if on {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, ""
}

// cached is what lies in the cache for one repository.
type cached struct {
	id       string
	checked  time.Time // when it was last fetched, or found to be unchanged
	advisory bool      // with information on which updates are for security
}

// cacheIn looks at one folder of a repository's cache. The index, and with dnf
// the list of packages, are touched when the server says that nothing changed.
func (l *look) cacheIn(id, dir string) (cached, bool) {
	c := cached{id: id}
	for _, at := range []string{dir, path.Join(dir, "repodata")} {
		names, err := l.m.ReadDir(l.ctx, at)
		if err != nil {
			continue
		}
		for _, name := range names {
			c.advisory = c.advisory || strings.Contains(name, "updateinfo") || strings.Contains(name, "patches.xml")
			if name == "repomd.xml" || name == "cachecookie" || name == "cookie" || strings.Contains(name, "-primary.xml") || strings.HasPrefix(name, "primary.xml") {
				if t := l.changed(path.Join(at, name)); t.After(c.checked) {
					c.checked = t
				}
			}
		}
	}
	return c, !c.checked.IsZero()
}

// checkedAt is the newest time in the caches, and whether they may show that
// nothing waits: every repository in use is there, and fresh.
func (l *look) checkedAt(in []string, why fact.Reason, caches []cached) (moment, answer) {
	var newest time.Time
	for _, c := range caches {
		if c.checked.After(newest) && !future(c.checked, l.m.Now()) {
			newest = c.checked
		}
	}
	switch {
	case newest.IsZero():
		return moment{why: fact.ReasonNotFound}, unknown(fact.ReasonNotFound)
	case why != "":
		return moment{at: newest}, unknown(why)
	}
	if len(in) == 0 {
		return moment{at: newest}, l.fresh(newest)
	}
	all := known(true)
	for _, id := range in {
		one := unknown(fact.ReasonNotFound)
		for _, c := range caches {
			if c.id == id {
				one = l.fresh(c.checked)
			}
		}
		all = all.and(one)
	}
	return moment{at: newest}, all
}

// hasAdvisories is true when a repository in use says what its updates are for.
func hasAdvisories(in []string, caches []cached) bool {
	return slices.ContainsFunc(caches, func(c cached) bool {
		return c.advisory && (len(in) == 0 || slices.Contains(in, c.id))
	})
}

// osRelease is one value of os-release(5), ID where name is "ID".
func (l *look) osRelease(name string) string {
	for _, at := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		text, why := l.text(at)
		if why != "" {
			continue
		}
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
				return strings.Trim(value, `"'`)
			}
		}
	}
	return ""
}

// coreTimes are the times at which rpm installed packages that every system
// has from its first day: a later one is that of an update.
type coreTimes struct {
	newest time.Time
	// restart is the newest of those that are in use until the next restart
	// (needs-restarting(1) of dnf-utils lists the same).
	restart time.Time
}

// rpmCore asks rpm, as its database has no simple form.
func (l *look) rpmCore() (coreTimes, fact.Reason) {
	out, err := evidence.Text(l.ctx, l.m, "rpm", "-qa", "--qf", rpmFormat)
	if err != nil {
		return coreTimes{}, evidence.ReasonOf(err)
	}
	l.r.From("rpm -qa")
	return parseRPMCore(string(out))
}

// rpmFormat is read by rpm itself, the backslash too.
const rpmFormat = `%{NAME} %{VERSION}-%{RELEASE}.%{ARCH} %{INSTALLTIME}\n`

func parseRPMCore(text string) (coreTimes, fact.Reason) {
	var c coreTimes
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		at := unixTime(f[2])
		switch f[0] {
		case "kernel", "kernel-core", "kernel-default", "kernel-rt", "kernel-uek", "kernel-uek-core", "glibc", "systemd",
			"linux-firmware", "kernel-firmware", "dbus", "dbus-broker", "dbus-daemon", "dbus-1", "openssl-libs", "gnutls", "microcode_ctl":
			if at.After(c.restart) {
				c.restart = at
			}
			fallthrough
		case "bash", "coreutils", "rpm", "libgcc", "zlib", "zlib-ng-compat", "libz1", "openssl", "pam", "util-linux", "ca-certificates", "dnf", "dnf5", "zypper", "libzypp", "curl", "libcurl":
			if at.After(c.newest) {
				c.newest = at
			}
		}
	}
	if c.newest.IsZero() {
		return c, fact.ReasonUnreadable
	}
	return c, ""
}
