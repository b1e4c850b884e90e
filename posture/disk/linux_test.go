package disk

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

func TestLinuxRootDevice(t *testing.T) {
	tests := []struct {
		name              string
		setup             func(lab)
		status, protected string
	}{
		{"luks", func(l lab) { l.device("254:0", "dm-0", luks, "vda"); l.device("253:0", "vda", "") }, fact.Encrypted, "true"},
		{"luks1", func(l lab) { l.device("254:0", "dm-0", "CRYPT-LUKS1-1-x", "vda") }, fact.Encrypted, "true"},
		{"plain disk", func(l lab) { l.device("254:0", "vda", "") }, fact.Unencrypted, "false"},
		{"partition of a plain disk", func(l lab) { l.disk("pci0", "254", "vda", "vda1"); l.partitionIsRoot("254", "vda", "vda1") }, fact.Unencrypted, "false"},
		{"lvm on a plain partition", func(l lab) {
			l.device("254:0", "dm-0", lvm, "sda2")
			l.disk("pci0", "8", "sda", "sda2")
		}, fact.Unencrypted, "false"},
		{"lvm on luks", func(l lab) {
			l.device("254:0", "dm-1", lvm, "dm-0")
			l.device("254:1", "dm-0", luks, "sda")
			l.device("8:0", "sda", "")
		}, fact.Encrypted, "true"},
		{"luks on lvm", func(l lab) {
			l.device("254:0", "dm-1", luks, "dm-0")
			l.device("254:1", "dm-0", lvm, "sda")
			l.device("8:0", "sda", "")
		}, fact.Encrypted, "true"},
		{"lvm over one encrypted and one open disk", func(l lab) {
			l.device("254:0", "dm-1", lvm, "dm-0", "sdb")
			l.device("254:1", "dm-0", luks)
			l.device("8:16", "sdb", "")
		}, fact.Unencrypted, "false"},
		{"raid of two encrypted disks", func(l lab) {
			l.device("254:0", "md0", "", "dm-0", "dm-1")
			l.device("254:1", "dm-0", luks)
			l.device("254:2", "dm-1", luksHome)
		}, fact.Encrypted, "true"},
		{"multipath below luks", func(l lab) {
			l.device("254:0", "dm-1", luks, "dm-0")
			l.device("254:1", "dm-0", "mpath-3600508b1001c1234567890abcdef1234", "sda", "sdb")
			l.device("8:0", "sda", "")
			l.device("8:16", "sdb", "")
		}, fact.Encrypted, "true"},
		{"verity is no encryption", func(l lab) { l.device("254:0", "dm-0", verity, "sda"); l.device("8:0", "sda", "") }, fact.Unencrypted, "false"},
		{"verity on luks", func(l lab) { l.device("254:0", "dm-1", verity, "dm-0"); l.device("254:1", "dm-0", luks) }, fact.Encrypted, "true"},
		{"a name that only begins alike", func(l lab) { l.device("254:0", "dm-0", "CRYPTO-LUKS2-x", "sda"); l.device("8:0", "sda", "") }, fact.Unencrypted, "false"},
		{"opal below luks2", func(l lab) {
			l.device("254:0", "dm-0", "CRYPT-LUKS2-OPAL-26450cc5a1b24c3d9e8f001122334455-root", "sda")
		}, fact.Encrypted, "true"},
		{"a layer is missing", func(l lab) { l.device("254:0", "dm-0", lvm, "gone") }, "unknown: not-found", "unknown: not-found"},
		{"no such device", func(lab) {}, "unknown: not-found", "unknown: not-found"},
		{"the uuid may not be read", func(l lab) {
			l.device("254:0", "dm-0", luks, "sda")
			l.Fail("/sys/class/block/dm-0/dm/uuid", fact.ReasonNeedsPrivilege)
		}, "unknown: needs-privilege", "unknown: needs-privilege"},
		{"the uuid was not recorded", func(l lab) {
			l.device("254:0", "dm-0", luks, "sda")
			l.device("8:0", "sda", "")
			l.Fail("/sys/class/block/dm-0/dm/uuid", fact.ReasonNotRecorded)
		}, "unknown: not-recorded", "unknown: not-recorded"},
		{"a file as a disk", func(l lab) {
			l.device("254:0", "loop0", "")
			l.SetFile("/sys/devices/virtual/block/loop0/loop/backing_file", "/image\n")
		}, "unknown: unreadable-output", "unknown: unreadable-output"},
		{"a volume of zfs as a disk", func(l lab) { l.device("254:0", "zd0", "") }, "unknown: unsupported-system", "unknown: unsupported-system"},
		{"devices in a circle", func(l lab) { l.device("254:0", "dm-0", lvm, "dm-1"); l.device("254:1", "dm-1", lvm, "dm-0") }, "unknown: unreadable-output", "unknown: unreadable-output"},
		{"encryption is half done", func(l lab) {
			l.device("254:0", "dm-0", luks, "dm-1", "dm-2")
			l.device("254:1", "dm-1", "CRYPT-SUBDEV-26450cc5a1b24c3d9e8f001122334455-root-hotzone-forward", "sda")
			l.device("254:2", "dm-2", lvm, "sda")
			l.device("8:0", "sda", "")
			l.SetFile("/sys/devices/virtual/block/dm-1/dm/name", "root-hotzone-forward\n")
		}, "unknown: conversion-running", "false (conversion-running)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(root)
			tt.setup(l)
			expect(t, collect(t, l), map[string]string{
				"system_status": tt.status, "system_protected": tt.protected, "data_protected": tt.protected, "swap_clear": "false",
			})
		})
	}
}

