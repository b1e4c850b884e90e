package patch

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const captures = "../../testfixtures/captures/linux/"

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(captures + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	mainList     = aptLists + "/mirror.example.org_debian_dists_bookworm_"
	securityList = aptLists + "/mirror.example.org_debian-security_dists_bookworm-security_"
	sourceLines  = "deb http://mirror.example.org/debian bookworm main # main\ndeb [arch=amd64 signed-by=/x y] https://me:secret@mirror.example.org/debian-security/ bookworm-security main\n# deb http://other/ x main\ndeb-src http://src/debian bookworm main\n"
)

// recorded is a Debian machine as it was found, one day after its last refresh.
func recorded(t testing.TB) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC))
	m.SetFile(dpkgStatus, capture(t, "apt-lists/dpkg-status-bookworm.txt"))
	m.SetFile("/etc/apt/sources.list", sourceLines)
	m.SetFile(mainList+"InRelease", capture(t, "apt-lists/InRelease-main-bookworm.txt"))
	m.SetFile(securityList+"InRelease", capture(t, "apt-lists/InRelease-security-bookworm.txt"))
	m.SetFile(mainList+"main_binary-amd64_Packages.lz4", capture(t, "apt-lists/Packages-main-bookworm.lz4"))
	m.SetFile(securityList+"main_binary-amd64_Packages", capture(t, "apt-lists/Packages-security-bookworm.txt"))
	m.SetFile("/var/log/dpkg.log", capture(t, "apt-lists/dpkg-log-bookworm.txt"))
	m.SetFile("/var/log/apt/history.log", capture(t, "apt-lists/apt-history-bookworm.txt"))
	return m
}

func TestAptRecorded(t *testing.T) {
	for field, want := range map[string]string{
		"pending": "true", "security_pending": "true", "current": "false",
		"checked_at": "2026-11-20T00:12:41Z", "last_update_at": "2026-09-22T04:55:26Z",
	} {
		if g := got(t, recorded(t), field); g != want {
			t.Errorf("%s: %s, want %s", field, g, want)
		}
	}
}

// small is a machine made by hand: what is installed, and what each archive has,
// as "name version architecture [more lines]".
type small struct {
	installed []string
	main      []string
	security  []string
	other     []string // of an archive with the release below
	release   string
	edit      func(m *evidence.Memory)
}

const today = "Sun, 01 Mar 2026 06:00:00 UTC"

func stanzas(status bool, lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		f := strings.SplitN(line, " ", 4)
		fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: %s\n", f[0], f[1], f[2])
		if status && len(f) < 4 {
			b.WriteString("Status: install ok installed\n")
		}
		if len(f) == 4 {
			b.WriteString(f[3] + "\n")
		}
		b.WriteString("Description: x\n long: text\n\n")
	}
	return b.String()
}

func (s small) machine() *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(dpkgStatus, stanzas(true, append([]string{"dpkg 1.21.22 amd64"}, s.installed...)))
	m.SetModTime(dpkgStatus, day.AddDate(0, 0, -2))
	sources := sourceLines
	release := func(prefix, head string) {
		m.SetFile(prefix+"InRelease", "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"+head+"MD5Sum:\n abc 12 main/x\nSHA256:\n abc 12 main/x\n-----BEGIN PGP SIGNATURE-----\n\nxyz\n")
	}
	release(mainList, "Origin: Debian\nLabel: Debian\nSuite: oldstable\nCodename: bookworm\nDate: Sat, 10 Jan 2026 10:00:00 UTC\n")
	release(securityList, "Origin: Debian\nLabel: Debian-Security\nSuite: oldstable-security\nCodename: bookworm-security\nDate: "+today+"\nValid-Until: Sun, 08 Mar 2026 06:00:00 UTC\n")
	m.SetFile(mainList+"main_binary-amd64_Packages", stanzas(false, s.main))
	m.SetFile(securityList+"main_binary-amd64_Packages", stanzas(false, s.security))
	if s.release != "" {
		const prefix = aptLists + "/other.example_x%5fy_dists_suite_"
		sources += "deb https://other.example/x_y suite main\n"
		release(prefix, s.release)
		m.SetFile(prefix+"main_binary-amd64_Packages", stanzas(false, s.other))
	}
	m.SetFile("/etc/apt/sources.list", sources)
	if s.edit != nil {
		s.edit(m)
	}
	return m
}

