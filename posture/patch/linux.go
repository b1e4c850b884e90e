package patch

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// metadataAge is how old the list of available updates may be: the text of
// update-notifier itself says "more than a week old" after that.
const metadataAge = 7 * 24 * time.Hour

func linux(ctx context.Context, r *evidence.Reading) {
	if at, why := lastUpdate(ctx, r); why == "" {
		r.Observe("last_update_at", "", fact.Time(at))
	} else {
		r.Unknown("last_update_at", "", why)
	}
	if pending, why := securityPending(ctx, r); why == "" {
		r.Observe("security_pending", "", fact.Bool(pending))
	} else {
		r.Unknown("security_pending", "", why)
	}
	if pending, why := rebootPending(ctx, r); why == "" {
		r.Observe("reboot_pending", "", fact.Bool(pending))
	} else {
		r.Unknown("reboot_pending", "", why)
	}
}

const updatesAvailable = "/var/lib/update-notifier/updates-available"

// securityPending reads the text that Ubuntu's update-notifier-common keeps for
// the message of the day.
func securityPending(ctx context.Context, r *evidence.Reading) (bool, fact.Reason) {
	m := r.Machine()
	info, err := m.Stat(ctx, updatesAvailable)
	if err == nil && m.Now().Sub(info.ModTime) > metadataAge {
		return false, fact.ReasonStale
	}
	data, err := m.ReadFile(ctx, updatesAvailable)
	switch why := evidence.ReasonOf(err); {
	case err == nil:
	case why == fact.ReasonNotFound:
		return false, fact.ReasonToolMissing
	default:
		return false, why
	}
	r.From(updatesAvailable)
	return parseUpdatesAvailable(string(data))
}

// parseUpdatesAvailable understands the English wording since Ubuntu 12.04. The
// line on security updates is left out when there are none. Updates that only
// a paid subscription would bring are not waiting here.
func parseUpdatesAvailable(text string) (bool, fact.Reason) {
	total := regexp.MustCompile(`(?m)^(\d+) (?:updates?|packages?) can be (?:applied|updated|installed)`)
	security := regexp.MustCompile(`(?m)^(\d+) (?:of these )?updates? (?:is a|are) (?:standard )?security updates?`)
	if strings.Contains(text, "is more than a week old") {
		return false, fact.ReasonStale
	}
	if !total.MatchString(text) {
		return false, fact.ReasonUnreadable
	}
	n := security.FindStringSubmatch(text)
	if n == nil {
		return false, ""
	}
	count, err := strconv.Atoi(n[1])
	if err != nil {
		return false, fact.ReasonUnreadable
	}
	return count > 0, ""
}

// rebootPending looks for the flag of the Debian family (Debian Policy, "Signaling
// that a reboot is required"). That the flag is not there says something only
// where a program that sets it is installed; elsewhere the newest installed
// kernel is compared with the running one.
func rebootPending(ctx context.Context, r *evidence.Reading) (bool, fact.Reason) {
	m := r.Machine()
	for _, flag := range []string{"/run/reboot-required", "/var/run/reboot-required"} {
		there, err := exists(ctx, m, flag)
		if err != nil {
			return false, evidence.ReasonOf(err)
		}
		if there {
			r.From(flag)
			return true, ""
		}
	}
	kernel, why := kernelPending(ctx, r)
	if why == "" && kernel {
		return true, ""
	}
	for _, setter := range []string{"/usr/share/update-notifier", "/usr/sbin/needrestart"} {
		if there, err := exists(ctx, m, setter); err == nil && there {
			r.From("/run/reboot-required")
			return false, ""
		}
	}
	return kernel, why
}

// kernelPending reports whether an installed kernel is newer than the running one.
func kernelPending(ctx context.Context, r *evidence.Reading) (bool, fact.Reason) {
	m := r.Machine()
	data, err := m.ReadFile(ctx, "/proc/sys/kernel/osrelease")
	if err != nil {
		return false, evidence.ReasonOf(err)
	}
	running := strings.TrimSpace(string(data))
	for _, place := range []struct{ dir, prefix string }{{"/boot", "vmlinuz-"}, {"/lib/modules", ""}} {
		names, err := m.ReadDir(ctx, place.dir)
		if err != nil {
			continue // the other place may tell
		}
		newest := newestKernel(names, place.prefix)
		if newest == "" {
			continue
		}
		r.From(place.dir)
		return newest != running && fact.CompareVersions(newest, running) > 0, ""
	}
	return false, fact.ReasonToolMissing
}

// newestKernel is the highest version among the names with the prefix that
// begin with a number; Fedora's rescue images have none.
func newestKernel(names []string, prefix string) string {
	newest := ""
	for _, name := range names {
		version, ok := strings.CutPrefix(name, prefix)
		if !ok || version == "" || version[0] < '1' || version[0] > '9' {
			continue
		}
		if newest == "" || fact.CompareVersions(version, newest) > 0 {
			newest = version
		}
	}
	return newest
}
