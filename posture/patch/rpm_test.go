package patch

import (
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	checkUpdate = "dnf -C -q check-update"
	updateinfo  = "dnf -C -q updateinfo list --security"
	rpmList     = "rpm -qa --qf " + rpmFormat
)

func TestAdvisories(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"Amazon Linux", capture(t, "dnf/al2023-updateinfo.txt"), true},
		{"Red Hat", capture(t, "dnf/insights-updateinfo-rhel.txt"), true},
		{"yum", capture(t, "dnf/rhel7-yum-updateinfo-security.txt"), true},
		{"yum of old", capture(t, "dnf/rhel6-list-sec.txt"), true},
		{"dnf 5", "Name                   Type     Severity                       Package              Issued\nFEDORA-2026-12f3f3d569 security Important openssl-libs-1:3.5.9-1.fc44.x86_64 2026-10-03 01:09:41\n", true},
		{"dnf 5, none", "Name                   Type     Severity                       Package              Issued\n", false},
		{"another language", "Letzte Prüfung auf abgelaufene Metadaten: vor 1:06:23 am Mo 13 Feb 2023 21:28:19.\nRLSA-2025:0925  Mittel/Sicherheit  bzip2-libs-1.0.8-10.el9_5.x86_64\n", true},
		{"another language, none", "Letzte Prüfung auf abgelaufene Metadaten: vor 1:06:23 am Mo 13 Feb 2023 21:28:19.\n", false},
		{"yum's head and foot", "Loaded plugins: fastestmirror, langpacks\nLoading mirror speeds from cached hostfile\n * base: mirror.example.org\nupdateinfo list done\n", false},
		{"others only", "RHBA-2020-0002 bugfix         flatpak-libs-1.8.3-1.fc32.x86_64\nRHEA-2020-0003 enhancement    flatpak-selinux-1.8.3-1.fc32.noarch\n", false},
		{"installed already", "i RHSA-2013:0550 Moderate/Sec.  bind-libs-32:9.8.2-0.17.rc1.el6.3.x86_64\n", false},
		{"SUSE's id, Oracle's id", "ELSA-2024-12345 Important/Sec. kernel-uek-5.15.0-1.el9uek.x86_64\n", true},
		{"empty", "", false},
	}
	for _, tt := range tests {
		if g := parseAdvisories(tt.text); g != known(tt.want) {
			t.Errorf("%s: %+v", tt.name, g)
		}
	}
}

// fedora is a machine on which nothing waits.
func fedora() *evidence.Memory {
	m := linuxMachine(
		file{rpmdb, day, "x"},
		file{"/etc/os-release", day, "NAME=x\nID=fedora\n"},
		file{"/etc/yum.repos.d/fedora.repo", day, "[fedora]\nname=Fedora\nenabled=1\n[fedora-source]\nenabled = 0\n"},
		file{"/etc/yum.repos.d/updates.repo", day, "[updates]\nname=Updates\n"},
		file{"/var/cache/libdnf5/fedora-9a3b5ee2a6a8f8a1/repodata/repomd.xml", day.AddDate(0, -5, 0), "x"},
		file{"/var/cache/libdnf5/fedora-9a3b5ee2a6a8f8a1/repodata/abc-primary.xml.zst", day.AddDate(0, 0, -2), "x"},
		file{"/var/cache/libdnf5/updates-0123456789abcdef/repodata/repomd.xml", day.AddDate(0, 0, -1), "x"},
		file{"/var/cache/libdnf5/updates-0123456789abcdef/repodata/abc-updateinfo.xml.zst", day, "x"},
		file{"/proc/stat", day, "cpu 1 2\nbtime 1772000000\n"},
	)
	m.SetOutput(checkUpdate, evidence.Output{})
	m.SetOutput(updateinfo, evidence.Output{})
	m.SetCommand(rpmList, "gpg-pubkey 1-1.(none) 1700000000\nglibc 2.40-3.fc41.x86_64 1771000000\nvim 9-1.x86_64 1772300000\nbash 5.2-1.fc41.x86_64 1771900000\n")
	return m
}

