package patch

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// dnf answers for Fedora, Red Hat and what is made from them. Which packages
// of a repository are on offer depends on modules, excludes and priorities, so
// that only the program itself can tell; with -C it uses its cache and asks no
// server.
func dnf(l *look) updates {
	u := nothing("")
	u.source = "dnf -C updateinfo"
	in, why := l.repositories("/etc/yum.repos.d", "/etc/dnf/repos.override.d")
	caches := l.dnfCaches()
	checked, complete := l.checkedAt(in, why, caches)
	pending, kernel := l.dnfPending()
	security := l.dnfSecurity()
	u.checked, u.kernel = checked, kernel
	u.pending = pending.or(security.onlyYes()).unless(complete)
	switch id := l.osRelease("ID"); {
	case security.says(false) && complete.says(true) && (!hasAdvisories(in, caches) || id == "centos"):
		// nobody says what the updates are for: only that there are none is known
		u.security = unknown(fact.ReasonUnsupported)
		if u.pending.says(false) {
			u.security = u.pending
		}
	default:
		u.security = security.unless(complete)
	}
	l.rpmTimes(&u, rpmLogs())
	u.auto = l.dnfAuto()
	return u
}

// onlyYes makes no difference to a sum but by a yes.
func (a answer) onlyYes() answer { return known(a.says(true)) }

// dnfRun tries the names under which the program is known. yum is dnf's
// predecessor only where there is no dnf.
func (l *look) dnfRun(dnfArgs, yumArgs []string) (evidence.Output, fact.Reason) {
	first := fact.ReasonToolMissing
	for _, try := range []struct {
		name string
		args []string
	}{{"dnf", dnfArgs}, {"dnf5", dnfArgs}, {"yum", yumArgs}} {
		out, err := l.m.Run(l.ctx, try.name, try.args...)
		why := evidence.ReasonOf(err)
		if err == nil {
			l.r.From(try.name + " " + strings.Join(try.args, " "))
			return out, ""
		}
		if first == fact.ReasonToolMissing {
			first = why
		}
		if why != fact.ReasonToolMissing && why != fact.ReasonNotRecorded {
			break
		}
	}
	return evidence.Output{}, first
}

// dnfPending asks for updates: the exit code is 100 when there are any, 0 when
// there are none (dnf(8), yum(8), check-update). With them comes the newest
// kernel on offer.
func (l *look) dnfPending() (answer, string) {
	args := []string{"-C", "-q", "check-update"}
	out, why := l.dnfRun(args, args)
	switch {
	case why != "":
		return unknown(why), ""
	case out.Code == 100:
		return known(true), parseOfferedKernel(string(out.Stdout))
	case out.Code == 0:
		return known(false), ""
	}
	return unknown(dnfFailure(out)), ""
}

func dnfFailure(out evidence.Output) fact.Reason {
	said := strings.ToLower(string(out.Stderr) + string(out.Stdout))
	switch {
	case out.Code == 200 || strings.Contains(said, "another app is currently holding the yum lock"):
		return fact.ReasonBusy
	case strings.Contains(said, "no cache") || strings.Contains(said, "cache-only") || strings.Contains(said, "cache only"):
		return fact.ReasonNotFound
	}
	return evidence.ReasonOf(evidence.Failure("dnf", out))
}

// parseOfferedKernel finds "kernel-core.x86_64  6.11.6-300.fc41  updates".
func parseOfferedKernel(text string) string {
	newest := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		name, arch, _ := strings.Cut(f[0], ".")
		if _, version, ok := strings.Cut(f[1], ":"); ok {
			f[1] = version
		}
		if (name == "kernel" || name == "kernel-core") && arch != "" && isDigit(f[1][0]) {
			newest = laterKernel(newest, f[1]+"."+arch)
		}
	}
	return newest
}

// dnfSecurity asks which advisories on security apply to what is installed.
func (l *look) dnfSecurity() answer {
	out, why := l.dnfRun([]string{"-C", "-q", "updateinfo", "list", "--security"}, []string{"-C", "-q", "updateinfo", "list", "security"})
	if why != "" {
		return unknown(why)
	}
	if a := parseAdvisories(string(out.Stdout)); a.says(true) || out.Code == 0 {
		return a.unless(ended(string(out.Stdout)))
	}
	return unknown(dnfFailure(out))
}

