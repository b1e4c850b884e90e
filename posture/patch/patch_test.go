package patch

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var (
	zone = time.FixedZone("", 2*60*60)
	day  = time.Date(2026, 3, 1, 12, 0, 0, 0, zone)
)

func got(t *testing.T, m evidence.Machine, field string) string {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	f, ok := s.Find("", field)
	if !ok {
		t.Fatalf("no %s in %+v", field, s)
	}
	if s.StateOf(f) == fact.Observed {
		return f.Value.String()
	}
	return string(s.StateOf(f)) + ": " + string(f.Reason)
}

// file is one file of a machine, changed at a time, with a content.
type file struct {
	path    string
	changed time.Time
	text    string
}

func linuxMachine(files ...file) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	for _, f := range files {
		m.SetFile(f.path, f.text)
		m.SetModTime(f.path, f.changed)
	}
	return m
}

const dpkgUpgrades = `2026-01-10 08:00:00 startup archives unpack
2026-01-10 08:00:01 upgrade libc6:amd64 2.36-9+deb12u9 2.36-9+deb12u10
2026-01-10 08:00:02 status installed libc6:amd64 2.36-9+deb12u10
2026-02-20 09:30:00 install cowsay:all <none> 3.03
2026-02-20 09:30:01 status installed cowsay:all 3.03
2026-02-21 09:30:01 upgrade same:all 1.0 1.0
`

func TestLastUpdate(t *testing.T) {
	old := day.AddDate(-1, 0, 0)
	status := file{"/var/lib/dpkg/status", day.AddDate(0, -1, 0), "Package: x\n"}
	tests := []struct {
		name  string
		files []file
		want  string
	}{
		{"dpkg: a new package is no update", []file{status, {"/var/log/dpkg.log", old, dpkgUpgrades}}, "2026-01-10T06:00:01Z"},
		{"dpkg: the log before", []file{status, {"/var/log/dpkg.log", old, ""}, {"/var/log/dpkg.log.1", old, dpkgUpgrades}}, "2026-01-10T06:00:01Z"},
		{"dpkg: only ever installed", []file{status, {"/var/log/dpkg.log", old, "2026-02-02 10:00:00 status installed a:all 1\n2026-02-01 10:00:00 status installed b:all 1\n"}}, "2026-02-02T08:00:00Z"},
		{"apt: the history", []file{status, {"/var/log/apt/history.log", old, "\nStart-Date: 2026-02-03  10:00:00\nInstall: a (1)\nEnd-Date: 2026-02-03  10:00:09\n\nStart-Date: 2026-02-01  10:00:00\nUpgrade: b (1, 2)\n"}}, "2026-02-01T08:00:00Z"},
		{"dpkg: no log left", []file{status}, status.changed.UTC().Format(time.RFC3339)},
		{"dpkg: a log too long to read whole", []file{status, {"/var/log/dpkg.log", old, strings.Repeat(dpkgUpgrades, evidence.MaxFile/len(dpkgUpgrades)+1)}}, status.changed.UTC().Format(time.RFC3339)},
		{"dpkg: a time to come", []file{status, {"/var/log/dpkg.log", old, "2031-01-01 00:00:00 upgrade a:all 1 2\n"}}, status.changed.UTC().Format(time.RFC3339)},
		{"rpm", []file{{"/usr/lib/sysimage/rpm/rpmdb.sqlite", day.AddDate(0, 0, -9), "x"}}, "2026-02-20T10:00:00Z"},
		{"rpm, and an empty dpkg", []file{{"/var/lib/dpkg/status", day, ""}, {"/var/lib/rpm/Packages", day.AddDate(0, 0, -9), "x"}}, "2026-02-20T10:00:00Z"},
		{"pacman", []file{{"/var/log/pacman.log", day, "[2026-02-01T10:00:00+0100] [ALPM] upgraded linux (1 -> 2)\n[2026-02-09T10:00:00+0100] [ALPM] installed vim (1)\n[2026-02-08T10:00:00+0100] [PACMAN] Running 'pacman -Syu'\n"}}, "2026-02-01T09:00:00Z"},
		{"pacman of old", []file{{"/var/log/pacman.log", day, "[2026-02-01 10:00] [ALPM] upgraded linux (1 -> 2)\n"}}, "2026-02-01T08:00:00Z"},
		{"apk", []file{{"/lib/apk/db/installed", day.AddDate(0, 0, -1), "P:musl\n"}}, "2026-02-28T10:00:00Z"},
		{"a database of the future", []file{{"/lib/apk/db/installed", day.AddDate(9, 0, 0), "P:musl\n"}}, "unknown: unreadable-output"},
		{"no package manager", nil, "unknown: tool-missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if g := got(t, linuxMachine(tt.files...), "last_update_at"); g != tt.want {
				t.Errorf("%s, want %s", g, tt.want)
			}
		})
	}
	m := linuxMachine(status, file{"/var/log/dpkg.log", old, dpkgUpgrades})
	m.Fail("/var/log/dpkg.log", fact.ReasonTimeout)
	if g := got(t, m, "last_update_at"); g != "unknown: timeout" {
		t.Errorf("a log that does not answer: %s", g)
	}
	m = linuxMachine(status)
	m.Fail("/var/lib/dpkg/status", fact.ReasonNeedsPrivilege)
	if g := got(t, m, "last_update_at"); g != "unknown: needs-privilege" {
		t.Errorf("a marker that is refused: %s", g)
	}
}

