package patch

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

// macLast sets when the newest update of the system itself was installed, by
// the system's history of installations.
func macLast(ctx context.Context, r *evidence.Reading) {
	data, err := r.Machine().ReadFile(ctx, installHistory)
	if err != nil {
		r.Unknown("last_update_at", "", evidence.ReasonOf(err))
		return
	}
	r.From(installHistory)
	at, why := parseInstallHistory(data)
	if why == "" && aheadOf(r.Machine(), at) {
		why = fact.ReasonMalformed
	}
	if why != "" {
		r.Unknown("last_update_at", "", why)
		return
	}
	r.Observe("last_update_at", "", fact.Time(at))
}

// parseInstallHistory finds the newest update of the system that Apple's own
// installers wrote. Packages of others do not update the system, and neither do
// the lists of known malware, which softwareupdated brings every few days.
func parseInstallHistory(data []byte) (time.Time, fact.Reason) {
	top, err := evidence.ParsePlist(data)
	entries, ok := top.([]any)
	if err != nil || !ok && top != nil {
		return time.Time{}, fact.ReasonUnreadable
	}
	var newest time.Time
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		at, _ := entry["date"].(time.Time)
		if isMacUpdate(entry) && at.After(newest) {
			newest = at
		}
	}
	if newest.IsZero() {
		return newest, fact.ReasonNotFound
	}
	return newest, ""
}

// isMacUpdate tells an update of the system from everything else that is
// installed: by the program that installed it, and by its name.
func isMacUpdate(entry map[string]any) bool {
	process, _ := entry["processName"].(string)
	switch strings.ToLower(process) {
	case "softwareupdated", "softwareupdate", "osinstallersetupd", "startosinstall", "os x installer", "mac os x installer", "macos installer":
	default:
		return false
	}
	if kind, _ := entry["contentType"].(string); strings.Contains(kind, "config-data") {
		return false
	}
	name, _ := entry["displayName"].(string)
	return isSystemName(name) || hasSystemReceipt(entry)
}

// hasSystemReceipt knows an update of the system, whose name may be in the
// machine's own language, by the packages it brought.
func hasSystemReceipt(entry map[string]any) bool {
	ids, _ := entry["packageIdentifiers"].([]any)
	return slices.ContainsFunc(ids, func(v any) bool {
		id, _ := v.(string)
		return strings.HasPrefix(id, "com.apple.pkg.update.os.") || strings.HasPrefix(id, "com.apple.pkg.update.security.")
	})
}

// isSystemName is true of the names that Apple gives updates of macOS.
func isSystemName(name string) bool {
	if strings.HasPrefix(name, "macOS Server") || strings.HasPrefix(name, "OS X Server") {
		return false
	}
	for _, begins := range []string{"macOS", "OS X", "Mac OS X", "Security Update", "Rapid Security Response", "Background Security Improvement"} {
		rest, ok := strings.CutPrefix(name, begins)
		if ok && (rest == "" || rest[0] == ' ') {
			return true
		}
	}
	return false
}

// macPending sets whether updates wait, by the list that the last search left.
func macPending(r *evidence.Reading, values map[string]any, err error, checked time.Time, installed macInstalled) {
	waiting, why := recommended(values, installed)
	if err != nil {
		why = evidence.ReasonOf(err)
	}
	switch {
	case why != "":
	case len(waiting) > 0:
		r.Observe("pending", "", fact.Bool(true))
		if security, ok := macSecurity(waiting); ok {
			r.Observe("security_pending", "", fact.Bool(security))
		} else {
			r.Unknown("security_pending", "", fact.ReasonUnreadable)
		}
		return
	case checked.IsZero():
		why = fact.ReasonNotFound
	case r.Machine().Now().Sub(checked) > macListAge:
		why = fact.ReasonStale
	default:
		r.Observe("pending", "", fact.Bool(false))
		r.Observe("security_pending", "", fact.Bool(false))
		return
	}
	r.Unknown("pending", "", why)
	r.Unknown("security_pending", "", why)
}

