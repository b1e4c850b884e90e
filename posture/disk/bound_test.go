package disk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
)

// Every reading of the largest input that a machine gives ends soon.
func TestLargeInputs(t *testing.T) {
	repeat := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < evidence.MaxFile; i++ {
			b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return b.String()[:evidence.MaxFile]
	}
	tests := map[string]func() *evidence.Memory{
		"mounts": func() *evidence.Memory {
			l := newLab(root + "\n" + repeat("# 1 8:# / /m/# rw - ext4 /dev/sd# rw\n"))
			return l.Memory
		},
		"mapped mounts": func() *evidence.Memory {
			l := newLab(repeat("# 1 0:# / /m/# rw - btrfs /dev/mapper/x# rw\n") + root)
			l.device("254:0", "dm-0", luks)
			return l.Memory
		},
		"swaps": func() *evidence.Memory {
			l := newLab(root)
			l.SetFile(swapList, noSwap+repeat("/dev/dm-# partition 1 1 1\n"))
			return l.Memory
		},
		"crypttab": func() *evidence.Memory {
			l := newLab(root)
			l.device("254:0", "dm-0", luks)
			l.SetFile(crypttabFile, repeat("x# UUID=# none\n"))
			return l.Memory
		},
		"lsblk tree": func() *evidence.Memory {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetCommand("lsblk", "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINTS\n"+repeat("sd# 8:# 0 1G 0 disk /m#\n"))
			return m
		},
		"lsblk pairs": func() *evidence.Memory {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetCommand("lsblk", repeat("NAME=\"sd#\" PKNAME=\"sda\" MOUNTPOINT=\"/m#\" TYPE=\"part\"\n"))
			return m
		},
		"manage-bde": func() *evidence.Memory {
			m := evidence.NewMemory(evidence.Windows, day)
			m.SetCommand("manage-bde -status", repeat("Volume C: [#]\na: b\nc: 1%\n"))
			return m
		},
		"apfs": func() *evidence.Memory {
			m := mac("FileVault is On.\n")
			m.SetCommand("diskutil apfs list", repeat("Container disk#\nVolume disk#s1 A-#\nFileVault: No\n"))
			return m
		},
		"fdesetup": func() *evidence.Memory { return mac(repeat("FileVault is On.\n")) },
		"zfs": func() *evidence.Memory {
			l := newLab("1 0 0:30 / / rw - zfs rpool rw")
			l.SetCommand("zfs get -H -p -o name,property,value encryption,keystatus,keylocation,encryptionroot", repeat("r#\tencryption\toff\n"))
			return l.Memory
		},
	}
	for name, machine := range tests {
		t.Run(name, func(t *testing.T) {
			m, begin := machine(), time.Now()
			collect(t, m)
			if took := time.Since(begin); took > 60*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Log(took)
			}
		})
	}
}

// A laptop with LVM on LUKS, as the collector reads it again and again.
func BenchmarkLinuxLaptop(b *testing.B) {
	l := newLab(root, "29 27 254:2 / /home rw - ext4 /dev/mapper/vg-home rw", "41 27 8:1 / /boot rw - ext4 /dev/sda1 rw")
	l.device("254:0", "dm-1", lvm, "dm-0")
	l.device("254:2", "dm-2", lvm, "dm-0")
	l.device("254:1", "dm-0", luks, "sda2")
	l.disk("pci0", "8", "sda", "sda1", "sda2")
	for b.Loop() {
		Collect(b.Context(), l)
	}
}
