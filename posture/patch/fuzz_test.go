package patch

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// seeds adds every recording of these folders.
func seeds(f *testing.F, folders ...string) {
	for _, folder := range folders {
		entries, err := os.ReadDir(captures + folder)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			f.Add([]byte(capture(f, folder+"/"+e.Name())))
		}
	}
}

// within fails when what a parser made is out of all proportion to what it read.
func within(t *testing.T, made any, read int) {
	t.Helper()
	if data, err := json.Marshal(made); err != nil || len(data) > 64*read+4096 {
		t.Errorf("%d bytes of %d: %v", len(data), read, err)
	}
}

func FuzzApt(f *testing.F) {
	seeds(f, "apt-lists", "apt", "update-notifier")
	f.Add([]byte("APT { Periodic { Unattended-Upgrade \"7\"; }; };\n#clear x;"))
	f.Add([]byte("Package: *\nPin: release o=x\nPin-Priority: never\n\nTypes: deb\nURIs: http://x\nSuites: y ./\n"))
	f.Add([]byte("deb [x] http://me@x/y z main"))
	in := installed{Native: "amd64", versions: map[string]string{"zip:amd64": "3.0-13", "bash:amd64": "1"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := string(data)
		status, _ := parseDpkgStatus(bytes.NewReader(data))
		offers, _ := parsePackages(bytes.NewReader(data), in)
		head, _ := parseRelease(bytes.NewReader(data))
		conf := aptConf{}
		conf.parse(text)
		pins := parsePins(text)
		for _, made := range []any{status.Packages, offers, head, conf, parseSourceLines(text), parseSourceStanzas(text)} {
			within(t, made, len(data))
		}
		priority(pins, "x", archive{aptRelease: head}, "zip", "1")
		if pending, security, ok := parseAptSimulation(text); security && !pending || pending && !ok {
			t.Error("a security update that is none")
		}
		if pending, security := parseUpdatesAvailable(text); pending.yes && pending.why != "" || security.yes && security.why != "" {
			t.Error("an answer and a reason")
		}
	})
}

func FuzzOrder(f *testing.F) {
	for _, v := range []string{"1:2.36-9+deb12u10", "1.0~rc1^git-1.el9", "1.2.4_git20230717-r4", "6.12.4.arch1-1", "~~^^--__::"} {
		f.Add(v, "1.0")
		f.Add(v, v)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, order := range []func(a, b string) int{debianOrder, rpmOrder, pacmanOrder, alpineOrder, kernelOrder} {
			if x, y := order(a, b), order(b, a); (x < 0) != (y > 0) || (x > 0) != (y < 0) {
				t.Errorf("%q and %q: %d and %d", a, b, x, y)
			}
			if order(a, a) != 0 {
				t.Errorf("%q is not itself", a)
			}
		}
		flavour(a)
		cutPacman(a)
	})
}

func FuzzRPM(f *testing.F) {
	seeds(f, "dnf", "livepatch")
	f.Add([]byte("glibc 2.40-3.x86_64 1771000000\nkernel-core.x86_64 6.11.6-300.fc41 updates\n[a]\nenabled=1\n"))
	f.Add([]byte(`<stream><update-list><update status="needed" category="security"/></update-list></stream>`))
	f.Add([]byte(`{"deployments":[{"booted":true,"timestamp":1}],"cached-update":{"checksum":"b","advisories":[["x",1]]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		text := string(data)
		if a := parseAdvisories(text); a.yes && a.why != "" {
			t.Error("an answer and a reason")
		}
		if pending, security := parseZypper(data); security.yes && !pending.yes {
			t.Error("a security update that is none")
		}
		if u, _ := parseOSTree(data); u.pending.says(false) || u.security.says(false) {
			t.Error("nothing waits, by a source that cannot know")
		}
		within(t, parseINI(text), len(data))
		parseOfferedKernel(text)
		if c, why := parseRPMCore(text); why == "" && c.newest.IsZero() {
			t.Error("no time and no reason")
		}
	})
}

func FuzzUnpack(f *testing.F) {
	seeds(f, "apt-lists")
	f.Add([]byte(packed(tarred(true, "bash-5-1/desc", "x", "APKINDEX", "P:a\nV:1\n"))))
	f.Add([]byte("\x04\x22\x4d\x18\x64\x40\xa7\x05\x00\x00\x00\x1fa\x01\x00\xff\x00\x00\x00\x00\x00"))
	have := map[string]string{"bash": "1", "a": "1"}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, ending := range []string{".gz", ".lz4", ".bz2", ".xz", ""} {
			r, err := unpack("x"+ending, bytes.NewReader(data))
			if err != nil {
				continue
			}
			if _, err := io.Copy(io.Discard, io.LimitReader(r, 8<<20)); ending == "" && err != nil {
				t.Error(err)
			}
		}
		offers, _ := parsePacmanDB(bytes.NewReader(data), have)
		within(t, offers, len(data))
		index, _ := parseAPKIndex(bytes.NewReader(data), have)
		within(t, index, len(data))
		records, _ := parseAPKRecords(bytes.NewReader(data), nil)
		within(t, records, len(data))
	})
}

func FuzzLogs(f *testing.F) {
	seeds(f, "apt-lists")
	f.Add([]byte(dpkgUpgrades))
	f.Add([]byte("2026-01-31 10:00:00|install|bash|5.2-2|x86_64||repo|abc|\n[2026-02-01T10:00:00+0100] [ALPM] upgraded linux (1 -> 2)\n"))
	f.Add([]byte("2026-02-12T11:13:51Z SUBDEBUG Upgrade: x\n2026-02-11T03:56:52+0000 [1] INFO RPM callback upgrade start \"x\" total 9\n"))
	families := [][]logFamily{dpkgLogs(), rpmLogs(), zyppLogs(), pacmanLogs()}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, all := range families {
			for _, family := range all {
				made, err := parseLog(bytes.NewReader(data), family.line)
				if err != nil {
					t.Error(err)
				}
				within(t, made, len(data))
				logTime(made.Upgraded, zone)
			}
		}
	})
}

// FuzzCollect puts the same content everywhere: whatever is found in it, the
// report must be one that a broker takes.
func FuzzCollect(f *testing.F) {
	seeds(f, "apt-lists", "dnf", "update-notifier")
	f.Fuzz(func(t *testing.T, data []byte) {
		text := string(data)
		for _, markers := range [][]string{{dpkgStatus}, {rpmdb}, {rpmdb, "/etc/zypp/zypp.conf"}, {pacmanLocal + "/a-1-1/desc", "/etc/pacman.conf"}, {"/lib/apk/db/installed"}} {
			m := evidence.NewMemory(evidence.Linux, day)
			for _, path := range append(markers, "/etc/apt/sources.list", mainList+"InRelease", mainList+"main_binary-amd64_Packages", updatesAvailable,
				"/var/log/dpkg.log", "/var/log/dnf.rpm.log", "/proc/sys/kernel/osrelease", "/proc/stat", "/etc/yum.repos.d/x.repo", "/var/cache/apk/APKINDEX.1.tar.gz") {
				m.SetFile(path, text)
			}
			if !strings.ContainsAny(text, "/\x00") && len(text) < 100 {
				m.SetFile("/boot/vmlinuz-"+text, "")
			}
			m.SetCommand(checkUpdate, text)
			m.SetCommand(updateinfo, text)
			m.SetCommand(rpmList, text)
			s := Collect(t.Context(), m)
			s.Collector = "test"
			if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
