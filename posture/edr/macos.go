package edr

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

func macos() system {
	return system{
		concerns:  func(r observe.EDRRow) bool { return len(r.MacOS)+len(r.Extensions)+len(r.Apps) > 0 },
		find:      findOnMacOS,
		same:      func(a, b string) bool { return a == b },
		shortName: path.Base,
		links:     true,
		loose:     0o002, // applications belong to the group of administrators
		owner: func(owner, runAs string) bool {
			return owner == "0" || runAs == observe.RunAsSystem && macAccount(owner)
		},
		unowned: fact.ReasonNeedsPrivilege,
	}
}

// macAccount tells whether a user id is for the system's own use: macOS gives
// people ids from 501.
func macAccount(owner string) bool {
	id, err := strconv.ParseUint(owner, 10, 32)
	return err == nil && id < 500
}

// findOnMacOS joins a product's programs, its application and its system
// extensions: where one of them is, the product is installed.
func findOnMacOS(ctx context.Context, l *looker, row observe.EDRRow) finding {
	f := l.programs(ctx, row, row.MacOS)
	for _, app := range row.Apps {
		found := l.application(ctx, app)
		if found.is(true) && f.program == "" {
			f.program = app
		}
		if !f.installed.odd { // a folder does not make up for a program that is not to be trusted
			f.installed = better(f.installed, found)
		}
	}
	if len(row.TeamIDs) > 0 {
		f = l.signed(ctx, f, func(s signature) bool { return slices.Contains(row.TeamIDs, s.TeamID) })
	}
	if len(row.Extensions) > 0 {
		f = l.extended(ctx, row, f)
	}
	f.installed = better(f.installed, no(fact.ReasonNotFound))
	if f.running.state == "" {
		f.running = l.unseen()
	}
	return f
}

func (l *looker) application(ctx context.Context, app string) verdict {
	info, err := l.machine.Stat(ctx, app)
	switch {
	case err == nil && info.Mode.IsDir():
		return yes()
	case err == nil:
		return no(fact.ReasonOddIdentity)
	}
	if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
		return unsure(why)
	}
	return no(fact.ReasonNotFound)
}

// extended adds what the system extensions say. One that is activated and not
// enabled is installed and does not run; one that is being removed does not
// count at all.
func (l *looker) extended(ctx context.Context, row observe.EDRRow, f finding) finding {
	if l.extensions == nil {
		l.extensions = listExtensions(ctx, l.machine, l.reading)
	}
	if l.extensions.failed != "" {
		if !f.installed.is(true) {
			f.installed = unsure(l.extensions.failed)
		}
		if !f.running.is(true) {
			f.running = unsure(l.extensions.failed)
		}
		return f
	}
	var active []extension
	for _, e := range l.extensions.list {
		switch e.match(row) {
		case matchTeam:
			if e.active() {
				f.installed = better(f.installed, odd(fact.ReasonOddIdentity))
			}
		case matchProduct:
			if e.active() {
				active = append(active, e)
				f.version = newest(f.version, e.Version)
			}
			if e.active() || e.waiting() {
				f.installed = yes()
			}
		}
	}
	for _, e := range active {
		f.running = better(f.running, l.extensionRuns(ctx, e))
	}
	return f
}

// extensionRuns looks for the extension's process, which the system starts from
// a folder that it alone can write to. Where processes cannot be told apart,
// launchd is asked.
func (l *looker) extensionRuns(ctx context.Context, e extension) verdict {
	out, hidden := no(fact.ReasonNotRunning), l.blind != "" || len(l.processes) == 0
	for _, p := range l.processes {
		switch {
		case p.Deleted:
		case p.Executable == "":
			hidden = hidden || p.Name != "" && strings.HasPrefix(e.Identifier, p.Name)
		case e.started(p.Executable):
			out = better(out, l.counts(p, observe.RunAsRoot))
		}
	}
	if out.is(true) || !hidden {
		return out
	}
	if v := launched(ctx, l.machine, e.Team+"."+e.Identifier); v.known() {
		return v
	}
	switch {
	case l.blind != "":
		return unsure(l.blind)
	case len(l.processes) > 0:
		return better(out, unsure(fact.ReasonNeedsPrivilege))
	}
	return out
}

func newest(a, b string) string {
	if a == "" || b != "" && fact.CompareVersions(a, b) < 0 {
		return b
	}
	return a
}
