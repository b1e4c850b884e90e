package disk

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func TestLUKSHeaders(t *testing.T) {
	json := func(segments, tokens, slots, config string) string {
		return `{"keyslots":{` + slots + `},"tokens":{` + tokens + `},"segments":{` + segments + `},"digests":{},"config":{` + config + `}}`
	}
	const crypt = `"0":{"type":"crypt","encryption":"aes-xts-plain64"}`
	tests := []struct {
		name, text                        string
		status, protected, unlock, method string
	}{
		{"luks2", capture(t, "linux/luksdump/local-luks2.txt"), fact.Encrypted, "true", fact.UnlockPassword, "luks2 aes-xts-plain64"},
		{"luks1", capture(t, "linux/luksdump/local-luks1.txt"), fact.Encrypted, "true", fact.UnlockPassword, "luks2 aes-xts-plain64"},
		{"luks1, three slots", capture(t, "linux/luksdump/insights-luks1.txt"), fact.Encrypted, "true", fact.UnlockPassword, "luks2 aes-xts-plain64"},
		{"being encrypted anew, tpm", capture(t, "linux/luksdump/insights-luks2-reencrypt.txt"), fact.Encrypted, "false (conversion-running)", fact.UnlockTPM, "luks2 aes-xts-plain64"},
		{"no cipher", strings.ReplaceAll(capture(t, "linux/luksdump/local-luks2.txt"), "aes-xts-plain64", "cipher_null-ecb"), fact.Unencrypted, "false", "missing", "missing"},
		{"json", json(crypt, ``, `"0":{"type":"luks2"}`, ``), fact.Encrypted, "true", fact.UnlockPassword, "luks2 aes-xts-plain64"},
		{"json, tpm and recovery", json(crypt, `"0":{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pin":true},"1":{"type":"systemd-recovery","keyslots":["0"]}`, `"0":{"type":"luks2"},"1":{"type":"luks2"}`, ``), fact.Encrypted, "true", fact.UnlockTPMPin, "luks2 aes-xts-plain64"},
		{"json, clevis", json(crypt, `"0":{"type":"clevis","keyslots":["0"],"jwe":{"protected":"eyJjbGV2aXMiOnsicGluIjoidHBtMiJ9fQ"}}`, `"0":{"type":"luks2"}`, ``), fact.Encrypted, "true", fact.UnlockTPM, "luks2 aes-xts-plain64"},
		{"json, encryption runs", json(`"0":{"type":"crypt","encryption":"aes-xts-plain64","flags":["in-reencryption"]},"1":{"type":"linear"},"2":{"type":"linear","flags":["backup-previous"]}`, ``, `"0":{"type":"luks2"},"1":{"type":"reencrypt","mode":"encrypt"}`, `"requirements":{"mandatory":["online-reencrypt-v2"]}`), "UNENCRYPTED (conversion-running)", "false (conversion-running)", fact.UnlockPassword, "luks2 aes-xts-plain64"},
		{"nonsense", "Device /dev/sda is not a valid LUKS device.", fact.Encrypted, "true", "missing", "luks2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(root)
			l.device("254:0", "dm-0", luks, "sda")
			command := "cryptsetup luksDump /dev/sda"
			if strings.HasPrefix(tt.text, "{") {
				command = "cryptsetup luksDump --dump-json-metadata /dev/sda"
			}
			l.SetCommand(command, tt.text)
			expect(t, collect(t, l), map[string]string{
				luksKey + " status": tt.status, luksKey + " protected": tt.protected, luksKey + " unlock": tt.unlock, luksKey + " method": tt.method,
			})
		})
	}
}

func TestZFS(t *testing.T) {
	const command = "zfs get -H -p -t filesystem,volume -o name,property,value encryption,keystatus,keylocation,encryptionroot"
	props := func(rows ...string) string { return strings.ReplaceAll(strings.Join(rows, "\n"), " ", "\t") + "\n" }
	off := props("rpool/root encryption off", "rpool/root keystatus -", "rpool/root keylocation none", "rpool/root encryptionroot -")
	on := func(location string) string {
		return props("rpool encryption aes-256-gcm", "rpool keylocation "+location, "rpool encryptionroot rpool", "rpool keystatus available",
			"rpool/root encryption aes-256-gcm", "rpool/root keylocation none", "rpool/root encryptionroot rpool", "rpool/root keystatus available")
	}
	member := func(l lab) { l.udev("8:1", "ID_FS_TYPE=zfs_member", "ID_FS_LABEL=rpool") }
	tests := []struct {
		name, text        string
		setup             func(lab)
		status, protected string
	}{
		{"password", on("prompt"), nil, fact.Encrypted, "true"},
		{"key on a plain volume", on("file:///mnt/key"), nil, fact.Encrypted, "false (clear-key)"},
		{"key on the dataset itself", on("file:///etc/zfs/key"), nil, fact.Encrypted, "unknown: unsupported-system"},
		{"key from a server", on("https://keys.example/rpool"), nil, fact.Encrypted, "true"},
		{"off, devices not known", off, nil, "unknown: unsupported-system", "unknown: unsupported-system"},
		{"off, on a plain disk", off, member, fact.Unencrypted, "false"},
		{"off, on luks", off, func(l lab) {
			l.device("254:0", "dm-0", luks, "sda1")
			l.udev("254:0", "ID_FS_TYPE=zfs_member", "ID_FS_LABEL=rpool")
		}, fact.Encrypted, "true"},
		{"another dataset", props("tank encryption on"), nil, "unknown: not-found", "unknown: not-found"},
		{"without native encryption", capture(t, "linux/zfs/inspec-zfs-get-all.txt"), nil, "unknown: unreadable-output", "unknown: unreadable-output"},
		{"another answer", capture(t, "linux/zfs/facter-zfs-get.txt"), nil, "unknown: unreadable-output", "unknown: unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab("1 0 0:30 / / rw - zfs rpool/root rw", "2 1 8:2 / /mnt rw - ext4 /dev/sda2 rw")
			l.disk("pci0", "8", "sda", "sda1", "sda2")
			if tt.setup != nil {
				tt.setup(l)
			}
			l.SetCommand(command, tt.text)
			expect(t, collect(t, l), map[string]string{"system_status": tt.status, "system_protected": tt.protected, "rpool/root name": "/"})
		})
	}
}

func TestFscrypt(t *testing.T) {
	l := newLab(root)
	l.device("254:0", "sda", "")
	l.SetDir("/.fscrypt")
	l.SetSessions(evidence.Session{User: "me", ID: "1000", Home: "/home/me"}, evidence.Session{User: "you", Home: "/home/you"})
	l.SetCommand("fscrypt status /home/me", capture(t, "linux/fscrypt/status-dir-unlocked.txt"))
	l.SetCommand("fscrypt status /home/you", capture(t, "linux/fscrypt/status-not-enabled.txt"))
	s := collect(t, l)
	const key = "fscrypt:16382f282d7b29ee27e6460151d03382"
	expect(t, s, map[string]string{
		key + " status": fact.Encrypted, key + " role": fact.RoleData, key + " name": "/home/me", key + " method": "fscrypt AES_256_XTS",
		key + " unlock": fact.UnlockPassword, "system_status": fact.Unencrypted, "data_protected": "false",
	})
	if len(s.Keys()) != 2 {
		t.Errorf("volumes %v", s.Keys())
	}
}
