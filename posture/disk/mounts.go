package disk

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const mountInfo = "/proc/self/mountinfo"

// maxMounts bounds how many mounts are looked at.
const maxMounts = 4096

// mount is one line of mountinfo.
type mount struct {
	device  string // major:minor, as st_dev of its files; empty: not told
	root    string // the folder of the file system that is mounted
	point   string
	fstype  string
	source  string
	options string // those of the file system
}

// readMounts reads proc_pid_mountinfo(5), or the older list of mounts.
func readMounts(ctx context.Context, r *evidence.Reading) ([]mount, fact.Reason) {
	data, err := r.Machine().ReadFile(ctx, mountInfo)
	if err == nil {
		if list := parseMountInfo(string(data)); len(list) > 0 && whole(string(data)) {
			r.From(mountInfo)
			return list, ""
		}
	}
	for _, file := range []string{"/proc/self/mounts", "/proc/mounts"} {
		older, olderErr := r.Machine().ReadFile(ctx, file)
		if list := parseMounts(string(older)); olderErr == nil && len(list) > 0 && whole(string(older)) {
			r.From(file)
			return list, ""
		}
	}
	if err != nil {
		return nil, evidence.ReasonOf(err)
	}
	return nil, fact.ReasonUnreadable
}

// whole tells a list that the kernel wrote to its end from one that was cut: it
// ends every line.
func whole(text string) bool { return strings.HasSuffix(text, "\n") }

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
		m := mount{device: f[2], root: unescape(f[3]), point: unescape(f[4]), fstype: f[dash+1], source: unescape(f[dash+2])}
		if len(f) > dash+3 {
			m.options = f[dash+3]
		}
		if out = append(out, m); len(out) == maxMounts {
			break
		}
	}
	return out
}

// parseMounts reads "SOURCE POINT TYPE OPTIONS 0 0" lines (proc_mounts(5)).
func parseMounts(text string) []mount {
	var out []mount
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 6 || !strings.HasPrefix(f[1], "/") {
			continue
		}
		out = append(out, mount{root: "/", source: unescape(f[0]), point: unescape(f[1]), fstype: f[2], options: f[3]})
		if len(out) == maxMounts {
			break
		}
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

// filesystem is one file system with every place where it is mounted.
type filesystem struct {
	mount           // the first of them
	points []string // shortest first
}

// filesystems groups mounts: of several on one point the last is seen; one file
// system that is mounted in several places is one. What is no file system with
// files of this machine on it is left out.
func filesystems(mounts []mount) []*filesystem {
	top := map[string]int{}
	for i, m := range mounts {
		top[m.point] = i
	}
	var out []*filesystem
	known := map[string]*filesystem{}
	for i, m := range mounts {
		if top[m.point] != i || !kept(m) {
			continue
		}
		id := m.fstype + " " + m.device
		if m.device == "" || strings.HasPrefix(m.device, "0:") {
			id = m.fstype + " " + m.source
			if m.fstype == "overlay" || m.fstype == "tmpfs" {
				id += " " + m.point
			}
		}
		if fs := known[id]; fs != nil {
			fs.points = append(fs.points, m.point)
			continue
		}
		fs := &filesystem{mount: m, points: []string{m.point}}
		known[id] = fs
		out = append(out, fs)
	}
	for _, fs := range out {
		slices.SortStableFunc(fs.points, func(a, b string) int { return len(a) - len(b) })
	}
	return out
}

// kept is false of file systems that show the kernel's own state, live in
// memory, or are images without a person's data. What is mounted at the root is
// kept whatever it is.
func kept(m mount) bool {
	if m.point == "/" {
		return m.fstype != "rootfs"
	}
	switch m.fstype {
	case "tmpfs", "ramfs", "devtmpfs", "devpts", "proc", "sysfs", "cgroup", "cgroup2", "autofs", "mqueue", "nsfs", "rpc_pipefs",
		"binfmt_misc", "securityfs", "debugfs", "tracefs", "configfs", "fusectl", "pstore", "bpf", "efivarfs", "hugetlbfs",
		"selinuxfs", "usbfs", "rootfs", "nfsd", "overlay", "aufs", "squashfs", "erofs", "iso9660", "udf", "cramfs", "romfs", "resctrl":
		return false
	}
	if m.fstype == "fuse" || strings.HasPrefix(m.fstype, "fuse.") { // shows files of another file system, or of the network
		return strings.HasPrefix(m.source, "/dev/")
	}
	return !strings.HasPrefix(m.source, "/dev/zram")
}

// remote is true of file systems whose data is on another machine, or on the
// host of this virtual one.
func remote(fstype string) bool {
	switch fstype {
	case "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "9p", "afs", "virtiofs", "vboxsf", "glusterfs", "lustre", "ncpfs", "coda", "beegfs":
		return true
	}
	return false
}

// holding is the file system that a path lies on, by the longest mount point.
func holding(all []*filesystem, path string) *filesystem {
	var best *filesystem
	longest := -1
	for _, fs := range all {
		for _, p := range fs.points {
			if len(p) > longest && (p == "/" || path == p || strings.HasPrefix(path, p+"/")) {
				best, longest = fs, len(p)
			}
		}
	}
	return best
}

// at says whether the file system is mounted on one of the points.
func (fs *filesystem) at(points ...string) bool {
	return slices.ContainsFunc(fs.points, func(p string) bool { return slices.Contains(points, p) })
}

// below says whether it is mounted somewhere in one of the folders.
func (fs *filesystem) below(folders ...string) bool {
	return slices.ContainsFunc(fs.points, func(p string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
	})
}
