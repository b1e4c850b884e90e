// Package edr reads which endpoint security products are installed and running.
package edr

import (
	"context"
	"path"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// Collect looks for each product of the catalogue: installed means that its
// executable is there, with the declared content where one is declared;
// running means that a process was started from that very file. Products that
// somebody declared are always listed, shipped ones only when they are there.
func Collect(ctx context.Context, m evidence.Machine, rows []observe.EDRRow) fact.Signal {
	r := evidence.Begin(fact.SignalEDR, m)
	system, ok := systemOf(m.System())
	if !ok {
		return r.Conclude(fact.Unknown, fact.ReasonUnsupported)
	}
	processes, err := r.Machine().Processes(ctx)
	l := looker{machine: r.Machine(), system: system, processes: processes}
	if err != nil {
		l.blind = evidence.ReasonOf(err)
	}
	r.From("process list")
	var anyInstalled bool
	var open fact.Reason
	for _, row := range rows {
		programs := system.programs(row)
		if len(programs) == 0 {
			continue
		}
		f := l.product(ctx, programs)
		anyInstalled = anyInstalled || f.installed
		if f.installedWhy != "" {
			open = f.installedWhy
		}
		if row.Origin != fact.OriginBuiltIn || f.installed || f.installedWhy != "" {
			put(r, row, f)
		}
	}
	switch {
	case l.blind != "":
		return r.Conclude(fact.Unknown, l.blind)
	case anyInstalled:
		return r.Conclude(fact.Observed, "")
	case open != "":
		return r.Conclude(fact.Unknown, open)
	}
	return r.Conclude(fact.Absent, fact.ReasonNotFound)
}

// put sets the three facts of one product.
func put(r *evidence.Reading, row observe.EDRRow, f finding) {
	if f.installedWhy != "" {
		r.Unknown("installed", row.ID, f.installedWhy)
	} else {
		r.Finding("installed", row.ID, fact.Bool(f.installed), f.explain)
	}
	switch {
	case f.runningWhy != "":
		r.Unknown("running", row.ID, f.runningWhy)
	case f.running:
		r.Observe("running", row.ID, fact.Bool(true))
	default:
		r.Finding("running", row.ID, fact.Bool(false), fact.ReasonNotRunning)
	}
	r.Observe("origin", row.ID, fact.Str(row.Origin))
}

// system is what differs between operating systems.
type system struct {
	programs  func(observe.EDRRow) []observe.Program
	same      func(a, b string) bool         // whether two paths name one file
	shortName func(executable string) string // a process's name when only that may be seen
	links     bool                           // paths may lead through symbolic links
}

func systemOf(s evidence.System) (system, bool) {
	switch s {
	case evidence.Linux:
		return linux(), true
	case evidence.Windows:
		return windows(), true
	case evidence.MacOS:
		return macos(), true
	}
	return system{}, false
}

// finding is what was found of one product. A reason says that the answer next
// to it is not known; explain says why an answer is no.
type finding struct {
	installed    bool
	installedWhy fact.Reason
	explain      fact.Reason
	running      bool
	runningWhy   fact.Reason
}

// looker looks for products among the files and processes of one machine.
type looker struct {
	machine   evidence.Machine
	system    system
	processes []evidence.Process
	blind     fact.Reason // why the processes could not be listed
}

// product joins the answers of a product's programs: one that is installed and
// runs is enough, and what is unknown is said only if none is found.
func (l looker) product(ctx context.Context, programs []observe.Program) finding {
	out := finding{explain: fact.ReasonNotFound}
	for _, p := range programs {
		f := l.program(ctx, p)
		switch {
		case f.installed && !out.installed:
			out.installed, out.installedWhy, out.explain = true, "", ""
		case !out.installed && f.installedWhy != "":
			out.installedWhy = f.installedWhy
		case !out.installed && f.explain == fact.ReasonOddIdentity:
			out.explain = f.explain
		}
		out.running = out.running || f.running
		if f.runningWhy != "" {
			out.runningWhy = f.runningWhy
		}
	}
	if out.running {
		out.runningWhy = ""
	}
	return out
}

func (l looker) program(ctx context.Context, p observe.Program) finding {
	f := l.installed(ctx, p)
	switch {
	case l.blind != "":
		f.runningWhy = l.blind
	case f.installedWhy != "":
		f.runningWhy = f.installedWhy // whose process it is cannot be told
	case f.installed:
		f.running, f.runningWhy = l.runs(ctx, p.Executable)
	}
	return f
}

func (l looker) installed(ctx context.Context, p observe.Program) finding {
	info, err := l.machine.Stat(ctx, p.Executable)
	if err != nil {
		if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
			return finding{installedWhy: why}
		}
		return finding{explain: fact.ReasonNotFound}
	}
	if !info.Mode.IsRegular() {
		return finding{explain: fact.ReasonOddIdentity}
	}
	if p.SHA256 == "" {
		return finding{installed: true}
	}
	sum, err := l.machine.SHA256(ctx, p.Executable)
	if err != nil {
		return finding{installedWhy: evidence.ReasonOf(err)}
	}
	if sum != p.SHA256 {
		return finding{explain: fact.ReasonOddIdentity}
	}
	return finding{installed: true}
}

// runs looks for a process that was started from the file and whose file is
// still that one. Where this user may not see what a process was started from,
// a process of the right name leaves the question open.
func (l looker) runs(ctx context.Context, executable string) (bool, fact.Reason) {
	real := executable
	if l.system.links {
		real = l.resolve(ctx, executable)
	}
	var why fact.Reason
	for _, p := range l.processes {
		switch {
		case p.Deleted:
		case p.Executable == "":
			if p.Name != "" && p.Name == l.system.shortName(executable) {
				why = fact.ReasonNeedsPrivilege
			}
		case l.system.same(p.Executable, executable) || l.system.same(p.Executable, real):
			return true, ""
		}
	}
	return false, why
}

// resolve follows the symbolic links of a path, part by part, as the system
// does when it starts a program: /bin/x is /usr/bin/x on most systems. Where it
// cannot, the path stays as it is.
func (l looker) resolve(ctx context.Context, p string) string {
	at, todo := "/", strings.Split(p, "/")
	for steps := 0; len(todo) > 0 && steps < 64; steps++ {
		next := path.Join(at, todo[0])
		todo = todo[1:]
		if next == at {
			continue
		}
		target, err := l.machine.ReadLink(ctx, next)
		if err != nil {
			at = next
			continue
		}
		todo = append(strings.Split(target, "/"), todo...)
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
	}
	return at
}
