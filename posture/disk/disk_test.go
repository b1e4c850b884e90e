package disk

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// lab is a Linux machine whose block devices a test stacks.
type lab struct{ *evidence.Memory }

func newLab(mounts ...string) lab {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetFile(mountInfo, strings.Join(mounts, "\n")+"\n")
	return lab{m}
}

// device puts a block device: its number, name, dm uuid if it is a mapping, and
// the devices it lies on.
func (l lab) device(number, name, uuid string, slaves ...string) {
	dir := "/sys/devices/virtual/block/" + name
	l.SetFile(dir+"/dev", number+"\n")
	if uuid != "" {
		l.SetFile(dir+"/dm/uuid", uuid+"\n")
		l.SetFile(dir+"/dm/name", "name-of-"+name+"\n")
	}
	for _, s := range slaves {
		l.SetLink(dir+"/slaves/"+s, "../../"+s)
	}
	l.SetLink("/sys/dev/block/"+number, "../../devices/virtual/block/"+name)
	l.SetLink("/sys/class/block/"+name, "../../devices/virtual/block/"+name)
}

// partition puts a partition of a disk that is there.
func (l lab) partition(number, disk, name string) {
	dir := "/sys/devices/virtual/block/" + disk + "/" + name
	l.SetFile(dir+"/partition", "1\n")
	l.SetLink("/sys/dev/block/"+number, "../../devices/virtual/block/"+disk+"/"+name)
	l.SetLink("/sys/class/block/"+name, "../../devices/virtual/block/"+disk+"/"+name)
}

const (
	root   = "27 1 254:0 / / rw,relatime - ext4 /dev/mapper/root rw"
	luks   = "CRYPT-LUKS2-26450cc5-root"
	lvm    = "LVM-3zSHSR5Nbf4j7g6auAAefWY2CMaX01theZYEvQyecVsm2WtX3iY5q51qq5dWWOq7"
	verity = "CRYPT-VERITY-0123-usr"
)

func got(s fact.Signal, field, key string) string {
	f, ok := s.Find(key, field)
	if !ok {
		return "missing"
	}
	if s.StateOf(f) == fact.Observed {
		return f.Value.String()
	}
	if f.Reason == "" {
		return string(s.StateOf(f)) + ": " + string(s.Reason)
	}
	return string(s.StateOf(f)) + ": " + string(f.Reason)
}

func collect(t *testing.T, m evidence.Machine) fact.Signal {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	return s
}

func TestLinuxRootDevice(t *testing.T) {
	tests := []struct {
		name  string
		setup func(lab)
		want  string
	}{
		{"luks", func(l lab) { l.device("254:0", "dm-0", luks, "vda"); l.device("253:0", "vda", "") }, fact.Encrypted},
		{"luks1", func(l lab) { l.device("254:0", "dm-0", "CRYPT-LUKS1-1-x", "vda") }, fact.Encrypted},
		{"plain disk", func(l lab) { l.device("254:0", "vda", "") }, fact.Unencrypted},
		{"partition of a plain disk", func(l lab) { l.device("8:0", "sda", ""); l.partition("254:0", "sda", "sda2") }, fact.Unencrypted},
		{"lvm on a plain partition", func(l lab) {
			l.device("254:0", "dm-0", lvm, "sda2")
			l.device("8:0", "sda", "")
			l.partition("8:2", "sda", "sda2")
		}, fact.Unencrypted},
		{"lvm on luks", func(l lab) {
			l.device("254:0", "dm-1", lvm, "dm-0")
			l.device("254:1", "dm-0", luks, "sda")
			l.device("8:0", "sda", "")
		}, fact.Encrypted},
		{"lvm over one encrypted and one open disk", func(l lab) {
			l.device("254:0", "dm-1", lvm, "dm-0", "sdb")
			l.device("254:1", "dm-0", luks)
			l.device("8:16", "sdb", "")
		}, fact.Unencrypted},
		{"raid of two encrypted disks", func(l lab) {
			l.device("254:0", "md0", "", "dm-0", "dm-1")
			l.device("254:1", "dm-0", luks)
			l.device("254:2", "dm-1", luks)
		}, fact.Encrypted},
		{"partition of a raid of encrypted disks", func(l lab) {
			l.device("9:0", "md0", "", "dm-0")
			l.partition("254:0", "md0", "md0p1")
			l.device("254:1", "dm-0", luks)
		}, fact.Encrypted},
		{"verity is no encryption", func(l lab) { l.device("254:0", "dm-0", verity, "sda"); l.device("8:0", "sda", "") }, fact.Unencrypted},
		{"verity on luks", func(l lab) { l.device("254:0", "dm-1", verity, "dm-0"); l.device("254:1", "dm-0", luks) }, fact.Encrypted},
		{"a name that only begins alike", func(l lab) { l.device("254:0", "dm-0", "CRYPTO-LUKS2-x", "sda"); l.device("8:0", "sda", "") }, fact.Unencrypted},
		{"a layer is missing", func(l lab) { l.device("254:0", "dm-0", lvm, "gone") }, "unknown: not-found"},
		{"no such device", func(lab) {}, "unknown: not-found"},
		{"the uuid may not be read", func(l lab) {
			l.device("254:0", "dm-0", luks, "sda")
			l.Fail("/sys/dev/block/254:0/dm/uuid", fact.ReasonNeedsPrivilege)
		}, "unknown: needs-privilege"},
		{"a file as a disk", func(l lab) {
			l.device("254:0", "loop0", "")
			l.SetFile("/sys/devices/virtual/block/loop0/loop/backing_file", "/image\n")
		}, "unknown: unsupported-system"},
		{"devices in a circle", func(l lab) { l.device("254:0", "dm-0", lvm, "dm-1"); l.device("254:1", "dm-1", lvm, "dm-0") }, "unknown: unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(root)
			tt.setup(l)
			s := collect(t, l)
			if g := got(s, "system_status", ""); g != tt.want {
				t.Errorf("system_status is %s, want %s", g, tt.want)
			}
			if g := got(s, "status", "/"); g != tt.want {
				t.Errorf("status of / is %s, want %s", g, tt.want)
			}
		})
	}
}

