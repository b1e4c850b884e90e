// Package device tells which machine this is, by identifiers that survive a new installation.
package device

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/attest"
	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// Identity is what could be read, hashed, and why the rest could not.
type Identity struct {
	Hardware attest.Hardware
	Reasons  map[string]fact.Reason // "serial", "uuid" → why it is missing
}

// Where Linux shows the SMBIOS identifiers (kernel documentation,
// Documentation/ABI/testing/sysfs-class-dmi). Only root may read them.
const (
	linuxSerial = "/sys/class/dmi/id/product_serial"
	linuxUUID   = "/sys/class/dmi/id/product_uuid"
)

// Read asks the machine for serial number and hardware UUID. A machine without
// readable ones is not an error: it enrols, and its record says so.
func Read(ctx context.Context, m evidence.Machine) Identity {
	id := Identity{Reasons: map[string]fact.Reason{}}
	if m.System() != evidence.Linux {
		id.Reasons["serial"], id.Reasons["uuid"] = fact.ReasonUnsupported, fact.ReasonUnsupported
		return id
	}
	id.Hardware.Serial = id.read(ctx, m, "serial", linuxSerial)
	id.Hardware.UUID = id.read(ctx, m, "uuid", linuxUUID)
	return id
}

func (id Identity) read(ctx context.Context, m evidence.Machine, what, path string) string {
	data, err := m.ReadFile(ctx, path)
	if err != nil {
		id.Reasons[what] = evidence.ReasonOf(err)
		return ""
	}
	value := strings.ToUpper(strings.TrimSpace(string(data)))
	if junk(value) {
		id.Reasons[what] = fact.ReasonNotFound
		return ""
	}
	return jws.Hash([]byte("postern/hardware/" + what + "\x00" + value))
}

// junk recognises values that makers leave where an identifier belongs. Many
// machines share them, so they identify none.
func junk(v string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' || r == '_' || r == ':' {
			return -1
		}
		return r
	}, v)
	if len(plain) < 4 || strings.Trim(plain, plain[:1]) == "" {
		return true
	}
	switch plain {
	case "TOBEFILLEDBYOEM", "DEFAULTSTRING", "SYSTEMSERIALNUMBER", "NOTSPECIFIED", "NOTAPPLICABLE", "NONE", "UNKNOWN", "OEM", "INVALID", "SERIALNUMBER", "123456789", "1234567890", "0123456789", "03000200040005000006000700080009":
		return true
	}
	return strings.HasPrefix(plain, "TOBEFILLED")
}
