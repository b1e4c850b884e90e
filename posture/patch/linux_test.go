package patch

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const dpkgUpgrades = `2026-01-10 08:00:00 startup archives unpack
2026-01-10 08:00:01 upgrade libc6:amd64 2.36-9+deb12u9 2.36-9+deb12u10
2026-01-10 08:00:02 status installed libc6:amd64 2.36-9+deb12u10
2026-02-20 09:30:00 install cowsay:all <none> 3.03
2026-02-20 09:30:01 status installed cowsay:all 3.03
2026-02-21 09:30:01 upgrade same:all 1.0 1.0
`

const rpmdb = "/usr/lib/sysimage/rpm/rpmdb.sqlite"

func TestLastUpdate(t *testing.T) {
	old := day.AddDate(-1, 0, 0)
	status := file{dpkgStatus, day.AddDate(0, -1, 0), "Package: x\n"}
	rpm := file{rpmdb, day, "x"}
	const installs = "2026-02-02 10:00:00 status installed b:all 1\n2026-02-25 10:00:00 status installed a:all 1\n"
	tests := []struct {
		name  string
		files []file
		want  string
	}{
		{"dpkg: a new package is no update", []file{status, {"/var/log/dpkg.log", old, dpkgUpgrades}}, "2026-01-10T06:00:01Z"},
		{"dpkg: the log before", []file{status, {"/var/log/dpkg.log", old, ""}, {"/var/log/dpkg.log.1", old, dpkgUpgrades}}, "2026-01-10T06:00:01Z"},
		{"dpkg: the log before, and a new package since", []file{status, {"/var/log/dpkg.log", old, installs}, {"/var/log/dpkg.log.2.gz", old, packed(dpkgUpgrades)}}, "2026-01-10T06:00:01Z"},
		{"dpkg: only ever installed", []file{status, {"/var/log/dpkg.log", old, installs}}, "2026-02-02T08:00:00Z"},
		{"apt: the history", []file{status, {"/var/log/apt/history.log", old, "\nStart-Date: 2026-02-03  10:00:00\nInstall: a (1)\nEnd-Date: 2026-02-03  10:00:09\n\nStart-Date: 2026-02-01  10:00:00\nUpgrade: b (1, 2)\n"}}, "2026-02-01T08:00:00Z"},
		{"dpkg: no log left", []file{status}, "unknown: not-found"},
		{"dpkg: a long log", []file{status, {"/var/log/dpkg.log", old, strings.Repeat(dpkgUpgrades, evidence.MaxFile/len(dpkgUpgrades)+1)}}, "2026-01-10T06:00:01Z"},
		{"dpkg: a time to come", []file{status, {"/var/log/dpkg.log", old, "2031-01-01 00:00:00 upgrade a:all 1 2\n"}}, "unknown: not-found"},
		{"dpkg: a log that is cut within a line", []file{status, {"/var/log/dpkg.log", old, dpkgUpgrades + "2026-02-22 09:30:01 upgrade libc6:amd64 2.36-9+deb12u10"}}, "2026-01-10T06:00:01Z"},
		{"dnf 4", []file{rpm, {"/var/log/dnf.rpm.log", day, "2026-02-14T09:30:12+0000 SUBDEBUG Upgrade: openssl-libs-1:3.2.2-6.el9.x86_64\n2026-02-14T09:30:14+0000 SUBDEBUG Upgraded: openssl-libs-1:3.0.7-27.el9.x86_64\n2026-02-20T09:30:14+0000 SUBDEBUG Installed: vim-2:9-1.x86_64\n"}}, "2026-02-14T09:30:14Z"},
		{"dnf 4 of old", []file{rpm, {"/var/log/dnf.rpm.log", day, "2026-02-12T11:13:51Z SUBDEBUG Upgrade: x264-libs-0.159-10.fc32.x86_64\n"}}, "2026-02-12T11:13:51Z"},
		{"dnf 5", []file{rpm, {"/var/log/dnf5.log", day, "2026-02-11T03:56:52+0000 [18165] INFO RPM callback upgrade start \"tar-2:1.35-9.fc44.x86_64\" total 9084\n2026-02-12T03:56:52+0000 [18165] INFO RPM callback install start \"cmake-0:3-1.noarch\" total 9\n2026-02-12T03:56:52+0000 [18165] INFO RPM callback erase stop \"x\" amount 1 total 1\n"}}, "2026-02-11T03:56:52Z"},
		{"zypper", []file{rpm, {"/etc/zypp/zypp.conf", day, ""}, {"/var/log/zypp/history", day, "# x\n2026-01-01 10:00:00|install|bash|5.2-1|x86_64||repo|abc|\n2026-01-01 10:00:00|install|vim|9-1|x86_64|root@h|repo|abc|\n2026-01-31 10:00:00|install|bash|5.2-2|x86_64||repo|abc|\n2026-02-09 10:00:00|install|cowsay|1-1|noarch|root@h|repo|abc|\n2026-02-10 10:00:00|remove |vim|9-1|x86_64|root@h|\n"}}, "2026-01-31T08:00:00Z"},
		{"rpm alone", []file{rpm}, "unknown: tool-missing"},
		{"pacman", []file{{pacmanLog, day, "[2026-02-01T10:00:00+0100] [ALPM] upgraded linux (1 -> 2)\n[2026-02-09T10:00:00+0100] [ALPM] installed vim (1)\n[2026-02-08T10:00:00+0100] [PACMAN] Running 'pacman -Syu'\n"}}, "2026-02-01T09:00:00Z"},
		{"pacman of old", []file{{pacmanLog, day, "[2026-02-01 10:00] [ALPM] upgraded linux (1 -> 2)\n"}}, "2026-02-01T08:00:00Z"},
		{"apk does not tell", []file{{"/lib/apk/db/installed", day.AddDate(0, 0, -1), "P:musl\nV:1-r0\n"}}, "unknown: unsupported-system"},
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
	m.Fail(dpkgStatus, fact.ReasonNeedsPrivilege)
	if g := got(t, m, "last_update_at"); g != "unknown: needs-privilege" {
		t.Errorf("a marker that is refused: %s", g)
	}
}

func TestNotifier(t *testing.T) {
	const tail = "To see these additional updates run: apt list --upgradable\n"
	tests := []struct {
		name, text string
		changed    time.Time
		want       string
	}{
		{"some", capture(t, "update-notifier/focal-75-31.txt"), day, "true"},
		{"stale", capture(t, "update-notifier/jammy-0-stale.txt"), day, "unknown: stale"},
		{"others only", capture(t, "update-notifier/jammy-18.txt"), day, "false"},
		{"one", "1 update can be applied immediately.\n1 of these updates is a standard security update.\n" + tail, day, "true"},
		{"of old", "31 packages can be updated.\n12 updates are security updates.\n", day, "true"},
		{"of old, none", "31 packages can be updated.\n0 updates are security updates.\n", day, "false"},
		{"a subscription's", "2 updates can be applied immediately.\n2 of these updates are ESM Apps security updates.\n", day, "true"},
		{"paid ones only", "0 updates can be applied immediately.\n\n3 additional security updates can be applied with ESM Apps.\n", day, "false"},
		{"says that it is old, but knows one", "1 update can be applied immediately.\n1 of these updates is a standard security update.\nThe list of available updates is more than a week old.\n", day, "true"},
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
		t.Errorf("without any: %s", g)
	}
}

// What update-notifier counted stands against the lists only when it is newer
// than all that they show.
// A text that ends in the middle of a line may have said more.
func TestCutTexts(t *testing.T) {
	cut := unknown(fact.ReasonUnreadable)
	if pending, security := parseUpdatesAvailable("75 updates can be applied immediately.\n31 of these upd"); pending != known(true) || security != cut {
		t.Errorf("updates-available: %+v, %+v", pending, security)
	}
	if pending, _ := parseUpdatesAvailable("0 updates can be applied immediately.\nThe list of ava"); pending != cut {
		t.Errorf("updates-available: %+v", pending)
	}
	for text, whole := range map[string]bool{"Package: a\nStatus: install ok installed\nVersion: 1\n": true, "Package: a\nVers": false, "": true} {
		if _, err := parseDpkgStatus(strings.NewReader(text)); (err == nil) != whole {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := parsePackages(strings.NewReader(text), installed{}); (err == nil) != whole {
			t.Errorf("%q: %v", text, err)
		}
	}
	m := fedora()
	m.SetCommand("dnf -C -q updateinfo list --security", "RLSA-2025:1330  Important/Se")
	if g := got(t, m, "security_pending"); g != "unknown: unreadable-output" {
		t.Errorf("advisories: %s", g)
	}
	m = linuxMachine()
	m.SetFile("/etc/zincati/config.d/90.toml", "[updates]\nena")
	if a := (&look{ctx: t.Context(), r: evidence.Begin(fact.SignalPatch, m), m: m}).zincati(); a != cut {
		t.Errorf("zincati: %+v", a)
	}
}

func TestNotifierAgainstLists(t *testing.T) {
	const some = "3 updates can be applied immediately.\n2 of these updates are standard security updates.\n"
	zip := []string{"zip 3.0-13 amd64"}
	for _, tt := range []struct {
		name    string
		written time.Time
		late    int
		want    string
	}{
		{"newer", day.Add(-time.Hour), 0, "conflict: sources-disagree"},
		{"before the last installation", day.AddDate(0, 0, -3), 0, "false"},
		{"where the lists are old", day.AddDate(0, 0, 9), 9, "true"},
	} {
		m := small{installed: zip, main: zip, edit: func(m *evidence.Memory) {
			m.SetNow(day.AddDate(0, 0, tt.late))
			m.SetFile(updatesAvailable, some)
			m.SetModTime(updatesAvailable, tt.written)
		}}.machine()
		if g := got(t, m, "security_pending"); g != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, g, tt.want)
		}
	}
}

