package patch

import (
	"context"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// manager is how one package manager tells when it last updated something:
// by its logs, the newest first, or by the time its database was written.
type manager struct {
	marker    string // the machine uses this manager when this file is there and not empty
	logs      []string
	parse     func(log string, zone *time.Location) time.Time
	databases []string
}

func managers() []manager {
	return []manager{
		{
			marker: "/var/lib/dpkg/status",
			logs:   []string{"/var/log/dpkg.log", "/var/log/dpkg.log.1"}, parse: parseDpkgLog,
		},
		{
			marker: "/var/lib/dpkg/status",
			logs:   []string{"/var/log/apt/history.log", "/var/log/apt/history.log.1"}, parse: parseAptHistory,
			databases: []string{"/var/lib/dpkg/status"},
		},
		{marker: "/usr/lib/sysimage/rpm/rpmdb.sqlite", databases: []string{"/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal"}},
		{marker: "/usr/lib/sysimage/rpm/Packages.db", databases: []string{"/usr/lib/sysimage/rpm/Packages.db"}},
		{marker: "/var/lib/rpm/rpmdb.sqlite", databases: []string{"/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/rpmdb.sqlite-wal"}},
		{marker: "/var/lib/rpm/Packages.db", databases: []string{"/var/lib/rpm/Packages.db"}},
		{marker: "/var/lib/rpm/Packages", databases: []string{"/var/lib/rpm/Packages"}},
		{
			marker: "/var/log/pacman.log",
			logs:   []string{"/var/log/pacman.log"}, parse: parsePacmanLog,
			databases: []string{"/var/lib/pacman/local"},
		},
		{marker: "/lib/apk/db/installed", databases: []string{"/lib/apk/db/installed"}},
		{marker: "/usr/lib/apk/db/installed", databases: []string{"/usr/lib/apk/db/installed"}},
	}
}

// lastUpdate asks the managers in turn; the first that is in use and knows a
// time answers. A reading that fails is not passed over for a weaker source.
func lastUpdate(ctx context.Context, r *evidence.Reading) (time.Time, fact.Reason) {
	for _, mgr := range managers() {
		info, err := r.Machine().Stat(ctx, mgr.marker)
		if evidence.ReasonOf(err) == fact.ReasonNotFound || err == nil && info.Size == 0 && !info.Mode.IsDir() {
			continue
		}
		if err != nil {
			return time.Time{}, evidence.ReasonOf(err)
		}
		at, why := mgr.last(ctx, r)
		if why != "" || !at.IsZero() {
			return at, why
		}
	}
	return time.Time{}, fact.ReasonToolMissing
}

// last is zero, with no reason, when this manager cannot tell.
func (g manager) last(ctx context.Context, r *evidence.Reading) (time.Time, fact.Reason) {
	m := r.Machine()
	for _, log := range g.logs {
		data, err := m.ReadFile(ctx, log)
		if evidence.ReasonOf(err) == fact.ReasonNotFound {
			continue
		}
		if err != nil && evidence.ReasonOf(err).Transient() {
			return time.Time{}, evidence.ReasonOf(err)
		}
		if err != nil || len(data) >= evidence.MaxFile { // the newest lines of a cut log are missing
			break
		}
		if at := g.parse(string(data), m.Now().Location()); !at.IsZero() && !future(at, m.Now()) {
			r.From(log)
			return at, ""
		}
	}
	var newest time.Time
	for _, db := range g.databases {
		info, err := m.Stat(ctx, db)
		if err == nil && info.ModTime.After(newest) {
			newest = info.ModTime
			r.From(db)
		}
	}
	if future(newest, m.Now()) {
		return time.Time{}, fact.ReasonUnreadable
	}
	return newest, ""
}

// future is true of a time that no change of time zone explains (26 hours lie
// between the outermost zones): one of the two clocks was wrong.
func future(at, now time.Time) bool { return at.After(now.Add(26 * time.Hour)) }

// parseDpkgLog finds the newest "YYYY-MM-DD HH:MM:SS upgrade PACKAGE OLD NEW"
// line (dpkg(1), --log), in local time. Where nothing was ever upgraded, the
// newest "status installed" line tells when the system was put together; it
// does not count otherwise, as any new package writes one.
func parseDpkgLog(log string, zone *time.Location) time.Time {
	var upgraded, installed time.Time
	for line := range strings.Lines(log) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		upgrade := f[2] == "upgrade" && len(f) >= 6 && f[4] != f[5]
		if !upgrade && (f[2] != "status" || f[3] != "installed") {
			continue
		}
		at, err := time.ParseInLocation("2006-01-02 15:04:05", f[0]+" "+f[1], zone)
		if err != nil {
			continue
		}
		if upgrade && at.After(upgraded) {
			upgraded = at
		}
		if !upgrade && at.After(installed) {
			installed = at
		}
	}
	if upgraded.IsZero() {
		return installed
	}
	return upgraded
}

// parseAptHistory finds the newest block of apt's history log that has an
// "Upgrade:" line, by its "Start-Date: YYYY-MM-DD  HH:MM:SS", in local time.
func parseAptHistory(log string, zone *time.Location) time.Time {
	var newest, block time.Time
	for line := range strings.Lines(log) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "Start-Date":
			f := strings.Fields(rest)
			block = time.Time{}
			if len(f) == 2 {
				if at, err := time.ParseInLocation("2006-01-02 15:04:05", f[0]+" "+f[1], zone); err == nil {
					block = at
				}
			}
		case "Upgrade":
			if block.After(newest) {
				newest = block
			}
		}
	}
	return newest
}

// parsePacmanLog finds the newest "[TIME] [ALPM] upgraded" line; the time is
// ISO 8601 with its zone since pacman 5.2, local time without one before.
func parsePacmanLog(log string, zone *time.Location) time.Time {
	var newest time.Time
	for line := range strings.Lines(log) {
		stamp, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "]")
		if !ok || !strings.HasPrefix(strings.TrimSpace(rest), "[ALPM] upgraded ") {
			continue
		}
		at, err := time.Parse("2006-01-02T15:04:05-0700", stamp)
		if err != nil {
			at, err = time.ParseInLocation("2006-01-02 15:04", stamp, zone)
		}
		if err == nil && at.After(newest) {
			newest = at
		}
	}
	return newest
}
