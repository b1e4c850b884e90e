package edr

import (
	"context"
	"slices"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// looker looks for products among the files and processes of one machine. It
// belongs to one goroutine.
type looker struct {
	reading   *evidence.Reading
	machine   evidence.Machine
	sys       system
	processes []evidence.Process
	blind     fact.Reason // why the processes could not be listed
	open      fact.Reason // why a product could not be looked for

	services   *services   // Windows, once asked for
	extensions *extensions // macOS, once asked for
}

// newLooker lists the services before the processes, so that a service that
// starts in between is not taken for one whose process is gone.
func newLooker(ctx context.Context, r *evidence.Reading, sys system) *looker {
	l := &looker{reading: r, machine: r.Machine(), sys: sys}
	if l.machine.System() == evidence.Windows {
		l.services = listServices(ctx, l.machine)
		r.From("services")
	}
	var err error
	if l.processes, err = l.machine.Processes(ctx); err != nil {
		l.blind = evidence.ReasonOf(err)
	}
	r.From("process list")
	return l
}

// programs joins the answers of a product's programs.
func (l *looker) programs(ctx context.Context, row observe.EDRRow, programs []observe.Program) finding {
	var out finding
	for _, p := range programs {
		f := l.program(ctx, row, p)
		if f.installed.is(true) && out.program == "" {
			out.program = p.Executable
		}
		out.installed = better(out.installed, f.installed)
		out.running = better(out.running, f.running)
	}
	return out
}

// program looks for one program: a process counts only if its file is there
// and is the declared one.
func (l *looker) program(ctx context.Context, row observe.EDRRow, p observe.Program) finding {
	f := finding{installed: l.installed(ctx, row, p), running: no(fact.ReasonNotRunning)}
	switch {
	case l.blind != "":
		f.running = unsure(l.blind)
	case f.installed.is(true):
		f.running = l.runs(ctx, row, p.Executable)
	case f.installed.state == fact.Unknown:
		f.running = unsure(f.installed.why) // whose process it is cannot be told
	case f.installed.why == fact.ReasonOddOwner:
		f.running = no(fact.ReasonOddOwner)
	}
	return f
}

func (l *looker) installed(ctx context.Context, row observe.EDRRow, p observe.Program) verdict {
	info, err := l.machine.Stat(ctx, p.Executable)
	if err != nil {
		if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
			return unsure(why)
		}
		return no(fact.ReasonNotFound)
	}
	if !info.Mode.IsRegular() {
		return no(fact.ReasonOddIdentity)
	}
	if v := l.trusted(info, row.Runs()); !v.is(true) {
		return v
	}
	if p.SHA256 == "" {
		return yes()
	}
	sum, err := l.machine.SHA256(ctx, p.Executable)
	if err != nil {
		return unsure(evidence.ReasonOf(err))
	}
	if sum != p.SHA256 {
		return no(fact.ReasonOddIdentity)
	}
	return yes()
}

// trusted tells whether only the system could have put the file there. On
// Windows the access lists decide, which a signature stands in for.
func (l *looker) trusted(info evidence.Info, runAs string) verdict {
	switch {
	case runAs == observe.RunAsAny || l.machine.System() == evidence.Windows:
		return yes()
	case info.Owner == "":
		return verdict{state: fact.Unknown, why: l.sys.unowned, odd: true}
	case info.Owner != "0" || uint32(info.Mode.Perm())&l.sys.loose != 0:
		return odd(fact.ReasonOddOwner)
	}
	return yes()
}

// runs looks for a process that was started from the file and whose file is
// still that one. Where this user may not see what a process was started from,
// a process of the right name or unit leaves the question open: both can be
// had by anybody.
func (l *looker) runs(ctx context.Context, row observe.EDRRow, executable string) verdict {
	real := executable
	if l.sys.links {
		real = evidence.Resolve(ctx, l.machine, executable)
	}
	out := no(fact.ReasonNotRunning)
	for _, p := range l.processes {
		switch {
		case p.Deleted:
		case p.Executable == "":
			if p.Name != "" && p.Name == l.sys.shortName(executable) || p.Unit != "" && slices.Contains(row.Units, p.Unit) {
				out = better(out, unsure(fact.ReasonNeedsPrivilege))
			}
		case l.sys.same(p.Executable, executable) || l.sys.same(p.Executable, real):
			out = better(out, l.counts(p, row.Runs()))
		}
		if out.is(true) {
			break
		}
	}
	return out
}

// counts tells whether a process of the program stands for the product: one
// that a person started by hand does not, where the product runs as the system.
func (l *looker) counts(p evidence.Process, runAs string) verdict {
	switch {
	case runAs == observe.RunAsAny:
		return yes()
	case p.Owner == "":
		return unsure(l.sys.unowned)
	case !l.sys.owner(p.Owner, runAs):
		return odd(fact.ReasonOddOwner)
	}
	return yes()
}

// signed checks a program's signature where the system can be asked: a program
// of somebody else is not the product. Where the system has no such question,
// what was found stands, with the reason beside it; where it refuses to answer,
// is late or says nothing that can be read, whose program it is stays open.
func (l *looker) signed(ctx context.Context, f finding, right func(signature) bool) finding {
	if !f.installed.is(true) || f.program == "" {
		return f
	}
	s, err := signatureOf(ctx, l.machine, f.program)
	why := evidence.ReasonOf(err)
	if err == nil && s.Valid == nil {
		why = fact.ReasonUnreadable
	}
	switch {
	case (err != nil || s.Valid == nil) && (final(why) || why == fact.ReasonUnreadable):
		f.installed, f.running = verdict{state: fact.Unknown, why: why, odd: true}, unsure(why)
	case err != nil:
		f.installed.why = why
	case !*s.Valid || !right(s):
		f.installed, f.running = odd(fact.ReasonOddIdentity), no(fact.ReasonOddIdentity)
	}
	return f
}
