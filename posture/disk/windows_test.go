package disk

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const wmiTarget = `root\cimv2\security\microsoftvolumeencryption:win32_encryptablevolume`

// pc is a Windows machine with C: and what its sources say.
func pc(rows ...evidence.Row) *evidence.Memory {
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetRegistry("HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\r\n    ExistingPageFiles    REG_MULTI_SZ    \\??\\C:\\pagefile.sys\r\n")
	m.SetAnswer([]map[string]any{{"letter": "C:", "type": "fixed", "filesystem": "NTFS", "label": "Windows", "id": `\\?\Volume{C0}\`, "system": true}}, evidence.AskVolumes)
	if rows != nil {
		m.SetWMI(wmiNamespace, wmiClass, rows...)
	}
	return m
}

// row is an instance: "Name=value", or "Name=a|b" for an array, "Name=" empty.
func row(properties ...string) evidence.Row {
	r := evidence.Row{}
	for _, p := range properties {
		name, value, _ := strings.Cut(p, "=")
		if name == "KeyProtectorTypes" {
			r[name] = strings.FieldsFunc(value, func(c rune) bool { return c == '|' })
			continue
		}
		r[name] = []string{value}
	}
	return r
}

func shell(m *evidence.Memory, letter string, value int) {
	m.SetAnswer(map[string]int{"value": value}, evidence.AskVolumeProtection, letter)
}

func TestBitLockerByWMI(t *testing.T) {
	tests := []struct {
		name string
		row  []string
		want map[string]string
	}{
		{"on", []string{"ProtectionStatus=1", "ConversionStatus=1", "EncryptionMethod=6", "VolumeType=0", "KeyProtectorTypes=1|3"}, map[string]string{
			"system_status": fact.Encrypted, "system_protected": "true", "data_protected": "true", "swap_clear": "false",
			"C: method": "bitlocker xts-aes-128", "C: unlock": fact.UnlockTPM, "C: conversion": fact.Complete, "C: suspended": "false", "C: role": fact.RoleSystem, "C: name": "C:"}},
		{"on, with a PIN", []string{"ProtectionStatus=1", "ConversionStatus=1", "KeyProtectorTypes=4|3"}, map[string]string{"C: unlock": fact.UnlockTPMPin}},
		{"off", []string{"ProtectionStatus=0", "ConversionStatus=0", "EncryptionMethod=0", "KeyProtectorTypes="}, map[string]string{
			"system_status": fact.Unencrypted, "system_protected": "false", "swap_clear": "true", "C: conversion": fact.Decrypted}},
		{"encrypting", []string{"ProtectionStatus=0", "ConversionStatus=2", "EncryptionMethod=6", "EncryptionPercentage=99"}, map[string]string{
			"system_status": "UNENCRYPTED (conversion-running)", "system_protected": "false (conversion-running)", "C: conversion": fact.Encrypting}},
		{"decryption paused", []string{"ProtectionStatus=0", "ConversionStatus=5"}, map[string]string{
			"system_status": "UNENCRYPTED (conversion-running)", "C: conversion": fact.Decrypting}},
		{"suspended", []string{"ProtectionStatus=0", "ConversionStatus=1", "EncryptionMethod=7", "KeyProtectorTypes=1|3", "SuspendCount=1"}, map[string]string{
			"system_status": fact.Encrypted, "system_protected": "false (protection-suspended)", "C: suspended": "true", "C: unlock": fact.UnlockNone,
			"swap_clear": "true (protection-suspended)", "data_protected": "false (protection-suspended)"}},
		{"suspended, without more", []string{"ProtectionStatus=0", "ConversionStatus=1"}, map[string]string{
			"system_status": fact.Encrypted, "system_protected": "false (protection-suspended)"}},
		{"clear key", []string{"ProtectionStatus=0", "ConversionStatus=1", "KeyProtectorTypes="}, map[string]string{
			"system_protected": "false (clear-key)", "C: unlock": fact.UnlockNone, "C: suspended": "false"}},
		{"locked", []string{"ProtectionStatus=2"}, map[string]string{"system_status": "unknown: unreadable-output", "system_protected": "unknown: unreadable-output"}},
		// Windows 7 has no other property; on means fully encrypted, key not in the clear.
		{"on, an old system", []string{"ProtectionStatus=1"}, map[string]string{"system_status": fact.Encrypted, "system_protected": "true"}},
		{"off, an old system", []string{"ProtectionStatus=0"}, map[string]string{"system_status": "unknown: unreadable-output", "system_protected": "false"}},
		{"encrypted with no method", []string{"ProtectionStatus=1", "ConversionStatus=1", "EncryptionMethod=0"}, map[string]string{"system_status": "unknown: sources-disagree"}},
		{"on, without key protectors", []string{"ProtectionStatus=1", "ConversionStatus=1", "KeyProtectorTypes="}, map[string]string{"system_protected": "conflict: sources-disagree"}},
		{"on, decrypted", []string{"ProtectionStatus=1", "ConversionStatus=0"}, map[string]string{"system_protected": "conflict: sources-disagree"}},
		{"words no one knows", []string{"ProtectionStatus=maybe", "ConversionStatus=77"}, map[string]string{"system_status": "unknown: unreadable-output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := pc(row(append(tt.row, "DriveLetter=C:", `DeviceID=\\?\Volume{C0}\`)...))
			expect(t, collect(t, m), tt.want)
		})
	}
}

// PowerShell's words for the same properties.
func TestBitLockerRowsAsPowerShellWritesThem(t *testing.T) {
	rows, err := evidence.ParseRows([]byte(capture(t, "windows/bitlocker-ps/docs-list-C.txt")))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	expect(t, collect(t, pc(rows...)), map[string]string{
		"system_status": fact.Encrypted, "system_protected": "true", "C: unlock": fact.UnlockTPM, "C: method": "bitlocker xts-aes-128",
	})
}

func TestBitLockerByShell(t *testing.T) {
	tests := map[int][2]string{
		0: {"unknown: unreadable-output", "unknown: unreadable-output"},
		1: {fact.Encrypted, "true"},
		2: {fact.Unencrypted, "false"},
		3: {"UNENCRYPTED (conversion-running)", "false (conversion-running)"},
		4: {"UNENCRYPTED (conversion-running)", "false (conversion-running)"},
		5: {fact.Encrypted, "false (protection-suspended)"},
		6: {"unknown: unreadable-output", "unknown: unreadable-output"},
		7: {fact.EncryptNone, "false"},
		8: {fact.Encrypted, "false (clear-key)"},
		9: {"unknown: unreadable-output", "unknown: unreadable-output"},
	}
	for value, want := range tests {
		m := pc()
		m.Fail(wmiTarget, fact.ReasonNeedsPrivilege)
		shell(m, "C:", value)
		s := collect(t, m)
		if g := got(s, "system_status", ""); g != want[0] {
			t.Errorf("%d: status %s, want %s", value, g, want[0])
		}
		if g := got(s, "system_protected", ""); g != want[1] {
			t.Errorf("%d: protected %s, want %s", value, g, want[1])
		}
	}
}

func TestWindowsWithoutAnAnswer(t *testing.T) {
	m := pc()
	m.Fail(wmiTarget, fact.ReasonNeedsPrivilege)
	if s := collect(t, m); s.State != fact.Unknown || got(s, "system_status", "") != "unknown: needs-privilege" {
		t.Errorf("no rights: %s", got(s, "system_status", ""))
	}
	m = evidence.NewMemory(evidence.Windows, day)
	m.Before(wmiTarget, missingNamespace)
	if s := collect(t, m); got(s, "system_status", "") != "unknown: tool-missing" || got(s, "data_protected", "") != "unknown: tool-missing" {
		t.Errorf("server without the feature: %s", got(s, "system_status", ""))
	}
	shell(m, "C:", 2)
	if s := collect(t, m); got(s, "system_status", "") != fact.Unencrypted {
		t.Errorf("server without the feature, the shell knows: %s", got(s, "system_status", ""))
	}
	m = pc([]evidence.Row{}...)
	m.SetWMI(wmiNamespace, wmiClass)
	expect(t, collect(t, m), map[string]string{"system_status": "unknown: not-found", "system_protected": "unknown: not-found", "data_protected": "unknown: not-found"})
}

func TestWindowsSourcesThatDisagree(t *testing.T) {
	on := row("DriveLetter=C:", "ProtectionStatus=1", "ConversionStatus=1", "VolumeType=0")
	m := pc(on)
	shell(m, "C:", 2)
	s := collect(t, m)
	expect(t, s, map[string]string{
		"system_status": "conflict: sources-disagree", "system_protected": "conflict: sources-disagree", "data_protected": "conflict: sources-disagree",
		"C: status": "conflict: sources-disagree", "C: protected": "conflict: sources-disagree", "swap_clear": "unknown: sources-disagree",
		"C: conversion": "unknown: sources-disagree", "C: suspended": "unknown: sources-disagree",
	})
	if !strings.Contains(s.Source, "shell property of C: says UNENCRYPTED") {
		t.Errorf("source: %s", s.Source)
	}
	m = pc(on)
	shell(m, "C:", 5)
	expect(t, collect(t, m), map[string]string{"system_status": fact.Encrypted, "system_protected": "conflict: sources-disagree"})
	m = pc(on)
	shell(m, "C:", 6) // says nothing
	expect(t, collect(t, m), map[string]string{"system_protected": "true"})
	m = pc(row("DriveLetter=C:", "ProtectionStatus=0", "ConversionStatus=0"))
	shell(m, "C:", 7) // not encrypted, and not to be: both say that nothing is
	expect(t, collect(t, m), map[string]string{"system_status": fact.Unencrypted, "system_protected": "false"})
	m = pc(row("DriveLetter=C:", "ProtectionStatus=0")) // WMI leaves open what off means
	shell(m, "C:", 8)
	expect(t, collect(t, m), map[string]string{"system_status": fact.Encrypted, "system_protected": "false (clear-key)"})
}

func TestWindowsVolumes(t *testing.T) {
	m := pc(
		row("DriveLetter=C:", `DeviceID=\\?\Volume{C0}\`, "ProtectionStatus=1", "ConversionStatus=1", "VolumeType=0"),
		row("DriveLetter=D:", `DeviceID=\\?\Volume{D0}\`, "ProtectionStatus=0", "ConversionStatus=0", "VolumeType=1"),
		row("DriveLetter=E:", `DeviceID=\\?\Volume{E0}\`, "ProtectionStatus=0", "ConversionStatus=0", "VolumeType=2"),
		row("DriveLetter=", `DeviceID=\\?\Volume{AB12}\`, "ProtectionStatus=0", "ConversionStatus=0", "VolumeType=1"),
	)
	m.SetAnswer([]map[string]any{
		{"letter": "C:", "type": "fixed", "system": true}, {"letter": "D:", "type": "fixed"}, {"letter": "E:", "type": "removable"},
		{"letter": "F:", "type": "cdrom"}, {"letter": "G:", "type": "remote"},
	}, evidence.AskVolumes)
	s := collect(t, m)
	expect(t, s, map[string]string{
		"system_protected": "true", "data_protected": "false", "swap_clear": "false",
		"D: role": fact.RoleData, "E: role": fact.RoleRemovable, "ab12 role": fact.RoleRecovery, "F: role": "missing",
	})
	if keys := strings.Join(s.Keys(), " "); keys != "C: D: ab12 E:" {
		t.Errorf("order %s", keys)
	}
	m.SetWMI(wmiNamespace, wmiClass,
		row("DriveLetter=C:", "ProtectionStatus=1", "ConversionStatus=1", "VolumeType=0"),
		row("DriveLetter=D:", "ProtectionStatus=1", "ConversionStatus=1", "VolumeType=0"), // another Windows
		row("DriveLetter=E:", "ProtectionStatus=0", "ConversionStatus=0", "VolumeType=2"))
	expect(t, collect(t, m), map[string]string{"data_protected": "true", "D: role": fact.RoleData})
}

func TestWindowsOnAnotherLetter(t *testing.T) {
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetRegistry("HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\r\n    SystemRoot    REG_SZ    D:\\Windows\r\n")
	m.SetWMI(wmiNamespace, wmiClass,
		row("DriveLetter=C:", "ProtectionStatus=1", "ConversionStatus=1", "VolumeType=0"),
		row("DriveLetter=D:", "ProtectionStatus=0", "ConversionStatus=0", "VolumeType=0"))
	expect(t, collect(t, m), map[string]string{"system_status": fact.Unencrypted, "D: role": fact.RoleSystem, "C: role": fact.RoleData})
}

func TestWindowsPageFiles(t *testing.T) {
	on := row("DriveLetter=C:", "ProtectionStatus=1", "ConversionStatus=1", "VolumeType=0")
	off := row("DriveLetter=D:", "ProtectionStatus=0", "ConversionStatus=0", "VolumeType=1")
	for files, want := range map[string]string{
		`\??\C:\pagefile.sys`:                        "false",
		`\??\C:\pagefile.sys\0\??\D:\pagefile.sys`:   "true",
		`?:\pagefile.sys`:                            "false",
		`\??\Z:\pagefile.sys`:                        "unknown: not-found",
		`\??\D:\pagefile.sys\0\??\C:\pagefile.sys\0`: "true",
	} {
		m := pc(on, off)
		m.SetRegistry("HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Memory Management\r\n    ExistingPageFiles    REG_MULTI_SZ    " + files + "\r\n")
		if g := got(collect(t, m), "swap_clear", ""); g != want {
			t.Errorf("%s: %s, want %s", files, g, want)
		}
	}
}

// rawAnswers is a machine with these answers, or nil when they are no JSON.
func rawAnswers(volumes, protection []byte) *evidence.Memory {
	if !json.Valid(volumes) || !json.Valid(protection) {
		return nil
	}
	m := evidence.NewMemory(evidence.Windows, day)
	m.SetAnswer(json.RawMessage(volumes), evidence.AskVolumes)
	m.SetAnswer(json.RawMessage(protection), evidence.AskVolumeProtection, "C:")
	return m
}