func (l lab) partitionIsRoot(major, disk, partition string) {
	l.SetLink("/sys/dev/block/254:0", "../../devices/pci0/block/"+disk+"/"+partition)
	_ = major
}

// The volume is called by where it is mounted as a whole.
func TestLinuxOSTreeName(t *testing.T) {
	l := newLab("1 0 0:30 / / ro - overlay composefs ro,datadir+=/sysroot/ostree/repo/objects",
		"2 1 254:0 /ostree/deploy/x/etc /etc rw - xfs /dev/mapper/root rw", "3 1 254:0 / /sysroot ro - xfs /dev/mapper/root rw")
	l.device("254:0", "dm-0", luks, "sda")
	expect(t, collect(t, l), map[string]string{"system_status": fact.Encrypted, luksKey + " name": "/sysroot", luksKey + " role": fact.RoleSystem})
}

func TestLinuxFileSystemsWithoutADevice(t *testing.T) {
	encrypted := func(l lab) { l.device("254:0", "dm-0", luks, "sda"); l.device("8:0", "sda", "") }
	tests := []struct {
		name  string
		mount string
		setup func(lab)
		want  string
	}{
		{"btrfs by kernel name", "1 0 0:30 /@ / rw - btrfs /dev/dm-0 rw", encrypted, fact.Encrypted},
		{"btrfs by mapping name", "1 0 0:30 /@ / rw - btrfs /dev/mapper/root rw", encrypted, fact.Encrypted},
		{"btrfs by a link", "1 0 0:30 /@ / rw - btrfs /dev/mapper/other rw", func(l lab) {
			encrypted(l)
			l.SetLink("/dev/mapper/other", "../dm-0")
		}, fact.Encrypted},
		{"btrfs on a plain partition", "1 0 0:30 /@ / rw - btrfs /dev/sda1 rw", func(l lab) { l.disk("pci0", "8", "sda", "sda1") }, fact.Unencrypted},
		{"btrfs over an encrypted and an open disk", "1 0 0:30 /@ / rw - btrfs /dev/dm-0 rw", func(l lab) {
			encrypted(l)
			l.device("8:16", "sdb", "")
			l.SetDir("/sys/fs/btrfs/features")
			l.SetLink("/sys/fs/btrfs/1234/devices/dm-0", "../../../../class/block/dm-0")
			l.SetLink("/sys/fs/btrfs/1234/devices/sdb", "../../../../class/block/sdb")
		}, fact.Unencrypted},
		{"btrfs of a mapping nobody knows", "1 0 0:30 /@ / rw - btrfs /dev/mapper/other rw", encrypted, "unknown: not-found"},
		{"btrfs of a mapping that may not be looked at", "1 0 0:30 /@ / rw - btrfs /dev/mapper/other rw", func(l lab) {
			encrypted(l)
			l.Fail("/sys/class/block/dm-0/dm/name", fact.ReasonNeedsPrivilege)
		}, "unknown: needs-privilege"},
		{"zfs without its tool", "1 0 0:30 / / rw - zfs rpool/ROOT rw", encrypted, "unknown: tool-missing"},
		{"overlay of a container", "1 0 0:30 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B,upperdir=/var/lib/docker/overlay2/x/diff", encrypted, "unknown: unsupported-system"},
		{"tmpfs", "1 0 0:30 / / rw - tmpfs tmpfs rw", encrypted, "unknown: unsupported-system"},
		{"root from the network", "1 0 0:30 / / rw - nfs4 host:/root rw", encrypted, "unknown: unsupported-system"},
		{"bcachefs", "1 0 0:30 / / rw - bcachefs /dev/dm-0 rw", encrypted, "unknown: unsupported-system"},
		// bootc and Fedora Atomic: an overlay of composefs over /sysroot.
		{"composefs", "1 0 0:30 / / ro - overlay composefs ro,lowerdir+=/run/ostree/.private/cfsroot-lower,datadir+=/sysroot/ostree/repo/objects\n2 1 254:0 / /sysroot ro - xfs /dev/mapper/root rw", encrypted, fact.Encrypted},
		{"live system", "1 0 0:30 / / rw - overlay overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw\n2 1 8:1 / /run/live rw - ext4 /dev/sda1 rw", func(l lab) { l.disk("pci0/usb1", "8", "sda", "sda1") }, fact.Unencrypted},
		{"forgotten root over an encrypted store", "1 0 0:30 / / rw - tmpfs none rw\n2 1 254:0 / /nix rw - ext4 /dev/mapper/root rw", encrypted, fact.Encrypted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(tt.mount)
			tt.setup(l)
			if g := got(collect(t, l), "system_status", ""); g != tt.want {
				t.Errorf("%s, want %s", g, tt.want)
			}
		})
	}
}

