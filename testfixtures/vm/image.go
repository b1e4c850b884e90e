//go:build linux

package vm

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The files of an image in the cache.
const (
	initialFile = "initrd"
	cryptFile   = "crypt.img" // LUKS2 with all of plainFile in it
	plainFile   = "plain.img" // the root's file system, and behind it a swap area
	stickFile   = "stick.img" // one partition with a file system
	swapFile    = "swap.img"  // one partition for swap
)

const (
	mib         = 1 << 20
	rootSize    = 64 * mib
	swapSize    = 16 * mib
	stickSize   = 8 * mib
	sector      = 512
	passphrase  = "correct horse battery staple"
	stickUUID   = "8d1c3bd0-52a1-4f1e-9d3f-6d8a7f6a0001"
	rootFSUUID  = "8d1c3bd0-52a1-4f1e-9d3f-6d8a7f6a0002"
	luksUUID    = "8d1c3bd0-52a1-4f1e-9d3f-6d8a7f6a0003"
	swapUUID    = "8d1c3bd0-52a1-4f1e-9d3f-6d8a7f6a0004"
	lvmSwapUUID = "8d1c3bd0-52a1-4f1e-9d3f-6d8a7f6a0005"
)

// configuration is what an administrator would have written on the root.
func configuration() map[string]string {
	return map[string]string{
		"etc/crypttab": "vda_crypt UUID=" + luksUUID + " none luks,discard\n",
		"etc/fstab":    "/dev/mapper/vda_crypt / ext4 errors=remount-ro 0 1\n",
		"etc/hostname": "postern-vm\n",
		"etc/passwd":   "root:x:0:0:root:/root:/bin/sh\n",
		"etc/group":    "root:x:0:\ntty:x:5:\ndisk:x:6:\nkmem:x:15:\ndialout:x:20:\ncdrom:x:24:\nvideo:x:44:\naudio:x:29:\nlp:x:7:\ninput:x:101:\nsgx:x:102:\nkvm:x:103:\nrender:x:104:\n",
		"etc/nftables.conf": `flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		ct state established,related accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
`,
	}
}

// makeImage makes the disks and the initial ramdisk for one guest program.
func makeImage(ctx context.Context, kernel, guest, dir string) error {
	tree := filepath.Join(dir, "tree")
	defer os.RemoveAll(tree)
	if err := makeTree(ctx, kernel, guest, tree); err != nil {
		return fmt.Errorf("gather the root's files: %w", err)
	}
	if err := makeRoot(ctx, tree, dir); err != nil {
		return fmt.Errorf("make the root: %w", err)
	}
	if err := encrypt(ctx, dir); err != nil {
		return fmt.Errorf("encrypt the root: %w", err)
	}
	if err := makeStick(ctx, dir); err != nil {
		return fmt.Errorf("make the stick: %w", err)
	}
	swap := filepath.Join(dir, swapFile)
	if err := makeSwap(ctx, swap, swapUUID, swapSize); err != nil {
		return err
	}
	if err := partition(swap, 0x82); err != nil {
		return err
	}
	if err := makeInitial(kernel, tree, filepath.Join(dir, initialFile)); err != nil {
		return fmt.Errorf("make the initial ramdisk: %w", err)
	}
	return nil
}

// makeTree gathers what both the initial ramdisk and the root hold, laid out as
// Debian does since /usr was merged.
func makeTree(ctx context.Context, kernel, guest, tree string) error {
	for _, name := range strings.Fields("boot dev etc home media proc root run sys sysroot tmp usr/bin usr/lib usr/lib64 usr/sbin var/lib") {
		if err := os.MkdirAll(filepath.Join(tree, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		if err := os.Symlink("usr/"+name, filepath.Join(tree, name)); err != nil {
			return err
		}
	}
	if err := os.CopyFS(tree, os.DirFS(filepath.Join(kernel, extraDir))); err != nil {
		return err
	}
	udev := filepath.Join(tree, "usr/lib/systemd/systemd-udevd") // one program under two names
	if err := os.MkdirAll(filepath.Dir(udev), 0o755); err != nil {
		return err
	}
	if err := os.Symlink("/usr/bin/udevadm", udev); err != nil {
		return err
	}
	for name, text := range configuration() {
		if err := writeTo(filepath.Join(tree, name), strings.NewReader(text), 0o644); err != nil {
			return err
		}
	}
	for _, name := range append(programs(), "/etc/os-release", "/usr/lib/udev/rules.d/55-dm.rules",
		"/usr/lib/udev/rules.d/60-persistent-storage-dm.rules", "/usr/lib/udev/rules.d/95-dm-notify.rules") {
		if err := copyInto(tree, name); err != nil {
			return err
		}
	}
	if err := copyFile(guest, filepath.Join(tree, "usr/sbin/init"), 0o755); err != nil {
		return err
	}
	return copyLibraries(ctx, tree, append(programs(), filepath.Join(tree, "usr/bin/udevadm")))
}

var library = regexp.MustCompile(`(?:=>\s+|^\s+)(/\S+)\s+\(0x`)

// copyLibraries copies what the programs are linked with (ldd(1)).
func copyLibraries(ctx context.Context, tree string, programs []string) error {
	for _, program := range programs {
		out, err := run(ctx, "", "ldd", program)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "not found") {
				return fmt.Errorf("%w: a library of %s: %s", ErrMissing, program, strings.TrimSpace(line))
			}
			if m := library.FindStringSubmatch(line); m != nil {
				if err := copyInto(tree, m[1]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// copyInto copies a file of this system to the same place of the tree, below
// /usr. What the name leads to becomes the file.
func copyInto(tree, name string) error {
	data, err := os.Stat(name)
	if err != nil && strings.HasPrefix(name, "/usr/lib/") { // before /usr was merged
		name = strings.TrimPrefix(name, "/usr")
		data, err = os.Stat(name)
	}
	if err != nil {
		return err
	}
	to := name
	if !strings.HasPrefix(name, "/usr/") && !strings.HasPrefix(name, "/etc/") {
		to = "/usr" + name
	}
	return copyFile(name, filepath.Join(tree, to), data.Mode().Perm())
}

func copyFile(from, to string, mode fs.FileMode) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeTo(to, f, mode)
}

// makeInitial packs the tree with what opens the disk.
func makeInitial(kernel, tree, file string) error {
	if err := os.CopyFS(filepath.Join(tree, "modules"), os.DirFS(filepath.Join(kernel, moduleDir))); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"passphrase":   passphrase,
		"root-sectors": strconv.Itoa(rootSize / sector),
	} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if err := os.Symlink("usr/sbin/init", filepath.Join(tree, "init")); err != nil {
		return err
	}
	return pack(tree, file)
}
