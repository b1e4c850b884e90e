package disk

import (
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
)

// lab is a Linux machine whose block devices a test stacks.
type lab struct{ *evidence.Memory }

func newLab(mounts ...string) lab {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(mountInfo, strings.Join(mounts, "\n")+"\n")
	m.SetDir("/sys/class/block")
	m.SetFile(swapList, noSwap)
	return lab{m}
}

// device puts a block device: its number, name, dm uuid if it is a mapping, and
// the devices it lies on. A mapping's name is what its uuid ends in.
func (l lab) device(number, name, uuid string, slaves ...string) {
	dir := "/sys/devices/virtual/block/" + name
	l.SetFile(dir+"/dev", number+"\n")
	if uuid != "" {
		l.SetFile(dir+"/dm/uuid", uuid+"\n")
		l.SetFile(dir+"/dm/name", uuid[strings.LastIndexByte(uuid, '-')+1:]+"\n")
	}
	for _, s := range slaves {
		l.SetLink(dir+"/slaves/"+s, "../../"+s)
	}
	l.SetLink("/sys/dev/block/"+number, "../../devices/virtual/block/"+name)
	l.SetLink("/sys/class/block/"+name, "../../devices/virtual/block/"+name)
}

// disk puts a disk with partitions: name, major number, and the folder of the
// bus it is on.
func (l lab) disk(bus, major, name string, partitions ...string) {
	dir := "/sys/devices/" + bus + "/block/" + name
	l.SetFile(dir+"/dev", major+":0\n")
	l.SetFile(dir+"/removable", "0\n")
	l.SetLink("/sys/dev/block/"+major+":0", "../.."+strings.TrimPrefix(dir, "/sys"))
	l.SetLink("/sys/class/block/"+name, "../.."+strings.TrimPrefix(dir, "/sys"))
	for _, p := range partitions {
		number := strings.TrimPrefix(strings.TrimPrefix(p, name), "p")
		l.SetFile(dir+"/"+p+"/partition", number+"\n")
		l.SetFile(dir+"/"+p+"/dev", major+":"+number+"\n")
		l.SetLink("/sys/dev/block/"+major+":"+number, "../.."+strings.TrimPrefix(dir, "/sys")+"/"+p)
		l.SetLink("/sys/class/block/"+p, "../.."+strings.TrimPrefix(dir, "/sys")+"/"+p)
	}
}

func (l lab) udev(number string, lines ...string) {
	l.SetFile("/run/udev/data/b"+number, "S:disk/by-id/x\nE:"+strings.Join(lines, "\nE:")+"\n")
}

const (
	root     = "27 1 254:0 / / rw,relatime - ext4 /dev/mapper/root rw"
	noSwap   = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	luks     = "CRYPT-LUKS2-26450cc5a1b24c3d9e8f001122334455-root"
	luksKey  = "26450cc5-a1b2-4c3d-9e8f-001122334455"
	luksHome = "CRYPT-LUKS1-aaaaaaaabbbbccccddddeeeeeeeeeeee-home"
	homeKey  = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	lvm      = "LVM-3zSHSR5Nbf4j7g6auAAefWY2CMaX01theZYEvQyecVsm2WtX3iY5q51qq5dWWOq7"
	verity   = "CRYPT-VERITY-0123-usr"
)
