package disk

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// positive is false unless a fact of the system volume was read and is positive.
func positive(s fact.Signal) bool {
	return got(s, "system_status", "") == fact.Encrypted || got(s, "system_protected", "") == "true"
}

func FuzzMountInfo(f *testing.F) {
	seeds(f, "linux/mountinfo", "linux/mounts")
	f.Add(root)
	f.Add(`1 0 8:1 / /var/\133\040\\777 rw shared:1 - ext4 /dev/sda1 rw`)
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(text)
		l.SetFile("/proc/self/mounts", text)
		l.device("254:0", "dm-0", luks)
		collect(t, l)
	})
}

func FuzzLsblk(f *testing.F) {
	seeds(f, "linux/lsblk", "linux/lsblk-json", "linux/blkid")
	f.Fuzz(func(t *testing.T, text string) {
		m := evidence.NewMemory(evidence.Linux, day)
		m.SetCommand("lsblk", text)
		s := collect(t, m)
		if positive(s) && !strings.Contains(text, "crypt") && !strings.Contains(text, "crypto_LUKS") {
			t.Errorf("encrypted by nothing: %q", text)
		}
	})
}

func FuzzSysfs(f *testing.F) {
	f.Add(luks, "sda", "/image", "ID_FS_UUID=1")
	f.Add("LVM-x", "dm-0", "", "DM_UUID=CRYPT-PLAIN-x")
	f.Fuzz(func(t *testing.T, uuid, slave, backing, udev string) {
		l := newLab(root)
		l.device("254:0", "dm-0", uuid, strings.ReplaceAll(slave, "/", "_"))
		l.device("7:0", "loop0", "")
		l.SetFile("/sys/devices/virtual/block/loop0/loop/backing_file", backing)
		l.udev("254:0", udev)
		collect(t, l)
	})
}

func FuzzCrypttab(f *testing.F) {
	f.Add("root UUID=" + luksKey + " none luks,discard")
	f.Add("root /dev/sda2 /etc/key:LABEL=x tpm2-device=auto\n# x\nswap /dev/sda1 /dev/urandom swap")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(root)
		l.device("254:0", "dm-0", luks)
		l.SetFile(crypttabFile, text)
		if s := collect(t, l); got(s, "system_status", "") != fact.Encrypted {
			t.Errorf("the table of keys says nothing of encryption: %s", got(s, "system_status", ""))
		}
	})
}

func FuzzSwaps(f *testing.F) {
	f.Add(noSwap + "/dev/sda5 partition 1 0 -2\n/swap\\040x file 1 0 -3\n/dev/zram0 partition 1 0 100\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(root)
		l.device("254:0", "dm-0", luks)
		l.SetFile(swapList, text)
		collect(t, l)
	})
}

func FuzzLUKSHeader(f *testing.F) {
	seeds(f, "linux/luksdump")
	f.Add(`{"keyslots":{"0":{"type":"luks2"}},"segments":{"0":{"type":"crypt","encryption":"aes-xts-plain64"}},"tokens":{"0":{"type":"clevis","jwe":{"protected":"e30"}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(root)
		l.device("254:0", "dm-0", luks, "sda")
		l.SetCommand("cryptsetup luksDump /dev/sda", text)
		l.SetCommand("cryptsetup luksDump --dump-json-metadata /dev/sda", text)
		collect(t, l)
	})
}

func FuzzZFS(f *testing.F) {
	seeds(f, "linux/zfs")
	f.Add("rpool\tencryption\taes-256-gcm\nrpool\tkeylocation\tfile:///x\nrpool\tencryptionroot\trpool\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab("1 0 0:30 / / rw - zfs rpool rw")
		l.SetCommand("zfs get -H -p -o name,property,value encryption,keystatus,keylocation,encryptionroot", text)
		if s := collect(t, l); positive(s) && !strings.Contains(text, "encryption") {
			t.Errorf("encrypted by nothing: %q", text)
		}
	})
}

func FuzzFscrypt(f *testing.F) {
	seeds(f, "linux/fscrypt")
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(root)
		l.SetDir("/.fscrypt")
		l.SetSessions(evidence.Session{User: "me", Home: "/home/me"})
		l.SetCommand("fscrypt status /home/me", text)
		if s := collect(t, l); positive(s) {
			t.Error("a folder is not the disk")
		}
	})
}

func FuzzManageBDE(f *testing.F) {
	seeds(f, "windows/manage-bde")
	f.Add("Volume C: [OS]\nX: Fully Encrypted\nY: 100%\nZ: AES\nP: Protection On\nL: Unlocked\nK:\n  TPM\n")
	f.Fuzz(func(t *testing.T, text string) {
		m := pc()
		m.Before(wmiTarget, missingNamespace)
		m.SetCommand("manage-bde -status", text)
		if s := collect(t, m); positive(s) && !strings.Contains(text, "%") {
			t.Errorf("encrypted by nothing: %q", text)
		}
	})
}

func FuzzEncryptableVolume(f *testing.F) {
	seeds(f, "windows/bitlocker-ps")
	f.Add(`[{"DriveLetter":"C:","ProtectionStatus":1,"ConversionStatus":1,"KeyProtectorTypes":[1,3]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := evidence.ParseRows([]byte(text))
		if err != nil {
			return
		}
		m := pc()
		m.SetWMI(wmiNamespace, wmiClass, rows...)
		collect(t, m)
	})
}

func FuzzVolumeAnswers(f *testing.F) {
	f.Add([]byte(`[{"letter":"C:","type":"fixed","system":true}]`), []byte(`{"value":1}`))
	f.Fuzz(func(t *testing.T, volumes, protection []byte) {
		m := rawAnswers(volumes, protection)
		if m != nil {
			collect(t, m)
		}
	})
}

func FuzzFileVault(f *testing.F) {
	seeds(f, "macos/fdesetup")
	f.Fuzz(func(t *testing.T, text string) {
		if s := collect(t, mac(text+" ")); positive(s) && !strings.Contains(strings.ToLower(text), "filevault is on.") {
			t.Errorf("encrypted by nothing: %q", text)
		}
	})
}

func FuzzAPFS(f *testing.F) {
	seeds(f, "macos/diskutil-apfs-list")
	f.Add(apfs([]string{"disk0s2", "A-1 System true false false", "A-2 Data true true false"}))
	f.Fuzz(func(t *testing.T, text string) {
		m := mac("")
		m.SetCommand("diskutil apfs list", text)
		m.SetCommand("diskutil apfs list -plist", text)
		m.SetCommand("diskutil list -plist internal physical", text)
		collect(t, m)
	})
}
