package evidence

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Registry is one key of the Windows registry: its values by lower-case name
// ("" is the default value) and the names of the keys right below it.
type Registry struct {
	Values map[string]RegistryValue `json:"values,omitempty"`
	Keys   []string                 `json:"keys,omitempty"`
}

// RegistryValue is one value with its type, such as REG_DWORD. Data is written
// as reg.exe prints it: numbers as 0x1f, several strings separated by \0,
// bytes as upper-case hex.
type RegistryValue struct {
	Name string `json:"name"` // in the case it was written in
	Type string `json:"type"`
	Data string `json:"data"`
}

// Text is a value of type REG_SZ or REG_EXPAND_SZ that is not empty, and
// whether there is one.
func (r Registry) Text(name string) (string, bool) {
	v, ok := r.Values[strings.ToLower(name)]
	return v.Data, ok && (v.Type == "REG_SZ" || v.Type == "REG_EXPAND_SZ") && v.Data != ""
}

// Number is a value of type REG_DWORD, and whether there is one.
func (r Registry) Number(name string) (uint32, bool) {
	v, ok := r.Values[strings.ToLower(name)]
	if !ok || v.Type != "REG_DWORD" {
		return 0, false
	}
	n, err := strconv.ParseUint(v.Data, 0, 32)
	return uint32(n), err == nil
}

// Long is a value of type REG_QWORD or REG_DWORD, and whether there is one.
func (r Registry) Long(name string) (uint64, bool) {
	v, ok := r.Values[strings.ToLower(name)]
	if !ok || v.Type != "REG_QWORD" && v.Type != "REG_DWORD" {
		return 0, false
	}
	n, err := strconv.ParseUint(v.Data, 0, 64)
	return n, err == nil
}

// Strings is a value of type REG_MULTI_SZ, and whether there is one.
func (r Registry) Strings(name string) ([]string, bool) {
	v, ok := r.Values[strings.ToLower(name)]
	if !ok || v.Type != "REG_MULTI_SZ" {
		return nil, false
	}
	return strings.FieldsFunc(strings.ReplaceAll(v.Data, `\0`, "\x00"), func(c rune) bool { return c == 0 }), true
}

// Bytes is a value of type REG_BINARY, and whether there is one.
func (r Registry) Bytes(name string) ([]byte, bool) {
	v, ok := r.Values[strings.ToLower(name)]
	if !ok || v.Type != "REG_BINARY" {
		return nil, false
	}
	b, err := hex.DecodeString(v.Data)
	return b, err == nil
}

// Has tells whether there is a value of that name, of whatever type.
func (r Registry) Has(name string) bool {
	_, ok := r.Values[strings.ToLower(name)]
	return ok
}

// roots are the short names of the registry's roots.
var roots = map[string]string{
	"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU",
	"HKEY_USERS": "HKU", "HKEY_CLASSES_ROOT": "HKCR",
}

