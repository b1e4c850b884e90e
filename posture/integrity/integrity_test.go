package integrity

import (
	"os"
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

type facts map[string]string

// check compares the facts of a signal with "value", "value (reason)" or
// "state:reason".
func check(t *testing.T, m evidence.Machine, want facts) {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Fatal(err)
	}
	for field, w := range want {
		f, ok := s.Find("", field)
		got := f.Value.String()
		switch {
		case s.StateOf(f) != fact.Observed:
			got = string(s.StateOf(f)) + ":" + string(f.Reason)
		case f.Reason != "":
			got += " (" + string(f.Reason) + ")"
		}
		if !ok || got != w {
			t.Errorf("%s: got %s, want %s (source %s)", field, got, w, s.Source)
		}
	}
}

func TestEmptyMachinesClaimNothing(t *testing.T) {
	for _, system := range []evidence.System{evidence.Linux, evidence.Windows, evidence.MacOS, "plan9"} {
		s := Collect(t.Context(), evidence.NewMemory(system, day))
		if s.State != fact.Unknown || s.Reason == "" {
			t.Errorf("%s: %+v", system, s)
		}
	}
	check(t, evidence.NewMemory("plan9", day), facts{"sip": "unknown:unsupported-system"})
}

const (
	secureVar = efiVars + "SecureBoot-" + globalGUID
	setupVar  = efiVars + "SetupMode-" + globalGUID
	shimVar   = efiVars + "MokSBStateRT-" + shimGUID
	on        = "\x06\x00\x00\x00\x01"
	off       = "\x06\x00\x00\x00\x00"
)

func TestLinuxSecureBoot(t *testing.T) {
	const enabled, disabled = "SecureBoot enabled\n", "SecureBoot disabled\n"
	lax := enabled + "SecureBoot validation is disabled in shim\n"
	vars := func(file string) string { return capture(t, "linux/efivars/"+file) }
	unsupported := capture(t, "linux/mokutil/insights-unsupported.txt")
	tests := []struct {
		name, mokutil string
		files         map[string]string
		want          facts
	}{
		{"on", capture(t, "linux/mokutil/insights-enabled.txt"), map[string]string{secureVar: on, setupVar: off}, facts{"secure_boot": "true", "setup_mode": "false"}},
		{"off", "", map[string]string{secureVar: vars("SecureBoot-" + globalGUID + ".off.bin"), setupVar: vars("SetupMode-" + globalGUID + ".off.bin")},
			facts{"secure_boot": "false", "setup_mode": "false"}},
		{"setup mode", disabled + "Platform is in Setup Mode\n", map[string]string{secureVar: on, setupVar: vars("SetupMode-" + globalGUID + ".on.bin")},
			facts{"secure_boot": "true", "setup_mode": "true"}},
		{"truncated", "", map[string]string{secureVar: vars("SecureBoot.truncated.bin")}, facts{"secure_boot": "unknown:malformed-value", "setup_mode": "unknown:not-found"}},
		{"truncated, and mokutil knows", disabled, map[string]string{secureVar: vars("SecureBoot.truncated.bin")}, facts{"secure_boot": "false"}},
		{"odd value", "", map[string]string{secureVar: "\x06\x00\x00\x00\x02"}, facts{"secure_boot": "unknown:malformed-value"}},
		{"disagree", disabled, map[string]string{secureVar: on}, facts{"secure_boot": "conflict:sources-disagree"}},
		{"shim does not validate", lax, map[string]string{secureVar: on, shimVar: on}, facts{"secure_boot": "false (reduced-function)"}},
		{"shim does not validate, says mokutil alone", lax, nil, facts{"secure_boot": "false (reduced-function)", "setup_mode": "false"}},
		{"only mokutil says that shim does not validate", lax, map[string]string{secureVar: on, shimVar: off}, facts{"secure_boot": "conflict:sources-disagree"}},
		{"legacy boot", unsupported, map[string]string{"/sys/firmware/acpi/x": ""}, facts{"secure_boot": "false (not-found)", "setup_mode": "unknown:not-found"}},
		{"legacy boot, no mokutil", "", map[string]string{"/sys/firmware/acpi/x": ""}, facts{"secure_boot": "false (not-found)"}},
		{"legacy boot, says mokutil alone", unsupported, nil, facts{"secure_boot": "false (not-found)"}},
		{"variables hidden", unsupported, map[string]string{efi + "/fw_platform_size": "64"}, facts{"secure_boot": "unknown:not-found"}},
		{"cannot tell", "Cannot determine secure boot state.\n", nil, facts{"secure_boot": "unknown:unreadable-output"}},
		{"no such thing", "This system doesn't support Secure Boot\n", nil, facts{"secure_boot": "false (not-found)"}},
		{"no command", capture(t, "linux/mokutil/local-command-missing.txt"), nil, facts{"secure_boot": "unknown:unreadable-output"}},
		{"nothing", "", nil, facts{"secure_boot": "unknown:not-found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			for path, data := range tt.files {
				m.SetFile(path, data)
			}
			if tt.mokutil != "" {
				m.SetCommand(mokutilLine, tt.mokutil)
			}
			check(t, m, tt.want)
		})
	}
}

