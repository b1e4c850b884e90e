package osversion

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const captures = "../../testfixtures/captures/"

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(captures + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// values shows the facts as "value" or "state: reason".
func values(s fact.Signal) map[string]string {
	out := map[string]string{"": string(s.State)}
	for _, f := range s.Facts {
		out[f.Field] = f.Value.String()
		if s.StateOf(f) != fact.Observed {
			why := f.Reason
			if why == "" {
				why = s.Reason
			}
			out[f.Field] = string(s.StateOf(f)) + ": " + string(why)
		}
	}
	return out
}

func expect(t *testing.T, s fact.Signal, want map[string]string) {
	t.Helper()
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	got := values(s)
	for field, w := range want {
		if got[field] != w {
			t.Errorf("%q is %q, want %q", field, got[field], w)
		}
	}
}

func TestLinuxReleases(t *testing.T) {
	tests := map[string][2]string{ // product, version
		"chef-alma_10.txt":                      {"almalinux", "10.0"},
		"chef-debian_13.txt":                    {"debian", "13"},
		"chef-fedora_43.txt":                    {"fedora", "43"},
		"chef-nixos.txt":                        {"nixos", "18.09.1436.a7fd4310c0c"},
		"chef-opensuseleap_16.txt":              {"opensuse-leap", "16.0"},
		"chef-ubuntu_2404.txt":                  {"ubuntu", "24.04"},
		"chef-zorin.txt":                        {"zorin", "16"},
		"chef-openwrt_2203.txt":                 {"openwrt", "22.03.4"},
		"facter-oracle_linux.txt":               {"ol", "7.2"},
		"facter-redhat_linux_with_comment.txt":  {"rhel", "8.6"},
		"facter-sles_sap.txt":                   {"sles_sap", "12.2"},
		"insights-rhvh.txt":                     {"rhel", "7.3"},
		"elastic-linuxmint20-os-release.txt":    {"linuxmint", "20"},
		"elastic-openeuler20.03-os-release.txt": {"openEuler", "20.03"},
		"elastic-almalinux10-os-release.txt":    {"almalinux", "10.0"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetFile("/etc/os-release", capture(t, "linux/os-release/"+name))
			m.SetFile("/proc/sys/kernel/osrelease", "6.1.0-57-cloud-amd64\n")
			expect(t, Collect(t.Context(), m), map[string]string{
				"": "observed", "type": fact.OSLinux, "product": want[0], "version": want[1], "build": "6.1.0-57-cloud-amd64",
			})
		})
	}
}

func TestLinuxPlaces(t *testing.T) {
	const release = "ID=debian\nVERSION_ID=\"12\"\n"
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  map[string]string
	}{
		{"only the second place", func(m *evidence.Memory) { m.SetFile("/usr/lib/os-release", release) },
			map[string]string{"": "observed", "version": "12", "build": "unknown: not-found"}},
		{"the first place wins", func(m *evidence.Memory) {
			m.SetFile("/usr/lib/os-release", release)
			m.SetFile("/etc/os-release", "ID=mine\nVERSION_ID=1\n")
		}, map[string]string{"product": "mine", "version": "1"}},
		{"neither", func(*evidence.Memory) {},
			map[string]string{"": "unknown", "type": fact.OSLinux, "product": "unknown: not-found", "version": "unknown: not-found"}},
		{"the first may not be read", func(m *evidence.Memory) {
			m.SetFile("/usr/lib/os-release", release)
			m.Fail("/etc/os-release", fact.ReasonNeedsPrivilege)
		}, map[string]string{"": "unknown", "version": "unknown: needs-privilege"}},
		{"a rolling release has no version", func(m *evidence.Memory) { m.SetFile("/etc/os-release", "ID=arch\nBUILD_ID=rolling\n") },
			map[string]string{"": "observed", "product": "arch", "version": "unknown: not-found"}},
		{"no ID", func(m *evidence.Memory) { m.SetFile("/etc/os-release", "VERSION_ID=3\n") },
			map[string]string{"product": "linux", "version": "3"}},
		{"not an os-release", func(m *evidence.Memory) { m.SetFile("/etc/os-release", "beowulf\n") },
			map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			tt.setup(m)
			expect(t, Collect(t.Context(), m), tt.want)
		})
	}
}

