package disk

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// devices is a source of block devices.
type devices interface {
	// load reads one device by the kernel's name.
	load(ctx context.Context, name string) (*block, fact.Reason)
	// find names the device that a mount is of.
	find(ctx context.Context, m mount) (string, fact.Reason)
	// bySource names the device that a path below /dev means.
	bySource(ctx context.Context, source string) (string, fact.Reason)
	// names lists all devices.
	names(ctx context.Context) ([]string, error)
}

// scan is one reading of a Linux machine.
type scan struct {
	m       evidence.Machine
	r       *evidence.Reading
	all     []*filesystem
	roots   []*filesystem // what the system runs from
	devices devices
	graph   *graph

	table    []crypttabEntry
	tableWhy fact.Reason // why crypttab could not be read
	tableCut bool        // crypttab ends in the middle of a line
	headers  map[*block]luksHeader
	zfs      map[string]zfsDataset
	zfsWhy   fact.Reason
	judged   map[*filesystem]*volume
	busy     map[*filesystem]bool
}

// linux follows what is mounted, and swap, down to the disks, without a child
// process: mounts from /proc, devices from /sys, keys from crypttab(5).
func linux(ctx context.Context, r *evidence.Reading) fact.Signal {
	s := &scan{
		m: r.Machine(), r: r, headers: map[*block]luksHeader{},
		judged: map[*filesystem]*volume{}, busy: map[*filesystem]bool{},
	}
	mounts, why := readMounts(ctx, r)
	mounts = s.open(ctx, mounts)
	s.all = filesystems(mounts)
	s.roots = systemOn(s.all)
	if len(s.roots) == 0 {
		return publish(r, findings{missing: orElse(why, fact.ReasonUnreadable), swapClear: unclear(orElse(why, fact.ReasonUnreadable))})
	}
	s.readCrypttab(ctx)
	found := findings{missing: fact.ReasonNotFound}
	home := slices.ContainsFunc(s.all, func(fs *filesystem) bool { return fs.at("/home") && !remote(fs.fstype) && fs.fstype != "ecryptfs" })
	others := slices.DeleteFunc(slices.Clone(s.all), func(fs *filesystem) bool {
		return slices.Contains(s.roots, fs) || fs.at("/") // that one shows what the roots hold
	})
	for i, fs := range slices.Concat(s.roots, others) {
		if i >= 8*fact.MaxEntries {
			found.more = fact.ReasonTruncated
			break
		}
		v := *s.volume(ctx, fs)
		if v.system = slices.Contains(s.roots, fs); v.system {
			v.role, v.data = fact.RoleSystem, !home || fs.at("/home")
			if fs.at("/sysroot") { // of OSTree, which mounts some of its folders elsewhere too
				v.name = "/sysroot"
			}
		}
		found.volumes = append(found.volumes, v)
	}
	if len(mounts) >= maxMounts {
		found.more = fact.ReasonTruncated
	}
	found.volumes = append(found.volumes, s.privateHomes(ctx)...)
	swaps, clear := s.swap(ctx)
	found.volumes, found.swapClear = append(found.volumes, swaps...), clear
	return publish(r, found)
}

// open chooses the source of block devices: the kernel's, or, where that is not
// there, what lsblk printed, which knows the mounts too.
func (s *scan) open(ctx context.Context, mounts []mount) []mount {
	kernel := sysfs{s.m}
	s.devices = kernel
	if _, err := kernel.names(ctx); err != nil {
		if list := readLsblk(ctx, s.r); list != nil {
			s.devices = list
			if len(mounts) == 0 {
				mounts = list.mounts()
			}
		}
	} else if !s.shows(ctx, kernel, mounts) {
		if list := readLsblk(ctx, s.r); list != nil {
			s.devices = list
		}
	} else {
		s.r.From(classBlock)
	}
	s.graph = newGraph(s.devices.load)
	return mounts
}

// shows is false when the kernel's folder lacks the very device that the root is
// on, as in a recording of a part of it.
func (s *scan) shows(ctx context.Context, kernel sysfs, mounts []mount) bool {
	for _, m := range mounts {
		if m.point != "/" || strings.HasPrefix(m.device, "0:") {
			continue
		}
		name, why := kernel.find(ctx, m)
		if why == "" {
			_, why = kernel.dir(ctx, name)
		}
		return why != fact.ReasonNotFound && why != fact.ReasonNotRecorded
	}
	return true
}

// systemOn finds what the system runs from: the root, or what is under a root
// that only shows other file systems or lives in memory.
func systemOn(all []*filesystem) []*filesystem {
	i := slices.IndexFunc(all, func(fs *filesystem) bool { return fs.at("/") })
	if i < 0 {
		return nil
	}
	root := all[i]
	others := slices.DeleteFunc(slices.Clone(all), func(fs *filesystem) bool { return fs == root })
	var under []*filesystem
	add := func(path string) {
		if fs := holding(others, path); fs != nil && !slices.Contains(under, fs) {
			under = append(under, fs)
		}
	}
	switch root.fstype {
	case "overlay", "aufs":
		for _, path := range overlayPaths(root.options) {
			add(path)
		}
	case "tmpfs", "ramfs": // a root that is forgotten, over a system that is not
		for _, path := range []string{"/nix/store", "/usr"} {
			add(path)
		}
	}
	if len(under) > 0 {
		return under
	}
	return []*filesystem{root}
}

