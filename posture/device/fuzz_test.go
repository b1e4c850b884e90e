package device

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// seed adds every file of a folder of captures.
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

func valid(t *testing.T, m evidence.Machine) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Error(err)
	}
	for _, field := range []string{"serial", "hardware_uuid"} {
		if f, _ := s.Find("", field); s.StateOf(f) == fact.Observed && junk(f.Value.String()) {
			t.Errorf("%s is %q", field, f.Value)
		}
	}
	Read(t.Context(), m)
}

func FuzzMac(f *testing.F) {
	seed(f, "macos/system_profiler-json", "macos/system_profiler", "macos/malformed")
	f.Add([]byte(registry("C02", "x", "Mac1,1")))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, line := range []string{ioregLine, jsonLine, textLine} {
			m := evidence.NewMemory(evidence.MacOS, day)
			m.SetCommand(line, string(data))
			valid(t, m)
		}
	})
}

func FuzzLinux(f *testing.F) {
	f.Add([]byte("flags : fpu hypervisor\n"))
	f.Add([]byte("To be filled by O.E.M.\x00"))
	f.Add([]byte("4C4C4544-0037-4D10-8052-B4C04F4E3232\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := evidence.NewMemory(evidence.Linux, day)
		for _, path := range []string{linuxSerial, linuxUUID, linuxVendor, linuxModel, "/proc/cpuinfo"} {
			m.SetFile(path, string(data))
		}
		valid(t, m)
	})
}

func FuzzWindows(f *testing.F) {
	f.Add("5CD1234XYZ", "4C4C4544-0037-4D10-8052-B4C04F4E3232", "Microsoft Corporation")
	f.Fuzz(func(t *testing.T, serial, uuid, name string) {
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetWMI(cimv2, "Win32_BIOS", evidence.Row{"SerialNumber": {serial}})
		m.SetWMI(cimv2, "Win32_ComputerSystemProduct", evidence.Row{"UUID": {uuid}, "Vendor": {name}, "Name": {name}})
		valid(t, m)
	})
}
