package disk

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// lsblk is what lsblk(8) printed: the source where the kernel's folder is not
// to be had, as on a machine of which only that was kept.
type lsblk struct {
	rows        map[string]*lsblkRow
	order       []string
	pointsKnown bool // there is a column of mount points
	fsKnown     bool // there is a column of file system types
}

// lsblkRow is one device.
type lsblkRow struct {
	name, kname, number, kind, fsType, fsVersion, uuid, label, partType, transport string
	removable                                                                      bool
	points                                                                         []string
	parents                                                                        []string
}

// readLsblk runs lsblk, which needs no rights, in the form that tells most.
func readLsblk(ctx context.Context, r *evidence.Reading) *lsblk {
	const columns = "NAME,KNAME,TYPE,FSTYPE,MOUNTPOINTS,UUID,PKNAME,RM,TRAN"
	older := strings.Replace(columns, "MOUNTPOINTS", "MOUNTPOINT", 1) // before util-linux 2.37
	for _, args := range [][]string{{"-J", "-o", columns}, {"-J", "-o", older}, {"-J"}, {"-P", "-o", older}, {}} {
		out, err := evidence.Text(ctx, r.Machine(), "lsblk", args...)
		if err != nil {
			continue
		}
		if list := parseLsblk(string(out)); list != nil {
			r.From(strings.TrimSpace("lsblk " + strings.Join(args, " ")))
			return list
		}
	}
	return nil
}

// parseLsblk reads any of lsblk's forms; nil if there is no device in it.
func parseLsblk(text string) *lsblk {
	l := &lsblk{rows: map[string]*lsblkRow{}}
	trimmed := strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(trimmed, "{"):
		l.json(trimmed)
	case strings.Contains(text, `NAME="`):
		l.pairs(text)
	default:
		l.tree(text)
	}
	if len(l.order) == 0 {
		return nil
	}
	return l
}

// add takes one row, whose parent is the row above it in the tree, if any. The
// same device may come several times, below each of what it lies on.
func (l *lsblk) add(row lsblkRow, parent string) string {
	row.name = strings.TrimPrefix(strings.TrimPrefix(row.name, "/dev/mapper/"), "/dev/")
	row.kname = orElse(path.Base(strings.TrimSpace(row.kname)), ".")
	if row.kname == "." {
		row.kname = row.name
	}
	if row.kname == "" || len(l.rows) >= maxBlocks && l.rows[row.kname] == nil {
		return ""
	}
	known := l.rows[row.kname]
	if known == nil {
		known = &row
		l.rows[row.kname] = known
		l.order = append(l.order, row.kname)
	}
	for _, p := range append(row.parents, parent) {
		if p = path.Base(strings.TrimSpace(p)); p != "." && p != row.kname && !slices.Contains(known.parents, p) && len(known.parents) < maxStack {
			known.parents = append(known.parents, p)
		}
	}
	known.parents = slices.DeleteFunc(known.parents, func(p string) bool { return p == "" || p == row.kname })
	for _, p := range row.points {
		if !slices.Contains(known.points, p) && len(known.points) < maxMounts {
			known.points = append(known.points, p)
		}
	}
	return row.kname
}

func (l *lsblk) names(context.Context) ([]string, error) { return l.order, nil }

// load makes a device of a row. lsblk calls every mapping of cryptsetup
// "crypt", those that only check what they read too: it counts as encryption
// where the device below is known to hold a header, or where nothing is told
// of what that holds.
func (l *lsblk) load(_ context.Context, name string) (*block, fact.Reason) {
	row := l.rows[name]
	if row == nil {
		return nil, fact.ReasonNotFound
	}
	b := &block{
		name: row.kname, below: row.parents, fsUUID: row.uuid, fsType: row.fsType, fsLabel: row.label, partType: strings.ToLower(row.partType),
		removable: len(row.parents) == 0 && (row.removable || row.transport == "usb"),
	}
	if row.kind == "loop" && len(row.points) == 0 && len(row.parents) == 0 {
		b.backing = "(not told)"
	}
	if row.kind != "disk" && row.kind != "part" && row.name != row.kname {
		b.mapped = row.name
	}
	if row.kind != "crypt" {
		return b, ""
	}
	b.mapped, b.cryptName = row.name, row.name
	for _, p := range row.parents {
		under := l.rows[p]
		if under == nil {
			continue
		}
		switch {
		case under.fsType == "crypto_LUKS":
			b.crypt, b.cryptUUID = "luks"+under.fsVersion, strings.ToLower(under.uuid)
		case under.fsType == "BitLocker":
			b.crypt = "bitlocker"
		case under.fsType == "" && (!l.fsKnown || row.fsType != ""):
			b.crypt = "dm-crypt"
		}
	}
	return b, ""
}

func (l *lsblk) find(ctx context.Context, m mount) (string, fact.Reason) {
	for _, name := range l.order {
		row := l.rows[name]
		if m.device != "" && row.number == m.device || slices.Contains(row.points, m.point) {
			return name, ""
		}
	}
	return l.bySource(ctx, m.source)
}

func (l *lsblk) bySource(_ context.Context, source string) (string, fact.Reason) {
	base := strings.TrimPrefix(strings.TrimPrefix(source, "/dev/mapper/"), "/dev/")
	for _, name := range l.order {
		if row := l.rows[name]; row.kname == base || row.name == base {
			return name, ""
		}
	}
	return "", fact.ReasonNotFound
}

// mounts makes a list of mounts of the mount points.
func (l *lsblk) mounts() []mount {
	var out []mount
	for _, name := range l.order {
		row := l.rows[name]
		for _, p := range row.points {
			if strings.HasPrefix(p, "/") && len(out) < maxMounts {
				fstype := row.fsType
				if fstype == "" && (row.kind == "loop" || row.kind == "rom") {
					fstype = "squashfs" // without more to it, an image
				}
				out = append(out, mount{root: "/", point: p, source: "/dev/" + row.kname, fstype: fstype})
			}
		}
	}
	return out
}

// swaps lists the devices that memory is written to.
func (l *lsblk) swaps() []swapArea {
	var out []swapArea
	for _, name := range l.order {
		if slices.Contains(l.rows[name].points, "[SWAP]") {
			out = append(out, swapArea{path: "/dev/" + name})
		}
	}
	return out
}
