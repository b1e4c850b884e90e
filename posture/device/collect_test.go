package device

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/jws"
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

// check compares the facts of a signal with "value", "unknown:reason".
func check(t *testing.T, m evidence.Machine, want map[string]string) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Fatal(err)
	}
	for field, w := range want {
		f, ok := s.Find("", field)
		got := f.Value.String()
		if s.StateOf(f) != fact.Observed {
			got = string(s.StateOf(f)) + ":" + string(f.Reason)
		}
		if !ok || got != w {
			t.Errorf("%s: got %s, want %s (source %s)", field, got, w, s.Source)
		}
	}
}

func linuxBox(files map[string]string) *evidence.Memory {
	m := evidence.NewMemory(evidence.Linux, day)
	for path, text := range files {
		m.SetFile(path, text)
	}
	return m
}

func TestLinux(t *testing.T) {
	const dmi = "/sys/class/dmi/id/"
	laptop := map[string]string{
		dmi + "product_serial": "PF3ABCDE\n", dmi + "product_uuid": "4C4C4544-0037-4D10-8052-B4C04F4E3232\n",
		dmi + "sys_vendor": "LENOVO\n", dmi + "product_name": "20XW004AGE\n",
		"/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu vme vmx\n\nprocessor\t: 1\nflags\t\t: hypervisor\n",
	}
	check(t, linuxBox(laptop), map[string]string{
		"serial": "PF3ABCDE", "hardware_uuid": "4c4c4544-0037-4d10-8052-b4c04f4e3232", "vendor": "LENOVO", "model": "20XW004AGE", "virtual": "false",
	})
	m := linuxBox(laptop)
	m.Fail(dmi+"product_serial", fact.ReasonNeedsPrivilege)
	m.Fail(dmi+"product_uuid", fact.ReasonNeedsPrivilege)
	check(t, m, map[string]string{"serial": "unknown:needs-privilege", "hardware_uuid": "unknown:needs-privilege", "vendor": "LENOVO"})

	check(t, linuxBox(map[string]string{
		dmi + "product_serial": "To Be Filled By O.E.M.\n", dmi + "product_uuid": "03000200-0400-0500-0006-000700080009\n",
		dmi + "sys_vendor": "System manufacturer\n", dmi + "product_name": "System Product Name\n",
		dmi + "board_vendor": "ASUSTeK COMPUTER INC.\n", dmi + "board_name": "PRIME X570-P\n",
	}), map[string]string{
		"serial": "unknown:shared-identifier", "hardware_uuid": "unknown:shared-identifier",
		"vendor": "ASUSTeK COMPUTER INC.", "model": "PRIME X570-P", "virtual": "false",
	})
	check(t, linuxBox(map[string]string{dmi + "sys_vendor": "QEMU\n", dmi + "product_name": "Standard PC (Q35 + ICH9, 2009)\n", dmi + "product_uuid": "not one\n"}),
		map[string]string{"virtual": "true", "hardware_uuid": "unknown:malformed-value", "serial": "unknown:not-found"})
	check(t, linuxBox(map[string]string{dmi + "sys_vendor": "Dell Inc.\n", dmi + "product_name": "Latitude\n", "/proc/cpuinfo": "flags : fpu hypervisor\n"}),
		map[string]string{"virtual": "true"})
	check(t, linuxBox(map[string]string{treeModel: "Raspberry Pi 4 Model B Rev 1.4\x00", treeSerial: "10000000abcdef12\x00", "/proc/cpuinfo": "Features : fp asimd\n"}),
		map[string]string{"model": "Raspberry Pi 4 Model B Rev 1.4", "serial": "10000000abcdef12", "vendor": "unknown:not-found", "virtual": "false"})
	check(t, linuxBox(map[string]string{"/proc/sys/kernel/osrelease": "5.15.167.4-microsoft-standard-WSL2\n"}), map[string]string{"virtual": "true"})
	check(t, evidence.NewMemory(evidence.Linux, day), map[string]string{"serial": "unknown:not-found", "virtual": "unknown:not-found"})
}

