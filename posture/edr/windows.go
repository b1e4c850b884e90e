package edr

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// windows compares paths without regard to case, as its file systems do.
func windows() system {
	return system{
		concerns: func(r observe.EDRRow) bool { return len(r.Windows)+len(r.Services) > 0 },
		find:     findOnWindows,
		same:     strings.EqualFold,
		shortName: func(executable string) string {
			return executable[strings.LastIndexByte(executable, '\\')+1:]
		},
		owner: func(owner, _ string) bool {
			// LocalSystem, LocalService, NetworkService (Microsoft Learn,
			// "Security identifiers").
			return slices.Contains([]string{"S-1-5-18", "S-1-5-19", "S-1-5-20"}, owner)
		},
		unowned: fact.ReasonNeedsPrivilege,
	}
}

// findOnWindows asks the service control manager first, where the product has
// a service: it says which program the service is, and whether it runs.
func findOnWindows(ctx context.Context, l *looker, row observe.EDRRow) finding {
	f := l.programs(ctx, row, row.Windows)
	if len(row.Services) > 0 {
		f = l.serviced(ctx, row, f)
	}
	if len(row.Publishers) == 0 {
		return f
	}
	return l.signed(ctx, f, func(s signature) bool {
		return slices.ContainsFunc(row.Publishers, func(p string) bool {
			return strings.Contains(strings.ToLower(s.Signer), strings.ToLower(p))
		})
	})
}

// serviced joins what was found of a product's programs with what its services
// say.
func (l *looker) serviced(ctx context.Context, row observe.EDRRow, f finding) finding {
	s, v := l.services.one(ctx, row.Services)
	switch {
	case v.state == fact.Unknown:
		// A program that is there says enough; one that is not could lie
		// where only the service would tell.
		if !f.installed.is(true) {
			f.installed, f.running = v, v
		}
		return f
	case !v.is(true):
		if len(row.Windows) == 0 {
			return finding{installed: no(fact.ReasonNotFound), running: l.unseen()}
		}
		return f
	}
	f.exitCode = s.ExitCode
	if there := l.serviceProgram(ctx, s, f); there.is(true) {
		f.installed = there
		if f.program == "" && !strings.Contains(s.Executable, "%") {
			f.program = s.Executable
		}
	} else if !f.installed.is(true) {
		f.installed = there
	}
	if f.installed.is(true) {
		f.running = l.serviceRuns(s, f.running)
	}
	return f
}

// unseen is the answer about processes of a program that is not there.
func (l *looker) unseen() verdict {
	if l.blind != "" {
		return unsure(l.blind)
	}
	return no(fact.ReasonNotRunning)
}

// serviceProgram tells whether the service's program is there. What runs is
// there; a service that does not run may be left over from a product.
func (l *looker) serviceProgram(ctx context.Context, s evidence.Service, f finding) verdict {
	if f.installed.is(true) || s.State == serviceRunning || s.Executable == "" || strings.Contains(s.Executable, "%") {
		return yes()
	}
	info, err := l.machine.Stat(ctx, s.Executable)
	switch {
	case err == nil && info.Mode.IsRegular():
		return yes()
	case err == nil:
		return no(fact.ReasonOddIdentity)
	}
	if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
		return unsure(why)
	}
	return no(fact.ReasonNotFound)
}

// serviceRuns compares the service's state with the processes: byFile is what
// the processes of the product's known programs say.
func (l *looker) serviceRuns(s evidence.Service, byFile verdict) verdict {
	process, there := l.processOf(s)
	if s.State != serviceRunning {
		if byFile.is(true) {
			return clash("process list", "service "+s.Name)
		}
		return no(fact.ReasonNotRunning)
	}
	switch {
	case there && process.Owner != "" && !l.sys.owner(process.Owner, observe.RunAsRoot):
		return no(fact.ReasonOddOwner)
	case there && process.Executable != "" && s.Executable != "" && !strings.Contains(s.Executable, "%") &&
		!l.sys.same(process.Executable, s.Executable) && !byFile.is(true):
		return clash("service "+s.Name, "process list")
	case !there && s.PID != 0 && len(l.processes) > 0 && !byFile.is(true):
		return clash("service "+s.Name, "process list")
	}
	return yes()
}

func (l *looker) processOf(s evidence.Service) (evidence.Process, bool) {
	for _, p := range l.processes {
		if s.PID != 0 && p.PID == s.PID {
			return p, true
		}
	}
	return evidence.Process{}, false
}
