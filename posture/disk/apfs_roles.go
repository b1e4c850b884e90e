package disk

import (
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// startup is the index of the container that the system runs from, or -1 when
// that cannot be told: it holds what is mounted at /, or it is the only one
// with a system (before macOS 10.15: the only one with a Preboot volume).
func startup(containers []container) int {
	for _, is := range []func(apfsVolume) bool{
		func(v apfsVolume) bool { return v.point == "/" || v.point == "/System/Volumes/Data" },
		func(v apfsVolume) bool { return slices.Contains(v.roles, "System") },
		func(v apfsVolume) bool { return slices.Contains(v.roles, "Preboot") },
	} {
		var found []int
		for i, c := range containers {
			if slices.ContainsFunc(c.all, is) && !c.internal.is(false) {
				found = append(found, i)
			}
		}
		if len(found) == 1 {
			return found[0]
		}
		for i, c := range containers { // a system that runs from a disk on a plug
			if len(found) == 0 && slices.ContainsFunc(c.all, is) {
				return i
			}
		}
		if len(found) > 1 {
			return -1
		}
	}
	if len(containers) == 1 {
		return 0
	}
	return -1
}

// volumes turns a container into volumes. isStartup: the system runs from it;
// known is negative when it is not known which one that is.
func (c container) volumes(isStartup bool, known int) []volume {
	carrier := -1
	if isStartup {
		carrier = c.carrier()
	}
	if !isStartup && c.firmware() {
		return nil
	}
	var out []volume
	for i, a := range c.all {
		v := a.volume()
		v.role = a.role()
		switch {
		case i == carrier:
			v.system, v.data = true, true
		case v.role != fact.RoleData: // a sealed system holds nobody's data
		case !isStartup && known >= 0 && c.internal.is(false):
			v.role = fact.RoleRemovable
		case !isStartup && known >= 0 && !c.internal.said && v.protected.is(false):
			v.data, v.protected = true, unclear(c.internal.why) // a fixed disk, or something on a plug
		default:
			v.data = true
		}
		out = append(out, v)
	}
	return out
}

// firmware is true of the two containers that every Mac with Apple silicon has
// beside its own (iSCPreboot, xART and the like, and the rescue system): nobody's
// data is there, and they would push disks on a plug out of a list that is cut.
func (c container) firmware() bool {
	return !slices.ContainsFunc(c.all, func(v apfsVolume) bool {
		role := v.role()
		return role != fact.RoleBoot && role != fact.RoleRecovery
	})
}

// carrier is the index of the volume whose encryption is that of the running
// system: its Data volume, before macOS 10.15 the volume with all in it; -1
// when several might be it.
func (c container) carrier() int {
	for _, is := range []func(apfsVolume) bool{
		func(v apfsVolume) bool { return v.point == "/System/Volumes/Data" },
		func(v apfsVolume) bool { return v.point == "/" && len(v.roles) == 0 },
		func(v apfsVolume) bool { return slices.Contains(v.roles, "Data") },
		func(v apfsVolume) bool { return slices.Contains(v.roles, "System") || v.point == "/" },
		func(v apfsVolume) bool { return v.role() == fact.RoleData },
	} {
		found := -1
		for i, v := range c.all {
			if is(v) && found >= 0 {
				return -1
			} else if is(v) {
				found = i
			}
		}
		if found >= 0 {
			return found
		}
	}
	return -1
}

// role maps the roles of APFS. A volume with none is the system or data.
func (a apfsVolume) role() string {
	for _, role := range a.roles {
		switch strings.ToLower(role) {
		case "system":
			return fact.RoleSystem
		case "data", "user", "backup", "enterprise":
			return fact.RoleData
		case "preboot", "update", "xart", "hardware", "prelogin":
			return fact.RoleBoot
		case "recovery", "installer":
			return fact.RoleRecovery
		case "vm":
			return fact.RoleSwap
		}
	}
	switch {
	case a.point == "/":
		return fact.RoleSystem
	case len(a.roles) > 0 && !slices.Contains(a.roles, "No"): // "(No specific role)"
		return fact.RoleOther
	}
	return fact.RoleData
}

// volume judges one volume: on machines with a T2 chip or Apple silicon every
// volume is encrypted with a key that the machine holds, and only FileVault
// makes that key need a person ("Volume encryption with FileVault in macOS",
// Apple Platform Security). Elsewhere a volume may be encrypted with a password
// of its own, which diskutil calls FileVault too.
func (a apfsVolume) volume() volume {
	v := volume{key: strings.ToUpper(a.uuid), name: orElse(a.point, a.name)}
	switch {
	case a.migrating && a.decrypting:
		v.partly(fact.Decrypting)
	case a.migrating:
		v.partly(fact.Encrypting)
	case a.vault.is(true):
		v.closed(yes())
		v.suspended, v.method = no(""), "filevault"
		v.unlock = fact.UnlockPerson
	case a.vault.is(false):
		v.open()
		if a.encrypted.is(true) {
			v.method = "hardware key only"
		}
	default:
		v.unknown(orElse(a.vault.why, fact.ReasonNotFound))
	}
	return v
}
