package custom

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// maxComm is how much of a program's name the kernel of Linux keeps
// (proc_pid_comm(5)).
const maxComm = 15

// processes is the list of processes, or why there is none.
type processes struct {
	list []evidence.Process
	why  fact.Reason
}

func (l *looker) listed() processes {
	if l.processes == nil {
		l.reading.From("process list")
		list, err := l.machine.Processes(l.ctx)
		l.processes = &processes{list: list}
		if err != nil {
			l.processes.why = evidence.ReasonOf(err)
		}
	}
	return *l.processes
}

// process looks for the program's file and for a process that was started from
// it and whose file is still that one.
func (l *looker) process(o observe.Observation) {
	real, ok := l.found(o)
	if !ok {
		return
	}
	l.here(o)
	l.runs(o, real)
	l.digest(o)
	if slices.Contains(o.Read, observe.ReadSigner) {
		l.signer(o)
	}
}

// found tells where a path leads if a regular file is there that may be read,
// and otherwise sets why not.
func (l *looker) found(o observe.Observation) (real string, ok bool) {
	real = evidence.Resolve(l.ctx, l.machine, o.Path)
	if real != o.Path && (l.forbid.Path(real) || observe.Readable(real) != nil) {
		l.unknown(o, fact.ReasonRefused)
		return "", false
	}
	l.reading.From(o.Path)
	info, err := l.machine.Stat(l.ctx, o.Path)
	switch {
	case err != nil:
		l.failed(o, err)
		return "", false
	case !info.Mode.IsRegular(): // a folder or a device is not the file
		l.absent(o)
		return "", false
	}
	return real, true
}

// runs tells whether a process of the program runs. One that may not be looked
// at, but has the program's short name, leaves the question open.
func (l *looker) runs(o observe.Observation, real string) {
	p := l.listed()
	if p.why != "" {
		l.reading.Unknown("running", o.ID, p.why)
		return
	}
	hidden := false
	for _, p := range p.list {
		switch {
		case p.Deleted:
		case p.Executable == "":
			hidden = hidden || p.Name != "" && p.Name == l.shortName(real)
		case l.same(p.Executable, o.Path) || l.same(p.Executable, real):
			l.reading.Observe("running", o.ID, fact.Bool(true))
			return
		}
	}
	if hidden {
		l.reading.Unknown("running", o.ID, fact.ReasonNeedsPrivilege)
		return
	}
	l.reading.Finding("running", o.ID, fact.Bool(false), fact.ReasonNotRunning)
}

func (l *looker) same(a, b string) bool {
	if l.machine.System() == evidence.Windows {
		return strings.EqualFold(a, b)
	}
	return a == b
}

func (l *looker) shortName(executable string) string {
	if l.machine.System() == evidence.Windows {
		return executable[strings.LastIndexByte(executable, '\\')+1:]
	}
	name := path.Base(executable)
	if l.machine.System() == evidence.Linux {
		name = name[:min(len(name), maxComm)]
	}
	return name
}

func (l *looker) file(o observe.Observation) {
	if _, ok := l.found(o); ok {
		l.here(o)
		l.digest(o)
	}
}

// digest sets the file's SHA-256 where it was asked for.
func (l *looker) digest(o observe.Observation) {
	if !slices.Contains(o.Read, observe.ReadSHA256) {
		return
	}
	sum, err := l.machine.SHA256(l.ctx, o.Path)
	if err != nil {
		l.reading.Unknown("sha256", o.ID, evidence.ReasonOf(err))
		return
	}
	l.reading.Observe("sha256", o.ID, fact.Str(sum))
}

// signer sets who signed the program: the Team ID on macOS, the name in the
// certificate on Windows. A signature that is not valid is nobody's.
func (l *looker) signer(o observe.Observation) {
	s, err := l.signature(o.Path)
	switch {
	case err != nil:
		l.reading.Unknown("signer", o.ID, evidence.ReasonOf(err))
	case s.Valid == nil:
		l.reading.Unknown("signer", o.ID, fact.ReasonUnreadable)
	case !*s.Valid:
		l.lacks(o, "signer", fact.ReasonOddIdentity)
	case l.machine.System() == evidence.MacOS && s.TeamID != "":
		l.text(o, "signer", s.TeamID)
	default: // what Apple ships has no Team ID
		l.text(o, "signer", s.Signer)
	}
}

// signature is the answer to evidence.AskSignature.
type signature struct {
	Valid  *bool  `json:"valid"`
	Signer string `json:"signer"`
	TeamID string `json:"team_id"`
}

func (l *looker) signature(program string) (signature, error) {
	var s signature
	if l.machine.System() == evidence.Linux {
		return s, &evidence.Error{Reason: fact.ReasonUnsupported, Op: "ask for the signature of a program"}
	}
	answer, err := l.machine.Ask(l.ctx, evidence.AskSignature, program)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(answer, &s); err != nil {
		return s, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read the signature of a program", Err: fmt.Errorf("answer: %w", err)}
	}
	return s, nil
}
