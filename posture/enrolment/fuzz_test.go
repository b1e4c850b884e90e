package enrolment

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func seed(f *testing.F, folder string) {
	f.Helper()
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

func valid(t *testing.T, m evidence.Machine) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzProfiles(f *testing.F) {
	seed(f, "macos/profiles-enrollment")
	f.Fuzz(func(t *testing.T, data []byte) {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetCommand("profiles status -type enrollment", string(data))
		valid(t, m)
	})
}

func FuzzDsregcmd(f *testing.F) {
	seed(f, "windows/dsregcmd")
	f.Fuzz(func(t *testing.T, data []byte) {
		if d := parseDsreg(string(data)); len(d) > 256 {
			t.Errorf("%d values", len(d))
		}
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetCommand("dsregcmd /status", string(data))
		valid(t, m)
	})
}

func FuzzJoin(f *testing.F) {
	f.Add([]byte(`{"workgroup":"W","domain":"D","azure_ad":{"type":1,"tenant_id":"x"},"mdm_registered":true}`))
	f.Add([]byte(`{"azure_ad":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if !json.Valid(data) {
			if _, err := parseJoin(data); err == nil {
				t.Error("read what is not JSON")
			}
			return
		}
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetAnswer(json.RawMessage(data), evidence.AskJoin)
		valid(t, m)
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte("[sssd]\ndomains = a\n[domain/a]\nid_provider = ad\n"))
	f.Add([]byte("[global]\nsecurity = ads\nrealm = X\n"))
	f.Add([]byte("device_hint = '" + guid + "'\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := linuxBox(nil)
		for _, path := range []string{"/etc/sssd/sssd.conf", "/etc/samba/smb.conf", "/etc/landscape/client.conf", "/etc/default/orbit",
			"/home/ada/.config/intune/registration.toml"} {
			m.SetFile(path, string(data))
		}
		m.SetFile(keytab, "k")
		m.SetFile("/opt/microsoft/intune/x", "")
		m.SetFile("/opt/orbit/secret-orbit-node-key.txt", "k")
		valid(t, m)
	})
}
