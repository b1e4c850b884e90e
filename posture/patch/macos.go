package patch

import (
	"context"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	releases "github.com/postern-zt/postern/posture/release"
)

const (
	installHistory = "/Library/Receipts/InstallHistory.plist"
	macUpdates     = "/Library/Preferences/com.apple.SoftwareUpdate.plist"
	macManaged     = "/Library/Managed Preferences/com.apple.SoftwareUpdate.plist"
	// macTruePlist is the file that programs built for an older macOS are shown
	// another one in place of, by a path by which they get the true one.
	macTruePlist = "/System/Library/CoreServices/.SystemVersionPlatform.plist"
	macPlist     = "/System/Library/CoreServices/SystemVersion.plist"
)

// macListAge is how old the last search may be for an empty list to mean that
// no update waits. macOS searches every day; a week covers a holiday's sleep.
const macListAge = 7 * 24 * time.Hour

// macos compares the version with the table of releases and reads what
// softwareupdated(8) keeps; it starts no search. Where macOS notes that it waits
// for a restart is not documented, so reboot_pending stays unknown.
func macos(ctx context.Context, r *evidence.Reading, table releases.Table) {
	installed, why := macVersion(ctx, r, table)
	macCompared(r, table, installed.version, why)
	macLast(ctx, r)
	values, err := readPlist(ctx, r, macUpdates)
	checked := macChecked(r, values, err)
	macPending(r, values, err, checked, installed)
	macAuto(ctx, r, values, err)
}

// macInstalled is the macOS that is installed; empty: not known.
type macInstalled struct{ version, build string }

// macVersion is the version of macOS, or why it is open: one that the system
// only claims to be, and one that its build does not fit, are none.
func macVersion(ctx context.Context, r *evidence.Reading, table releases.Table) (macInstalled, fact.Reason) {
	why := fact.ReasonNotFound
	for _, path := range []string{macTruePlist, macPlist} {
		values, err := readPlist(ctx, r, path)
		if err != nil {
			why = evidence.ReasonOf(err)
			continue
		}
		version, _ := values["ProductVersion"].(string)
		build, _ := values["ProductBuildVersion"].(string)
		switch {
		case version == "":
			why = fact.ReasonMalformed
		case releases.IsMacCompat(version):
			if b, ok := table.ByCode(releases.MacOS, build); ok {
				return macInstalled{b.Number, build}, ""
			}
			return macInstalled{}, fact.ReasonDisagree
		case releases.MacByKernel(build) != "" && !releases.FitsMac(version, build):
			return macInstalled{}, fact.ReasonDisagree
		default:
			return macInstalled{version, build}, ""
		}
	}
	return macInstalled{}, why
}

// macCompared sets what the table says of the installed version. A version that
// is higher than all that the table knows of its release is current; when it
// came out is then not known.
func macCompared(r *evidence.Reading, table releases.Table, version string, why fact.Reason) {
	newest, known := table.Newest(releases.MacOS, version)
	if why == "" && !known {
		why = fact.ReasonNoRelease
	}
	if why != "" {
		for _, field := range []string{"current", "newest_known", "build_released_at"} {
			r.Unknown(field, "", why)
		}
		return
	}
	r.Observe("newest_known", "", fact.Str(newest.Number))
	r.Observe("current", "", fact.Bool(releases.AtLeast(version, newest.Number)))
	if b, ok := table.Build(releases.MacOS, version); ok && !b.Released.IsZero() {
		r.Observe("build_released_at", "", fact.Time(b.Released))
	} else {
		r.Unknown("build_released_at", "", fact.ReasonNoRelease)
	}
}

// readPlist reads a property list whose top is a dictionary.
func readPlist(ctx context.Context, r *evidence.Reading, path string) (map[string]any, error) {
	data, err := r.Machine().ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	top, err := evidence.ParsePlist(data)
	values, ok := top.(map[string]any)
	if err != nil || !ok {
		return nil, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + path, Err: err}
	}
	r.From(path)
	return values, nil
}

// macChecked sets when the system last asked successfully which updates there
// are, and gives it. LastBackgroundSuccessfulDate and its like tell of
// definitions only.
func macChecked(r *evidence.Reading, values map[string]any, err error) time.Time {
	var newest time.Time
	there := false
	for _, name := range []string{"LastFullSuccessfulDate", "LastSuccessfulDate"} {
		v, ok := values[name]
		there = there || ok
		if at, isTime := v.(time.Time); isTime && at.After(newest) && !aheadOf(r.Machine(), at) && at.Year() >= 2001 {
			newest = at
		}
	}
	switch {
	case err != nil:
		r.Unknown("checked_at", "", evidence.ReasonOf(err))
	case !newest.IsZero():
		r.Observe("checked_at", "", fact.Time(newest))
	case there:
		r.Unknown("checked_at", "", fact.ReasonMalformed)
	default:
		r.Unknown("checked_at", "", fact.ReasonNotFound)
	}
	return newest
}

// macAuto sets whether updates of the system are installed without a person:
// they are where that is switched on and nothing it needs is switched off. A
// managed value stands above the machine's own. What no value is there for is
// up to the macOS in question, and so not known.
func macAuto(ctx context.Context, r *evidence.Reading, own map[string]any, err error) {
	managed, managedErr := readPlist(ctx, r, macManaged)
	if managedErr != nil && evidence.ReasonOf(managedErr) != fact.ReasonNotFound {
		r.Unknown("auto_update", "", evidence.ReasonOf(managedErr))
		return
	}
	installs, set := false, false
	for _, name := range []string{"AutomaticallyInstallMacOSUpdates", "AutomaticCheckEnabled", "AutomaticDownload", "CriticalUpdateInstall", "ConfigDataInstall"} {
		v, there := managed[name]
		if !there {
			v, there = own[name]
		}
		on, ok := plistBool(v)
		switch {
		case there && !ok:
			r.Unknown("auto_update", "", fact.ReasonMalformed)
			return
		case there && !on:
			r.Observe("auto_update", "", fact.Bool(false))
			return
		case there && name == "AutomaticallyInstallMacOSUpdates":
			installs, set = on, true
		}
	}
	switch {
	case set:
		r.Observe("auto_update", "", fact.Bool(installs))
	case err != nil:
		r.Unknown("auto_update", "", evidence.ReasonOf(err))
	default:
		r.Unknown("auto_update", "", fact.ReasonNotFound)
	}
}

// plistBool is a switch of a property list; defaults(1) writes 0 and 1 as well.
func plistBool(v any) (on, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int64:
		return v == 1, v == 0 || v == 1
	case string:
		return v == "1", v == "0" || v == "1"
	}
	return false, false
}
