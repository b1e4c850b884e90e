package disk

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// macos asks fdesetup(8) for FileVault on the volume the system runs from, and
// diskutil(8) for the volumes.
func macos(ctx context.Context, r *evidence.Reading) fact.Signal {
	vault, vaultWhy := fileVault(ctx, r)
	containers, why := apfsContainers(ctx, r)
	found := findings{missing: orElse(vaultWhy, why), more: why, swapClear: macSwap(ctx, r, vaultWhy == "")}
	if why == "" {
		found.volumes, found.more = internalDisks(ctx, r, containers)
	}
	start := startup(containers)
	for i := range containers {
		found.volumes = append(found.volumes, containers[i].volumes(i == start, start)...)
	}
	if !slices.ContainsFunc(found.volumes, func(v volume) bool { return v.system }) {
		found.volumes = append(found.volumes, volume{key: "startup", name: "/", role: fact.RoleSystem, system: true, data: true})
	}
	for i, v := range found.volumes {
		if v.system {
			found.volumes[i].agree(vault, vaultWhy)
		}
	}
	return publish(r, found)
}

// agree brings together what diskutil says of a volume of the startup disk and
// what fdesetup says of that disk. A conversion explains a difference: then the
// disk counts as partly open.
func (v *volume) agree(vault volume, why fact.Reason) {
	switch {
	case why != "" && v.status == "":
		v.unknown(orElse(v.why, why))
	case why != "":
		return
	case v.status == "" || vault.why == fact.ReasonConverting:
		v.take(vault)
	case v.why == fact.ReasonConverting:
		v.protected = both(v.protected, vault.protected)
	default:
		v.against("diskutil apfs list", "fdesetup status", vault.verdict())
	}
	if v.status == fact.Encrypted {
		v.method, v.unlock = orElse(v.method, "filevault"), fact.UnlockPerson
	}
}

// fileVault runs fdesetup. That it ended with an error is none of its answers.
func fileVault(ctx context.Context, r *evidence.Reading) (volume, fact.Reason) {
	out, err := evidence.Text(ctx, r.Machine(), "fdesetup", "status")
	if err != nil {
		return volume{}, evidence.ReasonOf(err)
	}
	r.From("fdesetup status")
	return parseFileVault(string(out))
}

// parseFileVault reads the headline, "FileVault is On." or "… is Off", and what
// may follow it. Enablement that is deferred, or begins with the next restart,
// has not begun; encryption and decryption that run, or wait for power, leave a
// part open; "but needs to be restarted to finish" is an unfinished conversion.
func parseFileVault(out string) (volume, fact.Reason) {
	var v volume
	headline, conversion := "", ""
	for line := range strings.Lines(out) {
		line = strings.ToLower(strings.TrimSpace(line))
		switch {
		case strings.HasPrefix(line, "filevault is o"):
			if headline != "" && headline != line {
				return volume{}, fact.ReasonUnreadable
			}
			headline = line
		case strings.HasPrefix(line, "encryption in progress"):
			conversion = fact.Encrypting
		case strings.HasPrefix(line, "decryption in progress"):
			conversion = fact.Decrypting
		case strings.HasPrefix(line, "optimi"): // CoreStorage moves blocks after the last of them
			conversion = orElse(conversion, fact.Encrypting)
		}
	}
	on := headline == "filevault is on." || strings.HasPrefix(headline, "filevault is on,")
	off := headline == "filevault is off." || strings.HasPrefix(headline, "filevault is off,")
	finish := strings.Contains(headline, "to finish")
	switch {
	case conversion != "" && (on || off || headline == ""):
		v.partly(conversion)
	case on && finish:
		v.partly(fact.Encrypting)
	case off && finish:
		v.partly(fact.Decrypting)
	case off:
		v.open()
	case headline == "filevault is on.":
		v.closed(yes())
		v.suspended = no("")
	default:
		return volume{}, fact.ReasonUnreadable
	}
	return v, ""
}

// macSwap asks vm.swapusage, which ends in "(encrypted)" when swap is. Without
// it: virtual memory is always encrypted since OS X 10.7 ("OS X Lion: Secure
// virtual memory", Apple), and where FileVault answers, the system is newer.
func macSwap(ctx context.Context, r *evidence.Reading, vaultAnswers bool) truth {
	usage, err := r.Machine().Sysctl(ctx, "vm.swapusage")
	switch {
	case err == nil && strings.Contains(usage, "total"):
		r.From("sysctl vm.swapusage")
		return truth{said: true, value: !strings.Contains(usage, "(encrypted)")}
	case vaultAnswers:
		return no("")
	case err == nil:
		return unclear(fact.ReasonUnreadable)
	}
	return unclear(evidence.ReasonOf(err))
}