// RegistryKey is the name of a key in the form that Machine.Registry takes: the
// root by its short name, no backslash at the end.
func RegistryKey(key string) string {
	root, rest, _ := strings.Cut(strings.TrimRight(key, `\`), `\`)
	if short, ok := roots[strings.ToUpper(root)]; ok {
		root = short
	}
	if rest == "" {
		return root
	}
	return root + `\` + rest
}

// ParseRegistry reads recorded keys: what `reg query KEY [/s]` prints, whose
// names and types are not translated, or a file of `reg export` (version 5.00
// or REGEDIT4). It gives every key with its values, by name as RegistryKey has
// it; lines that are neither are passed over, and a damaged value is kept as one.
func ParseRegistry(data []byte) (map[string]Registry, error) {
	text := string(toUTF8(data))
	first := strings.TrimSpace(text)
	if strings.HasPrefix(first, "Windows Registry Editor") || strings.HasPrefix(first, "REGEDIT4") {
		return parseRegFile(text, strings.HasPrefix(first, "REGEDIT4")), nil
	}
	return parseRegQuery(text), nil
}

// Unreadable is the type of a value whose line in an exported file is damaged;
// its Data is the line.
const Unreadable = "REG_UNREADABLE"

func parseRegQuery(text string) map[string]Registry {
	keys := map[string]Registry{}
	current := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "HKEY_") {
			current = RegistryKey(strings.TrimSpace(line))
			keys[current] = keys[current].withValues()
			continue
		}
		if current == "" || !strings.HasPrefix(line, "    ") {
			continue
		}
		name, rest, ok := strings.Cut(line[4:], "    ")
		kind, value, _ := strings.Cut(rest, "    ")
		if !ok || !strings.HasPrefix(kind, "REG_") {
			continue
		}
		if name = strings.TrimSpace(name); name == "(Default)" {
			name = ""
		}
		keys[current].Values[strings.ToLower(name)] = RegistryValue{Name: name, Type: strings.TrimSpace(kind), Data: strings.TrimSpace(value)}
	}
	return keys
}

func (r Registry) withValues() Registry {
	if r.Values == nil {
		r.Values = map[string]RegistryValue{}
	}
	return r
}

// parseRegFile reads an exported file; those of version 4 hold texts in ANSI.
func parseRegFile(text string, ansi bool) map[string]Registry {
	keys := map[string]Registry{}
	current := ""
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\\\n  ", "") // long bytes go on in the next line
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			current = RegistryKey(line[1 : len(line)-1])
			keys[current] = keys[current].withValues()
		case current != "" && (line[0] == '"' || line[0] == '@'):
			v := parseRegLine(line, ansi)
			keys[current].Values[strings.ToLower(v.Name)] = v
		}
	}
	return keys
}

// parseRegLine reads `"name"=dword:00000001` and the like.
func parseRegLine(line string, ansi bool) RegistryValue {
	name, rest, ok := "", "", true
	if line[0] == '@' {
		rest, ok = strings.CutPrefix(line[1:], "=")
	} else if end := closing(line); end < 0 || end+1 >= len(line) || line[end+1] != '=' {
		ok = false
	} else {
		name, rest = unescape(line[1:end]), line[end+2:]
	}
	kind, data, _ := strings.Cut(rest, ":")
	switch {
	case !ok:
	case strings.HasPrefix(rest, `"`) && closing(rest) == len(rest)-1:
		return RegistryValue{Name: name, Type: "REG_SZ", Data: unescape(rest[1 : len(rest)-1])}
	case kind == "dword":
		if n, err := strconv.ParseUint(data, 16, 32); err == nil {
			return RegistryValue{Name: name, Type: "REG_DWORD", Data: fmt.Sprintf("0x%x", n)}
		}
	case kind == "hex" || strings.HasPrefix(kind, "hex("):
		if b, err := hex.DecodeString(strings.NewReplacer(",", "", " ", "").Replace(data)); err == nil {
			return regBytes(name, kind, b, ansi)
		}
	}
	return RegistryValue{Name: name, Type: Unreadable, Data: line}
}

// regBytes turns the bytes of a value into the text that reg.exe prints.
func regBytes(name, kind string, b []byte, ansi bool) RegistryValue {
	v := RegistryValue{Name: name, Type: "REG_BINARY", Data: strings.ToUpper(hex.EncodeToString(b))}
	text := string(b)
	if !ansi {
		text = string(fromUTF16(b, 0, 1))
	}
	text = strings.TrimRight(text, "\x00")
	switch kind {
	case "hex(2)":
		v.Type, v.Data = "REG_EXPAND_SZ", text
	case "hex(7)":
		v.Type, v.Data = "REG_MULTI_SZ", strings.ReplaceAll(text, "\x00", `\0`)
	case "hex(b)":
		var n uint64
		for i, c := range b[:min(len(b), 8)] {
			n |= uint64(c) << (8 * i)
		}
		v.Type, v.Data = "REG_QWORD", fmt.Sprintf("0x%x", n)
	}
	return v
}

// closing is the index of the quote that ends the text beginning at s[0].
func closing(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s)
}