func TestLinuxVolumes(t *testing.T) {
	l := newLab(root,
		"28 27 0:5 / /dev rw - devtmpfs devtmpfs rw",
		"29 27 8:1 / /home rw - ext4 /dev/sda1 rw",
		`31 27 8:3 / /var/data\040[1]* rw - ext4 /dev/sda3 rw`,
		"32 27 0:40 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw",
		"33 27 7:0 / /var/lib/snapd/snap/core/1 ro - squashfs /dev/loop0 ro",
		"34 27 254:0 /srv /srv rw - ext4 /dev/mapper/root rw",
		"36 27 0:50 / /home/me/remote rw - fuse.sshfs me@host: rw",
		"37 27 0:51 / /data rw - bcachefs none rw",
		"38 27 0:52 / /net rw - nfs4 host:/x rw",
		"39 27 8:17 / /media/stick rw - vfat /dev/sdb1 rw",
		"40 27 8:18 / /media/secret rw - ext4 /dev/mapper/x rw",
		"41 27 8:4 / /boot rw - ext4 /dev/sda4 rw",
		"42 27 8:5 / /boot/efi rw - vfat /dev/sda5 rw",
		"43 27 8:6 / /mnt/c rw - ntfs3 /dev/sda6 rw",
		"44 27 0:53 / /home/me rw - ecryptfs /home/.ecryptfs/me/.Private rw",
	)
	l.device("254:0", "dm-0", luks, "sda7")
	l.disk("pci0/ata1", "8", "sda", "sda1", "sda3", "sda4", "sda5", "sda6", "sda7")
	l.disk("pci0/usb1/1-1", "8", "sdb")
	l.SetFile("/sys/devices/pci0/usb1/1-1/block/sdb/sdb1/partition", "1\n")
	l.SetLink("/sys/dev/block/8:17", "../../devices/pci0/usb1/1-1/block/sdb/sdb1")
	l.SetLink("/sys/class/block/sdb1", "../../devices/pci0/usb1/1-1/block/sdb/sdb1")
	l.device("8:18", "dm-1", "CRYPT-LUKS2-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-secret", "sdb1")
	l.udev("8:1", "ID_FS_UUID=11-22", "ID_FS_TYPE=ext4")
	l.udev("8:6", "ID_FS_UUID=33-44", "ID_PART_ENTRY_TYPE=DE94BBA4-06D1-4D40-A16A-BFD50179D6AC")
	const secret = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
	s := collect(t, l)
	expect(t, s, map[string]string{
		luksKey + " status": fact.Encrypted, luksKey + " role": fact.RoleSystem, luksKey + " name": "/",
		luksKey + " method": "luks2", luksKey + " conversion": fact.Complete, luksKey + " protected": "true",
		"11-22 status": fact.Unencrypted, "11-22 role": fact.RoleData, "11-22 name": "/home", "11-22 conversion": fact.Decrypted,
		"sda3 name": "/var/data [1]*", "sda3 role": fact.RoleData,
		"sdb1 role": fact.RoleRemovable, secret + " role": fact.RoleRemovable, secret + " status": fact.Encrypted,
		"sda4 role": fact.RoleBoot, "sda5 role": fact.RoleBoot, "33-44 role": fact.RoleRecovery,
		"mount:/data status": "unknown: unsupported-system", "mount:/data role": fact.RoleData,
		"mount:/net role": fact.RoleOther, "ecryptfs:/home/me status": fact.Encrypted, "ecryptfs:/home/me unlock": fact.UnlockPerson,
		"system_protected": "true", "data_protected": "false",
	})
	if len(s.Keys()) != 11 {
		t.Errorf("volumes %v", s.Keys())
	}
}

