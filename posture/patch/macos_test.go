package patch

import (
	"os"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func macMachine(files map[string]string) *evidence.Memory {
	m := evidence.NewMemory(evidence.MacOS, systemNow)
	for path, text := range files {
		m.SetFile(path, text)
	}
	return m
}

func macVersionPlist(version, build string) string {
	return macDict("ProductVersion", macStr(version), "ProductBuildVersion", macStr(build))
}

// macDict is a property list with a dictionary of names and elements.
func macDict(pairs ...string) string {
	text := "<plist><dict>"
	for i := 0; i < len(pairs); i += 2 {
		text += "<key>" + pairs[i] + "</key>" + pairs[i+1]
	}
	return text + "</dict></plist>"
}

func macStr(s string) string  { return "<string>" + s + "</string>" }
func macDate(s string) string { return "<date>" + s + "</date>" }

func macHistory(entries ...string) string {
	return "<plist><array>" + strings.Join(entries, "") + "</array></plist>"
}

// macPackages adds what was installed to the last entry.
func macPackages(entry string, ids ...string) string {
	list := "<key>packageIdentifiers</key><array>"
	for _, id := range ids {
		list += macStr(id)
	}
	return strings.TrimSuffix(entry, "</dict>") + list + "</array></dict>"
}

func macInstall(at, name, process, kind string) string {
	text := "<dict><key>date</key>" + macDate(at) + "<key>displayName</key>" + macStr(name) + "<key>processName</key>" + macStr(process)
	if kind != "" {
		text += "<key>contentType</key>" + macStr(kind)
	}
	return text + "</dict>"
}

func TestMacHistory(t *testing.T) {
	const old, later = "2026-01-01T00:00:00Z", "2026-08-01T00:00:00Z"
	before := macInstall(old, "macOS 26.2", "softwareupdated", "")
	tests := map[string]struct{ text, want string }{
		"recorded":               {systemCapture(t, "macos/installhistory/plaso-InstallHistory.plist"), "2013-11-12T02:59:35Z"},
		"an update":              {macHistory(before, macInstall(later, "macOS 26.6.1", "softwareupdated", "")), later},
		"an update with a name":  {macHistory(before, macInstall(later, "macOS Sequoia 15.7.9", "softwareupdated", "")), later},
		"an upgrade":             {macHistory(before, macInstall(later, "macOS Tahoe", "macOS Installer", "")), later},
		"a response":             {macHistory(before, macInstall(later, "macOS Rapid Security Response 13.3.1 (a)", "softwareupdated", "")), later},
		"an improvement":         {macHistory(before, macInstall(later, "Background Security Improvement 26.3.1 (a)", "softwareupdated", "")), later},
		"an old security update": {macHistory(before, macInstall(later, "Security Update 2021-005", "softwareupdated", "")), later},
		"in another language":    {macHistory(before, macPackages(macInstall(later, "セキュリティアップデート 2021-003", "softwareupdated", ""), "com.apple.pkg.update.os.SecUpd2021-003Catalina.19H1217", "com.apple.pkg.FirmwareUpdate")), later},
		"by its packages":        {macHistory(before, macPackages(macInstall(later, "Sicherheitsupdate", "softwareupdated", ""), "com.apple.pkg.update.security.10.8.4.12E1009.2013.003")), later},
		"packages of an app":     {macHistory(before, macPackages(macInstall(later, "Gerätesupport", "softwareupdated", ""), "com.apple.pkg.MobileDevice")), old},
		"packages by hand":       {macHistory(before, macPackages(macInstall(later, "x", "installer", ""), "com.apple.pkg.update.os.10.15.7")), old},
		"definitions":            {macHistory(before, macInstall(later, "XProtectPlistConfigData", "softwareupdated", "config-data")), old},
		"definitions by a name":  {macHistory(before, macInstall(later, "macOS Definitions", "softwareupdated", "config-data")), old},
		"removal tool":           {macHistory(before, macInstall(later, "MRTConfigData", "softwareupdated", "config-data")), old},
		"Safari":                 {macHistory(before, macInstall(later, "Safari", "softwareupdated", "")), old},
		"tools":                  {macHistory(before, macInstall(later, "Command Line Tools for Xcode", "softwareupdated", "")), old},
		"an app":                 {macHistory(before, macInstall(later, "Postern", "installer", "")), old},
		"an app of the store":    {macHistory(before, macInstall(later, "macOS Server", "softwareupdated", "")), old},
		"a look-alike":           {macHistory(before, macInstall(later, "macOS 99", "installer", "")), old},
		"another look-alike":     {macHistory(before, macInstall(later, "macOSaurus", "softwareupdated", "")), old},
		"none":                   {macHistory(), "unknown: not-found"},
		"only definitions":       {macHistory(macInstall(later, "XProtectPayloads", "softwareupdated", "config-data")), "unknown: not-found"},
		"days to come":           {macHistory(macInstall("2031-01-01T00:00:00Z", "macOS 26.9", "softwareupdated", "")), "unknown: malformed-value"},
		"a dictionary":           {macDict("a", macStr("b")), "unknown: unreadable-output"},
		"no property list":       {"x", "unknown: unreadable-output"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			systemExpect(t, macMachine(map[string]string{installHistory: tt.text}), map[string]string{"last_update_at": tt.want})
		})
	}
	m := macMachine(nil)
	systemExpect(t, m, map[string]string{"last_update_at": "unknown: not-found", "reboot_pending": "unknown: unsupported-system",
		"kernel_current": "unknown: unsupported-system", "livepatch": "unknown: unsupported-system"})
	m.Fail(installHistory, fact.ReasonNeedsPrivilege)
	systemExpect(t, m, map[string]string{"last_update_at": "unknown: needs-privilege"})
}

