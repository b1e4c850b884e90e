package patch

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// logFamily is a program's log with the older parts that were put aside, the
// newest first, and how its lines are read.
type logFamily struct {
	names []string
	what  string // names the reading, for Distil
	line  func(t *trace, line string)
}

// trace is what a log tells. Times are text as in the log, in the order of the
// file; those without a zone are in local time.
type trace struct {
	Upgraded  string `json:"upgraded,omitempty"`  // of the last line that replaced a version by another
	Installed string `json:"installed,omitempty"` // of the first line that put a package there
	block     string
	seen      map[string]string // versions by package, where a log does not tell new packages from newer ones
}

// rotated names a log and what logrotate makes of it; Debian keeps a year.
func rotated(name string) []string {
	names := []string{name, name + ".1", name + ".1.gz"}
	for n := 2; n <= 12; n++ {
		names = append(names, fmt.Sprintf("%s.%d.gz", name, n))
	}
	return names
}

// lastByLogs is when a package was last replaced by another version, by
// whichever log tells. A new package is no update, and does not make the
// system look younger; only where no log knows of any update, the first
// installation tells when the system was put together.
func (l *look) lastByLogs(families []logFamily) moment {
	var upgraded, installed time.Time
	var why fact.Reason
	for _, family := range families {
		for _, name := range family.names {
			t, missing := l.trace(name, family)
			if missing != "" {
				if missing != fact.ReasonNotFound && why == "" {
					why = missing
				}
				continue
			}
			if at := logTime(t.Installed, l.m.Now().Location()); !at.IsZero() && (installed.IsZero() || at.Before(installed)) {
				installed = at
			}
			at := logTime(t.Upgraded, l.m.Now().Location())
			if future(at, l.m.Now()) {
				continue
			}
			if at.After(upgraded) {
				upgraded = at
				l.r.From(name)
			}
			if !at.IsZero() {
				break // older parts tell of older updates
			}
		}
	}
	switch {
	case why.Transient(), upgraded.IsZero() && why != "":
		return moment{why: why}
	case upgraded.IsZero() && !future(installed, l.m.Now()):
		return moment{at: installed}
	}
	return moment{at: upgraded}
}

func (l *look) trace(name string, family logFamily) (trace, fact.Reason) {
	var t trace
	if _, err := l.m.Stat(l.ctx, name); err != nil {
		return t, evidence.ReasonOf(err)
	}
	_, why := l.distil(name, family.what, &t, func(r io.Reader) (any, error) { return parseLog(r, family.line) })
	return t, why
}

func parseLog(r io.Reader, line func(t *trace, line string)) (trace, error) {
	t := trace{seen: map[string]string{}}
	err := eachLine(r, func(b []byte) { line(&t, string(bytes.TrimRight(b, "\r"))) })
	return t, err
}

// logTime reads the forms of time that these logs use.
func logTime(s string, zone *time.Location) time.Time {
	for _, layout := range []string{"2006-01-02T15:04:05-0700", "2006-01-02T15:04:05-07", time.RFC3339} {
		if at, err := time.Parse(layout, s); err == nil {
			return at
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, s, zone); err == nil {
			return at
		}
	}
	return time.Time{}
}

func (t *trace) upgrade(at string) {
	if at != "" {
		t.Upgraded = at
	}
}

func (t *trace) install(at string) {
	if t.Installed == "" {
		t.Installed = at
	}
}

func dpkgLogs() []logFamily {
	return []logFamily{
		{rotated("/var/log/dpkg.log"), "dpkg-log-v1", dpkgLine},
		{rotated("/var/log/apt/history.log"), "apt-history-v1", aptHistoryLine},
	}
}

