//go:build linux

package vm

import (
	"maps"

	"github.com/postern-zt/postern/platform/watch"
	"github.com/postern-zt/postern/testfixtures/vm/tell"
)

// The healthy machine's own identity (SMBIOS type 1).
const (
	serialNumber = "PSTRN-0042"
	hardwareUUID = "3f6b0c1e-8a4d-4e52-9c77-1d2e3f405162"
)

// machines are ordered so that the longest starts first.
func machines() []machine {
	return []machine{healthy(), layered(), bare()}
}

// healthy is a well-kept machine, then one that somebody lets down: a stick in
// the clear does not count against the system, swap in the clear does, and a
// packet filter without rules is none.
func healthy() machine {
	started := with(system(), claims{
		"disk.system_status":    "ENCRYPTED",
		"disk.system_protected": "true",
		"disk.data_protected":   "true",
		"disk.swap_clear":       "false",

		"disk[" + luksUUID + "].status":     "ENCRYPTED",
		"disk[" + luksUUID + "].protected":  "true",
		"disk[" + luksUUID + "].conversion": "complete",
		"disk[" + luksUUID + "].method":     "luks2 aes-xts-plain64",
		"disk[" + luksUUID + "].unlock":     "password",
		"disk[" + luksUUID + "].role":       "system",
		"disk[" + luksUUID + "].name":       "/",
		"disk[" + stickUUID + "].role":      "not there",
		"disk[" + swapUUID + "].role":       "not there",

		"integrity.secure_boot":           "true",
		"integrity.setup_mode":            "false",
		"integrity.tpm_present":           "true",
		"integrity.tpm_usable":            "true",
		"integrity.tpm_version":           "2.0",
		"integrity.lockdown":              "integrity",
		"integrity.debug_mode":            "false",
		"integrity.access_control":        "permissive", // the kernel has AppArmor, and no profile
		"integrity.access_control_system": "apparmor",

		"device.serial":        serialNumber,
		"device.hardware_uuid": hardwareUUID,
	}, filtered())
	stick := with(started, claims{
		"disk[" + stickUUID + "].status":    "UNENCRYPTED",
		"disk[" + stickUUID + "].protected": "false",
		"disk[" + stickUUID + "].role":      "removable",
		"disk[" + stickUUID + "].name":      "/media/stick",
	})
	swapped := with(stick, claims{
		"disk.swap_clear":               "true",
		"disk[" + swapUUID + "].status": "UNENCRYPTED",
		"disk[" + swapUUID + "].role":   "swap",
	})
	return machine{
		hardware{
			name: tell.Healthy, serial: serialNumber, uuid: hardwareUUID, keys: testKeys, signed: true, tpm: true,
			disk: cryptFile, swap: true, removable: true,
		},
		[]expected{
			{tell.Started, "", started},
			{tell.Stick, watch.CauseMount, stick},
			{tell.Swapped, watch.CauseMount, swapped},
			{tell.Flushed, watch.CauseFirewall, with(swapped, unfiltered())},
			{tell.Filtered, watch.CauseFirewall, swapped},
		},
	}
}

// bare is a machine without any protection: a PC of before UEFI, a root and
// swap in the clear. Its crypttab names a disk that nobody has encrypted.
func bare() machine {
	return machine{
		hardware{name: tell.Bare, disk: plainFile, swap: true},
		[]expected{{tell.Started, "", with(system(), claims{
			"disk.system_status":              "UNENCRYPTED",
			"disk.system_protected":           "false",
			"disk.data_protected":             "false",
			"disk.swap_clear":                 "true",
			"disk[" + rootFSUUID + "].status": "UNENCRYPTED",
			"disk[" + rootFSUUID + "].role":   "system",
			"disk[" + rootFSUUID + "].method": "not there",
			"disk[" + swapUUID + "].status":   "UNENCRYPTED",
			"disk[" + swapUUID + "].role":     "swap",
			"integrity.secure_boot":           "false",
			"integrity.setup_mode":            "unknown not-found",
			"integrity.tpm_present":           "false",
			"integrity.tpm_usable":            "false",
			"integrity.tpm_version":           "unknown not-found",
			"integrity.lockdown":              "none",
			"integrity.debug_mode":            "true", // this kernel loads modules of anybody
			"device.serial":                   "unknown not-found",
			"device.hardware_uuid":            "unknown not-found",
		}, unfiltered())}},
	}
}

// layered is the other usual way to encrypt: logical volumes for root and swap
// on one LUKS2 disk. Its firmware has UEFI, but no keys yet, and its kernel no
// packet filter.
func layered() machine {
	return machine{
		hardware{name: tell.Layered, disk: cryptFile, keys: noKeys},
		[]expected{{tell.Started, "", with(system(), claims{
			"disk.system_status":                  "ENCRYPTED",
			"disk.system_protected":               "true",
			"disk.data_protected":                 "true",
			"disk.swap_clear":                     "false",
			"disk[" + rootFSUUID + "].status":     "ENCRYPTED",
			"disk[" + rootFSUUID + "].method":     "luks2 aes-xts-plain64",
			"disk[" + rootFSUUID + "].unlock":     "password",
			"disk[" + rootFSUUID + "].role":       "system",
			"disk[" + lvmSwapUUID + "].status":    "ENCRYPTED",
			"disk[" + lvmSwapUUID + "].protected": "true",
			"disk[" + lvmSwapUUID + "].role":      "swap",
			"integrity.secure_boot":               "false",
			"integrity.setup_mode":                "true",
			"integrity.tpm_present":               "false",
			"integrity.tpm_usable":                "false",
			"integrity.lockdown":                  "none",
		}, unfiltered())}},
	}
}

// system is what all machines are: Debian in QEMU, with nobody at the screen
// and no security product.
func system() claims {
	return claims{
		"os_version.type":         "DESKTOP_LINUX",
		"os_version.product":      "debian",
		"os_version.architecture": "amd64",
		"patch.kernel_current":    "true",
		"device.vendor":           "QEMU",
		"device.virtual":          "true",
		"edr":                     "absent not-found",
		"enrolment":               "absent not-found",
		"custom":                  "absent not-found",
		"screen_lock":             "unknown tool-missing",
	}
}

func filtered() claims {
	return claims{
		"firewall.enabled":               "true",
		"firewall.default_inbound":       "drop",
		"firewall[ipv4].enabled":         "true",
		"firewall[ipv4].default_inbound": "drop",
		"firewall[ipv6].enabled":         "true",
		"firewall[ipv6].default_inbound": "drop",
		"firewall.manager":               "nftables",
	}
}

func unfiltered() claims {
	return claims{
		"firewall.enabled":               "false",
		"firewall.default_inbound":       "accept",
		"firewall[ipv4].enabled":         "false",
		"firewall[ipv4].default_inbound": "accept",
		"firewall[ipv6].enabled":         "false",
		"firewall[ipv6].default_inbound": "accept",
		"firewall.manager":               "unknown not-found",
	}
}

// with is all of several claims; where they differ the last counts.
func with(all ...claims) claims {
	out := claims{}
	for _, c := range all {
		maps.Copy(out, c)
	}
	return out
}