func TestMacOS(t *testing.T) {
	const path = "/System/Library/CoreServices/SystemVersion.plist"
	m := evidence.NewMemory(evidence.MacOS, day)
	m.SetFile(path, capture(t, "macos/systemversion-plist/elastic-10.12.6.plist"))
	expect(t, Collect(t.Context(), m), map[string]string{
		"": "observed", "type": fact.OSMac, "product": "macos", "version": "10.12.6", "build": "16G1114",
	})
	m.SetFile(path, "<plist><dict><key>ProductName</key><string>macOS</string></dict></plist>")
	expect(t, Collect(t.Context(), m), map[string]string{"": "unknown", "version": "unknown: unreadable-output"})
}

func TestWindows(t *testing.T) {
	const query = `reg query HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	key := func(lines ...string) string {
		return "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\r\n    " + strings.Join(lines, "\r\n    ") + "\r\n\r\n"
	}
	const major, minor = "CurrentMajorVersionNumber    REG_DWORD    0xa", "CurrentMinorVersionNumber    REG_DWORD    0x0"
	tests := []struct {
		name, out string
		want      map[string]string
	}{
		{"11 that calls itself 10", key("ProductName    REG_SZ    Windows 10 Pro", major, minor, "CurrentBuild    REG_SZ    26200", "UBR    REG_DWORD    0x22ab"),
			map[string]string{"": "observed", "product": "windows-11", "version": "10.0.26200", "build": "26200.8875"}},
		{"10", key(major, minor, "CurrentBuildNumber    REG_SZ    19045", "UBR    REG_DWORD    0x1194"),
			map[string]string{"product": "windows-10", "version": "10.0.19045", "build": "19045.4500"}},
		{"server", key(major, minor, "InstallationType    REG_SZ    Server Core", "CurrentBuild    REG_SZ    26100", "UBR    REG_DWORD    0x1"),
			map[string]string{"product": "windows-server"}},
		{"revision of the wrong type", key(major, minor, "CurrentBuild    REG_SZ    26200", "UBR    REG_SZ    x"),
			map[string]string{"": "observed", "version": "10.0.26200", "build": "unknown: unreadable-output"}},
		{"no major number", key("CurrentBuild    REG_SZ    9600", "UBR    REG_DWORD    0x1"),
			map[string]string{"": "observed", "version": "unknown: not-found"}},
		{"no build", key(major, minor), map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"nothing", "", map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetCommand(query, tt.out)
			expect(t, Collect(t.Context(), m), tt.want)
		})
	}
}

func TestUnquote(t *testing.T) {
	tests := map[string]string{
		`plain`: "plain", `"a b"`: "a b", `'a\b'`: `a\b`, `"a\"b\$c"`: `a"b$c`, `a\ b`: "a b", ``: "", `""`: "",
	}
	for in, want := range tests {
		if got, ok := unquote(in); !ok || got != want {
			t.Errorf("%s: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{`"open`, `'open`, `"`, `'`} {
		if got, ok := unquote(in); ok {
			t.Errorf("%s read as %q", in, got)
		}
	}
}

func FuzzParseOSRelease(f *testing.F) {
	files, err := filepath.Glob(captures + "linux/os-release/*.txt")
	if err != nil || len(files) < 20 {
		f.Fatalf("%d captures, %v", len(files), err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, value := range parseOSRelease(text) {
			if !isName(name) || strings.Contains(value, "\n") {
				t.Errorf("%q=%q", name, value)
			}
		}
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetFile("/etc/os-release", text)
		s := Collect(t.Context(), m)
		s.Collector = "test"
		if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
			t.Error(err)
		}
	})
}