func TestApt(t *testing.T) {
	const other = "Origin: Other\nLabel: Other\nSuite: suite\nDate: " + today + "\n"
	zip := []string{"zip 3.0-13 amd64"}
	fix := []string{"zip 3.0-13+deb12u1 amd64"}
	later := func(days int) func(*evidence.Memory) {
		return func(m *evidence.Memory) { m.SetNow(day.AddDate(0, 0, days)) }
	}
	pinned := func(text string) func(*evidence.Memory) {
		return func(m *evidence.Memory) { m.SetFile("/etc/apt/preferences.d/x", text) }
	}
	tests := []struct {
		name              string
		small             small
		pending, security string
	}{
		{"nothing waits", small{installed: zip, main: zip}, "false", "false"},
		{"a fix", small{installed: zip, main: zip, security: fix}, "true", "true"},
		{"a fix that is also in main", small{installed: zip, main: fix, security: fix}, "true", "true"},
		{"no fix", small{installed: zip, main: fix}, "true", "false"},
		{"an older one", small{installed: fix, main: zip}, "false", "false"},
		{"by number, not by letter", small{installed: []string{"a 1.9 amd64"}, main: []string{"a 1.10 amd64"}}, "true", "false"},
		{"of another architecture", small{installed: zip, security: []string{"zip 4 i386"}}, "false", "false"},
		{"a foreign architecture", small{installed: []string{"zip 3 i386"}, security: []string{"zip 4 i386"}}, "true", "true"},
		{"for all becomes native", small{installed: []string{"a 1 all"}, main: []string{"a 2 amd64"}}, "true", "false"},
		{"not installed", small{installed: zip, security: []string{"zsh 9 amd64"}}, "false", "false"},
		{"removed, settings kept", small{installed: []string{"zip 3.0-13 amd64 Status: deinstall ok config-files"}, security: fix}, "false", "false"},
		{"on hold", small{installed: []string{"zip 3.0-13 amd64 Status: hold ok installed"}, security: fix}, "true", "true"},
		{"half installed", small{installed: []string{"zip 3.0-13 amd64 Status: install ok half-configured"}, security: fix}, "true", "true"},
		{"it leaps over a fix", small{installed: zip, security: fix, main: []string{"zip 3.1-1 amd64"}}, "true", "true"},
		{"old, nothing waits", small{installed: zip, main: zip, edit: later(8)}, "unknown: stale", "unknown: stale"},
		{"old, a fix waits", small{installed: zip, security: fix, edit: later(80)}, "true", "true"},
		{"old, another waits", small{installed: zip, main: fix, edit: later(8)}, "true", "unknown: stale"},
		{"refreshed, but the security archive has run out", small{installed: zip, main: zip, edit: func(m *evidence.Memory) {
			later(8)(m)
			m.SetFile("/var/lib/apt/periodic/update-success-stamp", "")
		}}, "false", "unknown: stale"},
		{"phased", small{installed: zip, main: []string{"zip 4 amd64 Phased-Update-Percentage: 20"}}, "false", "false"},
		{"phased to the end", small{installed: zip, main: []string{"zip 4 amd64 Phased-Update-Percentage: 100"}}, "true", "false"},
		{"a third party's", small{installed: zip, main: zip, other: fix, release: other}, "true", "false"},
		{"a subscription's", small{installed: zip, other: fix, release: "Origin: UbuntuESMApps\nLabel: UbuntuESMApps\nSuite: noble-apps-security\nDate: " + today + "\n"}, "true", "true"},
		{"a subscription's, not taken", small{installed: zip, main: zip, other: fix, release: "Origin: UbuntuESMApps\nSuite: noble-apps-security\n",
			edit: pinned("Package: *\nPin: release o=UbuntuESMApps, a=noble-apps-security\nPin-Priority: never\n")}, "false", "false"},
		{"backports do not come by themselves", small{installed: zip, main: zip, other: fix, release: "Origin: Debian Backports\nSuite: stable-backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n"}, "false", "false"},
		{"what came from backports is updated from there", small{installed: zip, other: fix, release: "Origin: Debian Backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n"}, "true", "false"},
		{"experimental", small{installed: zip, other: fix, release: "Origin: Debian\nSuite: experimental\nNotAutomatic: yes\n"}, "false", "false"},
		{"Mint's own is preferred", small{installed: zip, other: zip, main: fix, release: "Origin: linuxmint\nSuite: suite\n",
			edit: pinned("Package: *\nPin: release o=linuxmint,c=main\nPin-Priority: 700\n\nPackage: *\nPin: release o=Debian\nPin-Priority: 500\n")}, "false", "false"},
		{"by host", small{installed: zip, main: zip, other: fix, release: other, edit: pinned("# x\nPackage: z*\nPin: origin \"other.example\"\nPin-Priority: -1\n")}, "false", "false"},
		{"a pin for something else", small{installed: zip, main: zip, other: fix, release: other, edit: pinned("Package: zsh\nPin: origin other.example\nPin-Priority: -1\n")}, "true", "false"},
		{"kept at a version", small{installed: zip, main: append(fix, zip...), edit: pinned("Package: zip\nPin: version 3.0-13\nPin-Priority: 900\n")}, "false", "false"},
		{"never refreshed", small{installed: zip, main: zip, edit: func(m *evidence.Memory) {
			m.Remove(securityList + "InRelease")
			m.Remove(securityList + "main_binary-amd64_Packages")
		}}, "unknown: not-found", "unknown: not-found"},
		{"no source of security updates", small{installed: zip, main: zip, edit: func(m *evidence.Memory) {
			m.SetFile("/etc/apt/sources.list", "deb http://mirror.example.org/debian bookworm main\n")
			m.SetFile("/var/lib/apt/periodic/update-stamp", "")
		}}, "false", "unknown: not-found"},
		{"lists of a source no longer in use", small{installed: zip, main: zip, other: fix, release: other, edit: func(m *evidence.Memory) {
			m.SetFile("/etc/apt/sources.list", sourceLines)
		}}, "false", "false"},
		{"sources in stanzas", small{installed: zip, main: zip, security: fix, edit: func(m *evidence.Memory) {
			m.Remove("/etc/apt/sources.list")
			m.SetFile("/etc/apt/sources.list.d/debian.sources", "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm\nComponents: main\n\nEnabled: no\nTypes: deb\nURIs: http://mirror.example.org/debian-security\nSuites: bookworm-security\nComponents: main\n")
			m.SetFile("/var/lib/apt/periodic/update-stamp", "")
		}}, "false", "unknown: not-found"},
		{"a list that is refused", small{installed: zip, main: zip, edit: func(m *evidence.Memory) {
			m.Fail(securityList+"main_binary-amd64_Packages", fact.ReasonNeedsPrivilege)
		}}, "unknown: needs-privilege", "unknown: needs-privilege"},
		{"a list that is refused hides nothing", small{installed: zip, security: fix, edit: func(m *evidence.Memory) {
			m.Fail(mainList+"main_binary-amd64_Packages", fact.ReasonNeedsPrivilege)
		}}, "true", "true"},
		{"no lists", small{installed: zip, edit: func(m *evidence.Memory) {
			for _, p := range []string{mainList, securityList} {
				m.Remove(p + "InRelease")
				m.Remove(p + "main_binary-amd64_Packages")
			}
			m.SetDir(aptLists + "/partial")
			m.SetFile(updatesAvailable, "0 updates can be applied immediately.\n")
		}}, "unknown: not-found", "unknown: not-found"},
		{"a database that is cut off", small{edit: func(m *evidence.Memory) { m.SetFile(dpkgStatus, "Package: x\n") }}, "unknown: unreadable-output", "unknown: unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if g := got(t, tt.small.machine(), "pending"); g != tt.pending {
				t.Errorf("pending %s, want %s", g, tt.pending)
			}
			if g := got(t, tt.small.machine(), "security_pending"); g != tt.security {
				t.Errorf("security_pending %s, want %s", g, tt.security)
			}
		})
	}
}