func TestWindows(t *testing.T) {
	m := evidence.NewMemory(evidence.Windows, day)
	check(t, m, map[string]string{"serial": "unknown:not-found", "model": "unknown:not-found", "virtual": "unknown:not-found"})
	m.SetRegistry("HKEY_LOCAL_MACHINE\\HARDWARE\\DESCRIPTION\\System\\BIOS\n    SystemManufacturer    REG_SZ    Dell Inc.\n    SystemProductName    REG_SZ    Precision 5530\n")
	check(t, m, map[string]string{"vendor": "Dell Inc.", "model": "Precision 5530", "virtual": "false", "serial": "unknown:not-found"})
	m.SetWMI(cimv2, "Win32_BIOS", evidence.Row{"SerialNumber": {"  5CD1234XYZ "}})
	m.SetWMI(cimv2, "Win32_ComputerSystemProduct", evidence.Row{"UUID": {"4C4C4544-0037-4D10-8052-B4C04F4E3232"}, "Vendor": {"HP"}, "Name": {"HP EliteBook"}})
	m.SetWMI(cimv2, "Win32_ComputerSystem", evidence.Row{"Manufacturer": {"HP"}, "Model": {"HP EliteBook 840 G8"}, "HypervisorPresent": {"True"}})
	check(t, m, map[string]string{
		"serial": "5CD1234XYZ", "hardware_uuid": "4c4c4544-0037-4d10-8052-b4c04f4e3232", "vendor": "HP", "model": "HP EliteBook 840 G8", "virtual": "false",
	})
	m.SetWMI(cimv2, "Win32_BIOS", evidence.Row{"SerialNumber": {"System Serial Number"}})
	m.SetWMI(cimv2, "Win32_ComputerSystem", evidence.Row{"Manufacturer": {"Microsoft Corporation"}, "Model": {"Virtual Machine"}})
	check(t, m, map[string]string{"serial": "unknown:shared-identifier", "virtual": "true"})
	m.SetWMI(cimv2, "Win32_ComputerSystem", evidence.Row{"Manufacturer": {"Microsoft Corporation"}, "Model": {"Surface Laptop 5"}})
	check(t, m, map[string]string{"virtual": "false"})
	m.SetWMI(cimv2, "Win32_BIOS", evidence.Row{"SerialNumber": {"VMware-56 4d 9f 1c 2a 0b 11 22-33 44 55 66 77 88 99 aa"}})
	check(t, m, map[string]string{"serial": "VMware-56 4d 9f 1c 2a 0b 11 22-33 44 55 66 77 88 99 aa"})
	m.Fail(`root\cimv2:win32_bios`, fact.ReasonTimeout)
	check(t, m, map[string]string{"serial": "unknown:timeout"})
}

// registry is what ioreg -rd1 -c IOPlatformExpertDevice -a prints, cut down.
func registry(serial, uuid, model string) string {
	data := func(s string) string { return base64.StdEncoding.EncodeToString(append([]byte(s), 0)) }
	return `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "x"><plist version="1.0"><array><dict>
		<key>IOObjectClass</key><string>IOPlatformExpertDevice</string>
		<key>IOPlatformSerialNumber</key><string>` + serial + `</string><key>IOPlatformUUID</key><string>` + uuid + `</string>
		<key>manufacturer</key><data>` + data("Apple Inc.") + `</data><key>model</key><data>
		` + data(model) + `
		</data></dict></array></plist>`
}

const (
	ioregLine = "ioreg -rd1 -c IOPlatformExpertDevice -a"
	jsonLine  = "system_profiler -json SPHardwareDataType"
	textLine  = "system_profiler SPHardwareDataType"
)