// macUpdate is one entry of RecommendedUpdates.
type macUpdate struct{ id, name, version string }

// recommended lists the updates that wait. Where the key is missing, one of the
// counters beside it may say that there are none; LastUpdatesAvailable is not
// kept since macOS 15.4. An update of the system to what is installed by now is
// left from before it was.
func recommended(values map[string]any, installed macInstalled) ([]macUpdate, fact.Reason) {
	v, there := values["RecommendedUpdates"]
	list, ok := v.([]any)
	if there && !ok && v != nil {
		return nil, fact.ReasonMalformed
	}
	if !there {
		for _, counter := range []string{"LastRecommendedUpdatesAvailable", "LastUpdatesAvailable"} {
			if n, ok := plistInt(values[counter]); ok && n == "0" {
				return nil, ""
			}
		}
		return nil, fact.ReasonNotFound
	}
	var out []macUpdate
	for _, e := range list {
		entry, ok := e.(map[string]any)
		if !ok {
			return nil, fact.ReasonMalformed
		}
		text := func(name string) string { s, _ := entry[name].(string); return s }
		u := macUpdate{id: text("Identifier"), name: text("Display Name"), version: text("Display Version")}
		if u.id == "" {
			u.id = text("Product Key")
		}
		if u.ofSystem() && !u.response() && u.within(installed) {
			continue
		}
		out = append(out, u)
	}
	return out, ""
}

// within tells whether the installed macOS has the update. Of one version there
// may be several builds, such as those of a beta.
func (u macUpdate) within(m macInstalled) bool {
	rest, told := strings.CutPrefix(u.id, systemUpdate)
	build, _, _ := strings.Cut(rest, "_")
	switch {
	case told && build != "" && build == m.build:
		return true
	case u.version == "" || m.version == "" || !releases.AtLeast(m.version, u.version):
		return false
	}
	same := releases.AtLeast(u.version, m.version)
	return !same || !told || m.build == ""
}

// systemUpdate begins the identifiers of updates of macOS 11 and later, the
// build comes next: MSU_UPDATE_25G83_patch_26.6.2_minor.
const systemUpdate = "MSU_UPDATE_"

func (u macUpdate) ofSystem() bool {
	return strings.HasPrefix(u.id, systemUpdate) || strings.HasPrefix(u.id, securityUpdate) || isSystemName(u.name)
}

// securityUpdate begins the identifiers of security updates of macOS 10.15 and
// earlier, whose names are in the machine's own language.
const securityUpdate = "SecUpd"

// response is true of updates that leave the version as it is.
func (u macUpdate) response() bool {
	return strings.Contains(u.name, "Response") || strings.Contains(u.name, "Improvement") || strings.Contains(u.name, "(") ||
		strings.HasPrefix(u.name, "Security Update") || strings.HasPrefix(u.id, securityUpdate)
}

// macSecurity tells whether one of the updates brings security updates; ok is
// false when none is known to and one is of a kind that is not known. Apple
// marks none of them: those of the system and of Safari do, the step to the
// next macOS is another matter.
func macSecurity(waiting []macUpdate) (security, ok bool) {
	ok = true
	for _, u := range waiting {
		switch {
		case strings.HasSuffix(u.id, "_major"):
		case u.ofSystem() || strings.HasPrefix(u.name, "Safari"):
			return true, true
		case strings.HasPrefix(u.name, "Command Line Tools"), strings.Contains(u.name, "Camera Raw"), strings.Contains(u.name, "Camera RAW"),
			strings.Contains(u.name, "Printer"), strings.Contains(u.name, "Video Formats"):
		default:
			ok = false
		}
	}
	return false, ok
}

// plistInt is a whole number of a property list as text.
func plistInt(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		if v == 0 {
			return "0", true
		}
		return "some", true
	}
	return "", false
}
