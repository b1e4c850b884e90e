package disk

import (
	"context"
	"path"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// maxStack bounds how many layers of block devices are followed.
const maxStack = 16

// follower follows Linux block devices down their layers in sysfs
// (Documentation/ABI/testing/sysfs-block of the kernel).
type follower struct{ machine evidence.Machine }

// volume tells how the file system's devices are encrypted, or why that cannot
// be told.
func (f follower) volume(ctx context.Context, v mount) (string, fact.Reason) {
	if !strings.HasPrefix(v.device, "0:") {
		return f.device(ctx, "/sys/dev/block/"+v.device, 0)
	}
	if v.fstype != "btrfs" { // zfs, overlay, tmpfs: no block device to follow
		return "", fact.ReasonUnsupported
	}
	name, why := f.name(ctx, v.source)
	if why != "" {
		return "", why
	}
	members, why := f.btrfsMembers(ctx, name)
	if why != "" {
		return "", why
	}
	return f.all(ctx, members, 0)
}

// device judges one block device, given its folder in sysfs: encrypted if the
// device is a dm-crypt mapping or everything below it is.
func (f follower) device(ctx context.Context, dir string, depth int) (string, fact.Reason) {
	if depth > maxStack {
		return "", fact.ReasonUnreadable
	}
	if _, err := f.machine.Stat(ctx, dir); err != nil {
		return "", evidence.ReasonOf(err)
	}
	if there, why := f.there(ctx, dir+"/partition"); there || why != "" {
		if why != "" {
			return "", why
		}
		return f.device(ctx, dir+"/..", depth+1) // the disk that the partition is on
	}
	uuid, err := f.machine.ReadFile(ctx, dir+"/dm/uuid")
	switch why := evidence.ReasonOf(err); {
	case err == nil && encrypts(string(uuid)):
		return fact.Encrypted, ""
	case err != nil && why != fact.ReasonNotFound:
		return "", why
	}
	if there, why := f.there(ctx, dir+"/loop/backing_file"); there || why != "" {
		if why == "" {
			why = fact.ReasonUnsupported // a file on some file system
		}
		return "", why
	}
	slaves, err := f.machine.ReadDir(ctx, dir+"/slaves")
	if err != nil && evidence.ReasonOf(err) != fact.ReasonNotFound {
		return "", evidence.ReasonOf(err)
	}
	if len(slaves) == 0 {
		return fact.Unencrypted, "" // a disk; what its own electronics do cannot be seen from here
	}
	return f.all(ctx, slaves, depth+1)
}

// all judges a device that is made of several: one open one opens it, and one
// that cannot be told leaves it open otherwise.
func (f follower) all(ctx context.Context, names []string, depth int) (string, fact.Reason) {
	var unknown fact.Reason
	for _, name := range names {
		switch status, why := f.device(ctx, "/sys/class/block/"+name, depth); {
		case why != "":
			unknown = why
		case status != fact.Encrypted:
			return status, ""
		}
	}
	if unknown != "" {
		return "", unknown
	}
	return fact.Encrypted, ""
}

// encrypts recognises the uuid of a dm-crypt mapping that hides its content:
// "CRYPT-" and the type (libcryptsetup, dm_prepare_uuid). Verity, integrity and
// helper mappings carry the prefix too but encrypt nothing.
func encrypts(uuid string) bool {
	kind, ok := strings.CutPrefix(strings.TrimSpace(uuid), "CRYPT-")
	if !ok {
		return false
	}
	kind, _, _ = strings.Cut(kind, "-")
	switch kind {
	case "LUKS1", "LUKS2", "PLAIN", "LOOPAES", "TCRYPT", "BITLK", "FVAULT2":
		return true
	}
	return false
}

// name finds the kernel's name of a device file such as /dev/mapper/root.
func (f follower) name(ctx context.Context, source string) (string, fact.Reason) {
	if !strings.HasPrefix(source, "/dev/") {
		return "", fact.ReasonUnsupported
	}
	if target, err := f.machine.ReadLink(ctx, source); err == nil {
		return path.Base(target), ""
	}
	mapped, ok := strings.CutPrefix(source, "/dev/mapper/")
	if !ok {
		return path.Base(source), ""
	}
	names, err := f.machine.ReadDir(ctx, "/sys/class/block")
	if err != nil {
		return "", evidence.ReasonOf(err)
	}
	for _, n := range names {
		label, err := f.machine.ReadFile(ctx, "/sys/class/block/"+n+"/dm/name")
		if err == nil && strings.TrimSpace(string(label)) == mapped {
			return n, ""
		}
	}
	return "", fact.ReasonNotFound
}

// btrfsMembers lists every device of the btrfs file system that has the named
// one: mountinfo shows only one of them (btrfs(5), SYSFS INTERFACE).
func (f follower) btrfsMembers(ctx context.Context, name string) ([]string, fact.Reason) {
	systems, err := f.machine.ReadDir(ctx, "/sys/fs/btrfs")
	if evidence.ReasonOf(err) == fact.ReasonNotFound {
		return []string{name}, ""
	}
	if err != nil {
		return nil, evidence.ReasonOf(err)
	}
	for _, fsid := range systems {
		members, err := f.machine.ReadDir(ctx, "/sys/fs/btrfs/"+fsid+"/devices")
		if err != nil {
			continue // "features" is no file system
		}
		for _, m := range members {
			if m == name {
				return members, ""
			}
		}
	}
	return nil, fact.ReasonNotFound
}

func (f follower) there(ctx context.Context, p string) (bool, fact.Reason) {
	_, err := f.machine.Stat(ctx, p)
	if err == nil {
		return true, ""
	}
	if why := evidence.ReasonOf(err); why != fact.ReasonNotFound {
		return false, why
	}
	return false, ""
}
