package settings

// A way of Windows to a page: an address that the shell knows, or an item of
// the Control Panel. One of the two is set.
type winWay struct {
	// address is a URI of the Settings app (Microsoft Learn, "Launch Windows
	// Settings", the table of ms-settings: URIs) or of the Windows Security
	// app (the pages that Windows Security registers under windowsdefender:).
	address string
	// item is a canonical name (Microsoft Learn, "Canonical Names of Control
	// Panel Items"), which control.exe takes after /name.
	item string
	// notHome: the Home editions do not have it.
	notHome bool
}

// winPages gives for each page its ways, the best first.
func winPages(p Page) []winWay {
	switch p {
	case Updates:
		return []winWay{{address: "ms-settings:windowsupdate"}}
	case DiskEncryption:
		// Home has "device encryption" in Settings only; the others manage
		// every drive in BitLocker's own item.
		return []winWay{{item: "Microsoft.BitLockerDriveEncryption", notHome: true}, {address: "ms-settings:deviceencryption"}}
	case Firewall:
		return []winWay{{address: "windowsdefender://network/"}, {item: "Microsoft.WindowsFirewall"}}
	case Antivirus:
		return []winWay{{address: "windowsdefender://threat/"}, {item: "Microsoft.ActionCenter"}}
	case ScreenLock:
		return []winWay{{address: "ms-settings:lockscreen"}}
	case DeviceSecurity, SecureBoot:
		return []winWay{{address: "windowsdefender://devicesecurity/"}}
	case PrivacySecurity:
		return []winWay{{address: "ms-settings:privacy"}}
	case FullDiskAccess:
		return []winWay{{address: "ms-settings:privacy-broadfilesystemaccess"}}
	case Enrolment, WorkAccount:
		return []winWay{{address: "ms-settings:workplace"}}
	case DateTime:
		return []winWay{{address: "ms-settings:dateandtime"}, {item: "Microsoft.DateAndTime"}}
	case Network:
		return []winWay{{address: "ms-settings:network-status"}, {item: "Microsoft.NetworkAndSharingCenter"}}
	case Developer:
		return []winWay{{address: "ms-settings:developers"}}
	case Notifications:
		return []winWay{{address: "ms-settings:notifications"}}
	}
	return nil
}

// winMachine is what decides which way there is.
type winMachine struct {
	home    bool                     // one of the Home editions
	handles func(scheme string) bool // whether a program is registered for addresses of a scheme
}

// choose picks the first way that this machine has.
func (m winMachine) choose(p Page) (winWay, error) {
	ways := winPages(p)
	if len(ways) == 0 {
		return winWay{}, noPage(p, "Windows has none")
	}
	for _, w := range ways {
		if w.notHome && m.home {
			continue
		}
		if w.item != "" || m.handles(scheme(w.address)) {
			return w, nil
		}
	}
	return winWay{}, noPage(p, "this Windows has no program for %s addresses", scheme(ways[len(ways)-1].address))
}

// scheme is what stands before the colon.
func scheme(address string) string {
	for i, c := range address {
		if c == ':' {
			return address[:i]
		}
	}
	return ""
}