func TestDnf(t *testing.T) {
	const sec = "FEDORA-2026-12f3f3d569 security Important openssl-libs-1:3.5.9-1.fc44.x86_64 2026-10-03 01:09:41\n"
	const waits = "\nkernel-core.x86_64          6.11.6-300.fc41          updates\nvim.x86_64 2:9.1-1 updates\n"
	type want map[string]string
	set := func(line, out string, code int) func(*evidence.Memory) {
		return func(m *evidence.Memory) { m.SetOutput(line, evidence.Output{Stdout: []byte(out), Code: code}) }
	}
	tests := []struct {
		name string
		edit func(*evidence.Memory)
		want want
	}{
		{"nothing waits", func(*evidence.Memory) {}, want{"pending": "false", "security_pending": "false", "current": "true",
			"checked_at": "2026-02-28T10:00:00Z", "last_update_at": "2026-02-24T02:26:40Z", "reboot_pending": "false", "auto_update": "false"}},
		{"something", set(checkUpdate, waits, 100), want{"pending": "true", "security_pending": "false", "current": "false"}},
		{"something for security", func(m *evidence.Memory) {
			set(checkUpdate, waits, 100)(m)
			set(updateinfo, sec, 0)(m)
		}, want{"pending": "true", "security_pending": "true"}},
		{"an advisory, though the check failed", func(m *evidence.Memory) {
			set(checkUpdate, "", 1)(m)
			set(updateinfo, sec, 0)(m)
		}, want{"pending": "true", "security_pending": "true"}},
		{"old", func(m *evidence.Memory) { m.SetNow(day.AddDate(0, 0, 6)) }, want{"pending": "unknown: stale", "security_pending": "unknown: stale"}},
		{"old, with an advisory", func(m *evidence.Memory) {
			m.SetNow(day.AddDate(0, 1, 0))
			set(updateinfo, sec, 0)(m)
		}, want{"security_pending": "true"}},
		{"a repository without cache", func(m *evidence.Memory) {
			m.SetFile("/etc/yum.repos.d/x.repo", "[x]\nbaseurl=https://x\n")
		}, want{"pending": "unknown: not-found", "security_pending": "unknown: not-found"}},
		{"one without cache that is switched off", func(m *evidence.Memory) {
			m.SetFile("/etc/yum.repos.d/x.repo", "[x]\nbaseurl=https://x\n")
			m.SetFile("/etc/dnf/repos.override.d/99-config_manager.repo", "[x]\nenabled=0\n")
		}, want{"pending": "false"}},
		{"nobody says what is for security", func(m *evidence.Memory) {
			m.Remove("/var/cache/libdnf5/updates-0123456789abcdef/repodata/abc-updateinfo.xml.zst")
			set(checkUpdate, waits, 100)(m)
		}, want{"pending": "true", "security_pending": "unknown: unsupported-system"}},
		{"CentOS Stream has no advisories", func(m *evidence.Memory) {
			m.SetFile("/etc/os-release", "ID=\"centos\"\n")
			set(checkUpdate, waits, 100)(m)
		}, want{"security_pending": "unknown: unsupported-system"}},
		{"no cache at all", func(m *evidence.Memory) {
			m.SetOutput(checkUpdate, evidence.Output{Code: 1, Stderr: []byte("Error: Cache-only enabled but no cache for 'fedora'\n")})
		}, want{"pending": "unknown: not-found"}},
		{"locked", set(checkUpdate, "", 200), want{"pending": "unknown: busy"}},
		{"not allowed", func(m *evidence.Memory) {
			m.SetOutput(checkUpdate, evidence.Output{Code: 1, Stderr: []byte("Error: This command has to be run with superuser privileges\n")})
		}, want{"pending": "unknown: needs-privilege"}},
		{"no answer", func(m *evidence.Memory) { m.Fail(updateinfo, fact.ReasonTimeout) }, want{"pending": "false", "security_pending": "unknown: timeout"}},
		{"a library newer than the start", func(m *evidence.Memory) {
			m.SetCommand(rpmList, "glibc 2.40-3.fc41.x86_64 1772200000\n")
		}, want{"reboot_pending": "true", "last_update_at": "2026-02-27T13:46:40Z"}},
		{"rpm does not answer", func(m *evidence.Memory) { m.Fail(rpmList, fact.ReasonTimeout) }, want{"reboot_pending": "unknown: timeout", "last_update_at": "unknown: timeout"}},
		{"automatic", func(m *evidence.Memory) {
			m.SetFile("/etc/dnf/automatic.conf", "[commands]\n# apply_updates = no\nupgrade_type = security\napply_updates = yes\n")
			m.SetLink("/etc/systemd/system/timers.target.wants/dnf-automatic.timer", "/usr/lib/systemd/system/dnf-automatic.timer")
		}, want{"auto_update": "true"}},
		{"automatic download only", func(m *evidence.Memory) {
			m.SetFile("/etc/dnf/automatic.conf", "[commands]\napply_updates = no\n")
			m.SetLink("/etc/systemd/system/timers.target.wants/dnf-automatic.timer", "/x")
		}, want{"auto_update": "false"}},
		{"automatic by the timer's name", func(m *evidence.Memory) {
			m.SetLink("/etc/systemd/system/timers.target.wants/dnf-automatic-install.timer", "/x")
		}, want{"auto_update": "true"}},
		{"automatic, not started", func(m *evidence.Memory) {
			m.SetFile("/etc/dnf/automatic.conf", "[commands]\napply_updates = yes\n")
		}, want{"auto_update": "false"}},
	}
	for _, tt := range tests {
		m := fedora()
		tt.edit(m)
		for field, w := range tt.want {
			if g := got(t, m, field); g != w {
				t.Errorf("%s: %s %s, want %s", tt.name, field, g, w)
			}
		}
	}
}