// Kali and others have no archive for security.
func TestAptWithoutSecurityArchive(t *testing.T) {
	for _, tt := range []struct{ offered, want string }{{"zip 1 amd64", "false"}, {"zip 2 amd64", "unknown: unsupported-system"}} {
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetFile(dpkgStatus, stanzas(true, []string{"dpkg 1 amd64", "zip 1 amd64"}))
		m.SetFile("/etc/apt/sources.list", "deb http://http.kali.org/kali kali-rolling main\n")
		m.SetFile(aptLists+"/http.kali.org_kali_dists_kali-rolling_InRelease", "Origin: Kali\nLabel: Kali\nSuite: kali-rolling\nDate: "+today+"\n")
		m.SetFile(aptLists+"/http.kali.org_kali_dists_kali-rolling_main_binary-amd64_Packages", stanzas(false, []string{tt.offered}))
		if g := got(t, m, "security_pending"); g != tt.want {
			t.Errorf("%s: %s, want %s", tt.offered, g, tt.want)
		}
	}
}

func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

func TestAptCompressed(t *testing.T) {
	const list = securityList + "main_binary-amd64_Packages"
	text := stanzas(false, []string{"zip 3.0-14 amd64"})
	whole := capture(t, "apt-lists/Packages-main-bookworm.lz4")
	simulated := capture(t, "apt/local-apt-get-s-upgrade-bookworm.txt")
	const nothing = "Reading package lists...\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
	tests := []struct{ name, ending, content, simulation, want string }{
		{"gzip", ".gz", packed(text), "", "true"},
		{"gzip, cut", ".gz", packed(text)[:20], "", "unknown: unreadable-output"},
		{"lz4", ".lz4", whole, "", "true"},
		{"lz4, cut", ".lz4", whole[:len(whole)/2], "", "unknown: unreadable-output"},
		{"not lz4", ".lz4", text, "", "unknown: unreadable-output"},
		{"xz", ".xz", "\xfd7zXZ", "", "unknown: unreadable-output"},
		{"xz, and apt-get says", ".xz", "\xfd7zXZ", simulated, "true"},
		{"xz, and apt-get says none", ".xz", "\xfd7zXZ", nothing, "false"},
		{"xz, and apt-get is cut off", ".xz", "\xfd7zXZ", "Reading package lists...\n", "unknown: unreadable-output"},
	}
	for _, tt := range tests {
		m := small{installed: []string{"zip 3.0-13 amd64"}, edit: func(m *evidence.Memory) {
			m.Remove(list)
			m.SetFile(list+tt.ending, tt.content)
			if tt.simulation != "" {
				m.SetCommand("apt-get -s -o Debug::NoLocking=true dist-upgrade", tt.simulation)
			}
		}}.machine()
		if g := got(t, m, "security_pending"); g != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, g, tt.want)
		}
	}
}