// dpkgLine reads "YYYY-MM-DD HH:MM:SS upgrade PACKAGE OLD NEW" and
// "… status installed PACKAGE VERSION" (dpkg(1), --log). An upgrade to the same
// version is a repair.
func dpkgLine(t *trace, line string) {
	f := strings.Fields(line)
	switch {
	case len(f) >= 6 && f[2] == "upgrade" && f[4] != f[5]:
		t.upgrade(f[0] + " " + f[1])
	case len(f) >= 5 && f[2] == "status" && f[3] == "installed":
		t.install(f[0] + " " + f[1])
	}
}

// aptHistoryLine reads blocks of "Start-Date: YYYY-MM-DD  HH:MM:SS", "Upgrade:
// …", "End-Date: …".
func aptHistoryLine(t *trace, line string) {
	name, rest, _ := strings.Cut(line, ":")
	switch name {
	case "Start-Date":
		t.block = strings.Join(strings.Fields(rest), " ")
	case "Upgrade":
		t.upgrade(t.block)
	case "Install":
		t.install(t.block)
	}
}

func rpmLogs() []logFamily {
	return []logFamily{
		{rotated("/var/log/dnf.rpm.log"), "dnf-rpm-log-v1", dnfLine},
		{rotated("/var/log/dnf5.log"), "dnf5-log-v1", dnf5Line},
	}
}

// dnfLine reads "2026-02-14T09:30:12+0000 SUBDEBUG Upgrade: name-version…" of
// dnf 4.
func dnfLine(t *trace, line string) {
	f := strings.Fields(line)
	if len(f) < 4 {
		return
	}
	switch f[2] {
	case "Upgrade:", "Upgraded:", "Obsoleted:":
		t.upgrade(f[0])
	case "Installed:":
		t.install(f[0])
	}
}

// dnf5Line reads `2026-04-30T03:56:52+0000 [18165] INFO RPM callback upgrade
// start "name-version…" total N`.
func dnf5Line(t *trace, line string) {
	f := strings.Fields(line)
	if len(f) < 7 || f[2] != "INFO" || f[3] != "RPM" || f[4] != "callback" || f[6] != "start" {
		return
	}
	switch f[5] {
	case "upgrade":
		t.upgrade(f[0])
	case "install":
		t.install(f[0])
	}
}

func zyppLogs() []logFamily {
	return []logFamily{{[]string{"/var/log/zypp/history"}, "zypp-history-v1", zyppLine}}
}

// zyppLine reads "YYYY-MM-DD HH:MM:SS|install|NAME|VERSION|ARCH|…"
// (libzypp's history format). A newer version is installed like a new package,
// so that it takes the line before it to tell. Kernels lie beside each other.
func zyppLine(t *trace, line string) {
	f := strings.Split(line, "|")
	if len(f) < 5 || len(line) > 1<<12 || strings.HasPrefix(line, "#") {
		return
	}
	at, name, version := f[0], strings.TrimSpace(f[2])+"."+strings.TrimSpace(f[4]), strings.TrimSpace(f[3])
	switch strings.TrimSpace(f[1]) {
	case "install":
		old, again := t.seen[name]
		if again && rpmOrder(version, old) > 0 {
			t.upgrade(at)
		}
		t.install(at)
		if again || len(t.seen) < 100_000 {
			t.seen[name] = version
		}
	case "patch":
		if strings.HasSuffix(strings.TrimSuffix(line, "|"), "|applied") {
			t.upgrade(at)
		}
	}
}

func pacmanLogs() []logFamily {
	return []logFamily{{[]string{pacmanLog}, "pacman-log-v1", pacmanLine}}
}

// pacmanLine reads "[TIME] [ALPM] upgraded NAME (OLD -> NEW)"; before pacman
// 4.2 without "[ALPM]". The time has had its zone since pacman 5.2.
func pacmanLine(t *trace, line string) {
	stamp, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "] ")
	if !ok {
		return
	}
	rest = strings.TrimPrefix(rest, "[ALPM] ")
	switch {
	case strings.HasPrefix(rest, "upgraded "):
		t.upgrade(stamp)
	case strings.HasPrefix(rest, "installed "):
		t.install(stamp)
	}
}