func TestLinuxFileSystemsWithoutADevice(t *testing.T) {
	encrypted := func(l lab) { l.device("254:0", "dm-0", luks, "sda"); l.device("8:0", "sda", "") }
	tests := []struct {
		name, mount string
		setup       func(lab)
		want        string
	}{
		{"btrfs by kernel name", "1 0 0:30 /@ / rw - btrfs /dev/dm-0 rw", encrypted, fact.Encrypted},
		{"btrfs by mapping name", "1 0 0:30 /@ / rw - btrfs /dev/mapper/name-of-dm-0 rw", encrypted, fact.Encrypted},
		{"btrfs by a link", "1 0 0:30 /@ / rw - btrfs /dev/mapper/root rw", func(l lab) {
			encrypted(l)
			l.SetLink("/dev/mapper/root", "../dm-0")
		}, fact.Encrypted},
		{"btrfs on a plain partition", "1 0 0:30 /@ / rw - btrfs /dev/sda1 rw", func(l lab) {
			l.device("8:0", "sda", "")
			l.partition("8:1", "sda", "sda1")
		}, fact.Unencrypted},
		{"btrfs over an encrypted and an open disk", "1 0 0:30 /@ / rw - btrfs /dev/dm-0 rw", func(l lab) {
			encrypted(l)
			l.device("8:16", "sdb", "")
			l.SetDir("/sys/fs/btrfs/features")
			l.SetLink("/sys/fs/btrfs/1234/devices/dm-0", "../../../../class/block/dm-0")
			l.SetLink("/sys/fs/btrfs/1234/devices/sdb", "../../../../class/block/sdb")
		}, fact.Unencrypted},
		{"btrfs of a mapping nobody knows", "1 0 0:30 /@ / rw - btrfs /dev/mapper/other rw", encrypted, "unknown: not-found"},
		{"zfs", "1 0 0:30 / / rw - zfs rpool/ROOT rw", encrypted, "unknown: unsupported-system"},
		{"overlay", "1 0 0:30 / / rw - overlay overlay rw", encrypted, "unknown: unsupported-system"},
		{"tmpfs", "1 0 0:30 / / rw - tmpfs tmpfs rw", encrypted, "unknown: unsupported-system"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(tt.mount)
			tt.setup(l)
			if g := got(collect(t, l), "system_status", ""); g != tt.want {
				t.Errorf("%s, want %s", g, tt.want)
			}
		})
	}
}

