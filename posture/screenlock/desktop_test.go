package screenlock

import (
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func TestWindows(t *testing.T) {
	const sid = "S-1-5-21-1-2-3-1001"
	const own = "HKEY_USERS\\" + sid + "\\Control Panel\\Desktop\n"
	const policy = "\nHKEY_USERS\\" + sid + "\\Software\\Policies\\Microsoft\\Windows\\Control Panel\\Desktop\n"
	const machine = "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System\n"
	const login = "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\n"
	const csp = "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\PolicyManager\\current\\device\\DeviceLock\n"
	const program = "    SCRNSAVE.EXE    REG_SZ    C:\\Windows\\system32\\scrnsave.scr\n"
	values := func(active, secure, timeout string) string {
		return "    ScreenSaveActive    REG_SZ    " + active + "\n    ScreenSaverIsSecure    REG_SZ    " + secure + "\n    ScreenSaveTimeOut    REG_SZ    " + timeout + "\n"
	}
	tests := []struct {
		name, registry string
		want           want
	}{
		{"nothing", "", want{notFound}},
		{"as it comes", own + "    ScreenSaveActive    REG_SZ    1\n", want{"false", notFound, notFound, "false"}},
		{"own saver", own + values("1", "1", "600") + program, want{"true", "600", "5", "false"}},
		{"active without a program", own + values("1", "1", "600"), want{"false"}},
		{"not secure", own + values("1", "0", "600") + program, want{"false"}},
		{"odd time", own + values("1", "1", "soon") + program, want{malformed}},
		{"grace period", own + values("1", "1", "600") + program + login + "    ScreenSaverGracePeriod    REG_SZ    0\n", want{"true", "600", "0"}},
		{"policy", own + values("0", "0", "0") + policy + values("1", "1", "900") + program, want{"true", "900", "5", "true"}},
		{"policy takes it away", own + values("1", "1", "600") + program + policy + "    ScreenSaveActive    REG_SZ    0\n", want{"false"}},
		{"machine limit", own + machine + "    InactivityTimeoutSecs    REG_DWORD    0x384\n", want{"true", "900", "0", "true"}},
		{"machine limit alone", machine + "    InactivityTimeoutSecs    REG_DWORD    0x384\n", want{"true", "900", "0", "true"}},
		{"machine limit off", own + machine + "    InactivityTimeoutSecs    REG_DWORD    0x0\n", want{"false"}},
		{"the earlier one", own + values("1", "1", "300") + program + machine + "    InactivityTimeoutSecs    REG_DWORD    0x384\n", want{"true", "300", "5", "true"}},
		{"device management", own + csp + "    DevicePasswordEnabled    REG_DWORD    0x0\n    MaxInactivityTimeDeviceLock    REG_DWORD    0xf\n", want{"true", "900", "0", "true"}},
		{"device management without password", own + csp + "    DevicePasswordEnabled    REG_DWORD    0x1\n    MaxInactivityTimeDeviceLock    REG_DWORD    0xf\n", want{"false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetSessions(evidence.Session{User: "ada", ID: sid, Active: true})
			m.SetRegistry(tt.registry)
			check(t, m, tt.want)
		})
	}
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetSessions(evidence.Session{User: "ada", ID: sid, Active: true})
	m.SetRegistry(own)
	m.Fail(systemPolicies, fact.ReasonNeedsPrivilege)
	check(t, m, want{"unknown:needs-privilege"})
}

const (
	lockLine  = "sysadminctl -screenLock status"
	pmsetLine = "pmset -g custom"
	byHost    = "/Users/ada/Library/Preferences/ByHost/com.apple.screensaver.00000000-0000-1000-8000-0011223344AA.plist"
	forced    = "/Library/Managed Preferences/com.apple.screensaver.plist"
	personal  = "/Library/Managed Preferences/ada/com.apple.screensaver.plist"
)

func plist(inner string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>` + inner + `</dict></plist>`
}

func mac(said string, files map[string]string) *evidence.Memory {
	m := evidence.NewMemory(evidence.MacOS, day)
	m.SetSessions(evidence.Session{User: "ada", ID: "501", Home: "/Users/ada", Active: true})
	if said != "" {
		m.SetOutput(lockLine, evidence.Output{Stderr: []byte(said)})
	}
	for path, data := range files {
		m.SetFile(path, data)
	}
	return m
}

func TestMac(t *testing.T) {
	said := func(name string) string { return capture(t, "macos/sysadminctl-screenlock/"+name+".txt") }
	idle := func(n string) string { return plist("<key>idleTime</key><integer>" + n + "</integer>") }
	const asks5 = "<key>askForPassword</key><true/><key>askForPasswordDelay</key><integer>5</integer>"
	tests := []struct {
		name, said string
		files      map[string]string
		want       want
	}{
		{"300 s", said("300s"), nil, want{"true", notFound, "300", "false"}},
		{"5 s", said("5s"), map[string]string{byHost: idle("600")}, want{"true", "600", "5", "false"}},
		{"minus one", said("minus1"), nil, want{"false", "", notFound}},
		{"off", said("off"), map[string]string{byHost: idle("600")}, want{"false", "600", notFound, "false"}},
		{"immediate", "2026-09-26 10:00:00.000 sysadminctl[1:2] screenLock delay is immediate\n", nil, want{"true", "", "0"}},
		{"delay is off", "x screenLock delay is off\n", nil, want{"false", "", notFound}},
		{"fraction", "x screenLock delay is 3600.000000 seconds\n", nil, want{"true", "", "3600"}},
		{"saver never starts", said("5s"), map[string]string{byHost: idle("0")}, want{"false", notFound, "5"}},
		{"not a number", "x screenLock delay is nan seconds\n", nil, want{"unknown:unreadable-output", "", "unknown:unreadable-output"}},
		{"too large", "x screenLock delay is 1e300 seconds\n", nil, want{"unknown:unreadable-output"}},
		{"said twice", said("5s") + "\n" + said("off"), nil, want{malformed}},
		{"other words", "sysadminctl: unknown option\n", nil, want{"unknown:unreadable-output"}},
		{"no command", "", nil, want{"unknown:tool-missing", notFound, "unknown:tool-missing", "false"}},
		{"profile alone", "", map[string]string{forced: plist(asks5 + "<key>idleTime</key><integer>300</integer>")}, want{"true", "300", "5", "true"}},
		{"profile for the person", said("5s"), map[string]string{personal: plist(asks5 + "<key>idleTime</key><real>240</real>"), byHost: idle("0")}, want{"true", "240", "5", "true"}},
		{"profile for the login window says nothing", said("5s"), map[string]string{forced: plist("<key>loginWindowIdleTime</key><integer>300</integer>")}, want{"true", notFound, "5", "false"}},
		{"profile and system disagree", said("off"), map[string]string{forced: plist(asks5)}, want{disagree, "", "5", "true"}},
		{"delays disagree", said("300s"), map[string]string{forced: plist(asks5)}, want{"true", "", disagree, "true"}},
		{"profile of another form", said("5s"), map[string]string{forced: capture(t, "macos/malformed/plaso-truncated.plist")}, want{"unknown:unreadable-output", "", "5", "unknown:unreadable-output"}},
		{"odd idle time", said("5s"), map[string]string{byHost: plist("<key>idleTime</key><string>x</string>")}, want{malformed, malformed, "5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, mac(tt.said, tt.files), tt.want) })
	}
}

func TestMacDisplaySleep(t *testing.T) {
	const both = "Battery Power:\n Sleep On Power Button 1\n displaysleep         2\nAC Power:\n displaysleep         10\n"
	said := capture(t, "macos/sysadminctl-screenlock/5s.txt")
	never := map[string]string{byHost: plist("<key>idleTime</key><integer>0</integer>")}
	m := mac(said, never)
	m.SetCommand(pmsetLine, both)
	check(t, m, want{"true", "600", "5"})
	m.SetCommand(pmsetLine, "Battery Power:\n displaysleep 2\nAC Power:\n displaysleep 0\n")
	check(t, m, want{"false", notFound, "5"})
	m.SetCommand(pmsetLine, "something else\n")
	check(t, m, want{"unknown:unreadable-output"})
	m = mac(said, map[string]string{byHost: plist("<key>idleTime</key><integer>300</integer>")})
	m.SetCommand(pmsetLine, both)
	check(t, m, want{"true", "300", "5"})
}