func TestLinuxTPM(t *testing.T) {
	const register = tpmNode + "/pcr-sha256/0"
	tests := []struct {
		name  string
		files map[string]string
		want  facts
	}{
		{"works", map[string]string{tpmNode + "/tpm_version_major": "2\n", tpmrm: "", register: "00AA\n"}, facts{"tpm_present": "true", "tpm_usable": "true", "tpm_version": "2.0"}},
		{"old kernel", map[string]string{tpmNode + "/device/x": "", tpmrm: ""}, facts{"tpm_present": "true", "tpm_usable": "true", "tpm_version": "2.0"}},
		{"no device", map[string]string{tpmNode + "/tpm_version_major": "2\n"}, facts{"tpm_present": "true", "tpm_usable": "unknown:not-found", "tpm_version": "2.0"}},
		{"1.2", map[string]string{tpmNode + "/tpm_version_major": "1\n"}, facts{"tpm_usable": "unknown:unsupported-system", "tpm_version": "1.2"}},
		{"odd version", map[string]string{tpmNode + "/tpm_version_major": "x\n"}, facts{"tpm_version": "unknown:malformed-value"}},
		{"none", map[string]string{"/sys/class/net/lo": "", "/sys/firmware/acpi/tables/FACP": ""},
			facts{"tpm_present": "false (not-found)", "tpm_usable": "false (not-found)", "tpm_version": "unknown:not-found"}},
		{"without a driver", map[string]string{"/sys/class/net/lo": "", "/sys/firmware/acpi/tables/TPM2": "x"},
			facts{"tpm_present": "true", "tpm_usable": "unknown:not-found", "tpm_version": "2.0"}},
		{"sysfs hidden", nil, facts{"tpm_present": "unknown:not-found", "tpm_usable": "unknown:not-found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			for path, data := range tt.files {
				m.SetFile(path, data)
			}
			check(t, m, tt.want)
		})
	}
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(tpmNode+"/tpm_version_major", "2\n")
	m.SetFile(tpmrm, "")
	m.Fail(tpmrm, fact.ReasonNeedsPrivilege)
	check(t, m, facts{"tpm_present": "true", "tpm_usable": "unknown:needs-privilege"})
	m.Fail(tpmrm, "")
	m.Fail(register, fact.ReasonUnreadable)
	check(t, m, facts{"tpm_usable": "unknown:unreadable-output"})
}