// Red Hat 7 has only yum, whose caches lie two folders deeper.
func TestYum(t *testing.T) {
	m := linuxMachine(file{"/var/lib/rpm/Packages", day, "x"},
		file{"/etc/yum.repos.d/redhat.repo", day, "[rhel-7-server-rpms]\nenabled = 1\n[other]\nenabled = 0\n"},
		file{"/var/cache/yum/x86_64/7Server/rhel-7-server-rpms/repomd.xml", day, "x"},
		file{"/var/cache/yum/x86_64/7Server/rhel-7-server-rpms/abc-updateinfo.xml.gz", day, "x"})
	m.SetOutput("yum -C -q check-update", evidence.Output{Code: 100, Stdout: []byte("bash.x86_64 4.2.46-34.el7 rhel-7-server-rpms\n")})
	m.SetCommand("yum -C -q updateinfo list security", "")
	if g := got(t, m, "security_pending"); g != "false" {
		t.Errorf("none: %s", g)
	}
	m.SetCommand("yum -C -q updateinfo list security", capture(t, "dnf/rhel7-yum-updateinfo-security.txt"))
	if g := got(t, m, "security_pending"); g != "true" {
		t.Errorf("some: %s", g)
	}
}

func TestZypper(t *testing.T) {
	const patches = "zypper --no-refresh --non-interactive --xmlout list-patches"
	const packages = "zypper --no-refresh --non-interactive --xmlout list-updates"
	const head, foot = "<?xml version='1.0'?>\n<stream>\n<update-status version=\"0.6\">\n<update-list>\n", "</update-list>\n</update-status>\n</stream>\n"
	const fix = `<update kind="patch" name="openSUSE-Leap-16.0-112" edition="1" arch="noarch" status="needed" category="security" severity="important" pkgmanager="false" restart="false" interactive="false"><summary>a &amp; b</summary></update>`
	const other = `<update kind="patch" name="openSUSE-Leap-16.0-113" status="needed" category="recommended"><summary/></update>`
	const done = `<update kind="patch" name="openSUSE-Leap-16.0-1" status="applied" category="security"/>`
	const pkg = `<update kind="package" name="vim" edition="9-2" arch="x86_64" edition-old="9-1"><summary>x</summary></update>`
	tests := []struct {
		name, id, patches, packages string
		code                        int
		pending, security           string
	}{
		{"none", "opensuse-leap", head + foot, head + foot, 0, "false", "false"},
		{"a fix", "opensuse-leap", head + fix + other + foot, head + foot, 0, "true", "true"},
		{"another patch", "sles", head + other + done + foot, head + foot, 0, "true", "false"},
		{"a package", "sles", head + foot, head + pkg + foot, 0, "true", "false"},
		{"a package, rolling", "opensuse-tumbleweed", head + foot, head + pkg + foot, 0, "true", "unknown: unsupported-system"},
		{"none, rolling", "opensuse-tumbleweed", head + foot, head + foot, 0, "false", "false"},
		{"cut", "sles", head + other, head + foot, 0, "true", "unknown: unreadable-output"},
		{"cut after a fix", "sles", head + fix[:200], head, 0, "true", "true"},
		{"locked", "sles", "<stream><message type=\"error\">System management is locked</message></stream>", head + foot, 7, "unknown: busy", "unknown: busy"},
		{"no repositories", "sles", "<stream/>", head + foot, 6, "unknown: not-found", "unknown: not-found"},
		{"one was passed over", "sles", head + foot, head + foot, 106, "unknown: not-found", "unknown: not-found"},
	}
	for _, tt := range tests {
		m := linuxMachine(file{rpmdb, day, "x"}, file{"/etc/os-release", day, "ID=\"" + tt.id + "\"\n"},
			file{"/etc/zypp/repos.d/oss.repo", day, "[oss]\nenabled=1\nautorefresh=1\n"},
			file{"/var/cache/zypp/raw/oss/repodata/repomd.xml", day, "x"}, file{"/var/cache/zypp/raw/oss/repodata/1-updateinfo.xml.gz", day, "x"})
		m.SetOutput(patches, evidence.Output{Stdout: []byte(tt.patches), Code: tt.code})
		m.SetOutput(packages, evidence.Output{Stdout: []byte(tt.packages)})
		if g := got(t, m, "pending"); g != tt.pending {
			t.Errorf("%s: pending %s, want %s", tt.name, g, tt.pending)
		}
		if g := got(t, m, "security_pending"); g != tt.security {
			t.Errorf("%s: security_pending %s, want %s", tt.name, g, tt.security)
		}
	}
	m := linuxMachine(file{rpmdb, day, "x"}, at("/etc/zypp/zypp.conf"))
	m.SetLink("/etc/systemd/system/timers.target.wants/transactional-update.timer", "/x")
	if g := got(t, m, "auto_update"); g != "true" {
		t.Errorf("transactional-update: %s", g)
	}
}