func TestMac(t *testing.T) {
	m := evidence.NewMemory(evidence.MacOS, day)
	check(t, m, map[string]string{"serial": "unknown:tool-missing", "virtual": "unknown:not-found", "model": "unknown:tool-missing"})
	m.SetCommand(ioregLine, registry("C02XG0FDH7JY", "5D6A7B8C-1111-2222-3333-444455556666", "MacBookPro18,3"))
	m.SetSysctl("kern.hv_vmm_present", "0")
	check(t, m, map[string]string{
		"serial": "C02XG0FDH7JY", "hardware_uuid": "5d6a7b8c-1111-2222-3333-444455556666", "vendor": "Apple Inc.", "model": "MacBookPro18,3", "virtual": "false",
	})
	m.SetSysctl("kern.hv_vmm_present", "1")
	check(t, m, map[string]string{"virtual": "true"})
	m.SetSysctl("kern.hv_vmm_present", "yes")
	check(t, m, map[string]string{"model": "MacBookPro18,3", "virtual": "unknown:malformed-value"})
	m.SetCommand(ioregLine, strings.Replace(registry("C02XG0FDH7JY", "5D6A7B8C-1111-2222-3333-444455556666", "x"), base64.StdEncoding.EncodeToString([]byte("x\x00")), "AAEC", 1))
	check(t, m, map[string]string{"model": "unknown:malformed-value"})
	for name, want := range map[string]map[string]string{
		"m2-pro-lock-disabled.json":            {"serial": "unknown:not-found", "hardware_uuid": "00000000-1111-2222-3333-444444444444", "model": "Mac14,7", "virtual": "false"},
		"m4-air-lock-enabled.json":             {"serial": "unknown:not-found", "hardware_uuid": "unknown:not-found", "model": "Mac16,12"},
		"vm-anka-unknown-chip.json":            {"model": "VirtualMac2,1", "virtual": "true"},
		"vm-m4max-macos15-int-processors.json": {"model": "VirtualMac2,1", "virtual": "true"},
	} {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetCommand(jsonLine, capture(t, "macos/system_profiler-json/"+name))
		check(t, m, want)
	}
	m = evidence.NewMemory(evidence.MacOS, day)
	m.SetCommand(textLine, capture(t, "macos/system_profiler/facter-hardware-10.15.txt"))
	check(t, m, map[string]string{
		"serial": "123456789AAA", "hardware_uuid": "12345678-1111-2222-aaaa-aabbccddeeff", "model": "MacBookPro11,4", "vendor": "unknown:not-found",
		"virtual": "unknown:not-found",
	})
	m.SetCommand(ioregLine, capture(t, "macos/malformed/plaso-truncated.plist"))
	m.SetCommand(textLine, "")
	check(t, m, map[string]string{"serial": "unknown:unreadable-output"})
}

func TestOtherSystem(t *testing.T) {
	check(t, evidence.NewMemory("plan9", day), map[string]string{"serial": "unknown:unsupported-system"})
}

// What enrolment sends must not depend on the system or the source that told it.
func TestReadHashesTheSameOnEverySystem(t *testing.T) {
	const uuid = "4C4C4544-0037-4D10-8052-B4C04F4E3232"
	linux := linuxBox(map[string]string{linuxSerial: "pf3abcde\n", linuxUUID: strings.ToLower(uuid) + "\n"})
	windows := evidence.NewMemory(evidence.Windows, day)
	windows.SetWMI(cimv2, "Win32_BIOS", evidence.Row{"SerialNumber": {"PF3ABCDE"}})
	windows.SetWMI(cimv2, "Win32_ComputerSystemProduct", evidence.Row{"UUID": {uuid}})
	mac := evidence.NewMemory(evidence.MacOS, day)
	mac.SetCommand(ioregLine, registry("PF3ABCDE", uuid, "Mac14,7"))
	wantSerial := jws.Hash([]byte("postern/hardware/serial\x00PF3ABCDE"))
	wantUUID := jws.Hash([]byte("postern/hardware/uuid\x00" + uuid))
	for name, m := range map[string]evidence.Machine{"linux": linux, "windows": windows, "macos": mac} {
		id := Read(t.Context(), m)
		if id.Hardware.Serial != wantSerial || id.Hardware.UUID != wantUUID || len(id.Reasons) != 0 {
			t.Errorf("%s: %+v", name, id)
		}
	}
	id := Read(t.Context(), linuxBox(map[string]string{linuxSerial: "0000000\n"}))
	if id.Hardware.Serial != "" || id.Reasons["serial"] != fact.ReasonNotFound || id.Reasons["uuid"] != fact.ReasonNotFound {
		t.Errorf("junk: %+v", id)
	}
	id = Read(t.Context(), evidence.NewMemory("plan9", day))
	if id.Hardware.Serial != "" || id.Reasons["serial"] != fact.ReasonUnsupported {
		t.Errorf("other system: %+v", id)
	}
}

func TestVirtualName(t *testing.T) {
	tests := []struct {
		vendor, model  string
		virtual, known bool
	}{
		{"Amazon EC2", "m5.large", true, true}, {"Amazon EC2", "m5.metal", false, true},
		{"Xen", "HVM domU", true, true}, {"innotek GmbH", "VirtualBox", true, true},
		{"Google", "Google Compute Engine", true, true}, {"Google", "Eve", false, true},
		{"Apple Inc.", "MacBookPro18,3", false, true}, {"", "", false, false}, {"Default string", "Default string", false, false},
	}
	for _, tt := range tests {
		if v, k := virtualName(tt.vendor, tt.model); v != tt.virtual || k != tt.known {
			t.Errorf("%q %q: %v, %v", tt.vendor, tt.model, v, k)
		}
	}
}
