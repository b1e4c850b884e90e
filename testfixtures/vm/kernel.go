//go:build linux

package vm

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// The files and folders of a kernel in the cache.
const (
	kernelFile = "vmlinuz"
	signedFile = "vmlinuz.signed"
	moduleDir  = "modules" // one folder for each of moduleSets, files in the order of loading
	extraDir   = "extra"   // goes into every root
)

// moduleSets are the modules that machines load, without what those need. What
// a kernel has built in is not missed.
func moduleSets() map[string][]string {
	return map[string][]string{
		"disk": {
			"virtio_pci", "virtio_blk", "virtio_rng", "xhci_pci", "usb_storage", "sd_mod",
			"crc32c_generic", "ext4", "dm_crypt", "xts", "ecb", "aesni_intel", "algif_skcipher", "efivarfs",
		},
		"filter": {"nf_tables", "nft_ct"},
	}
}

// makeKernel downloads Debian's kernel and udev and keeps what is wanted of
// them in dir. The kernel is the one that people have: not the one for clouds,
// which knows no USB.
func makeKernel(ctx context.Context, dir string) error {
	release, err := kernelRelease(ctx)
	if err != nil {
		return err
	}
	downloads := filepath.Join(dir, "downloads")
	if err := os.Mkdir(downloads, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(downloads)
	if _, err := run(ctx, downloads, "apt-get", "download", "linux-image-"+release, "udev"); err != nil {
		return fmt.Errorf("download kernel and udev: %w", err)
	}
	if err := unpackKernel(ctx, downloads, dir, release); err != nil {
		return err
	}
	if err := unpackUdev(ctx, downloads, filepath.Join(dir, extraDir)); err != nil {
		return err
	}
	return sign(ctx, dir)
}

// kernelRelease asks the package that always needs the newest kernel.
func kernelRelease(ctx context.Context) (string, error) {
	out, err := run(ctx, "", "apt-cache", "depends", "--important", "linux-image-amd64")
	if err != nil {
		return "", err
	}
	for _, word := range strings.Fields(string(out)) {
		if release, ok := strings.CutPrefix(word, "linux-image-"); ok && strings.Contains(release, ".") {
			return release, nil
		}
	}
	return "", errors.New("find the newest kernel: apt knows none; run apt-get update (the machines are made of Debian's packages)")
}

func unpackKernel(ctx context.Context, downloads, dir, release string) error {
	found := map[string][]byte{} // modules by name
	base := "lib/modules/" + release + "/"
	err := unpack(ctx, downloads, "linux-image-*.deb", func(name string, r io.Reader) error {
		switch {
		case name == "boot/vmlinuz-"+release:
			return writeTo(filepath.Join(dir, kernelFile), r, 0o600)
		case name == base+"modules.builtin":
			return writeTo(filepath.Join(dir, extraDir, "usr", name), r, 0o644)
		case strings.HasSuffix(name, ".ko") && moduleFolder(strings.TrimPrefix(name, base+"kernel/")):
			data, err := io.ReadAll(r)
			found[moduleName(name)] = data
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for set, wanted := range moduleSets() {
		if err := writeModules(filepath.Join(dir, moduleDir, set), found, wanted); err != nil {
			return err
		}
	}
	_, err = os.Stat(filepath.Join(dir, kernelFile))
	return err
}

// moduleFolder leaves out what no machine here needs, which is most.
func moduleFolder(name string) bool {
	for _, folder := range []string{
		"arch/x86/crypto/", "block/", "crypto/", "lib/", "fs/ext4/", "fs/jbd2/", "fs/mbcache", "fs/efivarfs/", "net/ipv4/netfilter/", "net/ipv6/netfilter/", "net/netfilter/",
		"drivers/virtio/", "drivers/block/", "drivers/char/hw_random/", "drivers/usb/common/", "drivers/usb/core/", "drivers/usb/host/", "drivers/usb/storage/", "drivers/scsi/", "drivers/md/", "drivers/dax/",
	} {
		if strings.HasPrefix(name, folder) {
			return true
		}
	}
	return false
}

// unpackUdev keeps udev, which writes down what is on block devices.
func unpackUdev(ctx context.Context, downloads, root string) error {
	wanted := map[string]os.FileMode{
		"bin/udevadm":                                  0o755,
		"lib/udev/rules.d/60-block.rules":              0o644,
		"lib/udev/rules.d/50-udev-default.rules":       0o644,
		"lib/udev/rules.d/60-persistent-storage.rules": 0o644,
	}
	err := unpack(ctx, downloads, "udev_*.deb", func(name string, r io.Reader) error {
		mode, ok := wanted[strings.TrimPrefix(name, "usr/")]
		if !ok {
			return nil
		}
		delete(wanted, strings.TrimPrefix(name, "usr/"))
		return writeTo(filepath.Join(root, "usr", strings.TrimPrefix(name, "usr/")), r, mode)
	})
	if err == nil && len(wanted) > 0 {
		err = fmt.Errorf("udev's package lacks %v", wanted)
	}
	return err
}

// unpack hands each regular file of a package to use, by its name without "./".
func unpack(ctx context.Context, downloads, pattern string, use func(name string, r io.Reader) error) error {
	found, err := filepath.Glob(filepath.Join(downloads, pattern))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("unpack %s: %d files: %w", pattern, len(found), errors.Join(err, os.ErrNotExist))
	}
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", found[0])
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("unpack %s: %w", pattern, err)
	}
	err = eachFile(tar.NewReader(out), use)
	io.Copy(io.Discard, out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("unpack %s: %w: %s", pattern, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

func eachFile(t *tar.Reader, use func(name string, r io.Reader) error) error {
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := use(path.Clean(h.Name), t); err != nil {
				return err
			}
		}
	}
}

// sign signs the kernel with the key that the test firmware trusts.
func sign(ctx context.Context, dir string) error {
	key := filepath.Join(dir, "key.pem")
	defer os.Remove(key)
	if _, err := run(ctx, dir, "openssl", "rsa", "-passin", "pass:"+signingSecret, "-in", signingKey, "-out", key); err != nil {
		return err
	}
	_, err := run(ctx, dir, "sbsign", "--key", key, "--cert", signingCert, "--output", signedFile, kernelFile)
	return err
}

func writeTo(name string, r io.Reader, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Chmod(mode), f.Close())
}
