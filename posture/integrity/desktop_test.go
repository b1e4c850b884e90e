package integrity

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const dgSpace, tpmSpace = `root\Microsoft\Windows\DeviceGuard`, `root\cimv2\Security\MicrosoftTpm`

func windowsRows(t *testing.T, space, class, text string) *evidence.Memory {
	t.Helper()
	rows, err := evidence.ParseRows([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetWMI(space, class, rows...)
	return m
}

func TestWindowsDeviceGuard(t *testing.T) {
	tests := []struct {
		name, text string
		want       facts
	}{
		{"configured", capture(t, "windows/deviceguard/stig-vbs1-not-running.txt"),
			facts{"vbs": "configured (not-running)", "hvci": "false (not-running)", "credential_guard": "false (not-running)"}},
		{"hvci", capture(t, "windows/deviceguard/win-hvci-only.txt"), facts{"vbs": "running", "hvci": "true", "credential_guard": "false"}},
		{"off", capture(t, "windows/deviceguard/win10-off-1-3-5-6.txt"), facts{"vbs": "disabled", "hvci": "false", "credential_guard": "false"}},
		{"both", capture(t, "windows/deviceguard/win11-hvci-cg-running.txt"), facts{"vbs": "running", "hvci": "true", "credential_guard": "true"}},
		{"json", `{"VirtualizationBasedSecurityStatus":2,"SecurityServicesRunning":[1,2,3,4,5,7],"SecurityServicesConfigured":[2]}`, facts{"vbs": "running", "hvci": "true"}},
		{"list cut", "VirtualizationBasedSecurityStatus : 2\nSecurityServicesRunning : {1, 3, 4, 5...}\n", facts{"hvci": "unknown:too-many-to-list", "credential_guard": "true"}},
		{"empty list", "VirtualizationBasedSecurityStatus : 2\nSecurityServicesRunning : {}\n", facts{"hvci": "unknown:not-found"}},
		{"contradiction", "VirtualizationBasedSecurityStatus : 0\nSecurityServicesRunning : {2}\n", facts{"vbs": "disabled", "hvci": "conflict:sources-disagree"}},
		{"none and one", "VirtualizationBasedSecurityStatus : 2\nSecurityServicesRunning : {0, 2}\n", facts{"hvci": "unknown:malformed-value"}},
		{"status of the future", "VirtualizationBasedSecurityStatus : 9\n", facts{"vbs": "unknown:malformed-value"}},
		{"no rows", "", facts{"vbs": "unknown:not-found", "hvci": "unknown:not-found"}},
		{"empty line inside", "VirtualizationBasedSecurityStatus : 2\n\nSecurityServicesRunning : {2}\n", facts{"vbs": "running", "hvci": "true"}},
		{"two instances", "VirtualizationBasedSecurityStatus : 2\n\nVirtualizationBasedSecurityStatus : 0\n", facts{"vbs": "unknown:malformed-value"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, windowsRows(t, dgSpace, "Win32_DeviceGuard", tt.text), tt.want) })
	}
	m := evidence.NewMemory(evidence.Windows, day)
	const target = `root\microsoft\windows\deviceguard:win32_deviceguard`
	m.SetRegistry("HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\DeviceGuard\n    EnableVirtualizationBasedSecurity    REG_DWORD    0x1\n" +
		"\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\DeviceGuard\\Scenarios\\HypervisorEnforcedCodeIntegrity\n    Enabled    REG_DWORD    0x1\n")
	m.Fail(target, fact.ReasonNeedsPrivilege)
	check(t, m, facts{"vbs": "configured (needs-privilege)", "hvci": "unknown:needs-privilege"})
	m.Fail(target, fact.ReasonTimeout)
	check(t, m, facts{"vbs": "unknown:timeout", "hvci": "unknown:timeout"})
}

func TestWindowsTPM(t *testing.T) {
	const good = "IsActivated_InitialValue : True\nIsEnabled_InitialValue : True\nIsOwned_InitialValue : True\nSpecVersion : 2.0, 0, 1.38\n"
	const bad = "IsActivated_InitialValue : True\nIsEnabled_InitialValue : False\nSpecVersion : 1.2, 2, 3\n"
	tests := []struct {
		name, ask, rows string
		want            facts
	}{
		{"works", `{"present":true,"version":"2.0","makes_keys":true}`, good, facts{"tpm_present": "true", "tpm_usable": "true", "tpm_version": "2.0"}},
		{"makes no keys", `{"present":true,"version":"2.0","makes_keys":false,"error":"0x80090029"}`, good, facts{"tpm_present": "true", "tpm_usable": "false"}},
		{"none", `{"present":false}`, "", facts{"tpm_present": "false", "tpm_usable": "false (not-found)", "tpm_version": "unknown:not-found"}},
		{"only the class", "", good, facts{"tpm_present": "true", "tpm_usable": "unknown:not-found", "tpm_version": "2.0"}},
		{"only the class, disabled", "", bad, facts{"tpm_present": "true", "tpm_usable": "false", "tpm_version": "1.2"}},
		{"no rows", "", "", facts{"tpm_present": "unknown:not-found"}},
		{"output of Get-Tpm is another thing", "", capture(t, "windows/tpm/docs-get-tpm.txt"), facts{"tpm_present": "unknown:not-found"}},
		{"disagree", `{"present":false}`, good, facts{"tpm_present": "conflict:sources-disagree"}},
		{"disagree about use", `{"present":true,"makes_keys":true}`, bad, facts{"tpm_usable": "conflict:sources-disagree"}},
		{"not told", `{"error":"x"}`, "", facts{"tpm_present": "unknown:not-found"}},
		{"odd", `"x"`, "", facts{"tpm_present": "unknown:unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := windowsRows(t, tpmSpace, "Win32_Tpm", tt.rows)
			if tt.ask != "" {
				m.SetAnswer(json.RawMessage(tt.ask), evidence.AskTPM)
			}
			check(t, m, tt.want)
		})
	}
}

func TestWindowsRegistry(t *testing.T) {
	const top = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control"
	const unlock = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\AppModelUnlock"
	const appx = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\Appx"
	dword := func(key, name, v string) string { return key + "\n    " + name + "    REG_DWORD    " + v + "\n" }
	options := func(v string) string { return top + "\n    SystemStartOptions    REG_SZ    " + v + "\n" }
	tests := []struct {
		name, registry string
		want           facts
	}{
		{"secure boot on", dword(top+"\\SecureBoot\\State", "UEFISecureBootEnabled", "0x1"), facts{"secure_boot": "true", "setup_mode": "unknown:unsupported-system"}},
		{"secure boot off", dword(top+"\\SecureBoot\\State", "UEFISecureBootEnabled", "0x0"), facts{"secure_boot": "false"}},
		{"secure boot odd", dword(top+"\\SecureBoot\\State", "UEFISecureBootEnabled", "0x7"), facts{"secure_boot": "unknown:malformed-value"}},
		{"bios", dword(top, "PEFirmwareType", "0x1"), facts{"secure_boot": "false (not-found)"}},
		{"uefi without state", dword(top, "PEFirmwareType", "0x2"), facts{"secure_boot": "unknown:not-found"}},
		{"nothing", "", facts{"secure_boot": "unknown:not-found", "debug_mode": "unknown:not-found", "developer_mode": "unknown:not-found"}},
		{"usual start", options(" NOEXECUTE=OPTIN  FVEBOOT=2658304  NOVGA"), facts{"debug_mode": "false"}},
		{"test signing", options(" TESTSIGNING NOEXECUTE=OPTIN"), facts{"debug_mode": "true"}},
		{"debugger", options(" NOEXECUTE=OPTIN DEBUG DEBUGPORT=COM1"), facts{"debug_mode": "true"}},
		{"no debugger", options(" NODEBUG FLIGHTSIGNING"), facts{"debug_mode": "false"}},
		{"developer", dword(unlock, "AllowDevelopmentWithoutDevLicense", "0x1"), facts{"developer_mode": "true"}},
		{"no developer", dword(unlock, "AllowAllTrustedApps", "0x0"), facts{"developer_mode": "false"}},
		{"policy over it", dword(unlock, "AllowDevelopmentWithoutDevLicense", "0x1") + "\n" + dword(appx, "AllowDevelopmentWithoutDevLicense", "0x0"), facts{"developer_mode": "false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetRegistry(tt.registry)
			check(t, m, tt.want)
		})
	}
}

func TestMacProtection(t *testing.T) {
	sip := func(name string) string { return capture(t, "macos/csrutil/"+name) }
	tests := []struct {
		name   string
		config int // -1: not asked
		text   string
		want   facts
	}{
		{"enabled", 0, sip("enabled.txt"), facts{"sip": "enabled", "debug_mode": "false"}},
		{"disabled", 0x7f, sip("disabled.txt"), facts{"sip": "disabled", "debug_mode": "true"}},
		{"disabled before Big Sur", 0x67, "", facts{"sip": "disabled", "debug_mode": "true"}},
		{"apple internal", 0x10, sip("disabled-apple-internal.txt"), facts{"sip": "disabled"}},
		{"custom", 0x4, sip("custom-config-modern-rows.txt"), facts{"sip": "custom", "debug_mode": "false"}},
		{"custom, text alone", -1, sip("custom-partial-kvm.txt"), facts{"sip": "custom", "debug_mode": "true"}},
		{"headline lies", -1, sip("enabled-custom-but-disabled-10.11.txt"), facts{"sip": "disabled"}},
		{"headline alone", -1, "System Integrity Protection status: unknown (Custom Configuration).\n", facts{"sip": "custom", "debug_mode": "unknown:not-found"}},
		{"disagree", 0, sip("disabled.txt"), facts{"sip": "conflict:sources-disagree", "debug_mode": "conflict:sources-disagree"}},
		{"cut short", -1, "System Integrity Protection sta", facts{"sip": "unknown:unreadable-output"}},
		{"rows without headline", -1, "Configuration:\n\tKext Signing: enabled\n", facts{"sip": "unknown:unreadable-output"}},
		{"headline and rows at odds", -1, "System Integrity Protection status: disabled.\n\tKext Signing: enabled\n", facts{"sip": "unknown:unreadable-output"}},
		{"in another language", -1, "Status des Systemintegritätsschutzes: aktiviert.\n", facts{"sip": "unknown:unreadable-output"}},
		{"nothing", -1, "", facts{"sip": "unknown:tool-missing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.MacOS, day)
			if tt.config >= 0 {
				m.SetAnswer(json.RawMessage(fmt.Sprintf(`{"config":%d}`, tt.config)), evidence.AskCSR)
			}
			if tt.text != "" {
				m.SetCommand("csrutil status", tt.text)
			}
			if tt.name == "nothing" {
				tt.want["sip"] = "unknown:unsupported-system" // what Memory answers to a question nobody put
			}
			check(t, m, tt.want)
		})
	}
}

const bridgeLine = "system_profiler -json SPiBridgeDataType"

func TestMacStart(t *testing.T) {
	tests := []struct {
		name, text string
		want       facts
	}{
		{"full", capture(t, "macos/spibridge/minimal-full.json"), facts{"boot_policy": "full", "secure_boot": "true"}},
		{"medium", capture(t, "macos/spibridge/minimal-medium.json"), facts{"boot_policy": "reduced", "secure_boot": "true"}},
		{"none", capture(t, "macos/spibridge/minimal-no.json"), facts{"boot_policy": "permissive", "secure_boot": "false"}},
		{"permissive", capture(t, "macos/spibridge/minimal-permissive.json"), facts{"boot_policy": "permissive", "secure_boot": "false"}},
		{"reduced", `{"SPiBridgeDataType":[{"ibridge_secure_boot":"Reduced Security","ibridge_model_name":"Apple T2 Security Chip"}]}`,
			facts{"boot_policy": "reduced", "secure_enclave": "true"}},
		{"empty", capture(t, "macos/spibridge/empty.json"), facts{"boot_policy": "unknown:not-found", "secure_boot": "unknown:not-found", "secure_enclave": "unknown:not-found"}},
		{"word of the future", `{"SPiBridgeDataType":[{"ibridge_secure_boot":"Fullish Security"}]}`, facts{"boot_policy": "unknown:malformed-value"}},
		{"two that differ", `{"SPiBridgeDataType":[{"ibridge_secure_boot":"Full Security"},{"ibridge_secure_boot":"No Security"}]}`, facts{"boot_policy": "unknown:malformed-value"}},
		{"cut short", `{"SPiBridgeDataType":[{"ibridge_sec`, facts{"boot_policy": "unknown:unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.MacOS, day)
			m.SetCommand(bridgeLine, tt.text)
			check(t, m, tt.want)
		})
	}
	m := evidence.NewMemory(evidence.MacOS, day)
	m.SetAnswer(map[string]string{"machine": "arm64"}, evidence.AskPlatform)
	check(t, m, facts{"secure_enclave": "true"})
	m.SetSysctl("kern.hv_vmm_present", "1")
	check(t, m, facts{"secure_enclave": "unknown:unsupported-system"})
}

func TestMacSystemVolume(t *testing.T) {
	const good = "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\ndevfs on /dev (devfs, local, nobrowse)\n"
	const bad = "/dev/disk3s1s1 on / (apfs, local, journaled)\n/dev/disk3s6 on /System/Volumes/VM (apfs, sealed, local)\n"
	tests := []struct {
		name, mount, bridge string
		config              int
		want                string
	}{
		{"sealed", good, "Enabled", 0, "true"},
		{"not sealed", bad, "Enabled", 0, "false"},
		{"seal not checked, says the kernel", good, "Enabled", 0x800, "false (reduced-function)"},
		{"seal not checked, says the firmware", good, "Disabled", 0, "false (reduced-function)"},
		{"cut short", "/dev/disk3s1s1 on / (apfs, sealed, lo", "Enabled", 0, "unknown:unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.MacOS, day)
			m.SetCommand("mount", tt.mount)
			m.SetCommand(bridgeLine, `{"SPiBridgeDataType":[{"ibridge_sb_ssv":"`+tt.bridge+`"}]}`)
			m.SetAnswer(map[string]int{"config": tt.config}, evidence.AskCSR)
			check(t, m, facts{"sealed_system": tt.want})
		})
	}
	for _, target := range []string{"csr", bridgeLine} { // it could have said that the seal is not checked
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetCommand("mount", good)
		m.Fail(target, fact.ReasonTimeout)
		check(t, m, facts{"sealed_system": "unknown:timeout"})
		m.SetCommand("mount", bad)
		check(t, m, facts{"sealed_system": "false"})
		m.SetCommand("mount", good)
		m.Fail(target, fact.ReasonUnsupported) // no such source
		check(t, m, facts{"sealed_system": "true"})
	}
}

