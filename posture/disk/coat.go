package disk

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// wear makes a verdict on a volume of how its devices are encrypted.
func (s *scan) wear(ctx context.Context, fs *filesystem, v *volume, c coat) {
	open, ways, protected := c.status == fact.Unencrypted, []string{}, yes()
	if c.status == "" && c.why != "" {
		v.unknown(c.why)
		return
	}
	for _, file := range c.files {
		under := holding(s.all, file)
		if under == nil || under == fs || s.busy[under] {
			v.unknown(fact.ReasonUnreadable)
			return
		}
		lower := s.volume(ctx, under)
		if lower.status == "" {
			v.unknown(lower.why)
			return
		}
		open = open || lower.status != fact.Encrypted
		protected, ways = both(protected, lower.protected), append(ways, lower.unlock)
		v.method = orElse(v.method, lower.method)
	}
	moving, untold := false, false
	for _, b := range c.layers {
		h := s.header(ctx, b)
		halfway := s.halfway(ctx, b)
		moving, untold = moving || h.moving || halfway, untold || halfway && h.cipher == "" && !h.open
		open = open || h.open
		t, way := s.key(ctx, b, fs, h)
		protected, ways = both(protected, t), append(ways, way)
		v.method = strings.TrimSpace(b.crypt + " " + h.cipher)
	}
	switch {
	case moving && open:
		v.partly(fact.Encrypting)
	case open:
		v.open()
		v.method = ""
		return
	case moving: // from one key to another, if the header says so
		v.closed(no(fact.ReasonConverting))
		if v.conversion = fact.Encrypting; untold {
			v.status, v.why = "", fact.ReasonConverting
		}
	default:
		v.closed(protected)
		v.suspended = no("")
	}
	v.unlock = weakest(ways...)
}

// halfway recognises the helper devices that cryptsetup puts below a mapping
// while it encrypts it, decrypts it or does so anew.
func (s *scan) halfway(ctx context.Context, b *block) bool {
	for _, name := range b.below {
		lower, why := s.graph.get(ctx, name)
		if why == "" && (strings.HasPrefix(lower.uuid, "CRYPT-SUBDEV-") &&
			(strings.Contains(lower.mapped, "-hotzone") || strings.HasSuffix(lower.mapped, "-overlay"))) {
			return true
		}
	}
	return false
}

// key says whether nobody opens the layer without a secret, and how it is
// opened. A key file is as good as the volume that it lies on.
func (s *scan) key(ctx context.Context, b *block, fs *filesystem, h luksHeader) (truth, string) {
	way := weakest(h.ways...)
	entry, listed := entryFor(s.table, b)
	switch {
	case s.tableWhy != "":
		return unclear(s.tableWhy), way
	case !listed && s.tableCut:
		return unclear(fact.ReasonUnreadable), way
	case !listed && strings.HasPrefix(b.cryptName, "home-") && fs != nil && fs.below("/home"):
		return yes(), fact.UnlockPerson // systemd-homed
	}
	from := keySource{}
	if listed {
		from = entry.source()
	}
	if entry.key == "" && !from.odd {
		file, why := s.keyFolder(ctx, b.cryptName)
		if why != "" {
			return unclear(why), way
		}
		if file != "" {
			from = keySource{way: fact.UnlockKeyFile, file: file}
		}
	}
	switch {
	case from.odd:
		return unclear(fact.ReasonUnsupported), way
	case from.lost:
		return yes(), ""
	case from.file == "":
		return yes(), weakest(way, from.way)
	}
	t := s.keyFile(ctx, from.file, b, fs)
	if t.is(false) {
		return t, fact.UnlockNone
	}
	return t, weakest(way, from.way)
}

// keyFolder looks for a key file where systemd looks when crypttab names none
// (crypttab(5)).
func (s *scan) keyFolder(ctx context.Context, name string) (string, fact.Reason) {
	if name == "" || strings.Contains(name, "/") {
		return "", ""
	}
	file := "/etc/cryptsetup-keys.d/" + name + ".key"
	_, err := s.m.Stat(ctx, file)
	switch why := evidence.ReasonOf(err); {
	case err == nil:
		return file, ""
	case why == fact.ReasonNotFound, why == fact.ReasonNotRecorded:
		return "", ""
	default:
		return "", why
	}
}

// keyFile judges where a key file lies. One on the very volume that it opens
// must be in the initial ramdisk as well: then it is as safe as /boot.
func (s *scan) keyFile(ctx context.Context, file string, b *block, fs *filesystem) truth {
	if strings.HasPrefix(file, "/run/") {
		return unclear(fact.ReasonUnsupported) // put there by somebody while starting
	}
	under := holding(s.all, file)
	if under == nil {
		return unclear(fact.ReasonNotFound)
	}
	if under == fs || s.busy[under] {
		boot := holding(s.all, "/boot/")
		if boot == nil || boot == fs || s.busy[boot] {
			return yes() // the boot loader has opened it before
		}
		under = boot
	}
	switch v := s.volume(ctx, under); {
	case v.protected.is(true):
		return yes()
	case v.protected.is(false):
		return no(fact.ReasonClearKey)
	default:
		return unclear(v.protected.why)
	}
}

// header reads what `cryptsetup luksDump` tells of a layer, where it may be run:
// it needs root, and whoever offers it keeps the answer.
func (s *scan) header(ctx context.Context, b *block) luksHeader {
	if h, ok := s.headers[b]; ok {
		return h
	}
	var h luksHeader
	if (strings.HasPrefix(b.crypt, "luks")) && len(b.below) == 1 && plainName(b.below[0]) && len(s.headers) < 8 {
		h = s.luksDump(ctx, "/dev/"+strings.ReplaceAll(b.below[0], "!", "/"))
	}
	s.headers[b] = h
	return h
}

func (s *scan) luksDump(ctx context.Context, device string) luksHeader {
	out, err := evidence.Text(ctx, s.m, "cryptsetup", "luksDump", "--dump-json-metadata", device)
	if err == nil {
		if h, ok := parseLUKSJSON(out); ok {
			s.r.From("cryptsetup luksDump")
			return h
		}
	}
	if err != nil && evidence.ReasonOf(err) == fact.ReasonNeedsPrivilege {
		return luksHeader{}
	}
	out, err = evidence.Text(ctx, s.m, "cryptsetup", "luksDump", device)
	if err != nil {
		return luksHeader{}
	}
	if h, ok := parseLUKSText(string(out)); ok {
		s.r.From("cryptsetup luksDump")
		return h
	}
	return luksHeader{}
}

// plainName is true of a kernel's device name that holds nothing a command
// could take for something else.
func plainName(s string) bool {
	return s != "" && s[0] != '-' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_!-") == ""
}