func TestAptSimulation(t *testing.T) {
	tests := []struct{ text, want string }{
		{"Inst zip [3.0-13] (3.0-13+deb12u1 Debian-Security:12/oldstable-security [amd64])\n", "true true true"},
		{"Inst zip [3.0-13] (3.0-14 Debian:12.15/oldstable [amd64])\nConf zip (3.0-14 Debian:12.15/oldstable [amd64])\n", "true false true"},
		{"Inst libc6 [2.39-0ubuntu8.3] (2.39-0ubuntu8.4 Ubuntu:24.04/noble-updates, Ubuntu:24.04/noble-security [amd64])\n", "true true true"},
		{"Inst zsh (5.9-4 Debian-Security:12/oldstable-security [amd64])\n0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.\n", "false false true"},
		{"0 upgraded, 0 newly installed, 0 to remove and 2 not upgraded.\n", "true false true"},
		{"0 aktualisiert, 0 neu installiert, 0 zu entfernen und 0 nicht aktualisiert.\n", "false false true"},
		{"", "false false false"},
	}
	for _, tt := range tests {
		p, s, ok := parseAptSimulation(tt.text)
		if g := fmt.Sprint(p, s, ok); g != tt.want {
			t.Errorf("%q: %s, want %s", tt.text, g, tt.want)
		}
	}
}