func TestLinuxSticksAreNotTheDisk(t *testing.T) {
	l := newLab(root, "39 27 8:17 / /run/media/me/stick rw - vfat /dev/sdb1 rw")
	l.device("254:0", "vda", "")
	l.disk("pci0/usb1/1-1", "8", "sdb")
	l.device("8:17", "dm-1", luks, "sdb")
	expect(t, collect(t, l), map[string]string{"system_status": fact.Unencrypted, "data_protected": "false"})

	l = newLab(root, "39 27 179:1 / /run/media/me/card rw - vfat /dev/mmcblk0p1 rw", "40 27 8:0 / /mnt/old rw - ext4 /dev/sda rw")
	l.device("254:0", "dm-0", luks, "vda")
	l.device("253:0", "vda", "")
	l.disk("platform/mmc", "179", "mmcblk0", "mmcblk0p1")
	l.SetFile("/sys/devices/platform/mmc/block/mmcblk0/device/type", "SD\n")
	l.disk("pci0", "8", "sda")
	l.SetFile("/sys/devices/pci0/block/sda/removable", "1\n")
	expect(t, collect(t, l), map[string]string{"system_status": fact.Encrypted, "data_protected": "true", "sda role": fact.RoleRemovable, "mmcblk0p1 role": fact.RoleRemovable})
}

