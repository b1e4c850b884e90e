package patch

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

const (
	windowsVersionKey   = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	windowsServicingKey = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing`
	windowsAgentKey     = `HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`
)

// windowsListAge is how old the update agent's last search may be for an empty
// list of updates to mean that none waits. The agent searches every 22 hours.
const windowsListAge = 7 * 24 * time.Hour

// windows compares the build with the table of releases and asks the Windows
// Update Agent what it knows already; it starts no search.
func windows(ctx context.Context, r *evidence.Reading, table releases.Table) {
	line := windowsBuild(ctx, r, table)
	agent, err := askUpdates(ctx, r)
	windowsLast(ctx, r, table, agent, err)
	windowsPending(r, agent, err)
	windowsChecked(ctx, r, agent, err)
	windowsReboot(ctx, r, agent)
	windowsAuto(ctx, r, agent, err, line)
}

// windowsBuild sets the facts that follow from the build, and gives the table's
// product: client or server.
func windowsBuild(ctx context.Context, r *evidence.Reading, table releases.Table) string {
	unknown := func(why fact.Reason, fields ...string) {
		for _, field := range fields {
			r.Unknown(field, "", why)
		}
	}
	values, err := r.Machine().Registry(ctx, windowsVersionKey)
	if err != nil {
		unknown(evidence.ReasonOf(err), "current", "newest_known", "build_released_at")
		return ""
	}
	r.From(windowsVersionKey)
	kernel, silent := askKernel(ctx, r.Machine())
	build, line, why := windowsIdentity(kernel, table, values)
	if why != "" {
		unknown(why, "current", "newest_known", "build_released_at")
		return line
	}
	newest, known := table.Newest(line, build)
	if !known {
		unknown(fact.ReasonNoRelease, "current", "newest_known", "build_released_at")
		return line
	}
	r.Observe("newest_known", "", fact.Str(newest.Number))
	revision, ok := values.Number("UBR")
	switch {
	case !ok && values.Has("UBR"):
		unknown(fact.ReasonMalformed, "current", "build_released_at")
	case !ok:
		unknown(fact.ReasonNotFound, "current", "build_released_at")
	case silent != "": // the kernel could have contradicted the registry
		unknown(silent, "current", "build_released_at")
	default:
		comparedBuild(r, table, line, fmt.Sprintf("%s.%d", build, revision), newest)
	}
	return line
}

// windowsIdentity is the number of the build and the kind of Windows, or why
// one of them is open.
func windowsIdentity(kernel windowsKernel, table releases.Table, values evidence.Registry) (build, line string, why fact.Reason) {
	text := func(name string) string { s, _ := values.Text(name); return s }
	build = text("CurrentBuild")
	if build == "" {
		build = text("CurrentBuildNumber")
	}
	line = table.Line(releases.WindowsMarks{
		Installation: text("InstallationType"), Edition: text("EditionID"), Name: text("ProductName"), Type: kernel.Type,
	}, build)
	n, err := strconv.ParseUint(build, 10, 32)
	switch other := text("CurrentBuildNumber"); {
	case build == "" || line == "":
		why = fact.ReasonNotFound
	case err != nil:
		why = fact.ReasonMalformed
	case other != "" && other != build || kernel.Build != 0 && kernel.Build != n:
		why = fact.ReasonDisagree
	}
	return build, line, why
}

// comparedBuild sets what the table says of the installed build. A build that
// is higher than all that the table knows is current; when it came out is then
// not known. A hotpatch counts as the regular build of its day.
func comparedBuild(r *evidence.Reading, table releases.Table, product, build string, newest releases.Build) {
	installed, known := table.Build(product, build)
	current := releases.AtLeast(build, newest.Number) ||
		installed.Kind == releases.Hotpatch && !newest.Released.IsZero() && !installed.Released.Before(newest.Released)
	r.Observe("current", "", fact.Bool(current))
	if !known || installed.Released.IsZero() {
		r.Unknown("build_released_at", "", fact.ReasonNoRelease)
		return
	}
	r.Observe("build_released_at", "", fact.Time(installed.Released))
}

// windowsPending sets whether updates wait, by the agent's own list.
func windowsPending(r *evidence.Reading, agent wuAnswer, err error) {
	now := r.Machine().Now()
	why := fact.ReasonNotFound
	switch {
	case err != nil:
		why = evidence.ReasonOf(err)
	case agent.Pending != nil && len(*agent.Pending) > 0:
		r.Observe("pending", "", fact.Bool(true))
		if security, ok := securityAmong(*agent.Pending); ok {
			r.Observe("security_pending", "", fact.Bool(security))
		} else {
			r.Unknown("security_pending", "", fact.ReasonUnreadable)
		}
		return
	case agent.Pending != nil && !agent.LastSearch.IsZero() && now.Sub(agent.LastSearch) > windowsListAge:
		why = fact.ReasonStale
	case agent.Pending != nil && !agent.LastSearch.IsZero():
		r.Observe("pending", "", fact.Bool(false))
		r.Observe("security_pending", "", fact.Bool(false))
		return
	}
	r.Unknown("pending", "", why)
	r.Unknown("security_pending", "", why)
}

// windowsChecked sets when the agent last searched, as it says itself or, up to
// Windows 10 1703, keeps in the registry, in UTC.
func windowsChecked(ctx context.Context, r *evidence.Reading, agent wuAnswer, err error) {
	if !agent.LastSearch.IsZero() {
		r.Observe("checked_at", "", fact.Time(agent.LastSearch))
		return
	}
	key := windowsAgentKey + `\Results\Detect`
	values, keyErr := r.Machine().Registry(ctx, key)
	text, ok := values.Text("LastSuccessTime")
	at, timeErr := time.Parse("2006-01-02 15:04:05", text)
	switch {
	case keyErr == nil && ok && timeErr == nil && !aheadOf(r.Machine(), at):
		r.From(key)
		r.Observe("checked_at", "", fact.Time(at))
	case keyErr == nil && ok:
		r.Unknown("checked_at", "", fact.ReasonMalformed)
	case err != nil:
		r.Unknown("checked_at", "", evidence.ReasonOf(err))
	default:
		r.Unknown("checked_at", "", fact.ReasonNotFound)
	}
}

// windowsReboot looks for the keys whose presence means that servicing or the
// update agent waits for a restart, and asks the agent. That they are not there
// counts only where the key above is, which every Windows has.
// PendingFileRenameOperations is no sign of an update: installers of anything
// use it.
func windowsReboot(ctx context.Context, r *evidence.Reading, agent wuAnswer) {
	if agent.RebootRequired != nil && *agent.RebootRequired {
		r.Observe("reboot_pending", "", fact.Bool(true))
		return
	}
	m := r.Machine()
	servicing, servicingErr := m.Registry(ctx, windowsServicingKey)
	update, updateErr := m.Registry(ctx, windowsAgentKey)
	if servicingErr == nil {
		r.From(windowsServicingKey)
	}
	if updateErr == nil {
		r.From(windowsAgentKey)
	}
	told := agent.RebootRequired != nil
	switch {
	case hasSubkey(servicing, "RebootPending") || hasSubkey(update, "RebootRequired"):
		r.Observe("reboot_pending", "", fact.Bool(true))
	case servicingErr != nil:
		r.Unknown("reboot_pending", "", evidence.ReasonOf(servicingErr))
	case updateErr != nil && !told && evidence.ReasonOf(updateErr) != fact.ReasonNotFound:
		r.Unknown("reboot_pending", "", evidence.ReasonOf(updateErr))
	default:
		r.Observe("reboot_pending", "", fact.Bool(false))
	}
}

func hasSubkey(key evidence.Registry, name string) bool {
	for _, k := range key.Keys {
		if strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}
