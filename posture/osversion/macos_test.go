package osversion

import (
	"fmt"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func plist(version, extra, build string) string {
	text := "<plist><dict><key>ProductName</key><string>macOS</string><key>ProductVersion</key><string>" + version + "</string>"
	if extra != "" {
		text += "<key>ProductVersionExtra</key><string>" + extra + "</string>"
	}
	return text + "<key>ProductBuildVersion</key><string>" + build + "</string></dict></plist>"
}

func swVersText(version, extra, build string) string {
	if extra != "" {
		extra = "ProductVersionExtra:\t\t" + extra + "\n"
	}
	return fmt.Sprintf("ProductName:\t\tmacOS\nProductVersion:\t\t%s\n%sBuildVersion:\t\t%s\n", version, extra, build)
}

const cryptexPlist = preboot + "/01234567-89AB-CDEF-0123-456789ABCDEF/cryptex1/current/SystemVersion.plist"

func TestMacOS(t *testing.T) {
	type machine struct {
		base, plain, cryptex, sw string
		sysctl                   map[string]string
		uname                    answer
	}
	const conflict = "conflict: sources-disagree"
	tests := []struct {
		name string
		machine
		want map[string]string
	}{
		{"recorded", machine{base: capture(t, "macos/systemversion-plist/elastic-10.12.6.plist")},
			map[string]string{"": "observed", "product": "macos", "version": "10.12.6", "build": "16G1114", "release": "Sierra", "support_end": "2019-10-02T00:00:00Z", "kernel": "unknown: not-found"}},
		{"recorded rapid response", machine{base: plist("13.3.1", "", "22E261"), sw: capture(t, "macos/sw_vers/rsr-extra.txt")},
			map[string]string{"version": "13.3.1", "revision": "(a)", "build": "22E772610a", "release": "Ventura", "support_end": "2025-09-16T00:00:00Z"}},
		{"rapid response in the cryptex", machine{base: plist("13.3.1", "", "22E261"), cryptex: plist("13.3.1", "(a)", "22E772610a")},
			map[string]string{"version": "13.3.1", "revision": "(a)", "build": "22E772610a"}},
		{"Tahoe on Apple silicon", machine{base: plist("26.6.2", "", "25G83"), plain: plist("26.6.2", "", "25G83"), sw: swVersText("26.6.2", "", "25G83"),
			sysctl: map[string]string{"kern.osrelease": "25.6.0", "kern.osversion": "25G83", "kern.osproductversion": "26.6.2", "hw.optional.arm64": "1"}, uname: answer{"release": "25.6.0", "machine": "x86_64"}},
			map[string]string{"version": "26.6.2", "build": "25G83", "release": "Tahoe", "kernel": "25.6.0", "architecture": "arm64", "rolling": "false", "release_known": "true", "support_end": "unknown: not-found", "edition": "unknown: not-found"}},
		{"Tahoe that calls itself 16, sw_vers knows", machine{base: plist("16.0", "", "25A354"), sw: swVersText("26.0", "", "25A354"), sysctl: map[string]string{"kern.osrelease": "25.0.0", "kern.osproductversion": "16.0"}},
			map[string]string{"version": "26.0", "build": "25A354", "release": "Tahoe"}},
		{"Tahoe that calls itself 16, by the other path", machine{base: plist("16.1", "", "25B78"), plain: plist("26.1", "", "25B78")}, map[string]string{"version": "26.1"}},
		{"Tahoe that calls itself 16, the build is in the table", machine{base: plist("16.0", "", "25G83")}, map[string]string{"version": "26.6.2", "build": "25G83"}},
		{"Tahoe that calls itself 16, and nothing else", machine{base: plist("16.0", "", "25A354"), sw: swVersText("16.0", "", "25A354"), sysctl: map[string]string{"kern.osrelease": "25.0.0"}},
			map[string]string{"": "observed", "version": conflict, "build": "25A354", "release_known": "unknown: sources-disagree", "support_end": "unknown: sources-disagree", "kernel": "25.0.0"}},
		{"27 that calls itself 17", machine{base: plist("17.0", "", "26A428"), sw: swVersText("27.0", "", "26A428"), sysctl: map[string]string{"kern.osrelease": "26.0.0", "kern.osproductversion": "16.0"}},
			map[string]string{"version": "27.0", "build": "26A428", "release_known": "false"}},
		{"Big Sur that calls itself 10.16", machine{base: plist("10.16", "", "20G1427"), sw: swVersText("11.7.10", "", "20G1427")}, map[string]string{"version": "11.7.10", "release": "Big Sur"}},
		{"27 is newer than the table", machine{base: plist("27.0", "", "26A428"), sysctl: map[string]string{"kern.osrelease": "26.0.0"}},
			map[string]string{"": "observed", "version": "27.0", "build": "26A428", "release_known": "false", "support_end": noRelease, "release": noRelease}},
		{"the kernel is of another macOS", machine{base: plist("15.6", "", "24G84"), sysctl: map[string]string{"kern.osrelease": "22.6.0"}}, map[string]string{"version": conflict, "build": "24G84"}},
		{"the build is of another macOS", machine{base: plist("26.0", "", "24G84")}, map[string]string{"version": conflict}},
		{"file and sw_vers differ", machine{base: plist("15.6", "", "24G84"), sw: swVersText("15.7.1", "", "24G231")}, map[string]string{"version": conflict, "build": conflict}},
		{"the running build differs", machine{base: plist("15.6", "", "24G84"), sysctl: map[string]string{"kern.osversion": "24G90"}}, map[string]string{"version": "15.6", "build": conflict}},
		{"26 and 26.0 are one", machine{base: plist("26.0", "", "25A354"), sw: swVersText("26", "", "25A354")}, map[string]string{"version": "26.0"}},
		{"a beta's small letter is no response", machine{base: plist("26.0", "", "25A5279m")}, map[string]string{"build": "25A5279m", "revision": "unknown: not-found"}},
		{"a response whose letter only the build has", machine{base: plist("26.3.1", "", "25D2128"), sw: swVersText("26.3.1", "", "25D771280a")}, map[string]string{"build": "25D771280a", "revision": "(a)"}},
		{"only sw_vers", machine{sw: swVersText("14.8.9", "", "23J631")}, map[string]string{"": "observed", "version": "14.8.9", "release": "Sonoma"}},
		{"only sysctl", machine{sysctl: map[string]string{"kern.osproductversion": "14.8.9"}}, map[string]string{"version": "14.8.9", "build": "unknown: not-found"}},
		{"Intel", machine{base: plist("15.6", "", "24G84"), uname: answer{"release": "24.6.0", "machine": "x86_64"}}, map[string]string{"architecture": "amd64", "kernel": "24.6.0"}},
		{"uname and sysctl differ", machine{base: plist("15.6", "", "24G84"), sysctl: map[string]string{"kern.osrelease": "24.6.0"}, uname: answer{"release": "24.5.0"}}, map[string]string{"kernel": conflict, "version": "15.6"}},
		{"nothing", machine{}, map[string]string{"": "unknown", "version": "unknown: not-found"}},
		{"an empty list", machine{base: capture(t, "macos/malformed/plaso-empty.plist")}, map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"a list cut short", machine{base: capture(t, "macos/malformed/plaso-truncated.plist")}, map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"another list", machine{base: capture(t, "macos/malformed/plaso-leading_whitespace.plist")}, map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"no version in it", machine{base: "<plist><dict><key>ProductName</key><string>macOS</string></dict></plist>"}, map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"a version that is none", machine{base: plist("latest", "", "25A354")}, map[string]string{"": "unknown", "version": "unknown: unreadable-output"}},
		{"the file is broken, sw_vers is not", machine{base: "<plist>", sw: swVersText("15.6", "", "24G84")}, map[string]string{"version": "15.6"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.MacOS, day)
			for path, text := range map[string]string{basePlist: tt.base, plainPlist: tt.plain, cryptexPlist: tt.cryptex} {
				if text != "" {
					m.SetFile(path, text)
				}
			}
			if tt.sw != "" {
				m.SetCommand(swVers, tt.sw)
			}
			for name, v := range tt.sysctl {
				m.SetSysctl(name, v+"\n")
			}
			if tt.uname != nil {
				m.SetAnswer(tt.uname, evidence.AskPlatform)
			}
			s := Collect(t.Context(), m)
			valid(t, s)
			tt.want["type"] = fact.OSMac
			expect(t, s, tt.want)
			if f, _ := s.Find("", "version"); release16(f.Value) {
				t.Errorf("version is %s", f.Value)
			}
		})
	}
}

// release16 is true of the numbers that no macOS ever had.
func release16(v fact.Value) bool {
	s, _ := v.AsString()
	return s == "16.0" || s == "16.1" || s == "10.16"
}

func TestMacOSRefused(t *testing.T) {
	m := evidence.NewMemory(evidence.MacOS, day)
	m.Fail(basePlist, fact.ReasonTimeout)
	expect(t, Collect(t.Context(), m), map[string]string{"": "unknown", "version": "unknown: timeout", "product": "unknown: timeout"})
	m.SetCommand(swVers, swVersText("26.1", "", "25B78"))
	expect(t, Collect(t.Context(), m), map[string]string{"": "observed", "version": "26.1", "build": "25B78"})
	other := preboot + "/FEDCBA98-0000-0000-0000-000000000000/cryptex1/current/SystemVersion.plist"
	m.SetFile(cryptexPlist, plist("26.1", "(a)", "25B771000a"))
	m.SetFile(other, plist("26.0", "", "25A354"))
	expect(t, Collect(t.Context(), m), map[string]string{"version": "26.1", "revision": "unknown: not-found"}) // which of the two systems runs is open
}
