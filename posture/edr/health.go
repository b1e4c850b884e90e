package edr

import (
	"context"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// patience is how long all products together may take to say how they are, so
// that one which hangs never holds up what is known without it.
const patience = 2 * time.Second

// reader asks one product on one system what it says of itself. It gives the
// reason for what its answers leave out.
type reader struct {
	source string
	fields []string // what it can tell, beside healthy
	live   bool     // only a product that runs can answer
	read   func(ctx context.Context, q question) (answers, fact.Reason)
}

// question is what a reader may use.
type question struct {
	machine evidence.Machine
	product product
}

// now is the machine's wall clock, with its time zone.
func (q question) now() time.Time { return q.machine.Now() }

// readerFor finds the reader of a row on a system.
func readerFor(status string, sys evidence.System) (reader, bool) {
	switch sys {
	case evidence.Linux:
		r, ok := linuxReaders()[status]
		return r, ok
	case evidence.MacOS:
		r, ok := macReaders()[status]
		return r, ok
	case evidence.Windows:
		r, ok := windowsReaders()[status]
		return r, ok
	}
	return reader{}, false
}

func linuxReaders() map[string]reader {
	return map[string]reader{
		observe.StatusCrowdStrike:      {"falconctl", []string{"mode", "registered", "version"}, false, falconLinux},
		observe.StatusDefenderEndpoint: {"mdatp health", mdatpFields(), true, mdatp},
		observe.StatusSentinelOne:      {"sentinelctl", []string{"mode", "tamper_protected", "version"}, true, sentinelLinux},
		observe.StatusWazuh:            {"wazuh-control", []string{"mode", "registered", "version"}, true, wazuhUnix},
		observe.StatusClamAV:           {clamDir, []string{"signatures_at"}, false, clamav},
		observe.StatusElastic:          {"elastic-agent status", []string{"mode", "version"}, true, elastic},
		observe.StatusCarbonBlack:      {"repcli status", []string{"mode", "registered", "version"}, true, carbonBlack},
		observe.StatusCortex:           {"cytool", []string{"mode"}, true, cortex},
		observe.StatusBitdefender:      {"bduitool", []string{"mode", "version", "signatures_at"}, true, bitdefender},
	}
}

func macReaders() map[string]reader {
	return map[string]reader{
		observe.StatusCrowdStrike:      {"falconctl", []string{"mode", "registered", "version"}, true, falconMac},
		observe.StatusDefenderEndpoint: {"mdatp health", mdatpFields(), true, mdatp},
		observe.StatusSentinelOne:      {"sentinelctl", []string{"mode", "registered", "version"}, true, sentinelMac},
		observe.StatusWazuh:            {"wazuh-control", []string{"mode", "registered", "version"}, true, wazuhUnix},
		observe.StatusElastic:          {"elastic-agent status", []string{"mode", "version"}, true, elastic},
		observe.StatusCarbonBlack:      {"repcli status", []string{"mode", "registered", "version"}, true, carbonBlack},
		observe.StatusCortex:           {"cytool", []string{"mode"}, true, cortex},
	}
}

func windowsReaders() map[string]reader {
	return map[string]reader{
		observe.StatusDefenderAV:       {defenderClass, []string{"mode", "tamper_protected", "version", "signatures_at"}, true, defenderAV},
		observe.StatusDefenderEndpoint: {onboardingKey, []string{"registered"}, false, defenderEndpoint},
		observe.StatusSentinelOne:      {"sentinelctl", []string{"mode", "tamper_protected", "version"}, true, sentinelWindows},
		observe.StatusWazuh:            {wazuhWindowsState, []string{"mode"}, false, wazuhWindows},
		observe.StatusElastic:          {"elastic-agent status", []string{"mode", "version"}, true, elastic},
	}
}

// ask asks every product that is installed how it is, one after the other.
func ask(ctx context.Context, r *evidence.Reading, found []product) []answers {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out := make([]answers, len(found))
	for i, p := range found {
		out[i] = askOne(ctx, r, p)
	}
	return out
}

func askOne(ctx context.Context, r *evidence.Reading, p product) answers {
	a := answers{}
	switch {
	case !p.installed.known():
		a.unknown("healthy", p.installed.why)
		return a
	case !p.installed.is(true):
		a.finding("healthy", fact.Bool(false), p.installed.why)
		return a
	}
	rd, ok := readerFor(p.row.Status, r.Machine().System())
	if ok {
		var why fact.Reason
		a, why = rd.read(ctx, question{r.Machine(), p})
		r.From(rd.source)
		a.fill(rd.fields, why)
	}
	if _, told := a["version"]; !told || a["version"].state == fact.Unknown {
		a.version(p.version)
	}
	if _, told := a["healthy"]; !told {
		a.unknown("healthy", fact.ReasonUnsupported)
	}
	a.agree(p, rd)
	return a
}

// fill makes every field unknown that the reader could have told and did not.
func (a answers) fill(fields []string, why fact.Reason) {
	if why == "" {
		why = fact.ReasonUnreadable
	}
	for _, field := range append([]string{"healthy"}, fields...) {
		if _, there := a[field]; !there {
			a.unknown(field, why)
		}
	}
}

// agree holds what the product says against its processes. What does not run
// protects nothing; a tool that only a running product can answer, and that
// says otherwise, is a second source that disagrees.
func (a answers) agree(p product, rd reader) {
	if mode := a["mode"]; p.running.is(true) && rd.live && mode.value == fact.Str(fact.ModeOff) && mode.why == fact.ReasonNotRunning {
		a.conflict("running", fact.Bool(true), "process list", fact.Bool(false), rd.source)
	}
	if !p.running.is(false) {
		return
	}
	why := fact.ReasonNotRunning
	if p.running.why != "" {
		why = p.running.why
	}
	a.down("healthy", fact.Bool(true), fact.Bool(false), why, rd)
	if _, told := a["mode"]; told {
		a.down("mode", fact.Value{}, fact.Str(fact.ModeOff), why, rd)
	}
}

// down sets a field to what it is for a product that does not run. good is the
// value that contradicts that, or nothing where all but off do.
func (a answers) down(field string, good, off fact.Value, why fact.Reason, rd reader) {
	said := a[field]
	claims := said.state == fact.Observed && said.value != off && (!good.IsSet() || said.value == good)
	switch {
	case claims && rd.live:
		a.conflict(field, said.value, rd.source, off, "process list")
	case said.state == fact.Observed && said.value == off, said.state == fact.Conflict:
	default:
		a.finding(field, off, why)
	}
}

// run gives a command's standard output, whatever code it ended with, unless
// it wrote nothing that could be read: then the reason is why.
func (q question) run(ctx context.Context, name string, args ...string) (string, fact.Reason) {
	out, err := q.machine.Run(ctx, name, args...)
	switch {
	case err != nil:
		return "", evidence.ReasonOf(err)
	case out.Code != 0 && len(out.Stdout) == 0:
		return "", evidence.ReasonOf(evidence.Failure(name, out))
	case out.Code != 0 && evidence.ReasonOf(evidence.Failure(name, out)) == fact.ReasonNeedsPrivilege:
		return "", fact.ReasonNeedsPrivilege
	}
	return string(out.Stdout), ""
}

// final tells whether it is of no use to ask the same tool in another way.
func final(why fact.Reason) bool {
	return why == fact.ReasonNeedsPrivilege || why == fact.ReasonTimeout || why == fact.ReasonBusy
}