// parseAdvisories reads the list of dnf 4, dnf 5 and yum: an advisory's id, its
// kind, and a package with its version; dnf 5 has a severity between. Around it
// stand lines in whatever language. A list that was asked for security holds
// nothing else, but one that says "bugfix" is taken at its word.
func parseAdvisories(text string) answer {
	id := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._]*[-:][A-Za-z0-9_.-]*[0-9][A-Za-z0-9:._-]*$`)
	pkg := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*-(?:[0-9]+:)?[A-Za-z0-9._+~^]+-[A-Za-z0-9._+~^]+\.(?:x86_64|noarch|aarch64|i[3-6]86|s390x?|ppc64(?:le)?|armv7hn?l|riscv64|loongarch64|src)$`)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == "i" { // is installed already
			continue
		}
		if len(f) < 3 || !id.MatchString(f[0]) {
			continue
		}
		kind := strings.ToLower(f[1])
		switch {
		case kind == "bugfix" || kind == "enhancement" || kind == "newpackage" || kind == "unspecified" || kind == "recommended":
		case pkg.MatchString(f[2]) || len(f) > 3 && pkg.MatchString(f[3]):
			return known(true)
		}
	}
	return known(false)
}

// dnfCaches finds the caches of dnf 5, dnf 4 and yum, whose folders are named
// by the repository, the first two with 16 digits of a digest after it.
func (l *look) dnfCaches() []cached {
	var all []cached
	for _, root := range []string{"/var/cache/libdnf5", "/var/cache/dnf"} {
		names, _ := l.list(root)
		for _, name := range names {
			id, digest := cutLast(name, "-")
			if len(digest) != 16 || strings.Trim(digest, "0123456789abcdef") != "" {
				continue
			}
			c, ok := l.cacheIn(id, path.Join(root, name))
			for _, index := range names { // dnf 4 keeps what it made of them beside the folders
				c.advisory = c.advisory || index == id+"-updateinfo.solvx"
			}
			if ok {
				all = append(all, c)
			}
		}
	}
	for _, arch := range l.folders("/var/cache/yum") {
		for _, version := range l.folders(arch) {
			for _, repo := range l.folders(version) {
				if c, ok := l.cacheIn(path.Base(repo), repo); ok {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

func (l *look) folders(dir string) []string {
	names, _ := l.list(dir)
	for i, name := range names {
		names[i] = path.Join(dir, name)
	}
	return names[:min(len(names), 256)]
}

func cutLast(s, separator string) (before, after string) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+len(separator):]
}

// rpmTimes sets what the times of installed packages tell: the last update,
// together with the logs, and whether one of those that are in use until a
// restart is newer than the last start.
func (l *look) rpmTimes(u *updates, logs []logFamily) {
	core, why := l.rpmCore()
	u.last = l.lastByLogs(logs)
	switch {
	case u.last.why.Transient() || future(core.newest, l.m.Now()):
	case core.newest.After(u.last.at):
		u.last = moment{at: core.newest}
	case u.last.at.IsZero():
		u.last = moment{why: why}
	}
	u.restart = unknown(why)
	if why == "" {
		started, why := l.started()
		u.restart = answer{yes: why == "" && core.restart.After(started), why: why}
	}
}

// started is when the kernel was started, from the line "btime" of proc_stat(5).
func (l *look) started() (time.Time, fact.Reason) {
	text, why := l.text("/proc/stat")
	for line := range strings.Lines(text) {
		if s, ok := strings.CutPrefix(line, "btime "); ok {
			if at := unixTime(strings.TrimSpace(s)); !at.IsZero() {
				return at, ""
			}
		}
	}
	if why == "" {
		why = fact.ReasonUnreadable
	}
	return time.Time{}, why
}

// unixTime reads seconds since 1970; zero when it is no such number.
func unixTime(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// dnfAuto looks for dnf-automatic(8), whose configuration says whether it only
// downloads, and which of its timers is on; and for yum-cron(8).
func (l *look) dnfAuto() answer {
	apply := known(false)
	for _, at := range []string{"/usr/share/dnf5/dnf5-plugins/automatic.conf", "/etc/dnf/dnf5-plugins/automatic.conf", "/etc/dnf/automatic.conf"} {
		if a, set := l.applies(at); set {
			apply = a
		}
	}
	cron, _ := l.applies("/etc/yum/yum-cron.conf")
	return either(
		l.enabled("dnf-automatic-install.timer"),
		apply.and(l.enabled("dnf-automatic.timer").or(l.enabled("dnf5-automatic.timer"))),
		cron.and(l.enabled("yum-cron.service")),
	)
}

// applies reads apply_updates; set is false when the file leaves it open.
func (l *look) applies(at string) (a answer, set bool) {
	text, why := l.text(at)
	if why == fact.ReasonNotFound {
		return known(false), false
	}
	if why != "" {
		return unknown(why), true
	}
	for _, s := range parseINI(text) {
		if value, there := s.values["apply_updates"]; there {
			l.r.From(at)
			a, set = known(yes(value, false)), true
		}
	}
	return a, set
}
