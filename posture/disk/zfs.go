package disk

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// zfsDataset is what zfsprops(7) tells of a dataset's native encryption.
type zfsDataset struct{ encryption, status, location, root string }

// readZFS asks for the properties of all datasets, once.
func (s *scan) readZFS(ctx context.Context) {
	if s.zfs != nil || s.zfsWhy != "" {
		return
	}
	const properties = "encryption,keystatus,keylocation,encryptionroot"
	out, err := evidence.Text(ctx, s.m, "zfs", "get", "-H", "-p", "-t", "filesystem,volume", "-o", "name,property,value", properties)
	if why := evidence.ReasonOf(err); err != nil && (why == fact.ReasonNotRecorded || why == fact.ReasonToolMissing) {
		out, err = evidence.Text(ctx, s.m, "zfs", "get", "-H", "-p", "-o", "name,property,value", properties)
	}
	if err != nil {
		s.zfsWhy = evidence.ReasonOf(err)
		return
	}
	s.r.From("zfs get encryption")
	if s.zfs = parseZFS(string(out)); len(s.zfs) == 0 {
		s.zfsWhy = fact.ReasonUnreadable
	}
}

// parseZFS reads "NAME\tPROPERTY\tVALUE" lines.
func parseZFS(text string) map[string]zfsDataset {
	out := map[string]zfsDataset{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(f) < 3 || f[0] == "" {
			continue
		}
		d := out[f[0]]
		switch f[1] {
		case "encryption":
			d.encryption = f[2]
		case "keystatus":
			d.status = f[2]
		case "keylocation":
			d.location = f[2]
		case "encryptionroot":
			d.root = f[2]
		default:
			continue
		}
		if out[f[0]] = d; len(out) >= maxMounts {
			break
		}
	}
	return out
}

// zfsVolume judges a dataset: by its own encryption, or by what the pool lies
// on.
func (s *scan) zfsVolume(ctx context.Context, fs *filesystem, v *volume) {
	v.key = fs.source
	s.readZFS(ctx)
	d, there := s.zfs[fs.source]
	switch {
	case s.zfsWhy != "":
		v.unknown(s.zfsWhy)
	case !there || d.encryption == "":
		v.unknown(fact.ReasonNotFound)
	case d.encryption == "off":
		s.poolVolume(ctx, fs, v)
	case d.encryption == "on" || strings.HasPrefix(d.encryption, "aes-"):
		location := d.location
		if location == "none" || location == "-" || location == "" {
			location = s.zfs[d.root].location
		}
		t, way := s.zfsKey(ctx, fs, location)
		v.closed(t)
		v.suspended, v.unlock = no(""), way
		v.method = "zfs " + d.encryption
	default:
		v.unknown(fact.ReasonUnreadable)
	}
}

// zfsKey says how safe the place of a key is (zfsprops(7), keylocation).
func (s *scan) zfsKey(ctx context.Context, fs *filesystem, location string) (truth, string) {
	file, isFile := strings.CutPrefix(location, "file://")
	switch {
	case location == "prompt":
		return yes(), fact.UnlockPassword
	case strings.HasPrefix(location, "http://"), strings.HasPrefix(location, "https://"):
		return yes(), fact.UnlockToken
	case !isFile:
		return unclear(fact.ReasonUnreadable), ""
	}
	under := holding(s.all, file)
	switch {
	case under == nil:
		return unclear(fact.ReasonNotFound), ""
	case under == fs || s.busy[under], strings.HasPrefix(file, "/run/") && under.at("/"):
		return unclear(fact.ReasonUnsupported), "" // brought by the initial ramdisk, from somewhere
	}
	switch p := s.volume(ctx, under).protected; {
	case p.is(true):
		return p, fact.UnlockKeyFile
	case p.is(false):
		return no(fact.ReasonClearKey), fact.UnlockNone
	default:
		return p, ""
	}
}

// poolVolume judges the devices of a pool, which udev notes as members of it.
func (s *scan) poolVolume(ctx context.Context, fs *filesystem, v *volume) {
	pool, _, _ := strings.Cut(fs.source, "/")
	names, err := s.devices.names(ctx)
	if err != nil {
		v.unknown(evidence.ReasonOf(err))
		return
	}
	var members []string
	for _, name := range names[:min(len(names), maxBlocks)] {
		if b, why := s.graph.get(ctx, name); why == "" && b.fsType == "zfs_member" && b.fsLabel == pool {
			members = append(members, name)
		}
	}
	if len(members) == 0 {
		v.unknown(fact.ReasonUnsupported) // ZFS does not encrypt; what is below cannot be seen
		return
	}
	c := s.graph.all(ctx, members, 0)
	v.role = roleOfMount(fs, nil, c.plug)
	s.wear(ctx, fs, v, c)
}
