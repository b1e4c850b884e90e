package device

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Where Linux shows the SMBIOS identifiers (kernel documentation,
// Documentation/ABI/testing/sysfs-class-dmi), of which only root may read
// serial number and UUID, and what a device tree says of a machine without
// SMBIOS (Devicetree Specification, 2.3, "model" and "serial-number").
const (
	linuxSerial = "/sys/class/dmi/id/product_serial"
	linuxUUID   = "/sys/class/dmi/id/product_uuid"
	linuxVendor = "/sys/class/dmi/id/sys_vendor"
	linuxModel  = "/sys/class/dmi/id/product_name"
	treeSerial  = "/proc/device-tree/serial-number"
	treeModel   = "/proc/device-tree/model"
)

func identifyLinux(ctx context.Context, m evidence.Machine) machine {
	d := machine{serial: linuxFile(ctx, m, linuxSerial), uuid: linuxFile(ctx, m, linuxUUID)}
	if d.serial.why == fact.ReasonNotFound {
		d.serial = d.serial.or(linuxFile(ctx, m, treeSerial))
	}
	return d
}

func describeLinux(ctx context.Context, m evidence.Machine, d *machine) {
	d.vendor = filled(linuxFile(ctx, m, linuxVendor), func() answer { return linuxFile(ctx, m, "/sys/class/dmi/id/board_vendor") })
	d.model = filled(linuxFile(ctx, m, linuxModel), func() answer { return linuxFile(ctx, m, "/sys/class/dmi/id/board_name") })
	if d.model.text == "" {
		d.model = d.model.or(linuxFile(ctx, m, treeModel))
	}
	d.guest = linuxGuest(ctx, m)
}

// filled is a, or what the main board says where the maker left a placeholder.
func filled(a answer, board func() answer) answer {
	if a.text != "" && !placeholder(a.text) {
		return a
	}
	if b := board(); b.text != "" && !placeholder(b.text) {
		return b
	}
	return a
}

func linuxFile(ctx context.Context, m evidence.Machine, path string) answer {
	data, err := m.ReadFile(ctx, path)
	if err != nil {
		return failed(err)
	}
	return said(string(data), path)
}

// linuxGuest looks for what only a guest shows: the processor's flag for a
// hypervisor (kernel, X86_FEATURE_HYPERVISOR), the device tree's node for one,
// and the name that the kernel of Windows' subsystem for Linux carries.
func linuxGuest(ctx context.Context, m evidence.Machine) answer {
	const release, cpu, node = "/proc/sys/kernel/osrelease", "/proc/cpuinfo", "/proc/device-tree/hypervisor/compatible"
	if data, err := m.ReadFile(ctx, release); err == nil && strings.Contains(strings.ToLower(string(data)), "microsoft") {
		return answer{text: "true", source: release}
	}
	if data, err := m.ReadFile(ctx, node); err == nil && len(data) > 0 {
		return answer{text: "true", source: node}
	}
	data, err := m.ReadFile(ctx, cpu)
	if err != nil {
		return failed(err)
	}
	if hypervisorFlag(string(data)) {
		return answer{text: "true", source: cpu}
	}
	return answer{text: "false", source: cpu}
}

// hypervisorFlag looks at the flags of the first processor in /proc/cpuinfo.
func hypervisorFlag(cpuinfo string) bool {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			for flag := range strings.FieldsSeq(value) {
				if flag == "hypervisor" {
					return true
				}
			}
			return false
		}
	}
	return false
}
