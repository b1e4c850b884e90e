package patch

import (
	"context"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const installHistory = "/Library/Receipts/InstallHistory.plist"

// macos reads the system's history of installations. Whether updates wait is
// kept in a binary property list, which this collector does not read.
func macos(ctx context.Context, r *evidence.Reading) {
	data, err := r.Machine().ReadFile(ctx, installHistory)
	if err != nil {
		r.Unknown("last_update_at", "", evidence.ReasonOf(err))
		return
	}
	r.From(installHistory)
	at, ok := parseInstallHistory(data)
	if !ok || future(at, r.Machine().Now()) {
		r.Unknown("last_update_at", "", fact.ReasonUnreadable)
		return
	}
	r.Observe("last_update_at", "", fact.Time(at))
}

// parseInstallHistory finds the newest update of the system itself that Apple's
// own installers wrote. Packages of others do not update the system, and the
// lists of known malware, which softwareupdated brings every few days, do not
// either.
func parseInstallHistory(data []byte) (time.Time, bool) {
	top, err := evidence.ParsePlist(data)
	if err != nil {
		return time.Time{}, false
	}
	var newest time.Time
	entries, _ := top.([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		at, _ := entry["date"].(time.Time)
		if isSystemUpdate(entry) && at.After(newest) {
			newest = at
		}
	}
	return newest, !newest.IsZero()
}

func isSystemUpdate(entry map[string]any) bool {
	process, _ := entry["processName"].(string)
	if process != "softwareupdated" && process != "softwareupdate" && !strings.HasSuffix(process, "OS X Installer") && process != "macOS Installer" {
		return false
	}
	name, _ := entry["displayName"].(string)
	for _, system := range []string{"macOS", "OS X", "Mac OS X", "Security Update", "Rapid Security Response", "Background Security Improvement"} {
		if strings.HasPrefix(name, system) {
			return true
		}
	}
	return false
}