func TestLinuxKeys(t *testing.T) {
	boot := "28 27 8:1 / /boot rw - ext4 /dev/sda1 rw"
	home := "29 27 254:1 / /home rw - ext4 /dev/mapper/home rw"
	tests := []struct {
		name, crypttab string
		mounts         []string
		want           map[string]string
	}{
		{"password", "root UUID=" + luksKey + " none luks,discard\n", []string{root}, map[string]string{"system_protected": "true", luksKey + " unlock": fact.UnlockPassword}},
		{"tpm", "root UUID=" + luksKey + " - tpm2-device=auto\n", []string{root}, map[string]string{"system_protected": "true", luksKey + " unlock": fact.UnlockTPM}},
		{"tpm and pin", "other UUID=" + luksKey + " - tpm2-device=auto,tpm2-pin=yes\n", []string{root}, map[string]string{luksKey + " unlock": fact.UnlockTPMPin}},
		{"fido2", "root UUID=x none fido2-device=auto\n", []string{root}, map[string]string{luksKey + " unlock": fact.UnlockToken}},
		{"key file on a stick", "root UUID=x /key:LABEL=stick luks\n", []string{root}, map[string]string{"system_protected": "true", luksKey + " unlock": fact.UnlockKeyFile}},
		{"key file of home on the encrypted root", "root UUID=x none\nhome UUID=y /etc/keys/home\n", []string{root, home}, map[string]string{
			homeKey + " unlock": fact.UnlockKeyFile, homeKey + " protected": "true", "data_protected": "true"}},
		{"key file of home on plain /boot", "root UUID=x none\nhome UUID=y /boot/home.key\n", []string{root, home, boot}, map[string]string{
			homeKey + " unlock": fact.UnlockNone, homeKey + " protected": "false (clear-key)", homeKey + " status": fact.Encrypted,
			"system_protected": "true", "data_protected": "false (clear-key)"}},
		{"key file of the root in its own ramdisk, /boot plain", "root UUID=x /crypto_keyfile.bin luks\n", []string{root, boot}, map[string]string{
			"system_status": fact.Encrypted, "system_protected": "false (clear-key)", luksKey + " unlock": fact.UnlockNone}},
		{"key file of the root in its own ramdisk, /boot inside", "root UUID=x /crypto_keyfile.bin luks\n", []string{root}, map[string]string{
			"system_protected": "true", luksKey + " unlock": fact.UnlockKeyFile}},
		{"a script nobody knows", "root UUID=x none keyscript=/usr/local/bin/key\n", []string{root}, map[string]string{
			"system_status": fact.Encrypted, "system_protected": "unknown: unsupported-system"}},
		{"no table", "", []string{root}, map[string]string{"system_protected": "true", luksKey + " unlock": "missing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(tt.mounts...)
			l.device("254:0", "dm-0", luks, "sda2")
			l.device("254:1", "dm-1", luksHome, "sda3")
			l.disk("pci0", "8", "sda", "sda1", "sda2", "sda3")
			if tt.crypttab != "" {
				l.SetFile(crypttabFile, tt.crypttab)
			}
			expect(t, collect(t, l), tt.want)
		})
	}
	l := newLab(root)
	l.device("254:0", "dm-0", luks, "sda")
	l.Fail(crypttabFile, fact.ReasonNeedsPrivilege)
	expect(t, collect(t, l), map[string]string{"system_status": fact.Encrypted, "system_protected": "unknown: needs-privilege"})
	l = newLab(root)
	l.device("254:0", "dm-0", luks, "sda")
	l.SetFile("/etc/cryptsetup-keys.d/root.key", "x")
	l.SetFile(mountInfo, root+"\n"+boot+"\n")
	l.disk("pci0", "8", "sda", "sda1")
	expect(t, collect(t, l), map[string]string{"system_protected": "false (clear-key)"})
}

// What ends in the middle of a line may say more than is there.
func TestLinuxCutLists(t *testing.T) {
	const unreadable = "unknown: unreadable-output"
	l := newLab(root)
	l.device("254:0", "dm-0", luks, "sda")
	l.SetFile(swapList, "Filename\tType\tSize\tUsed\tPriority\n")
	expect(t, collect(t, l), map[string]string{"system_protected": "true", "swap_clear": "false"})
	l.SetFile(swapList, "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 part")
	expect(t, collect(t, l), map[string]string{"swap_clear": unreadable})
	l.SetFile(crypttabFile, "ro UUID=1-2 /boot/k") // the line of another mapping may be missing
	expect(t, collect(t, l), map[string]string{"system_status": fact.Encrypted, "system_protected": unreadable})
	l.SetFile(crypttabFile, "# none\n# of th")
	expect(t, collect(t, l), map[string]string{"system_protected": "true"})
	l.SetFile(mountInfo, root+"\n"+root[:len(root)/2])
	expect(t, collect(t, l), map[string]string{"system_status": unreadable, "system_protected": unreadable})
}