func TestMacVersion(t *testing.T) {
	const noRelease, disagree = "unknown: release-not-in-table", "unknown: sources-disagree"
	tests := map[string]struct {
		base, plain                string
		current, newest, published string
	}{
		"the newest":            {macVersionPlist("26.6.2", "25G83"), "", "true", "26.6.2", "2026-08-17T00:00:00Z"},
		"behind":                {macVersionPlist("26.6", "25G72"), "", "false", "26.6.2", "2026-07-27T00:00:00Z"},
		"an older macOS":        {macVersionPlist("14.8.9", "23J631"), "", "true", "14.8.9", "2026-08-06T00:00:00Z"},
		"newer than the table":  {macVersionPlist("26.7", "25H12"), "", "true", "26.6.2", noRelease},
		"a macOS nobody knows":  {macVersionPlist("27.0", "26A428"), "", noRelease, noRelease, noRelease},
		"calls itself 16":       {macVersionPlist("16.0", "25A354"), "", disagree, disagree, disagree},
		"calls itself 16, true": {macVersionPlist("16.6", "25G72"), macVersionPlist("26.6", "25G72"), "false", "26.6.2", "2026-07-27T00:00:00Z"},
		"16, a known build":     {macVersionPlist("16.6", "25G83"), "", "true", "26.6.2", "2026-08-17T00:00:00Z"},
		"of another macOS":      {macVersionPlist("26.6.2", "24G84"), "", disagree, disagree, disagree},
		"no version":            {macDict("a", macStr("b")), "", "unknown: malformed-value", "unknown: malformed-value", "unknown: malformed-value"},
		"nothing":               {"", "", "unknown: not-found", "unknown: not-found", "unknown: not-found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if tt.base != "" {
				files[macPlist] = tt.base
			}
			if tt.plain != "" {
				files[macTruePlist] = tt.plain
			}
			systemExpect(t, macMachine(files), map[string]string{"current": tt.current, "newest_known": tt.newest, "build_released_at": tt.published})
		})
	}
}

