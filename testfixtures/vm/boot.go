//go:build linux

package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/testfixtures/vm/tell"
)

// hardware is one machine to start.
type hardware struct {
	name      string // one of the cases of tell
	serial    string // serial number; empty: none, as with many machines
	uuid      string // hardware UUID; empty: none
	keys      string // variables of a UEFI firmware; empty: a PC of before
	signed    bool   // the kernel's signature is one that testKeys trusts
	tpm       bool
	disk      string // file of the first disk
	swap      bool   // a second disk
	removable bool   // a stick
}

// console is where a machine's kernel and programs complain; the last part of
// it is shown when something went wrong.
const (
	console    = "console"
	said       = "said"
	maxConsole = 4 << 10
)

// start runs a machine until it switches itself off, and gives what it said.
// What it writes to its disks is thrown away.
func (h hardware) start(ctx context.Context, p parts) ([]tell.Document, error) {
	dir, err := os.MkdirTemp("", "postern-vm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	args, err := h.arguments(p, dir)
	if err != nil {
		return nil, err
	}
	machine := osexec.Self{Args: args, Dir: dir, Env: []string{"TMPDIR=" + dir}}
	complaints := &bytes.Buffer{}
	machine.Stderr = complaints
	if h.tpm {
		chip, line, err := startTPM(ctx, dir)
		if err != nil {
			return nil, err
		}
		defer func() {
			line.Close()
			cancel()
			chip.Wait() // it has ended with its line
		}()
		machine.Stdin = line
	}
	child, err := osexec.Start(ctx, emulator, machine)
	if err != nil {
		return nil, err
	}
	err = child.Wait()
	if ctx.Err() != nil {
		err = errors.Join(errors.New("took too long"), err)
	}
	documents, readErr := read(filepath.Join(dir, said))
	if err := errors.Join(err, readErr, complete(documents)); err != nil {
		return documents, fmt.Errorf("machine %s: %w\n%s\n%s", h.name, err, complaints, tail(filepath.Join(dir, console)))
	}
	return documents, nil
}

// arguments are those of qemu-system-x86_64(1).
func (h hardware) arguments(p parts, dir string) ([]string, error) {
	kernel, machine := kernelFile, "q35"
	if h.signed {
		kernel = signedFile
	}
	var more []string
	if h.keys != "" {
		machine = "q35,smm=on" // a firmware that nothing but itself may change
		variables := filepath.Join(dir, "variables")
		if err := copyFile(h.keys, variables, 0o600); err != nil {
			return nil, err
		}
		more = append(more, "-global", "driver=cfi.pflash01,property=secure,value=on",
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+firmware,
			"-drive", "if=pflash,unit=1,format=raw,file="+variables)
	}
	if h.serial != "" {
		more = append(more, "-uuid", h.uuid, "-smbios", "type=1,serial="+h.serial)
	}
	more = append(more, drive("disk", p.file(h.disk))...)
	more = append(more, "-device", "virtio-blk-pci,drive=disk")
	if h.swap {
		more = append(more, drive("swap", p.file(swapFile))...)
		more = append(more, "-device", "virtio-blk-pci,drive=swap")
	}
	if h.removable {
		more = append(more, drive("stick", p.file(stickFile))...)
		more = append(more, "-device", "qemu-xhci", "-device", "usb-storage,drive=stick,removable=on")
	}
	if h.tpm {
		more = append(more, "-chardev", "socket,id=chip,fd=0", "-tpmdev", "emulator,id=tpm,chardev=chip", "-device", "tpm-crb,tpmdev=tpm")
	}
	return append([]string{
		"-machine", machine, "-accel", accelerator(), "-cpu", "max", "-smp", "1", "-m", "512",
		"-nodefaults", "-display", "none", "-no-reboot", "-device", "virtio-rng-pci",
		"-serial", "file:" + filepath.Join(dir, console), "-serial", "file:" + filepath.Join(dir, said),
		"-kernel", p.file(kernel), "-initrd", p.file(initialFile),
		"-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on " + tell.Parameter + h.name,
	}, more...), nil
}

// drive is a disk that forgets what is written to it.
func drive(id, file string) []string {
	return []string{"-drive", "if=none,format=raw,snapshot=on,id=" + id + ",file=" + file}
}

// accelerator is the processor's own where that is known to work: /dev/kvm may
// be there without it, and then a common kernel hangs.
func accelerator() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil && hasFlag(string(text), "vmx", "svm") {
		if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err == nil {
			f.Close()
			return "kvm"
		}
	}
	return "tcg"
}

func hasFlag(cpuinfo string, wanted ...string) bool {
	for line := range strings.Lines(cpuinfo) {
		name, flags, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) != "flags" {
			continue
		}
		for _, f := range strings.Fields(flags) {
			for _, w := range wanted {
				if f == w {
					return true
				}
			}
		}
	}
	return false
}

// startTPM starts a TPM 2.0 and gives the line to it, for the machine's
// standard input. A pair of sockets leaves no file behind.
func startTPM(ctx context.Context, dir string) (*osexec.Child, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, its := os.NewFile(uintptr(pair[0]), "machine"), os.NewFile(uintptr(pair[1]), "chip")
	defer its.Close()
	chip, err := osexec.Start(ctx, tpmEmulator, osexec.Self{Stdin: its, Args: []string{
		"socket", "--tpm2", "--tpmstate", "dir=" + dir, "--ctrl", "type=unixio,clientfd=0", "--flags", "startup-clear", "--terminate",
	}})
	if err != nil {
		return nil, nil, errors.Join(err, ours.Close())
	}
	return chip, ours, nil
}

// read takes the lines that are documents: a firmware writes to the same line.
func read(file string) ([]tell.Document, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out []tell.Document
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		var one tell.Document
		if err := json.Unmarshal(line, &one); err != nil {
			return out, fmt.Errorf("read what the machine said: %w", err)
		}
		out = append(out, one)
	}
	return out, nil
}

// complete is an error when the machine said that it could not go on, or
// nothing.
func complete(documents []tell.Document) error {
	if len(documents) == 0 {
		return errors.New("said nothing")
	}
	if last := documents[len(documents)-1]; last.Error != "" {
		return fmt.Errorf("could not go on: %s", last.Error)
	}
	return nil
}

func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-maxConsole):])
}
