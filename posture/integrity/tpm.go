package integrity

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const (
	tpmClass = "/sys/class/tpm"
	tpmNode  = tpmClass + "/tpm0"
	tpmrm    = "/dev/tpmrm0"
)

// tpm looks for the chip that the kernel drives (kernel documentation,
// ABI/stable/sysfs-class-tpm), and for one that only the firmware knows.
func tpm(ctx context.Context, r *evidence.Reading) {
	m := r.Machine()
	present := tpmPresent(ctx, m)
	present.set(r, "tpm_present")
	if !present.is(true) {
		why := present.why
		if present.is(false) {
			yesNo(false, present.source).because(fact.ReasonNotFound).set(r, "tpm_usable")
			why = fact.ReasonNotFound
		} else {
			r.Unknown("tpm_usable", "", why)
		}
		r.Unknown("tpm_version", "", why)
		return
	}
	version := tpmVersion(ctx, m)
	version.set(r, "tpm_version")
	tpmUsable(ctx, m, version).set(r, "tpm_usable")
}

func tpmPresent(ctx context.Context, m evidence.Machine) answer {
	chips, err := m.ReadDir(ctx, tpmClass)
	if err == nil && slices.Contains(chips, "tpm0") {
		return yesNo(true, tpmNode)
	}
	const tables = "/sys/firmware/acpi/tables"
	for _, table := range []string{"/TPM2", "/TCPA"} {
		if _, err := m.Stat(ctx, tables+table); err == nil {
			return yesNo(true, tables+table)
		}
	}
	if err != nil && evidence.ReasonOf(err) != fact.ReasonNotFound {
		return failed(err)
	}
	// The kernel's classes can be seen and there is no chip among them.
	classes, err := m.ReadDir(ctx, "/sys/class")
	switch {
	case err != nil:
		return failed(err)
	case len(classes) == 0:
		return unknown(fact.ReasonNotFound)
	}
	return yesNo(false, "/sys/class").because(fact.ReasonNotFound)
}

// tpmVersion is told since Linux 5.6; before, only a TPM 2.0 has a resource
// manager and only a TPM 1.2 the file caps.
func tpmVersion(ctx context.Context, m evidence.Machine) answer {
	const file = tpmNode + "/tpm_version_major"
	if data, err := m.ReadFile(ctx, file); err == nil {
		switch strings.TrimSpace(string(data)) {
		case "2":
			return known(fact.Str("2.0"), file)
		case "1":
			return known(fact.Str("1.2"), file)
		}
		return unknown(fact.ReasonMalformed)
	} else if evidence.ReasonOf(err) != fact.ReasonNotFound {
		return failed(err)
	}
	for _, hint := range [][2]string{{"/sys/class/tpmrm/tpmrm0", "2.0"}, {tpmrm, "2.0"}, {"/sys/firmware/acpi/tables/TPM2", "2.0"}, {tpmNode + "/device/caps", "1.2"}} {
		if _, err := m.Stat(ctx, hint[0]); err == nil {
			return known(fact.Str(hint[1]), hint[0])
		}
	}
	return unknown(fact.ReasonNotFound)
}

// tpmUsable wants the device that keys are made through, and where the kernel
// shows the registers of the chip, that it can read one: the chip answers. A
// chip the kernel does not drive, or of version 1.2, makes no key for us.
func tpmUsable(ctx context.Context, m evidence.Machine, version answer) answer {
	if version.value == fact.Str("1.2") {
		return unknown(fact.ReasonUnsupported)
	}
	info, err := m.Stat(ctx, tpmrm)
	if err != nil {
		return failed(err)
	}
	if info.Mode.IsDir() {
		return unknown(fact.ReasonMalformed)
	}
	const register = tpmNode + "/pcr-sha256/0"
	data, err := m.ReadFile(ctx, register)
	switch why := evidence.ReasonOf(err); {
	case err == nil && strings.TrimSpace(string(data)) == "":
		return unknown(fact.ReasonUnreadable)
	case err == nil:
		return yesNo(true, register)
	case why == fact.ReasonNotFound || why == fact.ReasonNotRecorded: // Linux before 5.12
		return yesNo(true, tpmrm)
	}
	return failed(err)
}