func TestLinuxHomed(t *testing.T) {
	l := newLab(root, "29 27 254:1 / /home/me rw - ext4 /dev/mapper/home-me rw")
	l.device("254:0", "sda", "")
	l.device("254:1", "dm-1", "CRYPT-LUKS2-aaaaaaaabbbbccccddddeeeeeeeeeeee-home-me", "loop0")
	l.SetFile("/sys/devices/virtual/block/dm-1/dm/name", "home-me\n")
	l.device("7:0", "loop0", "")
	l.SetFile("/sys/devices/virtual/block/loop0/loop/backing_file", "/home/me.home\n")
	expect(t, collect(t, l), map[string]string{
		homeKey + " protected": "true", homeKey + " unlock": fact.UnlockPerson, homeKey + " role": fact.RoleData,
		"system_protected": "false", "data_protected": "false",
	})
}

func TestLinuxLoopOnAnEncryptedDisk(t *testing.T) {
	l := newLab(root, "29 27 7:0 / /data rw - ext4 /dev/loop0 rw")
	l.device("254:0", "dm-0", luks, "sda")
	l.device("7:0", "loop0", "")
	l.SetFile("/sys/devices/virtual/block/loop0/loop/backing_file", "/var/images/data.img\n")
	expect(t, collect(t, l), map[string]string{"loop0 status": fact.Encrypted, "loop0 protected": "true", "data_protected": "true"})
	l.device("254:0", "sdz", "")
	expect(t, collect(t, l), map[string]string{"loop0 status": fact.Unencrypted, "data_protected": "false"})
}

func TestLinuxSwap(t *testing.T) {
	tests := []struct {
		name, swaps, crypttab string
		setup                 func(lab)
		want                  string
	}{
		{"none", noSwap, "", nil, "false"},
		{"no heading", "", "", nil, "unknown: unreadable-output"},
		{"plain partition", noSwap + "/dev/sda5 partition 1 0 -2\n", "", nil, "true"},
		{"zram", noSwap + "/dev/zram0 partition 1 0 100\n", "", nil, "false"},
		{"zram with a disk behind it", noSwap + "/dev/zram0 partition 1 0 100\n", "", func(l lab) { l.SetFile("/sys/block/zram0/backing_dev", "/dev/sda5\n") }, "true"},
		{"file on the encrypted root", noSwap + "/swap\\040file file 1 0 -2\n", "", nil, "false"},
		{"file on a plain volume", noSwap + "/mnt/swapfile file 1 0 -2\n", "", nil, "true"},
		{"random key", noSwap + "/dev/dm-5 partition 1 0 -2\n", "swap /dev/sda5 /dev/urandom swap,cipher=aes-xts-plain64\n", nil, "false"},
		{"luks, its key on a plain volume", noSwap + "/dev/dm-6 partition 1 0 -2\n", "cryptswap UUID=x /mnt/key luks\n", nil, "true (clear-key)"},
		{"encrypted and plain", noSwap + "/dev/dm-5 partition 1 0 -2\n/dev/sda5 partition 1 0 -3\n", "swap /dev/sda6 /dev/urandom swap\n", nil, "true"},
		{"device nobody knows", noSwap + "/dev/dm-9 partition 1 0 -2\n", "", nil, "unknown: not-found"},
		{"file on a volume that changes its key", noSwap + "/swapfile file 1 0 -2\n", "", func(l lab) {
			l.SetCommand("cryptsetup luksDump /dev/sda2", capture(t, "linux/luksdump/insights-luks2-reencrypt.txt"))
		}, "false"},
		{"file on a volume of which it cannot be told", noSwap + "/swapfile file 1 0 -2\n", "", func(l lab) {
			l.device("254:0", "dm-0", luks, "dm-1")
			l.device("254:1", "dm-1", "CRYPT-SUBDEV-26450cc5a1b24c3d9e8f001122334455-root-hotzone-forward", "sda2")
			l.SetFile("/sys/devices/virtual/block/dm-1/dm/name", "root-hotzone-forward\n")
			l.Remove("/sys/devices/virtual/block/dm-0/slaves/sda2")
		}, "unknown: conversion-running"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(root, "29 27 8:1 / /mnt rw - ext4 /dev/sda1 rw")
			l.device("254:0", "dm-0", luks, "sda2")
			l.device("254:5", "dm-5", "CRYPT-PLAIN-swap", "sda5")
			l.device("254:6", "dm-6", "CRYPT-LUKS2-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-cryptswap", "sda5")
			l.disk("pci0", "8", "sda", "sda1", "sda2", "sda5")
			l.SetFile(swapList, tt.swaps)
			if tt.crypttab != "" {
				l.SetFile(crypttabFile, tt.crypttab)
			}
			if tt.setup != nil {
				tt.setup(l)
			}
			expect(t, collect(t, l), map[string]string{"swap_clear": tt.want})
		})
	}
	l := newLab(root)
	l.Fail(swapList, fact.ReasonTimeout)
	expect(t, collect(t, l), map[string]string{"swap_clear": "unknown: timeout"})
}

