package disk

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// lsblkJSON is one device of `lsblk -J`; numbers and booleans come as such or
// as text, by the version.
type lsblkJSON struct {
	Name       string      `json:"name"`
	KName      string      `json:"kname"`
	Path       string      `json:"path"`
	Number     string      `json:"maj:min"`
	Type       string      `json:"type"`
	FSType     *string     `json:"fstype"`
	FSVer      string      `json:"fsver"`
	UUID       string      `json:"uuid"`
	Label      string      `json:"label"`
	PartType   string      `json:"parttype"`
	PKName     string      `json:"pkname"`
	Transport  string      `json:"tran"`
	Removable  any         `json:"rm"`
	MountPoint *string     `json:"mountpoint"`
	Points     []*string   `json:"mountpoints"`
	Children   []lsblkJSON `json:"children"`
}

func (l *lsblk) json(text string) {
	var doc struct {
		Devices []lsblkJSON `json:"blockdevices"`
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return
	}
	l.fsKnown = strings.Contains(text, `"fstype"`)
	l.pointsKnown = strings.Contains(text, `"mountpoint`)
	l.children(doc.Devices, "", 0)
}

func (l *lsblk) children(list []lsblkJSON, parent string, depth int) {
	if depth > maxStack {
		return
	}
	for _, d := range list {
		row := lsblkRow{
			name: d.Name, kname: d.KName, number: d.Number, kind: d.Type, fsVersion: d.FSVer, uuid: d.UUID, label: d.Label,
			partType: d.PartType, transport: d.Transport, removable: d.Removable == true || d.Removable == "1",
		}
		if d.FSType != nil {
			row.fsType = *d.FSType
		}
		if d.PKName != "" {
			row.parents = []string{d.PKName}
		}
		for _, p := range append(d.Points, d.MountPoint) {
			if p != nil {
				row.points = append(row.points, *p)
			}
		}
		name := l.add(row, parent)
		l.children(d.Children, name, depth+1)
	}
}

// pairs reads `lsblk -P`: KEY="value" pairs, one device a line. Lines of
// another form are complaints.
func (l *lsblk) pairs(text string) {
	for line := range strings.Lines(text) {
		values := map[string]string{}
		for rest := strings.TrimSpace(line); ; {
			key, after, ok := strings.Cut(rest, `="`)
			value, tail, closed := strings.Cut(after, `"`)
			if !ok || !closed {
				break
			}
			values[strings.TrimSpace(key)] = unhex(value)
			rest = tail
		}
		if values["NAME"] == "" {
			continue
		}
		_, fsKnown := values["FSTYPE"]
		_, pointsKnown := values["MOUNTPOINT"]
		l.fsKnown, l.pointsKnown = l.fsKnown || fsKnown, l.pointsKnown || pointsKnown
		l.add(rowOf(values), "")
	}
}

// rowOf makes a row of columns by name.
func rowOf(values map[string]string) lsblkRow {
	row := lsblkRow{
		name: values["NAME"], kname: values["KNAME"], number: values["MAJ:MIN"], kind: values["TYPE"], fsType: values["FSTYPE"],
		fsVersion: values["FSVER"], uuid: values["UUID"], label: values["LABEL"], partType: values["PARTTYPE"],
		transport: values["TRAN"], removable: values["RM"] == "1",
	}
	if parent := values["PKNAME"]; parent != "" {
		row.parents = []string{parent}
	}
	for _, p := range strings.Split(orElse(values["MOUNTPOINTS"], values["MOUNTPOINT"]), `\n`) {
		if p != "" {
			row.points = append(row.points, p)
		}
	}
	return row
}

// unhex undoes lsblk's \x20 escapes.
func unhex(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if hi, lo := strings.IndexByte(hexDigits, s[i+2]), strings.IndexByte(hexDigits, s[i+3]); hi >= 0 && lo >= 0 && s[i+2:i+4] != "0a" {
				b.WriteByte(byte(hi<<4 | lo))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ReplaceAll(b.String(), `\x0a`, `\n`)
}

const hexDigits = "0123456789abcdef"

// column is one heading of the table and where it stands.
type column struct {
	name       string
	start, end int // in characters; end is negative for the last
}

// tree reads the table for people: a heading, then a row for each device,
// indented below what it lies on. Numbers stand right in their columns and are
// found by the device number before them, the rest by the heading above.
func (l *lsblk) tree(text string) {
	var head []column
	var above []string // the row above, for each depth
	last := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n ")
		if head == nil {
			head = headings(line)
			l.pointsKnown = slices.ContainsFunc(head, func(c column) bool { return strings.HasPrefix(c.name, "MOUNTPOINT") })
			l.fsKnown = slices.ContainsFunc(head, func(c column) bool { return c.name == "FSTYPE" })
			continue
		}
		start := strings.IndexFunc(line, func(r rune) bool { return !strings.ContainsRune(" │├└─|`-", r) })
		if start < 0 {
			continue
		}
		cells, depth := cut(line, head), utf8.RuneCountInString(line[:start])/2
		if cells["NAME"] == "" { // a device's further mount points
			l.further(last, cells)
			continue
		}
		parent := ""
		if depth = min(depth, len(above)); depth > 0 {
			parent = above[depth-1]
		}
		if last = l.add(rowOf(cells), parent); len(above) <= maxStack {
			above = append(above[:depth], last)
		}
	}
}

func (l *lsblk) further(name string, cells map[string]string) {
	row := l.rows[name]
	if p := strings.TrimSpace(cells["MOUNTPOINTS"]); row != nil && p != "" && len(row.points) < maxMounts {
		row.points = append(row.points, p)
	}
}

// headings finds the columns of a heading that begins with NAME.
func headings(line string) []column {
	if !strings.HasPrefix(line, "NAME") || !strings.Contains(line, "TYPE") {
		return nil
	}
	var out []column
	at := 0
	for _, word := range strings.Fields(line) {
		start := at + strings.Index(line[at:], word)
		if len(out) > 0 {
			out[len(out)-1].end = start
		}
		out = append(out, column{word, start, -1})
		at = start + len(word)
	}
	return out
}

// cut takes a row apart. The name goes up to the device number, if there is
// one, as the kernel's name may follow it in parentheses.
func cut(line string, head []column) map[string]string {
	cells := map[string]string{}
	runes := []rune(line)
	for _, c := range head {
		end := c.end
		if end < 0 || end > len(runes) {
			end = len(runes)
		}
		if c.start < end {
			cells[c.name] = strings.TrimSpace(string(runes[c.start:end]))
		}
	}
	name, _, _ := strings.Cut(strings.TrimLeft(string(runes), " │├└─|`-"), " ")
	if strings.Trim(cells["NAME"], " │├└─|`-") == "" {
		name = ""
	}
	cells["NAME"] = name
	if _, kernel, ok := strings.Cut(line, "("); ok && cells["KNAME"] == "" {
		if inner, _, ok := strings.Cut(kernel, ")"); ok && strings.HasPrefix(inner, "dm-") {
			cells["KNAME"] = inner
		}
	}
	words := strings.Fields(line)
	delete(cells, "RM")
	for i, w := range words {
		if major, minor, ok := strings.Cut(w, ":"); ok && major != "" && minor != "" && strings.Trim(major+minor, "0123456789") == "" {
			cells["MAJ:MIN"] = w
			if i+1 < len(words) {
				cells["RM"] = words[i+1]
			}
			break
		}
	}
	return cells
}
