package integrity

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func seed(f *testing.F, folders ...string) {
	f.Helper()
	for _, folder := range folders {
		entries, err := os.ReadDir(captures + folder)
		if err != nil {
			f.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(captures+folder, e.Name()))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

func collected(t *testing.T, m evidence.Machine) fact.Signal {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Error(err)
	}
	return s
}

func FuzzLinuxFiles(f *testing.F) {
	seed(f, "linux/efivars")
	f.Add([]byte("none [integrity] confidentiality\n"))
	f.Add([]byte("/usr/bin/man (enforce)\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := evidence.NewMemory(evidence.Linux, day)
		for _, path := range []string{secureVar, setupVar, shimVar, lockdownFile, lsmFile, taintFile, enforceFile, selinuxConfig,
			apparmorProfiles, tpmNode + "/tpm_version_major", tpmNode + "/pcr-sha256/0"} {
			m.SetFile(path, string(data))
		}
		m.SetFile(apparmorEnabled, "Y")
		s := collected(t, m)
		if v, _ := s.Find("", "secure_boot"); len(data) != 5 && s.StateOf(v) == fact.Observed {
			t.Errorf("secure_boot of %d bytes: %s", len(data), v.Value)
		}
	})
}

func FuzzLinuxCommands(f *testing.F) {
	seed(f, "linux/mokutil", "linux/selinux")
	f.Fuzz(func(t *testing.T, data []byte) {
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetCommand(mokutilLine, string(data))
		m.SetCommand("sestatus", string(data))
		collected(t, m)
	})
}

func FuzzMacCommands(f *testing.F) {
	seed(f, "macos/csrutil", "macos/spctl", "macos/spibridge", "macos/malformed")
	f.Add([]byte("/dev/disk3s1s1 on / (apfs, sealed, local)\n"))
	f.Add([]byte("Developer mode is currently enabled.\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := evidence.NewMemory(evidence.MacOS, day)
		for _, line := range []string{"csrutil status", "spctl --status", bridgeLine, "mount", "DevToolsSecurity -status"} {
			m.SetCommand(line, string(data))
		}
		m.SetFile("/private/var/protected/xprotect/XProtect.bundle/Contents/Info.plist", string(data))
		collected(t, m)
	})
}

func FuzzWindowsRows(f *testing.F) {
	seed(f, "windows/deviceguard", "windows/tpm")
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := evidence.ParseRows(data)
		if err != nil {
			return
		}
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetWMI(dgSpace, "Win32_DeviceGuard", rows...)
		m.SetWMI(tpmSpace, "Win32_Tpm", rows...)
		collected(t, m)
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"config":119}`))
	f.Add([]byte(`{"present":true,"version":"2.0","makes_keys":true}`))
	f.Add([]byte(`{"machine":"arm64"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseCSR(data)
		parseAskTPM(data)
		if !json.Valid(data) {
			return
		}
		mac, win := evidence.NewMemory(evidence.MacOS, day), evidence.NewMemory(evidence.Windows, day)
		mac.SetAnswer(json.RawMessage(data), evidence.AskCSR)
		mac.SetAnswer(json.RawMessage(data), evidence.AskPlatform)
		win.SetAnswer(json.RawMessage(data), evidence.AskTPM)
		collected(t, mac)
		collected(t, win)
	})
}

func FuzzStartOptions(f *testing.F) {
	f.Add(" NOEXECUTE=OPTIN TESTSIGNING")
	f.Fuzz(func(t *testing.T, options string) {
		if loosened(options) && !loosened(options+" X") {
			t.Error("another option took it back")
		}
	})
}
