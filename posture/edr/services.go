package edr

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	serviceRunning = "running"
	neverStarted   = 1077 // ERROR_SERVICE_NEVER_STARTED
	noSuchService  = 1060 // ERROR_SERVICE_DOES_NOT_EXIST
	accessDenied   = 5    // ERROR_ACCESS_DENIED
)

// services are those of the service control manager. Where they cannot be
// listed, sc.exe is asked for one at a time.
type services struct {
	machine evidence.Machine
	list    []evidence.Service
	failed  fact.Reason // why the list is not there
}

func listServices(ctx context.Context, m evidence.Machine) *services {
	s := &services{machine: m}
	var err error
	if s.list, err = m.Services(ctx); err != nil {
		s.failed = evidence.ReasonOf(err)
	}
	return s
}

// one finds the first of the named services that runs, or else the first that
// is there. The verdict is no where none of them is there.
func (s *services) one(ctx context.Context, names []string) (evidence.Service, verdict) {
	var out evidence.Service
	answer := no(fact.ReasonNotFound)
	for _, name := range names {
		found, v := s.named(ctx, name)
		if v.is(true) && (!answer.is(true) || found.State == serviceRunning && out.State != serviceRunning) {
			out = found
		}
		answer = better(answer, v)
	}
	return out, answer
}

func (s *services) named(ctx context.Context, name string) (evidence.Service, verdict) {
	i := slices.IndexFunc(s.list, func(o evidence.Service) bool { return strings.EqualFold(o.Name, name) })
	switch {
	case i >= 0:
		return s.list[i], yes()
	case len(s.list) > 0:
		return evidence.Service{}, no(fact.ReasonNotFound)
	case s.failed.Transient():
		return evidence.Service{}, unsure(s.failed)
	}
	out, err := s.machine.Run(ctx, "sc", "query", name)
	switch {
	case err != nil && s.failed != "":
		return evidence.Service{}, unsure(s.failed)
	case err != nil && evidence.ReasonOf(err) == fact.ReasonToolMissing: // a list that is truly empty
		return evidence.Service{}, no(fact.ReasonNotFound)
	case err != nil:
		return evidence.Service{}, unsure(evidence.ReasonOf(err))
	}
	return parseSC(name, out)
}

var (
	scState  = regexp.MustCompile(`^([1-7])\s+([A-Z_]+)\b`)
	scExit   = regexp.MustCompile(`^([0-9]+)\s+\(0x[0-9a-fA-F]+\)`)
	scFailed = regexp.MustCompile(`^\[SC\] .*?([0-9]+):?\s*$`)
)

// scStates are the states of SERVICE_STATUS in the order of their numbers,
// which sc.exe prints in English in every language.
var scStates = []string{"STOPPED", "START_PENDING", "STOP_PENDING", "RUNNING", "CONTINUE_PENDING", "PAUSE_PENDING", "PAUSED"}

// parseSC reads what `sc query NAME` prints. Its labels are translated, so that
// lines are told apart by their values: the first is the name, the state is a
// number with its word, the exit code a number with itself in hex.
func parseSC(name string, out evidence.Output) (evidence.Service, verdict) {
	s := evidence.Service{Name: name}
	first, coded := true, false
	for line := range strings.Lines(string(out.Stdout)) {
		line = strings.TrimSpace(line)
		if m := scFailed.FindStringSubmatch(line); m != nil {
			return s, scError(m[1])
		}
		_, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if first {
			if first = false; !strings.EqualFold(value, name) {
				return s, unsure(fact.ReasonUnreadable)
			}
			continue
		}
		if m := scState.FindStringSubmatch(value); m != nil && s.State == "" && scStates[m[1][0]-'1'] == m[2] {
			s.State = strings.ToLower(strings.ReplaceAll(m[2], "_", "-"))
		}
		if m := scExit.FindStringSubmatch(value); m != nil && !coded {
			code, err := strconv.ParseUint(m[1], 10, 32)
			s.ExitCode, coded = uint32(code), err == nil
		}
	}
	switch {
	case s.State != "":
		return s, yes()
	case out.Code != 0:
		return s, scError(strconv.Itoa(out.Code))
	}
	return s, unsure(fact.ReasonUnreadable)
}

// scError is what one of the system's error codes means for a service.
func scError(code string) verdict {
	switch code {
	case strconv.Itoa(noSuchService):
		return no(fact.ReasonNotFound)
	case strconv.Itoa(accessDenied):
		return unsure(fact.ReasonNeedsPrivilege)
	}
	return unsure(fact.ReasonUnreadable)
}
