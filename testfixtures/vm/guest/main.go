//go:build linux

// Command guest is the first process of a machine under test: it opens the disk, reads the posture, changes it, and tells.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/postern-zt/postern/testfixtures/vm/tell"
)

// line is the serial line for documents; the kernel's own words go to another.
const line = "/dev/ttyS1"

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: is the first process of a machine under test, and of nothing else")
		os.Exit(1)
	}
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		say(tell.Document{Step: tell.Failed, Error: err.Error()})
	}
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// run is the initial ramdisk's program when the kernel starts it from there,
// and then the program of the root that it has opened.
func run() error {
	if os.Args[0] == "/init" {
		return early()
	}
	c, err := chosen()
	if err != nil {
		return err
	}
	return c.live()
}

// machineCase is one kind of machine, and what happens on it.
type machineCase struct {
	crypt   bool // the disk is encrypted with LUKS2
	layered bool // and holds logical volumes
	filter  bool // the kernel has a packet filter, with rules
	steps   []step
}

func cases() map[string]machineCase {
	return map[string]machineCase{
		tell.Healthy: {crypt: true, filter: true, steps: healthySteps()},
		tell.Bare:    {filter: true, steps: []step{{name: tell.Started, change: bareStart}}},
		tell.Layered: {crypt: true, layered: true, steps: []step{{name: tell.Started, change: layeredStart}}},
	}
}

// chosen reads the case from the kernel's command line.
func chosen() (machineCase, error) {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return machineCase{}, err
	}
	for _, word := range strings.Fields(string(text)) {
		if name, ok := strings.CutPrefix(word, tell.Parameter); ok {
			c, known := cases()[name]
			if !known {
				return c, fmt.Errorf("no case %q", name)
			}
			return c, nil
		}
	}
	return machineCase{}, errors.New("the kernel's command line names no case")
}

// say writes one document. Who cannot tell has nobody to tell that to but the
// console.
func say(d tell.Document) {
	var now unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &now)
	d.Uptime = time.Duration(now.Nano()).Milliseconds()
	f, err := os.OpenFile(line, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		return
	}
	defer f.Close()
	data, err := json.Marshal(d)
	if err != nil {
		data, err = json.Marshal(tell.Document{Step: tell.Failed, Error: err.Error()})
	}
	// The firmware writes to this line too: what is ours has lines of its own.
	if _, writeErr := fmt.Fprintf(f, "\n%s\n", data); writeErr != nil || err != nil {
		fmt.Fprintln(os.Stderr, "guest:", errors.Join(err, writeErr))
	}
	unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1) // wait until it is on the line
}
