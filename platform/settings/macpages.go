package settings

import (
	"strconv"
	"strings"
)

// macPrefix begins the address of every page. macOS gives it to System
// Settings, until macOS 12 System Preferences.
const macPrefix = "x-apple.systempreferences:"

// macPage is a page by the bundle that shows it and, after a question mark, the
// part of it. macOS 13 replaced the preference panes by extensions with names of
// their own. A part that a version does not know is ignored, and the page opens.
type macPage struct {
	extension string // macOS 13 and later
	pane      string // macOS 12; empty if it has none
	since     int    // the first version with the extension, if later than 13
	none      string // why there is no page at all
}

// macPages gives each page. The names are those of the bundles in
// /System/Library/ExtensionKit/Extensions and /System/Library/PreferencePanes.
func macPages(p Page) macPage {
	const privacy, security = "com.apple.settings.PrivacySecurity.extension", "com.apple.preference.security"
	switch p {
	case Updates:
		return macPage{extension: "com.apple.Software-Update-Settings.extension", pane: "com.apple.preferences.softwareupdate"}
	case DiskEncryption:
		return macPage{extension: privacy + "?FileVault", pane: security + "?FDE"}
	case Firewall:
		return macPage{extension: "com.apple.Network-Settings.extension?Firewall", pane: security + "?Firewall"}
	case ScreenLock:
		return macPage{extension: "com.apple.Lock-Screen-Settings.extension", pane: security + "?General"}
	case PrivacySecurity:
		return macPage{extension: privacy + "?Security", pane: security + "?General"}
	case FullDiskAccess:
		return macPage{extension: privacy + "?Privacy_AllFiles", pane: security + "?Privacy_AllFiles"}
	case Developer:
		return macPage{extension: privacy + "?Privacy_DevTools", pane: security + "?Privacy_DevTools"}
	case Enrolment, WorkAccount:
		return macPage{extension: "com.apple.Profiles-Settings.extension", pane: "com.apple.preferences.configurationprofiles"}
	case DateTime:
		return macPage{extension: "com.apple.Date-Time-Settings.extension", pane: "com.apple.preference.datetime"}
	case Network:
		return macPage{extension: "com.apple.Network-Settings.extension", pane: "com.apple.preference.network"}
	case Notifications:
		return macPage{extension: "com.apple.Notifications-Settings.extension", pane: "com.apple.preference.notifications"}
	case MenuBar:
		return macPage{extension: "com.apple.MenuBarSettings", since: 26}
	case Antivirus:
		return macPage{none: "macOS protects itself without settings for it"}
	case DeviceSecurity, SecureBoot:
		return macPage{none: "a Mac sets this in Recovery only"}
	}
	return macPage{none: "macOS has none"}
}

// macAddress gives the address of a page in a version of macOS, as in "14.5".
// An unreadable version counts as a new one. A version that Apple gives as 16 to
// programs built for older ones is 26 or later.
func macAddress(p Page, version string) (string, error) {
	const firstWithExtensions = 13
	page := macPages(p)
	if page.none != "" {
		return "", noPage(p, "%s", page.none)
	}
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil || n == 16 {
		n = 26
	}
	switch {
	case n >= firstWithExtensions && n >= page.since:
		return macPrefix + page.extension, nil
	case n < firstWithExtensions && page.pane != "":
		return macPrefix + page.pane, nil
	}
	return "", noPage(p, "macOS %d has none", n)
}
