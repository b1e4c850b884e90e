package disk

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// maxStack bounds how many layers of block devices are followed, maxBlocks how
// many devices.
const (
	maxStack  = 24
	maxBlocks = 2048
)

// block is one block device of Linux.
type block struct {
	name    string   // the kernel's name, such as dm-0
	mapped  string   // name of a device-mapper device
	uuid    string   // uuid of a device-mapper device, which begins with its kind
	below   []string // kernel names of what it lies on
	backing string   // file that a loop device shows

	fsUUID, fsType, fsLabel string // what is on it, as udev found
	partType                string // GPT type of a partition
	removable               bool

	crypt     string // how it encrypts: luks2, …; empty: it does not
	cryptName string // name of that mapping, as crypttab has it
	cryptUUID string // uuid of the LUKS header
}

// graph finds block devices by their kernel's names, each once.
type graph struct {
	load  func(ctx context.Context, name string) (*block, fact.Reason)
	known map[string]*block
	bad   map[string]fact.Reason
	coats map[string]coat
}

func newGraph(load func(context.Context, string) (*block, fact.Reason)) *graph {
	return &graph{load: load, known: map[string]*block{}, bad: map[string]fact.Reason{}, coats: map[string]coat{}}
}

func (g *graph) get(ctx context.Context, name string) (*block, fact.Reason) {
	if b := g.known[name]; b != nil {
		return b, ""
	}
	if why, ok := g.bad[name]; ok {
		return nil, why
	}
	if len(g.known)+len(g.bad) >= maxBlocks {
		return nil, fact.ReasonTruncated
	}
	b, why := g.load(ctx, name)
	if why != "" {
		g.bad[name] = why
		return nil, why
	}
	b.encryption()
	g.known[name] = b
	return b, ""
}

// encryption recognises dm-crypt mappings that hide their content by their
// uuid: "CRYPT-", the type, the header's uuid and the name (libcryptsetup,
// dm_prepare_uuid). Verity, integrity and helper mappings carry the prefix too
// but encrypt nothing.
func (b *block) encryption() {
	rest, ok := strings.CutPrefix(b.uuid, "CRYPT-")
	if !ok {
		return
	}
	kind, rest, _ := strings.Cut(rest, "-")
	switch kind {
	case "LUKS1", "LUKS2":
		b.crypt = strings.ToLower(kind)
	case "PLAIN", "LOOPAES", "TCRYPT":
		b.crypt = strings.ToLower(kind)
	case "BITLK":
		b.crypt = "bitlocker"
	case "FVAULT2":
		b.crypt = "filevault"
	default:
		return
	}
	if after, ok := strings.CutPrefix(rest, "OPAL-"); ok {
		b.crypt, rest = b.crypt+" opal", after
	}
	b.cryptName = b.mapped
	if id, name, ok := strings.Cut(rest, "-"); ok && len(id) == 32 {
		b.cryptUUID, b.cryptName = dashed(id), orElse(b.mapped, name)
	}
}

// dashed writes 32 hex digits as a UUID.
func dashed(id string) string {
	if _, err := hex.DecodeString(id); err != nil {
		return ""
	}
	id = strings.ToLower(id)
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// coat is how a stack of devices is encrypted.
type coat struct {
	status string      // Encrypted or Unencrypted; empty: unknown for the reason why
	why    fact.Reason // of an unknown status
	layers []*block    // the topmost layers that encrypt, one for each device underneath
	files  []string    // files that hold the data in the end
	plug   bool        // part of it can be taken out
}

// stack follows a device down to the disks. All that it lies on must be
// encrypted; one open device opens it, and one that cannot be told leaves it
// untold otherwise.
func (g *graph) stack(ctx context.Context, name string, depth int) coat {
	if depth > maxStack {
		return coat{why: fact.ReasonUnreadable}
	}
	if c, ok := g.coats[name]; ok {
		return c
	}
	g.coats[name] = coat{why: fact.ReasonUnreadable} // what a device in a circle finds
	c := g.judge(ctx, name, depth)
	g.coats[name] = c
	return c
}

func (g *graph) judge(ctx context.Context, name string, depth int) coat {
	b, why := g.get(ctx, name)
	if why != "" {
		return coat{why: why}
	}
	var lower coat
	switch {
	case b.backing != "":
		lower = coat{files: []string{b.backing}}
	case len(b.below) > 0:
		lower = g.all(ctx, b.below, depth+1)
	case virtualDisk(b.name):
		lower = coat{why: fact.ReasonUnsupported}
	default:
		lower = coat{status: fact.Unencrypted} // what a disk's own electronics do cannot be seen from here
	}
	lower.plug = lower.plug || b.removable
	if b.crypt == "" {
		return lower
	}
	return coat{status: fact.Encrypted, layers: []*block{b}, plug: lower.plug}
}

// virtualDisk is true of disks whose data lies in something that is not shown
// here: volumes of ZFS.
func virtualDisk(name string) bool {
	digits, ok := strings.CutPrefix(name, "zd")
	return ok && digits != "" && strings.Trim(digits, "0123456789p") == ""
}

// all judges data that is spread over several devices.
func (g *graph) all(ctx context.Context, names []string, depth int) coat {
	out := coat{status: fact.Encrypted}
	for _, name := range names {
		c := g.stack(ctx, name, depth)
		for _, l := range c.layers {
			if !slices.Contains(out.layers, l) {
				out.layers = append(out.layers, l)
			}
		}
		for _, file := range c.files {
			if !slices.Contains(out.files, file) {
				out.files = append(out.files, file)
			}
		}
		out.plug = out.plug || c.plug
		switch {
		case c.status == fact.Unencrypted:
			out.status, out.why = c.status, ""
		case c.status == "" && c.why != "" && out.status != fact.Unencrypted:
			out.status, out.why = "", c.why
		case c.status == "" && out.status == fact.Encrypted: // what its files lie on decides
			out.status = ""
		}
	}
	return out
}