func TestMacPending(t *testing.T) {
	fresh, stale := macDate("2026-08-20T10:00:00Z"), macDate("2026-06-01T10:00:00Z")
	update := func(id, name, version string) string {
		return "<dict><key>Identifier</key>" + macStr(id) + "<key>Display Name</key>" + macStr(name) + "<key>Display Version</key>" + macStr(version) + "</dict>"
	}
	list := func(updates ...string) string { return "<array>" + strings.Join(updates, "") + "</array>" }
	system := update("MSU_UPDATE_25G83_patch_26.6.2_minor", "macOS Tahoe 26.6.2", "26.6.2")
	const missing = "unknown: not-found"
	tests := map[string]struct{ list, pending, security, checked string }{
		"none":              {macDict("RecommendedUpdates", list(), "LastSuccessfulDate", fresh), "false", "false", "2026-08-20T10:00:00Z"},
		"none, long ago":    {macDict("RecommendedUpdates", list(), "LastSuccessfulDate", stale), "unknown: stale", "unknown: stale", "2026-06-01T10:00:00Z"},
		"none, never asked": {macDict("RecommendedUpdates", list()), missing, missing, missing},
		"the later day":     {macDict("RecommendedUpdates", list(), "LastSuccessfulDate", stale, "LastFullSuccessfulDate", fresh), "false", "false", "2026-08-20T10:00:00Z"},
		"background only":   {macDict("RecommendedUpdates", list(), "LastBackgroundSuccessfulDate", fresh), missing, missing, missing},
		"no list":           {macDict("LastSuccessfulDate", fresh), missing, missing, "2026-08-20T10:00:00Z"},
		"no list, a count":  {macDict("LastSuccessfulDate", fresh, "LastUpdatesAvailable", "<integer>0</integer>"), "false", "false", "2026-08-20T10:00:00Z"},
		"no list, some":     {macDict("LastSuccessfulDate", fresh, "LastUpdatesAvailable", "<integer>2</integer>"), missing, missing, "2026-08-20T10:00:00Z"},
		"the system":        {macDict("RecommendedUpdates", list(system), "LastSuccessfulDate", fresh), "true", "true", "2026-08-20T10:00:00Z"},
		"a list of old":     {macDict("RecommendedUpdates", list(system), "LastSuccessfulDate", stale), "true", "true", "2026-06-01T10:00:00Z"},
		"installed by now":  {macDict("RecommendedUpdates", list(update("MSU_UPDATE_25F80_patch_26.5.1_minor", "macOS Tahoe 26.5.1", "26.5.1")), "LastSuccessfulDate", fresh), "false", "false", "2026-08-20T10:00:00Z"},
		"the installed one": {macDict("RecommendedUpdates", list(update("MSU_UPDATE_25G72_patch_26.6_minor", "macOS Tahoe 26.6", "26.6")), "LastSuccessfulDate", fresh), "false", "false", "2026-08-20T10:00:00Z"},
		"without a version": {macDict("RecommendedUpdates", list(update("MSU_UPDATE_25G72_patch_26.6_minor", "macOS Tahoe 26.6", "")), "LastSuccessfulDate", fresh), "false", "false", "2026-08-20T10:00:00Z"},
		"the next build":    {macDict("RecommendedUpdates", list(update("MSU_UPDATE_25G74_patch_26.6_minor", "macOS Tahoe 26.6", "26.6")), "LastSuccessfulDate", fresh), "true", "true", "2026-08-20T10:00:00Z"},
		"an improvement":    {macDict("RecommendedUpdates", list(update("MSU_UPDATE_25G771_rsr", "Background Security Improvement (a)", "26.6")), "LastSuccessfulDate", fresh), "true", "true", "2026-08-20T10:00:00Z"},
		"in another tongue": {macDict("RecommendedUpdates", list(update("SecUpd2022-005Catalina", "安全更新 2022-005", "")), "LastSuccessfulDate", fresh), "true", "true", "2026-08-20T10:00:00Z"},
		"by its key":        {macDict("RecommendedUpdates", list("<dict><key>Product Key</key>"+macStr("MSU_UPDATE_25G83_patch_26.6.2_minor")+"</dict>"), "LastSuccessfulDate", fresh), "true", "true", "2026-08-20T10:00:00Z"},
		"the next macOS":    {macDict("RecommendedUpdates", list(update("MSU_UPDATE_26A428_full_27.0_major", "macOS 27", "27.0")), "LastSuccessfulDate", fresh), "true", "false", "2026-08-20T10:00:00Z"},
		"Safari":            {macDict("RecommendedUpdates", list(update("Safari26.6TahoeAuto", "Safari", "26.6")), "LastSuccessfulDate", fresh), "true", "true", "2026-08-20T10:00:00Z"},
		"tools":             {macDict("RecommendedUpdates", list(update("Command Line Tools for Xcode-26.6", "Command Line Tools for Xcode", "26.6"))), "true", "false", missing},
		"something else":    {macDict("RecommendedUpdates", list(update("Surprise", "Surprise", "1"))), "true", "unknown: unreadable-output", missing},
		"not a list":        {macDict("RecommendedUpdates", macStr("none"), "LastSuccessfulDate", fresh), "unknown: malformed-value", "unknown: malformed-value", "2026-08-20T10:00:00Z"},
		"a day as text":     {macDict("RecommendedUpdates", list(), "LastSuccessfulDate", macStr("yesterday")), missing, missing, "unknown: malformed-value"},
		"recorded":          {systemCapture(t, "macos/softwareupdate-plist/plaso-com.apple.SoftwareUpdate.plist"), "true", "false", "2014-01-06T17:43:48Z"},
		"empty":             {systemCapture(t, "macos/malformed/plaso-empty.plist"), "unknown: unreadable-output", "unknown: unreadable-output", "unknown: unreadable-output"},
		"cut short":         {systemCapture(t, "macos/malformed/plaso-truncated.plist"), "unknown: unreadable-output", "unknown: unreadable-output", "unknown: unreadable-output"},
		"leading space":     {systemCapture(t, "macos/malformed/plaso-leading_whitespace.plist"), missing, missing, missing},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := macMachine(map[string]string{macUpdates: tt.list, macPlist: macVersionPlist("26.6", "25G72")})
			systemExpect(t, m, map[string]string{"pending": tt.pending, "security_pending": tt.security, "checked_at": tt.checked})
		})
	}
	m := macMachine(nil)
	systemExpect(t, m, map[string]string{"pending": missing, "security_pending": missing, "checked_at": missing, "auto_update": missing})
}

