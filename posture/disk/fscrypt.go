package disk

import (
	"context"
	"path"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// privateHomes lists the home folders, of people who are logged in, that
// fscrypt encrypts. Such a folder is a row of its own; it says nothing of the
// file system around it.
func (s *scan) privateHomes(ctx context.Context) []volume {
	_, errRoot := s.m.Stat(ctx, "/.fscrypt")
	_, errHome := s.m.Stat(ctx, "/home/.fscrypt")
	if errRoot != nil && errHome != nil {
		return nil
	}
	people, err := s.m.Sessions(ctx)
	if err != nil {
		return nil
	}
	var out []volume
	for _, p := range people[:min(len(people), 8)] {
		if !strings.HasPrefix(p.Home, "/") || path.Clean(p.Home) == "/" {
			continue
		}
		text, err := evidence.Text(ctx, s.m, "fscrypt", "status", path.Clean(p.Home))
		if err != nil {
			continue
		}
		if v, ok := parseFscrypt(string(text)); ok {
			v.name, v.role, v.data = path.Clean(p.Home), fact.RoleData, false
			out = append(out, v)
			s.r.From("fscrypt status")
		}
	}
	return out
}

// parseFscrypt reads `fscrypt status FOLDER`.
func parseFscrypt(text string) (volume, bool) {
	var v volume
	var ways []string
	encrypted := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		label, value, _ := strings.Cut(line, ":")
		switch {
		case strings.HasSuffix(line, "is encrypted with fscrypt."):
			encrypted = true
		case label == "Policy":
			v.key = "fscrypt:" + strings.TrimSpace(value)
		case label == "Options":
			for _, o := range strings.Fields(value) {
				if cipher, ok := strings.CutPrefix(o, "contents:"); ok {
					v.method = "fscrypt " + cipher
				}
			}
		case strings.Contains(line, "login protector"):
			ways = append(ways, fact.UnlockPerson)
		case strings.Contains(line, "custom protector"):
			ways = append(ways, fact.UnlockPassword)
		case strings.Contains(line, "raw key protector"):
			ways = append(ways, fact.UnlockKeyFile)
		}
	}
	if !encrypted || v.key == "" {
		return volume{}, false
	}
	v.closed(yes())
	v.unlock = weakest(ways...)
	if v.unlock == fact.UnlockKeyFile {
		v.protected = unclear(fact.ReasonUnsupported) // wherever that key lies
	}
	return v, true
}