func TestSecurityPending(t *testing.T) {
	const tail = "To see these additional updates run: apt list --upgradable\n"
	tests := []struct {
		name, text string
		changed    time.Time
		want       string
	}{
		{"some", "75 updates can be applied immediately.\n31 of these updates are standard security updates.\n" + tail, day, "true"},
		{"one", "1 update can be applied immediately.\n1 of these updates is a standard security update.\n" + tail, day, "true"},
		{"of old", "31 packages can be updated.\n12 updates are security updates.\n", day, "true"},
		{"of old, none", "31 packages can be updated.\n0 updates are security updates.\n", day, "false"},
		{"others only", "Expanded Security Maintenance for Applications is not enabled.\n\n18 updates can be applied immediately.\n" + tail, day, "false"},
		{"paid ones only", "0 updates can be applied immediately.\n\n3 additional security updates can be applied with ESM Apps.\n", day, "false"},
		{"says that it is old", "0 updates can be applied immediately.\n\nThe list of available updates is more than a week old.\n", day, "unknown: stale"},
		{"is old", "0 updates can be applied immediately.\n", day.AddDate(0, 0, -8), "unknown: stale"},
		{"another language", "18 Aktualisierungen können sofort angewendet werden.\n", day, "unknown: unreadable-output"},
		{"empty", "", day, "unknown: unreadable-output"},
		{"a number too long", "5 updates can be applied immediately.\n99999999999999999999 of these updates are security updates.\n", day, "unknown: unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if g := got(t, linuxMachine(file{updatesAvailable, tt.changed, tt.text}), "security_pending"); g != tt.want {
				t.Errorf("%s, want %s", g, tt.want)
			}
		})
	}
	if g := got(t, linuxMachine(), "security_pending"); g != "unknown: tool-missing" {
		t.Errorf("without update-notifier: %s", g)
	}
}

func TestRebootPending(t *testing.T) {
	kernel := file{"/proc/sys/kernel/osrelease", day, "6.1.0-55-amd64\n"}
	at := func(path string) file { return file{path, day, "x"} }
	tests := []struct {
		name  string
		files []file
		want  string
	}{
		{"flag", []file{at("/run/reboot-required")}, "true"},
		{"flag in the old place", []file{at("/var/run/reboot-required")}, "true"},
		{"no flag, and who would set it is there", []file{kernel, at("/usr/share/update-notifier/notify-reboot-required")}, "false"},
		{"no flag, needrestart", []file{at("/usr/sbin/needrestart")}, "false"},
		{"no flag, but a newer kernel", []file{kernel, at("/usr/sbin/needrestart"), at("/boot/vmlinuz-6.1.0-100-amd64"), at("/boot/vmlinuz-6.1.0-55-amd64")}, "true"},
		{"the newest kernel runs", []file{kernel, at("/boot/vmlinuz-6.1.0-9-amd64"), at("/boot/vmlinuz-6.1.0-55-amd64"), at("/boot/vmlinuz-0-rescue-1234")}, "false"},
		{"by the modules", []file{kernel, at("/lib/modules/6.1.0-56-amd64/modules.dep"), at("/boot/vmlinuz-linux")}, "true"},
		{"nothing tells", []file{kernel}, "unknown: tool-missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if g := got(t, linuxMachine(tt.files...), "reboot_pending"); g != tt.want {
				t.Errorf("%s, want %s", g, tt.want)
			}
		})
	}
	m := linuxMachine(kernel, at("/usr/sbin/needrestart"))
	m.Fail("/run/reboot-required", fact.ReasonNeedsPrivilege)
	if g := got(t, m, "reboot_pending"); g != "unknown: needs-privilege" {
		t.Errorf("a flag that may not be looked at: %s", g)
	}
}