func TestMacRest(t *testing.T) {
	m := evidence.NewMemory(evidence.MacOS, day)
	m.SetOutput("spctl --status", evidence.Output{Stdout: []byte(capture(t, "macos/spctl/disabled.txt")), Code: 1})
	m.SetCommand("DevToolsSecurity -status", "Developer mode is currently enabled.\n")
	bundle := func(v string) string {
		return `<?xml version="1.0"?><plist version="1.0"><dict><key>CFBundleShortVersionString</key><string>` + v + `</string></dict></plist>`
	}
	const oldPlace, newPlace = "/Library/Apple/System/Library/CoreServices/XProtect.bundle/Contents/Info.plist", "/private/var/protected/xprotect/XProtect.bundle/Contents/Info.plist"
	m.SetFile(oldPlace, bundle("5284"))
	check(t, m, facts{"gatekeeper": "false", "developer_mode": "true", "xprotect": "5284"})
	m.SetFile(newPlace, bundle("5310"))
	m.SetOutput("spctl --status", evidence.Output{Stdout: []byte(capture(t, "macos/spctl/enabled.txt"))})
	m.SetCommand("DevToolsSecurity -status", "Developer mode is currently disabled.\n")
	check(t, m, facts{"gatekeeper": "true", "developer_mode": "false", "xprotect": "5310"})
	m.SetFile(newPlace, bundle("5000"))
	check(t, m, facts{"xprotect": "5284"})
	m.SetFile(newPlace, capture(t, "macos/malformed/plaso-truncated.plist"))
	m.SetOutput("spctl --status", evidence.Output{Stderr: []byte("spctl: internal error\n"), Code: 3})
	check(t, m, facts{"gatekeeper": "unknown:unreadable-output", "xprotect": "unknown:unreadable-output"})
	m.Remove(newPlace)
	for _, why := range []fact.Reason{fact.ReasonTimeout, fact.ReasonNeedsPrivilege} {
		m.Fail(newPlace, why)
		check(t, m, facts{"xprotect": "unknown:" + string(why)})
	}
	m.Fail(newPlace, "")
	m.Fail(oldPlace, fact.ReasonNeedsPrivilege)
	check(t, m, facts{"xprotect": "unknown:needs-privilege"})
	m.SetFile(newPlace, bundle("5310"))
	check(t, m, facts{"xprotect": "5310"})
}

// The words come on standard error on some systems, and with another code.
func TestDeveloperTools(t *testing.T) {
	for _, tt := range []struct {
		out  evidence.Output
		want string
	}{
		{evidence.Output{Stdout: []byte("Developer mode is currently enabled.\n")}, "true"},
		{evidence.Output{Stderr: []byte("Developer mode is currently disabled."), Code: 1}, "false"},
		{evidence.Output{Stdout: []byte("Developer mode is currently enabled, or disabled.\n")}, "unknown:unreadable-output"},
		{evidence.Output{Stderr: []byte("Operation not permitted\n"), Code: 1}, "unknown:needs-privilege"},
		{evidence.Output{Stdout: []byte("Usage: DevToolsSecurity [-help]\n")}, "unknown:unreadable-output"},
	} {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetOutput("DevToolsSecurity -status", tt.out)
		check(t, m, facts{"developer_mode": tt.want})
	}
}
