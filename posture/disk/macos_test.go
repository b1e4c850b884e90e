package disk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func mac(fdesetup string) *evidence.Memory {
	m := evidence.NewMemory(evidence.MacOS, day)
	if fdesetup != "" {
		m.SetCommand("fdesetup status", fdesetup)
	}
	return m
}

// apfs writes what `diskutil apfs list -plist` prints; a volume is
// "UUID role FileVault Encryption CryptoMigrationOn".
func apfs(containers ...[]string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist version="1.0"><dict><key>Containers</key><array>`)
	for _, c := range containers {
		fmt.Fprintf(&b, `<dict><key>PhysicalStores</key><array><dict><key>DeviceIdentifier</key><string>%s</string></dict></array><key>Volumes</key><array>`, c[0])
		for _, v := range c[1:] {
			f := strings.Fields(v)
			roles := "<string>" + f[1] + "</string>"
			if f[1] == "-" {
				roles = ""
			}
			fmt.Fprintf(&b, `<dict><key>APFSVolumeUUID</key><string>%s</string><key>Name</key><string>Vol %s</string><key>Roles</key><array>%s</array><key>FileVault</key><%s/><key>Encryption</key><%s/><key>CryptoMigrationOn</key><%s/><key>Locked</key><false/></dict>`,
				f[0], f[0], roles, f[2], f[3], f[4])
		}
		b.WriteString(`</array></dict>`)
	}
	return b.String() + `</array></dict></plist>`
}

const internalDisk0 = `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>AllDisksAndPartitions</key><array><dict><key>DeviceIdentifier</key><string>disk0</string><key>Partitions</key><array>%s</array></dict></array><key>WholeDisks</key><array><string>disk0</string></array></dict></plist>`

func TestFileVault(t *testing.T) {
	partly := "UNENCRYPTED (conversion-running)"
	tests := map[string]string{
		"FileVault is On.\n": fact.Encrypted,
		"FileVault is On.\nFileVault master keychain appears to be installed.\n": fact.Encrypted,
		"FileVault is Off.\n": fact.Unencrypted,
		"FileVault is Off, but will be enabled after the next restart.\n":                   fact.Unencrypted,
		"FileVault is Off.\nDeferred enablement appears to be active for user 'example'.\n": fact.Unencrypted,
		"FileVault is On, but needs to be restarted to finish.\n":                           partly,
		"FileVault is Off, but needs to be restarted to finish.\n":                          partly,
		"FileVault is On.\nEncryption in progress: Percent completed = 42\n":                partly,
		"FileVault is On.\r\nEncryption in progress: Percent completed = 42.5\r\n":          partly,
		"FileVault is On.\nEncryption in progress: Pending\n":                               partly,
		"FileVault is Off.\nEncryption in progress: Percent completed = 3\n":                partly,
		"FileVault is Off.\nDecryption in progress: Percent complete = 35.00\n":             partly,
		"FileVault is On.\nDecryption in progress: Percent completed = 35\n":                partly,
		"Decryption in progress: Percent completed = 35\n":                                  partly,
		"FileVault is Only a word.\n":                                                       "unknown: unreadable-output",
		"FileVault is On\n":                                                                 "unknown: unreadable-output",
		"FileVault is On.\nFileVault is Off.\n":                                             "unknown: unreadable-output",
		"Error: something\n":                                                                "unknown: unreadable-output",
		" ":                                                                                 "unknown: unreadable-output",
	}
	for out, want := range tests {
		s := collect(t, mac(out))
		if g := got(s, "system_status", ""); g != want {
			t.Errorf("%q: %s, want %s", out, g, want)
		}
		if protected := got(s, "system_protected", ""); (protected == "true") != (want == fact.Encrypted) {
			t.Errorf("%q: protected %s", out, protected)
		}
	}
}

func TestFileVaultCaptures(t *testing.T) {
	for name, want := range map[string][2]string{
		"on": {fact.Encrypted, fact.Complete}, "off": {fact.Unencrypted, fact.Decrypted}, "off-deferred": {fact.Unencrypted, fact.Decrypted},
		"off-next-restart": {fact.Unencrypted, fact.Decrypted}, "encrypting": {"UNENCRYPTED (conversion-running)", fact.Encrypting},
		"encrypting-decimal": {"UNENCRYPTED (conversion-running)", fact.Encrypting}, "encrypting-pending": {"UNENCRYPTED (conversion-running)", fact.Encrypting},
		"decrypting-off-headline": {"UNENCRYPTED (conversion-running)", fact.Decrypting},
	} {
		expect(t, collect(t, mac(capture(t, "macos/fdesetup/"+name+".txt"))), map[string]string{
			"startup status": want[0], "startup conversion": want[1], "swap_clear": "false",
		})
	}
}

func TestMacWithoutAnAnswer(t *testing.T) {
	if s := collect(t, mac("")); s.State != fact.Unknown || s.Reason != fact.ReasonToolMissing {
		t.Errorf("%s %s", s.State, s.Reason)
	}
	m := mac("")
	m.SetOutput("fdesetup status", evidence.Output{Stdout: []byte("FileVault is On.\n"), Code: 1})
	expect(t, collect(t, m), map[string]string{"system_status": "unknown: unreadable-output"})
}

func TestMacVolumes(t *testing.T) {
	m := mac("FileVault is On.\n")
	m.SetCommand("diskutil apfs list -plist", apfs(
		[]string{"disk0s1", "I-1 Preboot false false false"},
		[]string{"disk0s2", "A-1 System true false false", "A-2 Preboot false false false", "A-3 Recovery false false false",
			"A-4 Data true true false", "A-5 VM false false false", "A-6 Update false false false", "A-7 - true true false"},
		[]string{"disk4s2", "E-1 - false false false"},
		[]string{"disk0s4", "F-1 - false true false"},
	))
	m.SetCommand("diskutil list -plist internal physical", fmt.Sprintf(internalDisk0, `<dict><key>Content</key><string>Apple_HFS</string><key>MountPoint</key><string>/Volumes/Old</string><key>VolumeUUID</key><string>H-1</string></dict>`))
	s := collect(t, m)
	expect(t, s, map[string]string{
		"system_status": fact.Encrypted, "system_protected": "true", "data_protected": "false", "swap_clear": "false",
		"A-4 role": fact.RoleData, "A-4 protected": "true", "A-4 unlock": fact.UnlockPerson, "A-4 method": "filevault", "A-1 role": fact.RoleSystem,
		"A-2 role": fact.RoleBoot, "A-3 role": fact.RoleRecovery, "A-5 role": fact.RoleSwap, "A-7 role": fact.RoleData,
		"E-1 role": fact.RoleRemovable, "E-1 status": fact.Unencrypted, "F-1 protected": "false", "F-1 method": "hardware key only", "H-1 status": fact.Unencrypted,
	})
}

func TestMacDataOnOtherDisks(t *testing.T) {
	list := apfs([]string{"disk0s2", "A-1 System true false false", "A-4 Data true true false"}, []string{"disk4s2", "E-1 - false false false"})
	m := mac("FileVault is On.\n")
	m.SetCommand("diskutil apfs list -plist", list)
	m.SetCommand("diskutil list -plist internal physical", fmt.Sprintf(internalDisk0, ""))
	expect(t, collect(t, m), map[string]string{"data_protected": "true", "E-1 role": fact.RoleRemovable})
	m.Fail("diskutil list -plist internal physical", fact.ReasonTimeout) // now nobody knows what E-1 is
	expect(t, collect(t, m), map[string]string{"system_protected": "true", "data_protected": "unknown: timeout"})
	// Without another container, too: a partition that is not of APFS may be open.
	m.SetCommand("diskutil apfs list -plist", apfs([]string{"disk0s2", "A-1 System true false false", "A-4 Data true true false"}))
	expect(t, collect(t, m), map[string]string{"system_protected": "true", "data_protected": "unknown: timeout"})
	m.Fail("diskutil list -plist internal physical", "")
	expect(t, collect(t, m), map[string]string{"data_protected": "true"})
	m.SetCommand("diskutil list -plist internal physical", internalDisk0[:len(internalDisk0)/2])
	expect(t, collect(t, m), map[string]string{"data_protected": "unknown: unreadable-output"})
}

func TestMacSourcesThatDisagree(t *testing.T) {
	list := func(data string) string {
		return apfs([]string{"disk0s2", "A-1 System true false false", "A-4 Data " + data})
	}
	tests := []struct{ name, fdesetup, data, status, protected string }{
		{"on, not in the container", "FileVault is On.\n", "false true false", "conflict: sources-disagree", "conflict: sources-disagree"},
		{"off, but in the container", "FileVault is Off.\n", "true true false", "conflict: sources-disagree", "conflict: sources-disagree"},
		{"both off", "FileVault is Off.\n", "false true false", fact.Unencrypted, "false"},
		{"encrypting", "FileVault is On.\nEncryption in progress: Percent completed = 9\n", "true true true", "UNENCRYPTED (conversion-running)", "false (conversion-running)"},
		{"decrypting", "FileVault is Off.\nDecryption in progress: Percent completed = 9\n", "true true false", "UNENCRYPTED (conversion-running)", "false (conversion-running)"},
		{"only diskutil knows that it runs", "FileVault is On.\n", "true true true", "UNENCRYPTED (conversion-running)", "false (conversion-running)"},
		{"only diskutil answers", "", "true true false", fact.Encrypted, "true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := mac(tt.fdesetup)
			m.SetCommand("diskutil apfs list -plist", list(tt.data))
			expect(t, collect(t, m), map[string]string{"system_status": tt.status, "system_protected": tt.protected, "data_protected": tt.protected})
		})
	}
}

// Two systems in one container: which of them runs, the plist does not say.
func TestMacTwoSystems(t *testing.T) {
	m := mac("FileVault is On.\n")
	m.SetCommand("diskutil apfs list -plist", apfs([]string{"disk0s2", "A-1 System true false false", "A-2 Data true true false", "B-1 System false false false", "B-2 Data false false false"}))
	expect(t, collect(t, m), map[string]string{"system_status": fact.Encrypted, "startup role": fact.RoleSystem, "data_protected": "false", "B-2 role": fact.RoleData})
}

func TestMacText(t *testing.T) {
	tests := []struct {
		capture string
		want    map[string]string
	}{
		{"regression-encrypted", map[string]string{"system_status": fact.Encrypted, "AAAA-BBBB name": "/System/Volumes/Data", "AAAA-BBBB role": fact.RoleData}},
		{"regression-plaintext", map[string]string{"system_status": fact.Unencrypted, "AAAA-BBBB status": fact.Unencrypted}},
		{"zh-intel-10.15", map[string]string{
			"system_status": fact.Encrypted, "system_protected": "true", "data_protected": "true",
			"35818BF3-204E-4024-A049-FE5D61D96B74 role": fact.RoleBoot, "3873B186-B246-4F1D-8E7B-4E2515E4B838 status": fact.Unencrypted,
			"3873B186-B246-4F1D-8E7B-4E2515E4B838 role": fact.RoleRecovery}},
	}
	for _, tt := range tests {
		m := mac("")
		m.SetCommand("diskutil apfs list", capture(t, "macos/diskutil-apfs-list/"+tt.capture+".txt"))
		expect(t, collect(t, m), tt.want)
	}
	m := mac("FileVault is On.\n")
	m.SetCommand("diskutil apfs list", capture(t, "macos/diskutil-apfs-list/regression-plaintext.txt"))
	expect(t, collect(t, m), map[string]string{"system_status": "conflict: sources-disagree"})
}

// The lines of newer systems: a sealed system whose snapshot runs, and progress
// in place of FileVault (diskutil(8) of macOS 10.13 and 11).
func TestMacTextOfNewerSystems(t *testing.T) {
	text := `APFS Containers (2 found)
|
+-- Container disk3 11111111-1111-1111-1111-111111111111
|   +-< Physical Store disk0s2 86D4B7EC-6FA5-4042-93A7-D3766A222EBE
|   +-> Volume disk3s1 7A27E734-880F-4D91-A703-FB55861D49B7
|   |   APFS Volume Disk (Role):   disk3s1 (System)
|   |   Name:                      Macintosh HD (Case-insensitive)
|   |   Mount Point:               /System/Volumes/Update/mnt1
|   |   Sealed:                    Broken
|   |   FileVault:                 Yes (Unlocked)
|   |   Encrypted:                 No
|   |   |
|   |   Snapshot Mount Point:      /
|   +-> Volume disk3s5 281959B7-07A1-4940-BDDF-6419360F3327
|       APFS Volume Disk (Role):   disk3s5 (Data)
|       Name:                      Macintosh HD - Data (Case-insensitive)
|       Mount Point:               /System/Volumes/Data
|       FileVault:                 %s
+-- Container disk5 22222222-2222-2222-2222-222222222222
    +-< Physical Store disk4s2 96D4B7EC-6FA5-4042-93A7-D3766A222EBE
    +-> Volume disk5s1 381959B7-07A1-4940-BDDF-6419360F3327
        APFS Volume Disk (Role):   disk5s1 (No specific role)
        Name:                      Backup (Case-insensitive)
        Mount Point:               /Volumes/Backup
        FileVault:                 No
`
	const data = "281959B7-07A1-4940-BDDF-6419360F3327"
	for said, want := range map[string]string{
		"Yes (Unlocked)":         fact.Encrypted,
		"No (Encrypted at rest)": fact.Unencrypted,
		"No":                     fact.Unencrypted,
		"Yes (Unlocked)\n|       Conversion Status:         Encrypting": "UNENCRYPTED (conversion-running)",
		"Yes (Unlocked)\n|       Encryption Progress:       21.0% done": "UNENCRYPTED (conversion-running)",
		"はい": "unknown: unreadable-output",
	} {
		m := mac("")
		m.SetCommand("diskutil apfs list", fmt.Sprintf(text, said))
		m.SetCommand("diskutil list -plist internal physical", fmt.Sprintf(internalDisk0, ""))
		expect(t, collect(t, m), map[string]string{
			"system_status": want, data + " status": want, "7A27E734-880F-4D91-A703-FB55861D49B7 name": "/",
			"381959B7-07A1-4940-BDDF-6419360F3327 role": fact.RoleRemovable,
		})
	}
}

func TestMacSwap(t *testing.T) {
	for usage, want := range map[string]string{
		"total = 2048.00M  used = 1000.00M  free = 1048.00M  (encrypted)": "false",
		"total = 64.00M  used = 0.00M  free = 64.00M":                     "true",
		"nonsense": "unknown: unreadable-output",
	} {
		m := mac("")
		m.SetSysctl("vm.swapusage", usage)
		if g := got(collect(t, m), "swap_clear", ""); g != want {
			t.Errorf("%q: %s, want %s", usage, g, want)
		}
	}
}

// Every Mac with Apple silicon has two small containers beside its own.
func TestMacFirmwareContainers(t *testing.T) {
	m := mac("FileVault is On.\n")
	m.SetCommand("diskutil apfs list -plist", apfs(
		[]string{"disk0s1", "I-1 Preboot false false false", "I-2 xART false false false", "I-3 Hardware false false false", "I-4 Recovery false false false"},
		[]string{"disk0s3", "R-1 Recovery false false false", "R-2 Update false false false"},
		[]string{"disk0s2", "A-1 System true false false", "A-2 Preboot false false false", "A-4 Data true true false"},
	))
	m.SetCommand("diskutil list -plist internal physical", fmt.Sprintf(internalDisk0, ""))
	expect(t, collect(t, m), map[string]string{"system_protected": "true", "data_protected": "true", "A-2 role": fact.RoleBoot, "I-1 role": "missing", "R-1 role": "missing"})
}

// What macOS mounts that is not of APFS is open: Windows' partition, too.
func TestMacPlainVolumes(t *testing.T) {
	list := apfs([]string{"disk0s2", "A-1 System true false false", "A-4 Data true true false"})
	for content, want := range map[string]string{
		"Microsoft Basic Data": "false", "Windows_NTFS": "false", "DOS_FAT_32": "false", "Apple_HFS": "false", "Apple_HFSX": "false",
		"EFI": "true", "Apple_Boot": "true", "Apple_APFS": "true", "Apple_APFS_Recovery": "true",
	} {
		m := mac("FileVault is On.\n")
		m.SetCommand("diskutil apfs list -plist", list)
		m.SetCommand("diskutil list -plist internal physical", fmt.Sprintf(internalDisk0, "<dict><key>Content</key><string>"+content+
			"</string><key>DeviceIdentifier</key><string>disk0s3</string><key>MountPoint</key><string>/Volumes/BOOTCAMP</string></dict>"))
		s := collect(t, m)
		if g := got(s, "data_protected", ""); g != want {
			t.Errorf("%s: data_protected %s, want %s", content, g, want)
		}
		if g := got(s, "status", "disk0s3"); (g == fact.Unencrypted) != (want == "false") {
			t.Errorf("%s: %s", content, g)
		}
	}
}

// diskutil says which way a conversion goes (CryptoMigrationDirection).
func TestMacConversionOfOtherVolumes(t *testing.T) {
	list := func(direction string) string {
		said := "<key>CryptoMigrationOn</key><true/>" + direction
		return strings.Replace(apfs([]string{"disk0s2", "A-1 System true false false", "A-4 Data true true false", "B-1 - true true true"}), "<key>CryptoMigrationOn</key><true/>", said, 1)
	}
	for direction, want := range map[string]string{
		"": fact.Encrypting, "<key>CryptoMigrationDirection</key><string>Encrypting</string>": fact.Encrypting,
		"<key>CryptoMigrationDirection</key><string>Decrypting</string>": fact.Decrypting,
	} {
		m := mac("FileVault is On.\n")
		m.SetCommand("diskutil apfs list -plist", list(direction))
		m.SetCommand("diskutil list -plist internal physical", fmt.Sprintf(internalDisk0, ""))
		expect(t, collect(t, m), map[string]string{"B-1 conversion": want, "B-1 protected": "false (conversion-running)", "data_protected": "false (conversion-running)"})
	}
	m := mac("")
	m.SetCommand("diskutil apfs list -plist", strings.ReplaceAll(list(""), "<key>FileVault</key><true/>", "<key>FileVault</key><string>Yes</string>"))
	expect(t, collect(t, m), map[string]string{"system_status": "unknown: malformed-value"})
}
