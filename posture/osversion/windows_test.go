package osversion

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// key is what reg.exe prints of the CurrentVersion key.
func key(lines ...string) string {
	return "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\r\n    " + strings.Join(lines, "\r\n    ") + "\r\n\r\n"
}

const (
	major = "CurrentMajorVersionNumber    REG_DWORD    0xa"
	minor = "CurrentMinorVersionNumber    REG_DWORD    0x0"
)

type answer = map[string]any

func TestWindowsCaptures(t *testing.T) {
	tests := map[string]map[string]string{
		"reg-11-25h2-home-core.txt":    {"product": "windows-11", "version": "10.0.26200", "build": "26200.1234", "edition": "Core", "release": "25H2", "support_end": "2027-10-13T00:00:00Z"},
		"reg-11-25h2-pro-homebrew.txt": {"product": "windows-11", "version": "10.0.26200", "build": "26200.8457", "edition": "unknown: not-found", "release_known": "true", "support_end": "unknown: not-found"},
		"reg-11-25h2-pro-says-10.txt":  {"product": "windows-11", "version": "10.0.26200", "build": "26200.8875", "release": "25H2"},
		"reg-11-25h2-says-11.txt":      {"product": "windows-11", "build": "26200.9457", "revision": "9457", "support_end": "2027-10-13T00:00:00Z", "extended_support_end": "unknown: not-found"},
		"reg-malformed-ubr.txt":        {"product": "windows-11", "version": "10.0.26200", "build": "unknown: malformed-value", "revision": "unknown: malformed-value"},
		"reg-no-ubr.txt":               {"product": "unknown: not-found", "version": "10.0.17763", "build": "unknown: not-found", "revision": "unknown: not-found", "support_end": "unknown: not-found"},
	}
	for _, name := range names(t, "windows/currentversion") {
		t.Run(name, func(t *testing.T) {
			want, ok := tests[name]
			if !ok {
				t.Fatal("a capture without an expected reading")
			}
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetRegistry(capture(t, "windows/currentversion/"+name))
			s := Collect(t.Context(), m)
			valid(t, s)
			want[""], want["type"], want["family"] = "observed", fact.OSWindows, "windows"
			expect(t, s, want)
		})
	}
}