// The members are those of rpm-ostree's status in JSON.
func TestOSTree(t *testing.T) {
	const booted = `{"booted":true,"checksum":"aaa","timestamp":1771000000}`
	const staged = `{"booted":false,"staged":true,"checksum":"bbb","timestamp":1772000000}`
	const update = `{"checksum":"bbb","version":"41.2","advisories":[["FEDORA-2026-1",2,0,["a"]],["FEDORA-2026-2",1,3,["b"]]]}`
	tests := []struct{ name, status, conf, pending, security, restart, auto string }{
		{"as it is", `{"deployments":[` + booted + `],"transaction":null,"cached-update":null}`, "", "unknown: not-found", "unknown: not-found", "false", "false"},
		{"staged", `{"deployments":[` + staged + `,` + booted + `]}`, "[Daemon]\nAutomaticUpdatePolicy=stage\n", "true", "unknown: not-found", "true", "true"},
		{"known", `{"deployments":[` + booted + `],"cached-update":` + update + `}`, "[Daemon]\nAutomaticUpdatePolicy=check\n", "true", "true", "false", "false"},
		{"known, and it runs", `{"deployments":[{"booted":true,"checksum":"bbb"}],"cached-update":` + update + `}`, "", "unknown: not-found", "unknown: not-found", "false", "false"},
		{"CoreOS", `{"deployments":[` + booted + `],"update-driver":{"driver-name":"Zincati"}}`, "", "unknown: not-found", "unknown: not-found", "false", "true"},
		{"none is booted", `{"deployments":[` + staged + `]}`, "", "unknown: unreadable-output", "unknown: unreadable-output", "unknown: unreadable-output", "false"},
		{"cut", `{"deployments":[`, "", "unknown: unreadable-output", "unknown: unreadable-output", "unknown: unreadable-output", "false"},
	}
	for _, tt := range tests {
		m := linuxMachine(file{"/run/ostree-booted", day, ""}, file{rpmdb, day, "x"}, file{"/etc/rpm-ostreed.conf", day, tt.conf})
		m.SetLink("/etc/systemd/system/timers.target.wants/rpm-ostreed-automatic.timer", "/x")
		m.SetCommand("rpm-ostree status --json", tt.status)
		for field, want := range map[string]string{"pending": tt.pending, "security_pending": tt.security, "reboot_pending": tt.restart, "auto_update": tt.auto} {
			if g := got(t, m, field); g != want {
				t.Errorf("%s: %s %s, want %s", tt.name, field, g, want)
			}
		}
	}
}
