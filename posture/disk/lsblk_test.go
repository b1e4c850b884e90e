package disk

import (
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func TestLsblkAlone(t *testing.T) {
	const columns = "lsblk -J -o NAME,KNAME,TYPE,FSTYPE,MOUNTPOINTS,UUID,PKNAME,RM,TRAN"
	const pairs = `NAME="sda" KNAME="sda" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT="" UUID="" RM="0" TRAN="sata"
NAME="sda2" KNAME="sda2" PKNAME="sda" TYPE="part" FSTYPE="crypto_LUKS" MOUNTPOINT="" UUID="26450CC5-a1b2-4c3d-9e8f-001122334455" RM="0" TRAN=""
NAME="root" KNAME="dm-0" PKNAME="sda2" TYPE="crypt" FSTYPE="LVM2_member" MOUNTPOINT="" UUID="x" RM="0" TRAN=""
NAME="vg-root" KNAME="dm-1" PKNAME="dm-0" TYPE="lvm" FSTYPE="ext4" MOUNTPOINT="/" UUID="11-22" RM="0" TRAN=""
NAME="vg-swap" KNAME="dm-2" PKNAME="dm-0" TYPE="lvm" FSTYPE="swap" MOUNTPOINT="[SWAP]" UUID="33-44" RM="0" TRAN=""
NAME="sdb" KNAME="sdb" PKNAME="" TYPE="disk" FSTYPE="" MOUNTPOINT="" UUID="" RM="1" TRAN="usb"
NAME="sdb1" KNAME="sdb1" PKNAME="sdb" TYPE="part" FSTYPE="vfat" MOUNTPOINT="/media/a\x20stick" UUID="55-66" RM="1" TRAN=""
`
	tests := []struct {
		name, command, text string
		want                map[string]string
	}{
		{"json, luks2 and btrfs", "lsblk -J", capture(t, "linux/lsblk-json/luks2-btrfs-root.json"), map[string]string{
			"system_status": fact.Encrypted, "system_protected": "true", "abcd method": "luks2", "abcd name": "/", "swap_clear": "false"}},
		{"json, columns, plain", columns, capture(t, "linux/lsblk-json/local-vm-cols.json"), map[string]string{"system_status": fact.Unencrypted, "vda name": "/", "data_protected": "false"}},
		{"json, plain", "lsblk -J", capture(t, "linux/lsblk-json/local-vm.json"), map[string]string{"system_status": fact.Unencrypted}},
		{"tree, lvm", "lsblk", capture(t, "linux/lsblk/insights-plain-lvm.txt"), map[string]string{
			"system_status": fact.Unencrypted, "swap_clear": "true", "sda1 name": "/data", "vda1 role": fact.RoleBoot, "rhel-root name": "/"}},
		{"tree, many disks", "lsblk", capture(t, "linux/lsblk/insights-multi.txt"), map[string]string{
			"system_status": fact.Unencrypted, "swap_clear": "true", "vg_root-lv_root name": "/", "appdg-app name": "/splunk"}},
		{"tree, centos", "lsblk", capture(t, "linux/lsblk/jc-centos-7.7-lsblk.txt"), map[string]string{"system_status": fact.Unencrypted, "centos-root name": "/"}},
		{"tree, centos, all columns", "lsblk", capture(t, "linux/lsblk/jc-centos-7.7-lsblk-allcols.txt"), map[string]string{
			"system_status": fact.Unencrypted, "07d718ef-950c-4e5b-98e0-42a1147b77d9 name": "/", "swap_clear": "true"}},
		{"tree, ubuntu", "lsblk", capture(t, "linux/lsblk/jc-ubuntu-18.04-lsblk.txt"), map[string]string{"system_status": fact.Unencrypted, "swap_clear": "unknown: not-found", "sda2 name": "/", "loop0 role": "missing"}},
		{"tree, ubuntu, all columns", "lsblk", capture(t, "linux/lsblk/jc-ubuntu-18.04-lsblk-allcols.txt"), map[string]string{"system_status": fact.Unencrypted}},
		// Devices alone: a file for swap may be on the open root, and is none on an encrypted one.
		{"json, no swap among the devices", "lsblk -J", `{"blockdevices":[{"name":"sda","type":"disk","mountpoints":[null],"children":[{"name":"sda1","type":"part","mountpoints":["/boot"]},{"name":"sda2","type":"part","fstype":"crypto_LUKS","mountpoints":[null],"children":[{"name":"root","type":"crypt","fstype":"ext4","mountpoints":["/"]}]}]}]}`, map[string]string{
			"system_status": fact.Encrypted, "swap_clear": "false"}},
		{"tree, malformed", "lsblk", capture(t, "linux/lsblk/insights-bad.txt"), map[string]string{"system_status": "unknown: not-found"}},
		{"pairs, no mount points", "lsblk -P -o NAME,KNAME,TYPE,FSTYPE,MOUNTPOINT,UUID,PKNAME,RM,TRAN", capture(t, "linux/lsblk/facter-new.txt"), map[string]string{"system_status": "unknown: not-found"}},
		{"pairs, complaints first", "lsblk -P -o NAME,KNAME,TYPE,FSTYPE,MOUNTPOINT,UUID,PKNAME,RM,TRAN", capture(t, "linux/lsblk/insights-failed-path.txt"), map[string]string{"system_status": "unknown: not-found"}},
		{"pairs, lvm on luks", "lsblk -P -o NAME,KNAME,TYPE,FSTYPE,MOUNTPOINT,UUID,PKNAME,RM,TRAN", pairs, map[string]string{
			"system_status": fact.Encrypted, "system_protected": "true", "data_protected": "true", "swap_clear": "false", "11-22 method": "luks",
			"55-66 role": fact.RoleRemovable, "55-66 name": "/media/a stick"}},
		{"tree, luks", "lsblk", "NAME          MAJ:MIN RM  SIZE RO TYPE  MOUNTPOINTS\nnvme0n1       259:0    0    1T  0 disk\n├─nvme0n1p1   259:1    0    1G  0 part  /boot/efi\n└─nvme0n1p2   259:2    0    1T  0 part\n  └─cryptroot 252:0    0    1T  0 crypt /home\n                                        /\n", map[string]string{
			"system_status": fact.Encrypted, "cryptroot method": "dm-crypt", "nvme0n1p1 role": fact.RoleBoot}},
		{"only checked, not encrypted", columns, `{"blockdevices":[{"name":"sda","kname":"sda","type":"disk","fstype":"erofs","mountpoints":[null],"children":[{"name":"usr","kname":"dm-0","type":"crypt","fstype":"erofs","mountpoints":["/"]}]}]}`, map[string]string{
			"system_status": fact.Unencrypted}},
		{"numbers as text", "lsblk -J", `{"blockdevices":[{"name":"sdb","rm":"1","type":"disk","mountpoint":"/media/x"},{"name":"sda","rm":"0","type":"disk","mountpoint":"/"}]}`, map[string]string{
			"sdb role": fact.RoleRemovable, "system_status": fact.Unencrypted}},
		{"broken json", columns, `{"blockdevices":[{"name":"sda"`, map[string]string{"system_status": "unknown: not-found"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetCommand(tt.command, tt.text)
			expect(t, collect(t, m), tt.want)
		})
	}
}

// A list without memory devices: what /proc/swaps names is memory all the same.
func TestLsblkWithoutZram(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetCommand("lsblk -J", capture(t, "linux/lsblk-json/luks2-btrfs-root.json"))
	m.SetFile(swapList, noSwap+"/dev/zram0 partition 8388604 0 100\n")
	expect(t, collect(t, m), map[string]string{"swap_clear": "false", "/dev/zram0 role": "missing"})
}

func TestLsblkWithMounts(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(mountInfo, "1 0 252:0 / / rw - ext4 /dev/mapper/root rw\n2 1 8:1 / /home rw - ext4 /dev/sda1 rw\n")
	m.SetCommand("lsblk -J", `{"blockdevices":[{"name":"sda","maj:min":"8:0","type":"disk","children":[{"name":"sda1","maj:min":"8:1","type":"part","mountpoint":"/home"},{"name":"sda2","maj:min":"8:2","type":"part","fstype":"crypto_LUKS","children":[{"name":"root","maj:min":"252:0","type":"crypt","mountpoint":"/"}]}]}]}`)
	expect(t, collect(t, m), map[string]string{"system_status": fact.Encrypted, "data_protected": "false", "sda1 name": "/home"})
}
