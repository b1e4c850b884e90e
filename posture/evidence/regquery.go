package evidence

import (
	"context"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// RegistryKey reads the values of one key of the Windows registry with
// "reg query KEY" (Microsoft, Windows commands, reg query). A key that is not
// there is an *Error with reason not-found only where the machine can tell.
func RegistryKey(ctx context.Context, m Machine, key string) (Registry, error) {
	out, err := m.Run(ctx, "reg", "query", key)
	if err != nil {
		return nil, err
	}
	values := ParseRegistry(out)
	if len(values) == 0 {
		return nil, &Error{Reason: fact.ReasonUnreadable, Op: "read registry key " + key}
	}
	return values, nil
}

// Registry holds the values of one key, by lower-case name, as reg prints them.
type Registry map[string]RegistryValue

// RegistryValue is one value with its type, such as REG_DWORD.
type RegistryValue struct{ Type, Data string }

// ParseRegistry reads the lines "    Name    REG_TYPE    Data" of reg query's
// output; names and types are not translated. The lines of subkeys, which have
// no indent, carry no values and are passed over, and values of subkeys with
// them.
func ParseRegistry(out []byte) Registry {
	values := Registry{}
	keys := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "HKEY_") {
			keys++
			continue
		}
		if keys > 1 || !strings.HasPrefix(line, "    ") {
			continue
		}
		name, rest, ok := strings.Cut(line[4:], "    ")
		kind, data, _ := strings.Cut(rest, "    ")
		if ok && strings.HasPrefix(kind, "REG_") {
			values[strings.ToLower(name)] = RegistryValue{Type: kind, Data: strings.TrimSpace(data)}
		}
	}
	return values
}

// Text is a value of type REG_SZ, and whether there is one.
func (r Registry) Text(name string) (string, bool) {
	v, ok := r[strings.ToLower(name)]
	return v.Data, ok && v.Type == "REG_SZ" && v.Data != ""
}

// Number is a value of type REG_DWORD, which reg prints in hexadecimal, and
// whether there is one.
func (r Registry) Number(name string) (uint32, bool) {
	v := r[strings.ToLower(name)]
	n, err := strconv.ParseUint(v.Data, 0, 32)
	return uint32(n), v.Type == "REG_DWORD" && err == nil
}