func TestLinuxKernel(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  facts
	}{
		{"locked down", map[string]string{lockdownFile: "none [integrity] confidentiality\n", enforceFile: "N\n"}, facts{"lockdown": "integrity", "debug_mode": "false"}},
		{"not locked down", map[string]string{lockdownFile: "[none] integrity confidentiality\n", enforceFile: "N\n"}, facts{"lockdown": "none", "debug_mode": "true"}},
		{"signatures enforced", map[string]string{lockdownFile: "[none] integrity\n", enforceFile: "Y\n"}, facts{"debug_mode": "false"}},
		{"no lockdown in the kernel", map[string]string{lsmFile: "capability,yama,apparmor", enforceFile: "N\n"}, facts{"lockdown": "none (not-found)", "debug_mode": "true"}},
		{"not known", map[string]string{enforceFile: "N\n"}, facts{"lockdown": "unknown:not-found", "debug_mode": "unknown:not-found"}},
		{"unsigned module", map[string]string{lockdownFile: "none [integrity]\n", taintFile: "12288\n"}, facts{"debug_mode": "true"}},
		{"other taint", map[string]string{lockdownFile: "none [integrity]\n", taintFile: "4096\n"}, facts{"debug_mode": "false"}},
		{"debugger", map[string]string{lockdownFile: "[none] integrity\n", enforceFile: "Y\n", kgdbFile: "ttyS0,115200\n"}, facts{"debug_mode": "true"}},
		{"no more modules", map[string]string{disabledFile: "1\n"}, facts{"debug_mode": "false"}},
		{"odd", map[string]string{lockdownFile: "none integrity\n"}, facts{"lockdown": "unknown:malformed-value"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			for path, data := range tt.files {
				m.SetFile(path, data)
			}
			check(t, m, tt.want)
		})
	}
}

func TestLinuxAccessControl(t *testing.T) {
	sestatus := capture(t, "linux/selinux/inspec-sestatus.txt")
	tests := []struct {
		name, sestatus string
		files          map[string]string
		want           facts
	}{
		{"selinux", "", map[string]string{selinuxEnforce: "1"}, facts{"access_control": "enforcing", "access_control_system": "selinux"}},
		{"selinux permissive", "", map[string]string{selinuxEnforce: "0\n", selinuxConfig: "SELINUX=enforcing\n"}, facts{"access_control": "permissive"}},
		{"sestatus", sestatus, nil, facts{"access_control": "enforcing", "access_control_system": "selinux"}},
		{"sestatus off", "SELinux status:                 disabled\n", nil, facts{"access_control": "disabled", "access_control_system": "unknown:not-found"}},
		{"sestatus cut short", "SELinux status:                 enabled\nSELinuxfs mou", nil, facts{"access_control": "unknown:unreadable-output"}},
		{"configured off", "", map[string]string{selinuxConfig: "# x\nSELINUX=disabled\nSELINUXTYPE=targeted\n"}, facts{"access_control": "disabled"}},
		{"apparmor", "", map[string]string{apparmorEnabled: "Y\n", apparmorProfiles: "/usr/bin/man (enforce)\nlsb_release (complain)\n"}, facts{"access_control": "enforcing", "access_control_system": "apparmor"}},
		{"apparmor complains", "", map[string]string{apparmorEnabled: "Y\n", apparmorProfiles: "a (complain)\nb (complain)\n"}, facts{"access_control": "permissive"}},
		{"apparmor without profiles", "", map[string]string{apparmorEnabled: "Y\n", apparmorProfiles: ""}, facts{"access_control": "permissive (not-found)"}},
		{"apparmor off", "", map[string]string{apparmorEnabled: "N\n"}, facts{"access_control": "disabled"}},
		{"none in the kernel", "", map[string]string{lsmFile: "capability,yama\n"}, facts{"access_control": "disabled (not-found)"}},
		{"smack", "", map[string]string{lsmFile: "capability,smack\n"}, facts{"access_control": "unknown:unsupported-system", "access_control_system": "smack"}},
		{"nothing", "", nil, facts{"access_control": "unknown:not-found", "access_control_system": "unknown:not-found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			for path, data := range tt.files {
				m.SetFile(path, data)
			}
			if tt.sestatus != "" {
				m.SetCommand("sestatus", tt.sestatus)
			}
			check(t, m, tt.want)
		})
	}
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(apparmorEnabled, "Y\n")
	m.SetFile(lsmFile, "lockdown,capability,apparmor")
	m.Fail(apparmorProfiles, fact.ReasonNeedsPrivilege)
	check(t, m, facts{"access_control": "unknown:needs-privilege", "access_control_system": "apparmor"})
}