func TestLinuxVolumes(t *testing.T) {
	l := newLab(root,
		"28 27 0:5 / /dev rw - devtmpfs devtmpfs rw",
		"29 27 8:1 / /home rw - ext4 /dev/sda1 rw",
		"30 27 8:2 / /media/stick rw - ext4 /dev/sda2 rw",
		`31 27 8:3 / /var/data\040[1]* rw - ext4 /dev/sda3 rw`,
		"32 27 0:40 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw",
		"33 27 7:0 / /var/lib/snapd/snap/core/1 ro - squashfs /dev/loop0 ro",
		"34 27 254:0 /srv /srv rw - ext4 /dev/mapper/root rw",
		"35 27 254:0 /cache /var/cache/x rw - ext4 /dev/mapper/root rw",
		"36 27 0:50 / /home/me/remote rw - fuse.sshfs me@host: rw",
		"37 27 0:51 / /home/me/.crypt rw - bcachefs none rw",
	)
	l.device("254:0", "dm-0", luks)
	for _, n := range []string{"1", "2", "3"} {
		l.device("8:"+n, "sda"+n, "")
	}
	s := collect(t, l)
	want := map[string]string{
		"/": fact.Encrypted, "/home": fact.Unencrypted, "/srv": fact.Encrypted,
		"/var/data %5B1%5D%2A": fact.Unencrypted, "/home/me/.crypt": "unknown: unsupported-system",
	}
	for key, w := range want {
		if g := got(s, "status", key); g != w {
			t.Errorf("%s is %s, want %s", key, g, w)
		}
	}
	if len(s.Keys()) != len(want) {
		t.Errorf("volumes %v", s.Keys())
	}
}

func TestLinuxLaterMountHidesTheEarlier(t *testing.T) {
	l := newLab("1 0 8:1 / / rw - ext4 /dev/sda1 rw", root)
	l.device("254:0", "dm-0", luks)
	l.device("8:1", "sda1", "")
	if g := got(collect(t, l), "system_status", ""); g != fact.Encrypted {
		t.Errorf("%s", g)
	}
}

func TestLinuxMountInfoThatDoesNotTell(t *testing.T) {
	data, err := os.ReadFile("../../testfixtures/captures/linux/mountinfo/insights-mountinfo-bad.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"malformed root line": string(data), "nothing": ""} {
		if g := got(collect(t, newLab(text)), "system_status", ""); g != "unknown: unreadable-output" {
			t.Errorf("%s: %s", name, g)
		}
	}
	l := newLab(root)
	l.Fail(mountInfo, fact.ReasonTimeout)
	if s := collect(t, l); s.State != fact.Unknown || s.Reason != fact.ReasonTimeout {
		t.Errorf("%+v", s)
	}
}

func TestVolumeKey(t *testing.T) {
	long := volumeKey("/" + strings.Repeat("x", 300))
	if len(long) > fact.MaxString || long == volumeKey("/"+strings.Repeat("x", 301)) {
		t.Errorf("long path: %s", long)
	}
	if volumeKey("/a[b]") == volumeKey("/a%5Bb%5D") {
		t.Error("two paths have one key")
	}
}

func TestMacOS(t *testing.T) {
	tests := map[string]string{
		"FileVault is On.\n":  fact.Encrypted,
		"FileVault is Off.\n": fact.Unencrypted,
		"FileVault is Off, but will be enabled after the next restart.\n":                   fact.Unencrypted,
		"FileVault is Off.\nDeferred enablement appears to be active for user 'example'.\n": fact.Unencrypted,
		"FileVault is On.\nEncryption in progress: Percent completed = 42\n":                fact.Unencrypted,
		"FileVault is On.\nEncryption in progress: Pending\n":                               fact.Unencrypted,
		"FileVault is Off.\nDecryption in progress: Percent complete = 35.00\n":             fact.Unencrypted,
		"FileVault is On.\nDecryption in progress: Percent completed = 35\n":                fact.Unencrypted,
		"FileVault is Only a word.\n":                                                       "unknown: unreadable-output",
		"Error: something\n":                                                                "unknown: unreadable-output",
		"":                                                                                  "unknown: unreadable-output",
	}
	for out, want := range tests {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetCommand("fdesetup status", out)
		if g := got(collect(t, m), "system_status", ""); g != want {
			t.Errorf("%q: %s, want %s", out, g, want)
		}
	}
}

func TestWindowsSaysWhatIsMissing(t *testing.T) {
	s := collect(t, evidence.NewMemory(evidence.Windows, day))
	if s.State != fact.Unknown || s.Reason != fact.ReasonUnsupported || !strings.Contains(s.Source, "Win32_EncryptableVolume") {
		t.Errorf("%+v", s)
	}
}

func FuzzMountInfo(f *testing.F) {
	data, err := os.ReadFile("../../testfixtures/captures/linux/mountinfo/insights-mountinfo.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(data))
	f.Add(root)
	f.Add(`1 0 8:1 / /var/\133\040\\777 rw shared:1 - ext4 /dev/sda1 rw`)
	f.Fuzz(func(t *testing.T, text string) {
		l := newLab(text)
		l.device("254:0", "dm-0", luks)
		s := Collect(t.Context(), l)
		s.Collector = "test"
		if len(s.Keys()) > fact.MaxEntries {
			return // cut by whoever runs the collectors
		}
		if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
			t.Error(err)
		}
	})
}
