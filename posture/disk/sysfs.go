package disk

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// sysfs reads block devices from the kernel's own folder
// (Documentation/ABI/testing/sysfs-block) and from udev's notes about them.
type sysfs struct{ machine evidence.Machine }

const classBlock = "/sys/class/block"

// names lists all block devices.
func (s sysfs) names(ctx context.Context) ([]string, error) {
	names, err := s.machine.ReadDir(ctx, classBlock)
	if err == nil && len(names) > 0 {
		return names, nil
	}
	return s.machine.ReadDir(ctx, "/sys/block")
}

// dir is the folder of a device.
func (s sysfs) dir(ctx context.Context, name string) (string, fact.Reason) {
	dir := classBlock + "/" + name
	_, err := s.machine.Stat(ctx, dir)
	if err == nil {
		return dir, ""
	}
	for _, other := range []string{"/sys/block/" + name, "/sys/block/" + wholeBlock(name) + "/" + name} {
		if _, otherErr := s.machine.Stat(ctx, other); otherErr == nil {
			return other, ""
		}
	}
	return "", evidence.ReasonOf(err)
}

// wholeBlock is the disk that a partition's name begins with: sda of sda1,
// nvme0n1 of nvme0n1p2.
func wholeBlock(name string) string {
	base := strings.TrimRight(name, "0123456789")
	if disk, ok := strings.CutSuffix(base, "p"); ok && disk != "" && disk[len(disk)-1] >= '0' && disk[len(disk)-1] <= '9' {
		return disk
	}
	return base
}

// load reads one device.
func (s sysfs) load(ctx context.Context, name string) (*block, fact.Reason) {
	if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return nil, fact.ReasonUnreadable
	}
	dir, why := s.dir(ctx, name)
	if why != "" {
		return nil, why
	}
	b := &block{name: name}
	var read map[string]*string
	switch {
	case strings.HasPrefix(name, "dm-"):
		read = map[string]*string{"dm/uuid": &b.uuid, "dm/name": &b.mapped}
	case strings.HasPrefix(name, "loop"):
		read = map[string]*string{"loop/backing_file": &b.backing}
	}
	for _, file := range slices.Sorted(maps.Keys(read)) {
		data, err := s.machine.ReadFile(ctx, dir+"/"+file)
		if err != nil { // without it an encrypted device looks like a plain one
			return nil, evidence.ReasonOf(err)
		}
		*read[file] = strings.TrimSpace(string(data))
	}
	b.backing = strings.TrimSuffix(b.backing, " (deleted)")
	target, _ := s.machine.ReadLink(ctx, classBlock+"/"+name)
	if why := s.lies(ctx, b, dir, target); why != "" {
		return nil, why
	}
	s.udev(ctx, b, dir)
	if len(b.below) == 0 && b.backing == "" {
		b.removable = b.removable || strings.Contains(target, "/usb") || s.pulled(ctx, dir)
	}
	return b, ""
}

// lies finds what the device lies on: the disk of a partition, or its slaves.
func (s sysfs) lies(ctx context.Context, b *block, dir, target string) fact.Reason {
	var number string
	if why := s.text(ctx, dir+"/partition", &number); why != "" {
		return why
	}
	if number != "" {
		disk := path.Base(path.Dir(target))
		if target == "" || disk == "block" {
			disk = wholeBlock(b.name)
		}
		b.below = []string{disk}
		return ""
	}
	slaves, err := s.machine.ReadDir(ctx, dir+"/slaves")
	if why := evidence.ReasonOf(err); err != nil && why != fact.ReasonNotFound {
		return why
	}
	b.below = slaves
	return ""
}

// pulled is true of what the kernel calls removable, and of memory cards.
func (s sysfs) pulled(ctx context.Context, dir string) bool {
	var removable, kind string
	s.text(ctx, dir+"/removable", &removable)
	if removable == "1" {
		return true
	}
	if strings.HasPrefix(path.Base(dir), "mmcblk") {
		s.text(ctx, dir+"/device/type", &kind)
	}
	return kind == "SD"
}

// udev adds what udev found on the device (/run/udev/data, E: lines of
// udev_device_get_property in libudev). It is not needed for a verdict.
func (s sysfs) udev(ctx context.Context, b *block, dir string) {
	var number string
	if s.text(ctx, dir+"/dev", &number); number == "" {
		return
	}
	data, err := s.machine.ReadFile(ctx, "/run/udev/data/b"+number)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "E:"), "=")
		switch key {
		case "ID_FS_UUID":
			b.fsUUID = value
		case "ID_FS_TYPE":
			b.fsType = value
		case "ID_FS_LABEL":
			b.fsLabel = value
		case "ID_PART_ENTRY_TYPE":
			b.partType = strings.ToLower(value)
		case "ID_BUS":
			b.removable = b.removable || value == "usb" && len(b.below) == 0
		case "DM_UUID":
			b.uuid = orElse(b.uuid, value)
		case "DM_NAME":
			b.mapped = orElse(b.mapped, value)
		}
	}
}

// text reads a one-line attribute. One that is not there is empty.
func (s sysfs) text(ctx context.Context, file string, into *string) fact.Reason {
	data, err := s.machine.ReadFile(ctx, file)
	if err != nil {
		if why := evidence.ReasonOf(err); why != fact.ReasonNotFound && why != fact.ReasonNotRecorded {
			return why
		}
		return ""
	}
	*into = strings.TrimSpace(string(data))
	return ""
}

// find names the device that a mount is of.
func (s sysfs) find(ctx context.Context, m mount) (string, fact.Reason) {
	if m.device != "" && !strings.HasPrefix(m.device, "0:") {
		link := "/sys/dev/block/" + m.device
		target, err := s.machine.ReadLink(ctx, link)
		if err == nil {
			return path.Base(target), ""
		}
		var event string
		if s.text(ctx, link+"/uevent", &event); event != "" {
			for line := range strings.Lines(event) {
				if name, ok := strings.CutPrefix(strings.TrimSpace(line), "DEVNAME="); ok {
					return name, ""
				}
			}
		}
		if name, why := s.bySource(ctx, m.source); why == "" {
			return name, ""
		}
		return "", evidence.ReasonOf(err)
	}
	return s.bySource(ctx, m.source)
}

// bySource finds the kernel's name of a device file such as /dev/mapper/root.
func (s sysfs) bySource(ctx context.Context, source string) (string, fact.Reason) {
	if !strings.HasPrefix(source, "/dev/") {
		return "", fact.ReasonUnsupported
	}
	if target, err := s.machine.ReadLink(ctx, source); err == nil {
		return path.Base(target), ""
	}
	mapped, ok := strings.CutPrefix(source, "/dev/mapper/")
	if !ok {
		return strings.ReplaceAll(strings.TrimPrefix(source, "/dev/"), "/", "!"), ""
	}
	names, err := s.names(ctx)
	if err != nil {
		return "", evidence.ReasonOf(err)
	}
	missing := fact.ReasonNotFound
	for _, n := range names[:min(len(names), maxBlocks)] {
		if !strings.HasPrefix(n, "dm-") {
			continue
		}
		b, why := s.load(ctx, n)
		switch {
		case why != "":
			missing = why // it may be this one
		case b.mapped == mapped:
			return n, ""
		}
	}
	return "", missing
}
