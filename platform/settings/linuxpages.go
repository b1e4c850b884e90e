package settings

// linuxWay is a program with fixed arguments that shows a page.
type linuxWay struct {
	program string // a name, looked for in programFolders
	args    []string
	// marker is a file below one of dataFolders that is installed with the
	// page, for programs that have some pages in some versions only; empty if
	// the program is enough.
	marker string
}

// programFolders and dataFolders are where a way may lie, as absolute paths.
// PATH and XDG_DATA_DIRS, which any program may set, are never asked. The last
// is for NixOS.
func programFolders() []string {
	return []string{"/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin"}
}

func dataFolders() []string {
	return []string{"/usr/share", "/usr/local/share", "/run/current-system/sw/share"}
}

// desktops are the names that XDG_CURRENT_DESKTOP may hold (Desktop Entry
// Specification, "Registered OnlyShowIn Environments"), and whose settings they
// have.
func desktops(name string) desktop {
	switch name {
	case "GNOME", "GNOME-Classic", "GNOME-Flashback", "Unity":
		return gnome
	case "KDE":
		return kde
	case "XFCE":
		return xfce
	case "X-Cinnamon", "Cinnamon":
		return cinnamon
	case "MATE":
		return mate
	case "LXQt":
		return lxqt
	}
	return ""
}

// desktop is a family of settings programs.
type desktop string

const (
	gnome    desktop = "GNOME"
	kde      desktop = "KDE"
	xfce     desktop = "Xfce"
	cinnamon desktop = "Cinnamon"
	mate     desktop = "MATE"
	lxqt     desktop = "LXQt"
	// anywhere stands for programs that do not belong to a desktop.
	anywhere desktop = ""
)

// panel is a panel of GNOME's settings. Each is installed with its entry file.
func panel(entry string, args ...string) linuxWay {
	return linuxWay{"gnome-control-center", args, "applications/gnome-" + entry + "-panel.desktop"}
}

// module is a module of KDE's System Settings, in Plasma 5.2x and 6 and, where
// the program has the number in its name, before.
func module(name string) []linuxWay {
	marker := "applications/" + name + ".desktop"
	return []linuxWay{{"systemsettings", []string{name}, marker}, {"systemsettings5", []string{name}, "kservices5/" + name + ".desktop"}}
}

// cinnamonModule is a module of Cinnamon's settings.
func cinnamonModule(name string) []linuxWay {
	return []linuxWay{{"cinnamon-settings", []string{name}, ""}}
}

// program is a program that is the page.
func program(name string, args ...string) linuxWay { return linuxWay{name, args, ""} }

// linuxPages gives the ways to a page on a desktop, the best first. Disk
// encryption is not among them on purpose: what the desktops have erases disks,
// and a system disk is encrypted when the system is installed.
func linuxPages(p Page, d desktop) []linuxWay {
	switch p {
	case Updates:
		return linuxUpdates(d)
	case Firewall:
		if d == kde {
			return module("kcm_firewall")
		}
		if d == anywhere {
			return []linuxWay{program("firewall-config"), program("gufw")}
		}
	case ScreenLock:
		return linuxScreenLock(d)
	case DeviceSecurity, SecureBoot:
		switch d {
		case gnome: // a panel of its own in 42 to 44, then a part of privacy
			return []linuxWay{panel("firmware-security", "firmware-security"), panel("privacy", "privacy")}
		case kde:
			return module("kcm_firmware_security")
		}
	case PrivacySecurity:
		switch d {
		case gnome:
			return []linuxWay{panel("privacy", "privacy")}
		case cinnamon:
			return cinnamonModule("privacy")
		}
	case DateTime:
		return linuxDateTime(d)
	case Network:
		switch d {
		case gnome:
			return []linuxWay{panel("network", "network")}
		case kde:
			return module("kcm_networkmanagement")
		case cinnamon:
			return cinnamonModule("network")
		case anywhere:
			return []linuxWay{program("nm-connection-editor")}
		}
	case Notifications:
		return linuxNotifications(d)
	}
	return nil
}

func linuxUpdates(d desktop) []linuxWay {
	gnomeSoftware, discover := program("gnome-software", "--mode=updates"), program("plasma-discover", "--mode", "update")
	switch d {
	case gnome:
		return []linuxWay{program("update-manager"), gnomeSoftware}
	case kde:
		return append([]linuxWay{discover}, module("kcm_updates")...)
	case cinnamon, xfce, mate: // as Linux Mint has them
		return []linuxWay{program("mintupdate")}
	case anywhere:
		return []linuxWay{program("update-manager"), program("pamac-manager", "--updates"), gnomeSoftware, discover}
	}
	return nil
}

func linuxScreenLock(d desktop) []linuxWay {
	switch d {
	case gnome: // "lock" in 3.36 to 42, "screen" since 43, a part of privacy before and after
		return []linuxWay{panel("lock", "lock"), panel("screen", "screen"), panel("privacy", "privacy")}
	case kde:
		return append(module("kcm_screenlocker"), linuxWay{"systemsettings5", []string{"screenlocker"}, "kservices5/screenlocker.desktop"})
	case xfce:
		return []linuxWay{program("xfce4-screensaver-preferences"), program("light-locker-settings"), program("xfce4-power-manager-settings")}
	case cinnamon:
		return cinnamonModule("screensaver")
	case mate:
		return []linuxWay{program("mate-screensaver-preferences")}
	case lxqt:
		return []linuxWay{program("lxqt-config-powermanagement")}
	case anywhere:
		return []linuxWay{program("xscreensaver-settings"), program("xscreensaver-demo")}
	}
	return nil
}

func linuxDateTime(d desktop) []linuxWay {
	switch d {
	case gnome: // since 46 a part of the panel "system"
		return []linuxWay{panel("system", "system", "datetime"), panel("datetime", "datetime")}
	case kde:
		return module("kcm_clock")
	case cinnamon:
		return cinnamonModule("calendar")
	case mate:
		return []linuxWay{program("mate-time-admin")}
	case lxqt:
		return []linuxWay{program("lxqt-admin-time")}
	case anywhere:
		return []linuxWay{program("time-admin")}
	}
	return nil
}

func linuxNotifications(d desktop) []linuxWay {
	switch d {
	case gnome:
		return []linuxWay{panel("notifications", "notifications")}
	case kde:
		return module("kcm_notifications")
	case xfce:
		return []linuxWay{program("xfce4-notifyd-config")}
	case cinnamon:
		return cinnamonModule("notifications")
	case mate:
		return []linuxWay{program("mate-notification-properties")}
	}
	return nil
}

// linuxNever says why no Linux has a page; empty if some have it.
func linuxNever(p Page) string {
	switch p {
	case DiskEncryption:
		return "a Linux system disk is encrypted when the system is installed"
	case Antivirus, FullDiskAccess, Enrolment, WorkAccount, Developer, MenuBar:
		return "Linux desktops have none"
	}
	return ""
}