// overlayPaths lists the folders that an overlay shows (mount options of
// Documentation/filesystems/overlayfs).
func overlayPaths(options string) []string {
	var out []string
	for _, o := range strings.Split(options, ",") {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "upperdir", "lowerdir", "lowerdir+", "datadir+":
			for _, p := range strings.Split(value, ":") {
				if strings.HasPrefix(p, "/") && len(out) < 2*fact.MaxEntries {
					out = append(out, unescape(p))
				}
			}
		}
	}
	return out
}

func (s *scan) readCrypttab(ctx context.Context) {
	data, err := s.m.ReadFile(ctx, crypttabFile)
	switch why := evidence.ReasonOf(err); {
	case err == nil:
		s.table, s.tableCut = parseCrypttab(string(data))
		s.r.From(crypttabFile)
	case why != fact.ReasonNotFound:
		s.tableWhy = why
	}
}

// volume judges one file system, once. While it is judged it counts as unknown.
func (s *scan) volume(ctx context.Context, fs *filesystem) *volume {
	if v := s.judged[fs]; v != nil {
		return v
	}
	v := &volume{name: fs.points[0]}
	v.unknown(fact.ReasonUnreadable)
	s.judged[fs], s.busy[fs] = v, true
	defer delete(s.busy, fs)
	switch {
	case remote(fs.fstype):
		v.key, v.role = "mount:"+fs.points[0], fact.RoleOther
		v.unknown(fact.ReasonUnsupported)
		return v
	case fs.fstype == "zfs":
		s.zfsVolume(ctx, fs, v)
	case fs.fstype == "ecryptfs": // encrypts files of another file system, under the person's password
		v.key = "ecryptfs:" + fs.points[0]
		v.closed(yes())
		v.method, v.unlock = "ecryptfs", fact.UnlockPerson
	default:
		s.deviceVolume(ctx, fs, v)
	}
	if v.role == "" {
		v.role = roleOfMount(fs, nil, false)
	}
	v.data = v.role == fact.RoleData
	return v
}

// deviceVolume judges a file system that lies on block devices.
func (s *scan) deviceVolume(ctx context.Context, fs *filesystem, v *volume) {
	name, why := s.devices.find(ctx, fs.mount)
	v.key = fs.source
	if strings.HasPrefix(fs.device, "0:") && (fs.fstype != "btrfs" && !strings.HasPrefix(fs.source, "/dev/") || fs.fstype == "bcachefs") {
		v.key, why = "mount:"+fs.points[0], fact.ReasonUnsupported // no device, or encryption of its own
	}
	if why != "" {
		v.unknown(why)
		return
	}
	names, id := []string{name}, ""
	if fs.fstype == "btrfs" {
		if names, id, why = s.btrfsMembers(ctx, name); why != "" {
			v.unknown(why)
			return
		}
	}
	c := s.graph.all(ctx, names, 0)
	top, _ := s.graph.get(ctx, name)
	v.key = orElse(id, top.id(v.key))
	v.role = roleOfMount(fs, top, c.plug)
	s.wear(ctx, fs, v, c)
}

// id is the stable name of what is on a device: the LUKS header's uuid, the
// file system's, or the mapping's name.
func (b *block) id(otherwise string) string {
	if b == nil {
		return otherwise
	}
	return orElse(b.cryptUUID, orElse(b.fsUUID, orElse(b.mapped, b.name)))
}

// btrfsMembers lists every device of the btrfs file system that has the named
// one, and the file system's uuid: mountinfo shows only one of them (btrfs(5),
// SYSFS INTERFACE).
func (s *scan) btrfsMembers(ctx context.Context, name string) ([]string, string, fact.Reason) {
	systems, err := s.m.ReadDir(ctx, "/sys/fs/btrfs")
	if err != nil {
		if _, kernel := s.devices.(sysfs); kernel && evidence.ReasonOf(err) != fact.ReasonNotFound {
			return nil, "", evidence.ReasonOf(err)
		}
		return []string{name}, "", ""
	}
	for _, fsid := range systems[:min(len(systems), maxBlocks)] {
		members, err := s.m.ReadDir(ctx, "/sys/fs/btrfs/"+fsid+"/devices")
		if err == nil && slices.Contains(members, name) { // "features" is no file system
			return members, fsid, ""
		}
	}
	return nil, "", fact.ReasonNotFound
}

// partitionRole knows the types of partitions that hold no person's data (UEFI
// specification, the Discoverable Partitions Specification, and the types of
// the older table).
func partitionRole(kind string) string {
	switch kind {
	case "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef", // EFI system partition
		"bc13c2ff-59e6-4262-a352-b275fd6f7172", // extended boot loader partition
		"21686148-6449-6e6f-744e-656564454649": // BIOS boot
		return fact.RoleBoot
	case "de94bba4-06d1-4d40-a16a-bfd50179d6ac", "0x27": // Windows's rescue system
		return fact.RoleRecovery
	}
	return ""
}

// roleOfMount says what a file system is for, by where it is mounted and what
// it lies on. Something on a plug is data only where the system keeps data.
func roleOfMount(fs *filesystem, top *block, plug bool) string {
	partition := ""
	if top != nil {
		partition = partitionRole(top.partType)
	}
	switch {
	case fs.at("/", "/usr"):
		return fact.RoleSystem
	case fs.below("/home", "/var", "/srv", "/root", "/opt", "/nix", "/persist", "/sysroot"):
		return fact.RoleData
	case fs.below("/boot", "/efi"), partition == fact.RoleBoot:
		return fact.RoleBoot
	case fs.at("/recovery"), partition == fact.RoleRecovery:
		return fact.RoleRecovery
	case plug:
		return fact.RoleRemovable
	}
	return fact.RoleData
}
