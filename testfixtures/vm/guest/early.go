//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names that image.go of the host knows too.
const (
	modules    = "/modules" // folders of kernel modules, in the order of loading
	passphrase = "/passphrase"
	rootLength = "/root-sectors" // of 512 bytes: where the file system ends and swap begins
	mapping    = "vda_crypt"
	newRoot    = "/sysroot"
)

// The logical volumes' names and identities as lvm2 gives them: "LVM-", the
// group's uuid and the volume's.
const (
	rootVolume = "vg-root"
	rootUUID   = "LVM-3zSHSR5Nbf4j7g6auAAefWY2CMaX01theZYEvQyecVsm2WtX3iY5q51qq5dWWOq7"
	swapVolume = "vg-swap"
	swapUUID   = "LVM-3zSHSR5Nbf4j7g6auAAefWY2CMaX01thQ8nVnB0tVtYB7XoYyRLSVf6sq1h2UdKe"
)

// mount is one file system that the kernel makes up.
type mount struct{ kind, at string }

// early is the initial ramdisk: it loads modules, opens the disk as somebody
// with the passphrase would, and hands over to the program on it.
func early() error {
	if err := mountAll(mount{"proc", "/proc"}, mount{"sysfs", "/sys"}, mount{"devtmpfs", "/dev"}, mount{"tmpfs", "/run"}); err != nil {
		return err
	}
	c, err := chosen()
	if err != nil {
		return err
	}
	if err := load("disk"); err != nil {
		return err
	}
	if c.filter {
		if err := load("filter"); err != nil {
			return err
		}
	}
	if err := wait("/dev/vda"); err != nil {
		return err
	}
	if err := startUdev(); err != nil {
		return err
	}
	device, err := c.open()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(device, newRoot, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", device, err)
	}
	if err := command("udevadm", "control", "--exit"); err != nil {
		return err
	}
	return enter()
}

func mountAll(list ...mount) error {
	for _, m := range list {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return nil
}

// load takes the modules of one folder. A kernel that has one built in is as
// good; one that was not asked for is not there.
func load(folder string) error {
	files, err := filepath.Glob(filepath.Join(modules, folder, "*.ko"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no modules in %s: %w", folder, errors.Join(err, os.ErrNotExist))
	}
	for _, name := range files { // Glob sorts
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		f.Close()
		// A module for a device that is not there says so; others do without.
		if err != nil && !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("load %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// open gives the device with the root's file system.
func (c machineCase) open() (string, error) {
	if !c.crypt {
		return "/dev/vda", nil
	}
	key, err := os.ReadFile(passphrase)
	if err != nil {
		return "", err
	}
	if err := commandWith(key, "cryptsetup", "open", "--type", "luks2", "--key-file", "-", "/dev/vda", mapping); err != nil {
		return "", err
	}
	crypt := "/dev/mapper/" + mapping
	if !c.layered {
		return crypt, nil
	}
	text, err := os.ReadFile(rootLength)
	if err != nil {
		return "", err
	}
	length := strings.TrimSpace(string(text))
	err = command("dmsetup", "create", rootVolume, "--uuid", rootUUID, "--table", "0 "+length+" linear "+crypt+" 0")
	if err != nil {
		return "", err
	}
	return "/dev/mapper/" + rootVolume, command("dmsetup", "create", swapVolume, "--uuid", swapUUID,
		"--table", fmt.Sprintf("0 %d linear %s %s", swapSectors, crypt, length))
}

// swapSectors is how much of the swap area is used, in sectors of 512 bytes.
const swapSectors = 8 << 20 / 512

// enter makes the opened root the root, and starts the program on it.
func enter() error {
	for _, at := range []string{"/proc", "/sys", "/dev", "/run"} {
		if err := unix.Mount(at, newRoot+at, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", at, err)
		}
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(newRoot, "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, environment())
}

func environment() []string { return []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C"} }

// startUdev runs udev as Debian does, for block devices alone: emulating its
// rules for all others takes long.
func startUdev() error {
	if err := command("/usr/lib/systemd/systemd-udevd", "--daemon"); err != nil {
		return err
	}
	if err := command("udevadm", "trigger", "--action=add", "--subsystem-match=block"); err != nil {
		return err
	}
	return settle()
}

func settle() error { return command("udevadm", "settle", "--timeout=60") }

// patience bounds each command and each wait: the machine is slow.
const patience = 90 * time.Second

// wait waits for a device file.
func wait(path string) error {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return nil
		} else if time.Now().After(end) {
			return err
		}
	}
}

func command(name string, args ...string) error { return commandWith(nil, name, args...) }

func commandWith(input []byte, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if filepath.Base(name) == name { // there is no PATH in the kernel's environment
		cmd = exec.Command("/usr/sbin/"+name, args...)
		if _, err := os.Stat(cmd.Path); err != nil {
			cmd = exec.Command("/usr/bin/"+name, args...)
		}
	}
	cmd.Env, cmd.Stdin = environment(), bytes.NewReader(input)
	stop := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer stop.Stop()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