// The values are those that Microsoft's lifecycle and release information pages
// name for the editions.
func TestWindows(t *testing.T) {
	client := []string{"InstallationType    REG_SZ    Client", major, minor}
	with := func(lines ...string) string { return key(append(lines, client...)...) }
	server := func(build, edition string) string {
		return key(major, minor, "CurrentBuild    REG_SZ    "+build, "EditionID    REG_SZ    "+edition, "InstallationType    REG_SZ    Server Core", "UBR    REG_DWORD    0x1")
	}
	tests := []struct {
		name, out string
		kernel    answer
		want      map[string]string
	}{
		{"11 that calls itself 10", with("ProductName    REG_SZ    Windows 10 Pro", "EditionID    REG_SZ    Professional", "CurrentBuild    REG_SZ    26200", "UBR    REG_DWORD    0x22ab"),
			answer{"major": 10, "minor": 0, "build": 26200, "product_type": 1, "machine": "arm64"},
			map[string]string{"": "observed", "product": "windows-11", "version": "10.0.26200", "build": "26200.8875", "kernel": "10.0.26200", "architecture": "arm64", "rolling": "false"}},
		{"10 Home", with("CurrentBuildNumber    REG_SZ    19045", "EditionID    REG_SZ    Core", "UBR    REG_DWORD    0x1194"), nil,
			map[string]string{"product": "windows-10", "version": "10.0.19045", "build": "19045.4500", "release": "22H2", "support_end": "2025-10-15T00:00:00Z", "extended_support_end": "2028-10-11T00:00:00Z"}},
		{"11 Enterprise", with("CurrentBuild    REG_SZ    26100", "EditionID    REG_SZ    Enterprise"), nil, map[string]string{"support_end": "2027-10-13T00:00:00Z", "build": "unknown: not-found"}},
		{"11 Education", with("CurrentBuild    REG_SZ    26100", "EditionID    REG_SZ    Education"), nil, map[string]string{"support_end": "2027-10-13T00:00:00Z"}},
		{"11 Pro", with("CurrentBuild    REG_SZ    26100", "EditionID    REG_SZ    Professional"), nil, map[string]string{"support_end": "2026-10-14T00:00:00Z"}},
		{"11 LTSC", with("CurrentBuild    REG_SZ    26100", "EditionID    REG_SZ    EnterpriseS"), nil, map[string]string{"support_end": "2029-10-10T00:00:00Z"}},
		{"10 IoT LTSC", with("CurrentBuild    REG_SZ    19044", "EditionID    REG_SZ    IoTEnterpriseS"), nil, map[string]string{"support_end": "2032-01-14T00:00:00Z"}},
		{"an edition nobody knows", with("CurrentBuild    REG_SZ    26100", "EditionID    REG_SZ    Surprise"), nil, map[string]string{"release_known": "true", "support_end": "unknown: not-found"}},
		{"10 multi-session", key(major, minor, "EditionID    REG_SZ    ServerRdsh", "InstallationType    REG_SZ    Client", "CurrentBuild    REG_SZ    26100"),
			answer{"build": 26100, "product_type": 3}, map[string]string{"product": "windows-11", "support_end": "2027-10-13T00:00:00Z"}},
		{"Server 2025", server("26100", "ServerStandard"), nil, map[string]string{"product": "windows-server", "release": "2025", "support_end": "2034-11-15T00:00:00Z"}},
		{"Server 2022", server("20348", "ServerDatacenter"), nil, map[string]string{"release": "2022", "support_end": "2031-10-15T00:00:00Z"}},
		{"Server 2019", server("17763", "ServerStandard"), nil, map[string]string{"release": "2019", "support_end": "2029-01-10T00:00:00Z"}},
		{"Server 1809, semi-annual", server("17763", "ServerDatacenterACor"), nil, map[string]string{"release": "1809", "support_end": "2020-11-11T00:00:00Z"}},
		{"Server 2016", server("14393", "ServerStandardEval"), nil, map[string]string{"release": "2016", "support_end": "2027-01-13T00:00:00Z", "extended_support_end": "2030-01-13T00:00:00Z"}},
		{"server by the kernel alone", key(major, minor, "CurrentBuild    REG_SZ    26100"), answer{"build": 26100, "product_type": 2}, map[string]string{"product": "windows-server"}},
		{"a release that is newer than the table", with("CurrentBuild    REG_SZ    31234", "EditionID    REG_SZ    Enterprise", "DisplayVersion    REG_SZ    29H2", "UBR    REG_DWORD    0x5"), nil,
			map[string]string{"": "observed", "product": "windows-11", "version": "10.0.31234", "build": "31234.5", "release": "29H2", "release_known": "false", "support_end": noRelease, "extended_support_end": noRelease}},
		{"registry and kernel disagree", with("CurrentBuild    REG_SZ    26200", "UBR    REG_DWORD    0x1", "EditionID    REG_SZ    Core"), answer{"major": 10, "minor": 0, "build": 19045, "product_type": 1},
			map[string]string{"edition": "Core", "version": "conflict: sources-disagree", "build": "conflict: sources-disagree", "product": "unknown: sources-disagree", "support_end": "unknown: sources-disagree"}},
		{"two values of the build differ", with("CurrentBuild    REG_SZ    26200", "CurrentBuildNumber    REG_SZ    19045"), nil, map[string]string{"": "unknown", "version": "unknown: sources-disagree"}},
		{"two values of the build differ, the kernel knows", with("CurrentBuild    REG_SZ    26200", "CurrentBuildNumber    REG_SZ    19045"), answer{"major": 10, "minor": 0, "build": 26200},
			map[string]string{"": "observed", "version": "10.0.26200"}},
		{"revision of the wrong type", with("CurrentBuild    REG_SZ    26200", "UBR    REG_SZ    x"), nil, map[string]string{"version": "10.0.26200", "build": "unknown: malformed-value"}},
		{"build of the wrong type", with("CurrentBuild    REG_DWORD    0x1"), nil, map[string]string{"": "unknown", "version": "unknown: malformed-value"}},
		{"build that is no number", with("CurrentBuild    REG_SZ    26x00"), nil, map[string]string{"": "unknown", "version": "unknown: malformed-value"}},
		{"version of the wrong type", key("CurrentMajorVersionNumber    REG_SZ    10", "CurrentBuild    REG_SZ    26200"), nil, map[string]string{"version": "unknown: malformed-value", "product": "windows-11"}},
		{"8.1", key("CurrentVersion    REG_SZ    6.3", "CurrentBuild    REG_SZ    9600", "InstallationType    REG_SZ    Client"), nil,
			map[string]string{"product": "windows", "version": "6.3.9600", "support_end": "2023-01-11T00:00:00Z"}},
		{"no major number", key("CurrentBuild    REG_SZ    9600", "UBR    REG_DWORD    0x1"), nil, map[string]string{"": "observed", "version": "unknown: not-found"}},
		{"no build", key(major, minor), nil, map[string]string{"": "unknown", "version": "unknown: not-found"}},
		{"nothing but the kernel", "", answer{"major": 10, "minor": 0, "build": 26100, "product_type": 1, "machine": "amd64"},
			map[string]string{"": "observed", "product": "windows-11", "version": "10.0.26100", "build": "unknown: not-found", "support_end": "unknown: not-found", "release": "24H2"}},
		{"nothing", "", nil, map[string]string{"": "unknown", "version": "unknown: not-found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetRegistry(tt.out)
			if tt.kernel != nil {
				m.SetAnswer(tt.kernel, evidence.AskPlatform)
			}
			s := Collect(t.Context(), m)
			valid(t, s)
			expect(t, s, tt.want)
		})
	}
}

func TestWindowsRefused(t *testing.T) {
	m := evidence.NewMemory(evidence.Windows, day)
	m.Fail(currentVersion, fact.ReasonNeedsPrivilege)
	expect(t, Collect(t.Context(), m), map[string]string{"": "unknown", "version": "unknown: needs-privilege", "support_end": "unknown: needs-privilege"})
	m.SetAnswer(answer{"major": 10, "minor": 0, "build": 26100, "product_type": 1}, evidence.AskPlatform)
	m.SetRegistry("\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment\r\n    PROCESSOR_ARCHITECTURE    REG_SZ    AMD64\r\n")
	expect(t, Collect(t.Context(), m), map[string]string{"version": "10.0.26100", "build": "unknown: needs-privilege", "edition": "unknown: needs-privilege", "architecture": "amd64"})
	m.Fail(currentVersion, "")
	m.SetAnswer("a text", evidence.AskPlatform)
	s := Collect(t.Context(), m)
	valid(t, s)
	expect(t, s, map[string]string{"": "unknown", "version": "unknown: not-found"})
}
