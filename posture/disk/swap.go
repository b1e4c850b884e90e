package disk

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const swapList = "/proc/swaps"

// swapArea is one line of /proc/swaps (proc_swaps(5)).
type swapArea struct {
	path string
	file bool
}

// parseSwaps reads the table below its heading; known is false without one, and
// for a table that ends in the middle of a line, as others may be missing.
func parseSwaps(text string) (out []swapArea, known bool) {
	if !whole(text) {
		return nil, false
	}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case !known:
			known = len(f) > 1 && f[0] == "Filename" && f[1] == "Type"
		case len(f) >= 4 && strings.HasPrefix(f[0], "/") && len(out) < maxBlocks:
			out = append(out, swapArea{path: unescape(f[0]), file: f[1] == "file"})
		}
	}
	return out, known
}

// swap tells whether memory is written to a disk in the clear. Without any
// swap it is not; compressed memory (zram) stays memory.
func (s *scan) swap(ctx context.Context) ([]volume, truth) {
	data, err := s.m.ReadFile(ctx, swapList)
	areas, known := parseSwaps(string(data))
	switch list, ok := s.devices.(*lsblk); {
	case err != nil && ok:
		areas, known = list.swaps(), list.pointsKnown
		if !known {
			return nil, unclear(evidence.ReasonOf(err))
		}
	case err != nil:
		return nil, unclear(evidence.ReasonOf(err))
	case !known:
		return nil, unclear(fact.ReasonUnreadable)
	default:
		s.r.From(swapList)
	}
	closed := yes()
	if err != nil {
		closed = s.swapFiles(ctx, evidence.ReasonOf(err))
	}
	var out []volume
	for i, a := range areas {
		if i == 2*fact.MaxEntries {
			return out, both(closed, unclear(fact.ReasonTruncated)).flipped()
		}
		if a.file {
			closed = both(closed, s.swapFile(ctx, a.path))
			continue
		}
		if v, ok := s.swapDevice(ctx, a.path); ok {
			closed = both(closed, v.hides())
			out = append(out, v)
		}
	}
	return out, closed.flipped()
}

// swapFiles stands in where nobody lists the files that are used for swap, as
// lsblk knows devices alone: none is in the clear where no volume is that could
// hold one.
func (s *scan) swapFiles(ctx context.Context, why fact.Reason) truth {
	for _, fs := range s.all {
		v := s.volume(ctx, fs)
		if (v.role == fact.RoleSystem || v.role == fact.RoleData) && !v.hides().is(true) {
			return unclear(why)
		}
	}
	return yes()
}

// flipped is the opposite of what is known.
func (t truth) flipped() truth {
	if !t.said {
		return t
	}
	return t.not()
}

func (s *scan) swapFile(ctx context.Context, path string) truth {
	under := holding(s.all, path)
	if under == nil {
		return unclear(fact.ReasonNotFound)
	}
	return s.volume(ctx, under).hides()
}

// hides says whether what is written there is encrypted with a key that does
// not lie beside it. While a volume changes from one key to another it is.
func (v *volume) hides() truth {
	switch {
	case v.status == "":
		return unclear(v.why)
	case v.status == fact.Encrypted && v.protected.why == fact.ReasonConverting:
		return yes()
	}
	return v.protected
}

// swapDevice judges one device; zram counts only if it passes pages on to a
// disk (Documentation/admin-guide/blockdev/zram, writeback).
func (s *scan) swapDevice(ctx context.Context, path string) (volume, bool) {
	v := volume{key: path, name: path, role: fact.RoleSwap}
	name, why := s.devices.bySource(ctx, path)
	if ram, ok := strings.CutPrefix(path, "/dev/zram"); ok && why != "" {
		name = "zram" + ram // lsblk may leave it out
	}
	if strings.HasPrefix(name, "zram") {
		data, err := s.m.ReadFile(ctx, "/sys/block/"+name+"/backing_dev")
		passed := strings.TrimSpace(string(data))
		if err != nil || passed == "none" || passed == "" {
			return volume{}, false
		}
		name, why = s.devices.bySource(ctx, passed)
	}
	if why != "" {
		v.unknown(why)
		return v, true
	}
	top, why := s.graph.get(ctx, name)
	if why != "" {
		v.unknown(why)
		return v, true
	}
	v.key = top.id(path)
	s.wear(ctx, nil, &v, s.graph.all(ctx, []string{name}, 0))
	return v, true
}
