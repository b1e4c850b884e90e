//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/machine"
	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/posture/collect"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
	"github.com/postern-zt/postern/testfixtures/vm/tell"
)

// step is a change of the machine, and the signal that it is about. A step
// without a signal has everything read.
type step struct {
	name   string
	signal string
	change func() error
}

func healthySteps() []step {
	return []step{
		{name: tell.Started, change: filterOn},
		{tell.Stick, fact.SignalDisk, mountStick},
		{tell.Swapped, fact.SignalDisk, func() error { return swapOn("/dev/vdb1") }},
		{tell.Flushed, fact.SignalFirewall, func() error { return command("nft", "flush", "ruleset") }},
		{tell.Filtered, fact.SignalFirewall, filterOn},
	}
}

// bareStart is a machine whose memory goes to a partition in the clear.
func bareStart() error { return swapOn("/dev/vdb1") }

func layeredStart() error { return swapOn("/dev/mapper/" + swapVolume) }

func filterOn() error { return command("nft", "-f", "/etc/nftables.conf") }

// mountStick mounts what is on the stick when the kernel has found it: it waits
// a second before it asks a new stick what it is.
func mountStick() error {
	const at = "/media/stick"
	if err := wait("/dev/sda1"); err != nil {
		return err
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	return unix.Mount("/dev/sda1", at, "ext4", unix.MS_NOSUID|unix.MS_NODEV, "")
}

func swapOn(device string) error {
	path, err := unix.BytePtrFromString(device)
	if err != nil {
		return err
	}
	if _, _, code := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(path)), 0, 0); code != 0 {
		return fmt.Errorf("swap on %s: %w", device, code)
	}
	return nil
}

// live is the running system: it reads and tells its posture after each step.
func (c machineCase) live() error {
	if err := mountAll(mount{"securityfs", "/sys/kernel/security"}, mount{"tmpfs", "/tmp"}); err != nil {
		return err
	}
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		if err := mountAll(mount{"efivarfs", "/sys/firmware/efi/efivars"}); err != nil {
			return err
		}
	}
	if err := startUdev(); err != nil {
		return err
	}
	l, err := c.newLooker()
	if err != nil {
		return err
	}
	defer l.watcher.Close()
	for _, s := range c.steps {
		if err := l.take(s); err != nil {
			return fmt.Errorf("step %s: %w", s.name, err)
		}
	}
	return nil
}

// looker reads the posture as the agent does: all of it once, and then what an
// event is about.
type looker struct {
	collector *collect.Collector
	watcher   *watch.Watcher
}

// deadline of each collector: emulated, everything takes ten times as long.
const deadline = time.Minute

func (c machineCase) newLooker() (*looker, error) {
	rows, err := observe.BuiltIn()
	if err != nil {
		return nil, err
	}
	boot := clock.System()
	w, err := watch.New(boot)
	if err != nil {
		return nil, err
	}
	err = w.SetMounts(fact.SignalDisk)
	if c.filter { // without one there is nothing to listen to
		err = errors.Join(err, w.SetFirewall(fact.SignalFirewall))
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &looker{collect.New(collect.Config{
		Machine: machine.New(machine.Config{}), Catalogue: rows, Clock: boot, Deadline: deadline, Version: "vm",
	}), w}, nil
}

func (l *looker) take(s step) error {
	if s.signal == "" {
		if err := s.change(); err != nil {
			return err
		}
		began := time.Now()
		report := l.collector.Read(context.Background())
		say(tell.Document{Step: s.name, Report: report, Took: time.Since(began).Milliseconds()})
		return nil
	}
	l.drain()
	began := time.Now()
	if err := s.change(); err != nil {
		return err
	}
	d := tell.Document{Step: s.name, Change: time.Since(began).Milliseconds()}
	for end := time.After(patience); d.Cause == ""; {
		select {
		case e := <-l.watcher.Events():
			if e.Kind == s.signal {
				d.Cause, d.Notice = e.Cause, time.Since(began).Milliseconds()
			}
		case <-end:
			return errors.New("no event came")
		}
	}
	reading := time.Now()
	d.Report, _ = l.collector.Reread(context.Background(), s.signal)
	d.Took, d.Known = time.Since(reading).Milliseconds(), time.Since(began).Milliseconds()
	say(d)
	return nil
}

// drain forgets events of what happened before.
func (l *looker) drain() {
	for quiet := time.After(200 * time.Millisecond); ; {
		select {
		case <-l.watcher.Events():
		case <-quiet:
			return
		}
	}
}