func TestMacAuto(t *testing.T) {
	const yes, no = "<true/>", "<false/>"
	tests := map[string]struct{ own, managed, want string }{
		"installs":               {macDict("AutomaticallyInstallMacOSUpdates", yes, "AutomaticDownload", yes, "CriticalUpdateInstall", yes), "", "true"},
		"as a number":            {macDict("AutomaticallyInstallMacOSUpdates", "<integer>1</integer>"), "", "true"},
		"does not":               {macDict("AutomaticallyInstallMacOSUpdates", no), "", "false"},
		"does not look":          {macDict("AutomaticallyInstallMacOSUpdates", yes, "AutomaticCheckEnabled", no), "", "false"},
		"does not download":      {macDict("AutomaticallyInstallMacOSUpdates", yes, "AutomaticDownload", no), "", "false"},
		"no responses":           {macDict("AutomaticallyInstallMacOSUpdates", yes, "CriticalUpdateInstall", no), "", "false"},
		"not said":               {macDict("AutomaticCheckEnabled", yes), "", "unknown: not-found"},
		"managed":                {macDict("AutomaticallyInstallMacOSUpdates", no), macDict("AutomaticallyInstallMacOSUpdates", yes), "true"},
		"managed, and off":       {macDict("AutomaticallyInstallMacOSUpdates", yes), macDict("AutomaticallyInstallMacOSUpdates", no), "false"},
		"managed alone":          {"", macDict("AutomaticallyInstallMacOSUpdates", yes), "true"},
		"something else is off":  {macDict("AutomaticallyInstallMacOSUpdates", yes), macDict("CriticalUpdateInstall", no), "false"},
		"a word":                 {macDict("AutomaticallyInstallMacOSUpdates", macStr("maybe")), "", "unknown: malformed-value"},
		"managed cannot be read": {macDict("AutomaticallyInstallMacOSUpdates", yes), "x", "unknown: unreadable-output"},
		"own cannot be read":     {"x", "", "unknown: unreadable-output"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if tt.own != "" {
				files[macUpdates] = tt.own
			}
			if tt.managed != "" {
				files[macManaged] = tt.managed
			}
			systemExpect(t, macMachine(files), map[string]string{"auto_update": tt.want})
		})
	}
}

func FuzzMacLists(f *testing.F) {
	for _, folder := range []string{"macos/installhistory/", "macos/softwareupdate-plist/", "macos/malformed/"} {
		entries, err := os.ReadDir("../../testfixtures/captures/" + folder)
		if err != nil || len(entries) == 0 {
			f.Fatalf("no captures in %s: %v", folder, err)
		}
		for _, e := range entries {
			data := []byte(systemCapture(f, folder+e.Name()))
			f.Add(data, data, data)
		}
	}
	f.Add([]byte(macHistory(macInstall("2026-01-01T00:00:00Z", "macOS 26.2", "softwareupdated", ""))), []byte(macDict("RecommendedUpdates", "<array/>")), []byte(macVersionPlist("16.0", "25G83")))
	f.Fuzz(func(t *testing.T, installed, updates, version []byte) {
		m := macMachine(map[string]string{installHistory: string(installed), macUpdates: string(updates), macPlist: string(version)})
		systemFacts(t, m)
		if at, why := parseInstallHistory(installed); (why == "") == at.IsZero() {
			t.Errorf("%s and %q", at, why)
		}
	})
}
