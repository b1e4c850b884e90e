package enrolment

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
)

// maxSettings bounds what is kept of one file, in bytes.
const maxSettings = 64 << 10

// settings reads only the named settings of a configuration file. Such files
// hold passwords as well, which must come into no recording, so the file is
// read through Distil.
func settings(ctx context.Context, m evidence.Machine, path string, names ...string) (ini, error) {
	essence, err := m.Distil(ctx, path, "settings-"+strings.Join(names, ","), only(names))
	if err != nil {
		return ini{}, err
	}
	return parseINI(string(essence)), nil
}

// only keeps the lines that begin a section or set one of the names.
func only(names []string) evidence.Distiller {
	return func(r io.Reader) ([]byte, error) {
		data, err := io.ReadAll(io.LimitReader(r, evidence.MaxFile))
		if err != nil {
			return nil, err
		}
		var kept bytes.Buffer
		for line := range bytes.Lines(data) {
			line = bytes.TrimSpace(line)
			name, _, assigns := strings.Cut(string(line), "=")
			section := bytes.HasPrefix(line, []byte("["))
			if !section && !(assigns && slices.Contains(names, settingName(name))) {
				continue
			}
			if kept.Len()+len(line) > maxSettings {
				break
			}
			kept.Write(line)
			kept.WriteByte('\n')
		}
		return kept.Bytes(), nil
	}
}

// settingName is the name in front of an equals sign: "export X" names X, and
// the words of Samba's names may be apart by any space. Case does not count.
func settingName(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(strings.TrimPrefix(strings.TrimSpace(s), "export ")), " "))
}

// ini is a file of sections with settings; what stands before the first
// section is in section "".
type ini struct {
	values map[[2]string]string
	order  []string // sections as they come
}

func (f ini) get(section, name string) string {
	return f.values[[2]string{strings.ToLower(section), strings.ToLower(name)}]
}

// parseINI reads "[section]" and "name = value" with comments of # and ; at
// the start of a line, and values in quotes. The last of a name counts.
func parseINI(text string) ini {
	f := ini{values: map[[2]string]string{}}
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			if end := strings.IndexByte(line, ']'); end > 0 {
				section = strings.ToLower(strings.TrimSpace(line[1:end]))
				f.order = append(f.order, section)
			}
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok {
			f.values[[2]string{section, settingName(name)}] = unquoted(strings.TrimSpace(value))
		}
	}
	return f
}

func unquoted(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
