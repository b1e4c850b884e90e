package osversion

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
)

func FuzzParseOSRelease(f *testing.F) {
	for _, name := range names(f, "linux/os-release") {
		f.Add(capture(f, "linux/os-release/"+name), "12.7\n")
	}
	f.Fuzz(func(t *testing.T, text, debian string) {
		for name, value := range parseOSRelease(text) {
			if !isName(name) || strings.ContainsAny(value, "\n\x00") {
				t.Errorf("%q=%q", name, value)
			}
		}
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetFile(osReleaseEtc, text)
		m.SetFile(debianVersion, debian)
		valid(t, Collect(t.Context(), m))
	})
}

func FuzzOlderFiles(f *testing.F) {
	f.Add(capture(f, "linux/os-release/elastic-redhat7-redhat-release.txt"))
	f.Add(capture(f, "linux/os-release/elastic-ubuntu2204-lsb-release.txt"))
	f.Fuzz(func(t *testing.T, text string) {
		for _, path := range []string{"/etc/redhat-release", "/etc/lsb-release"} {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetFile(path, text)
			valid(t, Collect(t.Context(), m))
		}
	})
}

func FuzzMacOS(f *testing.F) {
	for _, folder := range []string{"macos/systemversion-plist", "macos/malformed"} {
		for _, name := range names(f, folder) {
			f.Add(capture(f, folder+"/"+name), capture(f, "macos/sw_vers/rsr-extra.txt"), "25.0.0")
		}
	}
	f.Add(plist("16.0", "(a)", "25A354"), swVersText("26.0", "", "25A354"), "25.0.0")
	f.Fuzz(func(t *testing.T, list, sw, kernel string) {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetFile(basePlist, list)
		m.SetCommand(swVers, sw)
		m.SetSysctl("kern.osrelease", kernel)
		s := Collect(t.Context(), m)
		valid(t, s)
		if v, _ := s.Find("", "version"); release16(v.Value) {
			t.Errorf("version is %s", v.Value)
		}
	})
}

func FuzzWindows(f *testing.F) {
	for _, name := range names(f, "windows/currentversion") {
		f.Add(capture(f, "windows/currentversion/"+name), `{"major":10,"minor":0,"build":26200,"product_type":1,"machine":"amd64"}`)
	}
	f.Fuzz(func(t *testing.T, text, kernel string) {
		if strings.HasPrefix(strings.TrimSpace(text), "REGEDIT4") || strings.Contains(text, "Windows Registry Editor") {
			return // exported files are the business of the room that reads them
		}
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetRegistry(text)
		valid(t, Collect(t.Context(), m))
		if p, err := parsePlatform([]byte(kernel)); err == nil && strings.ContainsAny(p.Machine+p.Release, "\n\x00") {
			t.Errorf("%+v", p)
		}
	})
}
