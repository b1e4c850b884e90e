package custom

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// seeds adds what real systems printed and what tests made up.
func seeds(f *testing.F) {
	f.Add([]byte(dpkgStatus))
	f.Add([]byte("P:a\nV:1\n"))
	f.Add([]byte("a 1-1.x86_64 1\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("<plist><dict><key>a</key><true/></dict></plist>"))
	for _, dir := range []string{"linux/apt-lists", "linux/dnf", "macos/systemversion-plist", "macos/malformed", "windows/currentversion"} {
		root := filepath.Join("../../testfixtures/captures", dir)
		entries, err := os.ReadDir(root)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			if data, err := os.ReadFile(filepath.Join(root, e.Name())); err == nil && len(data) < 1<<16 {
				f.Add(data)
			}
		}
	}
}

// FuzzCollect gives the same bytes to every reader.
func FuzzCollect(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, system := range []evidence.System{evidence.Linux, evidence.MacOS, evidence.Windows} {
			m := evidence.NewMemory(system, day)
			for _, p := range []string{
				"/var/lib/dpkg/status", "/lib/apk/db/installed", "/etc/ssl/certs/x.pem", "/var/lib/rpm/x", "/Library/Preferences/a.plist", "/Applications/a.app/Contents/Info.plist",
			} {
				m.SetFile(p, string(data))
			}
			m.SetCommand("rpm -qa --qf "+rpmFormat, string(data))
			if keys, err := evidence.ParseRegistry(data); err == nil && len(keys) < 100 {
				m.SetRegistry(string(data))
			}
			list := []observe.Observation{
				{ID: "org/a", Kind: observe.KindPackage, Name: "a"},
				{ID: "org/b", Kind: observe.KindCertificate, Store: observe.StoreRoot, Subject: "a"},
				{ID: "org/c", Kind: observe.KindPlist, Path: "/Library/Preferences/a.plist", Keys: []string{"a"}},
				{ID: "org/d", Kind: observe.KindRegistry, Key: `HKLM\a`, Name: "a"},
			}
			for i := range list {
				list[i].Origin = fact.OriginBroker
			}
			s := Collect(t.Context(), m, list, observe.Forbid{})
			s.Collector = "custom@1"
			if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzParsers(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		deb, err := parseDpkg(bytes.NewReader(data))
		apk, err2 := parseAPK(bytes.NewReader(data))
		if err != nil || err2 != nil {
			t.Errorf("%v, %v", err, err2)
		}
		for _, versions := range []map[string]string{deb, apk, parseRPM(data)} {
			for name, version := range versions {
				if name == "" || version == "" || len(name)+len(version) > len(data) {
					t.Errorf("%q: %q", name, version)
				}
			}
		}
		p := &pemFiles{seen: map[string]bool{}}
		p.add(data)
		if len(p.list) > maxCertificates {
			t.Errorf("%d certificates", len(p.list))
		}
	})
}