func TestLinuxMountsThatDoNotTell(t *testing.T) {
	for name, text := range map[string]string{"malformed root line": capture(t, "linux/mountinfo/insights-mountinfo-bad.txt"), "nothing": ""} {
		if g := got(collect(t, newLab(text)), "system_status", ""); g != "unknown: unreadable-output" {
			t.Errorf("%s: %s", name, g)
		}
	}
	l := newLab(root)
	l.Fail(mountInfo, fact.ReasonTimeout)
	if s := collect(t, l); s.State != fact.Unknown || s.Reason != fact.ReasonTimeout {
		t.Errorf("%+v", s)
	}
}

func TestLinuxLaterMountHidesTheEarlier(t *testing.T) {
	l := newLab("1 0 8:1 / / rw - ext4 /dev/sda1 rw", root)
	l.device("254:0", "dm-0", luks)
	l.device("8:1", "sda1", "")
	if g := got(collect(t, l), "system_status", ""); g != fact.Encrypted {
		t.Errorf("%s", g)
	}
}

// Only /sys/block and the older list of mounts are there.
func TestLinuxPartialRecording(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile("/proc/self/mounts", strings.Trim(capture(t, "linux/mounts/facter-proc-self-mounts.txt"), "'"))
	m.SetFile("/sys/block/dm-0/dm/name", "localhost--vg-root\n")
	m.SetFile("/sys/block/dm-0/dm/uuid", "LVM-x\n")
	m.SetFile("/sys/block/dm-0/slaves/dm-1", "")
	m.SetFile("/sys/block/dm-1/dm/name", "cryptroot\n")
	m.SetFile("/sys/block/dm-1/dm/uuid", "CRYPT-LUKS1-26450cc5a1b24c3d9e8f001122334455-cryptroot\n")
	expect(t, collect(t, m), map[string]string{"system_status": fact.Encrypted, "system_protected": "true"})
}

// The real machine of this capture: one plain disk, and zram that is not in use.
func TestLinuxCapturedMachine(t *testing.T) {
	l := newLab(strings.TrimSpace(capture(t, "linux/mountinfo/local-vm.txt")))
	l.disk("pci0", "254", "vda")
	s := collect(t, l)
	expect(t, s, map[string]string{"system_status": fact.Unencrypted, "system_protected": "false", "vda name": "/", "swap_clear": "false"})
	if len(s.Keys()) != 1 {
		t.Errorf("volumes %v", s.Keys())
	}
}

func TestLinuxCopiesWithOneID(t *testing.T) {
	l := newLab(root, "2 27 8:1 / /a rw - xfs /dev/sda1 rw", "3 27 8:2 / /b rw - xfs /dev/sda2 rw,nouuid")
	l.device("254:0", "dm-0", luks, "sdb")
	l.disk("pci0", "8", "sda", "sda1", "sda2")
	l.udev("8:1", "ID_FS_UUID=11-22")
	l.udev("8:2", "ID_FS_UUID=11-22")
	expect(t, collect(t, l), map[string]string{"11-22 name": "/a", "11-22 /b name": "/b"})
}