func TestAutoUpdateApt(t *testing.T) {
	const on = "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n"
	const origins = "Unattended-Upgrade::Origins-Pattern {\n // \"origin=Debian,label=Debian\";\n \"origin=Debian,codename=${distro_codename},label=Debian-Security\"; # x\n};\n"
	base := map[string]string{"20auto-upgrades": on, "50unattended-upgrades": origins}
	with := func(name, text string) map[string]string {
		all := map[string]string{name: text}
		for k, v := range base {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	const wants = "/etc/systemd/system/timers.target.wants/"
	timers := func(m *evidence.Memory) {
		m.SetLink(wants+"apt-daily.timer", "/lib/systemd/system/apt-daily.timer")
		m.SetLink(wants+"apt-daily-upgrade.timer", "/lib/systemd/system/apt-daily-upgrade.timer")
	}
	installed := []string{"unattended-upgrades 2.9 all"}
	tests := []struct {
		name      string
		installed []string
		conf      map[string]string
		edit      func(*evidence.Memory)
		want      string
	}{
		{"on", installed, base, timers, "true"},
		{"not installed", nil, base, timers, "false"},
		{"nested", installed, with("20auto-upgrades", "APT { Periodic { Unattended-Upgrade \"7\"; Update-Package-Lists \"always\"; }; };"), timers, "true"},
		{"off", installed, with("20auto-upgrades", "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"0\";\n"), timers, "false"},
		{"off again later", installed, with("90off", "/* no */ apt::periodic::unattended-upgrade \"0\";"), timers, "false"},
		{"off as a whole", installed, with("10periodic", "APT::Periodic::Enable \"0\";"), timers, "false"},
		{"a file that apt passes over", installed, with("90off.dpkg-old", "APT::Periodic::Enable \"0\";"), timers, "true"},
		{"lists are not refreshed", installed, with("20auto-upgrades", "APT::Periodic::Unattended-Upgrade \"1\";\n"), timers, "false"},
		{"nothing for security", installed, with("50unattended-upgrades", "Unattended-Upgrade::Allowed-Origins { \"Ubuntu:noble-updates\"; };"), timers, "false"},
		{"Ubuntu's form", installed, with("50unattended-upgrades", "Unattended-Upgrade::Allowed-Origins {\n\t\"${distro_id}:${distro_codename}\";\n\t\"${distro_id}:${distro_codename}-security\";\n};"), timers, "true"},
		{"masked", installed, base, func(m *evidence.Memory) {
			timers(m)
			m.SetLink("/etc/systemd/system/apt-daily-upgrade.timer", "/dev/null")
		}, "false"},
		{"timer off", installed, base, func(*evidence.Memory) {}, "false"},
		{"cron, without systemd", installed, base, func(m *evidence.Memory) { m.SetFile("/etc/cron.daily/apt-compat", "x") }, "true"},
		{"cron, which does nothing with systemd", installed, base, func(m *evidence.Memory) {
			m.SetFile("/etc/cron.daily/apt-compat", "x")
			m.SetDir("/run/systemd/system")
		}, "false"},
		{"refused", installed, base, func(m *evidence.Memory) {
			timers(m)
			m.Fail("/etc/apt/apt.conf.d/20auto-upgrades", fact.ReasonNeedsPrivilege)
		}, "unknown: needs-privilege"},
		{"Mint's own", nil, nil, func(m *evidence.Memory) {
			m.SetFile("/var/lib/linuxmint/mintupdate-automatic-upgrades-enabled", "")
		}, "true"},
	}
	for _, tt := range tests {
		m := small{installed: tt.installed, edit: func(m *evidence.Memory) {
			for name, text := range tt.conf {
				m.SetFile("/etc/apt/apt.conf.d/"+name, text)
			}
			tt.edit(m)
		}}.machine()
		if g := got(t, m, "auto_update"); g != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, g, tt.want)
		}
	}
}