func TestMacOS(t *testing.T) {
	data, err := os.ReadFile("../../testfixtures/captures/macos/installhistory/plaso-InstallHistory.plist")
	if err != nil {
		t.Fatal(err)
	}
	entry := func(date, name, process string) string {
		return "<dict><key>date</key><date>" + date + "</date><key>displayName</key><string>" + name + "</string><key>processName</key><string>" + process + "</string></dict>"
	}
	list := func(entries ...string) string {
		return "<plist><array>" + strings.Join(entries, "") + "</array></plist>"
	}
	tests := map[string]struct{ text, want string }{
		"recorded": {string(data), "2013-11-12T02:59:35Z"},
		"lists and others' packages do not count": {list(
			entry("2026-01-01T00:00:00Z", "macOS 26.2", "softwareupdated"),
			entry("2026-02-01T00:00:00Z", "XProtectPlistConfigData", "softwareupdated"),
			entry("2026-02-02T00:00:00Z", "macOS look-alike", "installer")), "2026-01-01T00:00:00Z"},
		"none":        {list(), "unknown: unreadable-output"},
		"not a plist": {"x", "unknown: unreadable-output"},
	}
	for name, tt := range tests {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetFile(installHistory, tt.text)
		if g := got(t, m, "last_update_at"); g != tt.want {
			t.Errorf("%s: %s, want %s", name, g, tt.want)
		}
	}
	if g := got(t, evidence.NewMemory(evidence.MacOS, day), "last_update_at"); g != "unknown: not-found" {
		t.Errorf("no history: %s", g)
	}
}

func TestWindows(t *testing.T) {
	const servicing = `reg query HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing`
	const agent = `reg query HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update`
	const top = "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\X\r\n    A    REG_SZ    RebootPending\r\n\r\n"
	tests := map[string]struct{ servicing, agent, want string }{
		"none":      {top, top, "false"},
		"servicing": {top + "HKEY_LOCAL_MACHINE\\SOFTWARE\\X\\RebootPending\r\n", top, "true"},
		"agent":     {top, top + "HKEY_LOCAL_MACHINE\\SOFTWARE\\X\\RebootRequired\r\n", "true"},
	}
	for name, tt := range tests {
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetCommand(servicing, tt.servicing)
		m.SetCommand(agent, tt.agent)
		if g := got(t, m, "reboot_pending"); g != tt.want {
			t.Errorf("%s: %s, want %s", name, g, tt.want)
		}
		if g := got(t, m, "last_update_at"); g != "unknown: unsupported-system" {
			t.Errorf("%s: last_update_at %s", name, g)
		}
	}
}

func FuzzLogs(f *testing.F) {
	f.Add(dpkgUpgrades)
	f.Add("Start-Date: 2026-02-03  10:00:00\nUpgrade: a (1, 2)\n")
	f.Add("[2026-02-01T10:00:00+0100] [ALPM] upgraded linux (1 -> 2)\n")
	f.Add("75 updates can be applied immediately.\n31 of these updates are standard security updates.\n")
	f.Fuzz(func(t *testing.T, text string) {
		parseDpkgLog(text, zone)
		parseAptHistory(text, zone)
		parsePacmanLog(text, zone)
		if pending, why := parseUpdatesAvailable(text); pending && why != "" {
			t.Error("an answer and a reason")
		}
		m := linuxMachine(file{"/var/lib/dpkg/status", day, "x"}, file{"/var/log/dpkg.log", day, text}, file{updatesAvailable, day, text})
		got(t, m, "last_update_at")
	})
}
