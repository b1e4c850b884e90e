package disk

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const mountInfo = "/proc/self/mountinfo"

// linux takes the root, /home and /var file systems, and those mounted below
// the last two or on /srv and /root, from proc_pid_mountinfo(5), and follows
// each to its block devices.
func linux(ctx context.Context, r *evidence.Reading) error {
	data, err := r.Machine().ReadFile(ctx, mountInfo)
	if err != nil {
		return err
	}
	r.From(mountInfo)
	volumes := dataVolumes(parseMountInfo(string(data)))
	if len(volumes) == 0 {
		return &evidence.Error{Reason: fact.ReasonUnreadable, Op: "find the root file system in " + mountInfo}
	}
	f := follower{machine: r.Machine()}
	for _, v := range volumes {
		status, why := f.volume(ctx, v)
		put(r, "status", volumeKey(v.point), status, why)
		if v.point == "/" {
			put(r, "system_status", "", status, why)
		}
	}
	r.From("/sys/dev/block")
	return nil
}

// mount is one line of mountinfo.
type mount struct {
	device string // major:minor, as st_dev of its files
	root   string // the folder of the file system that is mounted
	point  string
	fstype string
	source string
}

// parseMountInfo reads "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG…] -
// TYPE SOURCE SUPEROPTIONS" lines; one that does not have this form is passed
// over. Spaces and the like in names are octal escapes.
func parseMountInfo(text string) []mount {
	var out []mount
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if dash < 6 || len(f) < dash+3 || !strings.Contains(f[2], ":") || !strings.HasPrefix(f[4], "/") {
			continue
		}
		out = append(out, mount{
			device: f[2], root: unescape(f[3]), point: unescape(f[4]),
			fstype: f[dash+1], source: unescape(f[dash+2]),
		})
	}
	return out
}

// unescape undoes the \ooo escapes of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }

// dataVolumes chooses the mounts that hold the system's and people's data, the
// root first. Of several mounts on one point the last one is seen. A device
// that is mounted again further down is listed once, but for the places a
// policy is likely to name. Without a root there is no answer at all.
func dataVolumes(mounts []mount) []mount {
	top := map[string]mount{}
	for _, m := range mounts {
		top[m.point] = m
	}
	if _, ok := top["/"]; !ok {
		return nil
	}
	points := make([]string, 0, len(top))
	for p := range top {
		points = append(points, p)
	}
	slices.Sort(points)
	var out []mount
	seen := map[string]bool{}
	for _, p := range points {
		m := top[p]
		named := slices.Contains([]string{"/", "/home", "/var", "/srv", "/root"}, p)
		below := strings.HasPrefix(p, "/home/") || strings.HasPrefix(p, "/var/")
		if !named && !below || p != "/" && !holdsData(m) || below && seen[m.device] {
			continue
		}
		seen[m.device] = true
		out = append(out, m)
	}
	return out
}

// holdsData is false of file systems that live in memory, on another machine,
// in an image without a person's data, or on top of a file system that is
// listed itself. A file system without a device of its own that is none of
// these is kept, and will be unknown.
func holdsData(m mount) bool {
	switch m.fstype {
	case "tmpfs", "ramfs", "devtmpfs", "proc", "sysfs", "cgroup", "cgroup2", "autofs", "mqueue", "nsfs", "rpc_pipefs", "binfmt_misc",
		"overlay", "aufs", "ecryptfs", "squashfs", "erofs", "iso9660",
		"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "afs", "virtiofs":
		return false
	}
	return !strings.HasPrefix(m.fstype, "fuse.") && m.fstype != "fuse"
}
