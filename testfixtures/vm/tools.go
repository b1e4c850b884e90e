//go:build linux

package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Where Debian's packages put what a machine is made of.
const (
	emulator    = "/usr/bin/qemu-system-x86_64"
	tpmEmulator = "/usr/bin/swtpm"

	firmware = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
	noKeys   = "/usr/share/OVMF/OVMF_VARS_4M.fd"          // a firmware's variables, without any key
	testKeys = "/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd" // with this certificate, whose key everybody has

	signingCert   = "/usr/share/ovmf/PkKek-1-snakeoil.pem"
	signingKey    = "/usr/share/ovmf/PkKek-1-snakeoil.key"
	signingSecret = "snakeoil"
)

// programs of this system that machines run, copied with their libraries.
func programs() []string {
	return []string{"/usr/sbin/cryptsetup", "/usr/sbin/dmsetup", "/usr/sbin/nft"}
}

// ErrMissing says that something is not installed; setup.sh beside this file
// installs it.
var ErrMissing = errors.New("vm: not installed; call vm_setup of testfixtures/vm/setup.sh, or set POSTERN_NO_VM=1 to go without")

// check says in one line everything that is missing.
func check() error {
	if runtime.GOARCH != "amd64" { // the machines run this system's programs
		return errors.New("vm: its machines are of amd64, this one is of " + runtime.GOARCH + "; set POSTERN_NO_VM=1 to go without")
	}
	var missing []string
	for _, name := range []string{"apt-get", "apt-cache", "dpkg-deb", "ldd", "mke2fs", "mkswap", "openssl", "sbsign"} {
		if _, err := find(name); err != nil {
			missing = append(missing, name)
		}
	}
	for _, path := range append(programs(), emulator, tpmEmulator, firmware, noKeys, testKeys, signingKey, signingCert) {
		if _, err := os.Stat(path); err != nil {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: %s", ErrMissing, strings.Join(missing, " "))
	}
	return nil
}

// find looks in sbin too, which is not in everybody's PATH.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

// run runs a tool in a folder and gives what it wrote to standard output.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	path, err := find(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrMissing, name)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run %s: %w: %s", name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
