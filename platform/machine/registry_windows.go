package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// maxRegistry bounds one key: how many names it may have, and how many bytes
// of values.
const (
	maxRegistryNames = 1 << 16
	maxRegistryBytes = evidence.MaxFile
)

// Registry reads one key in the 64-bit view, which is the one that the system
// and its tools use, whatever this program is built for.
func (m *live) Registry(ctx context.Context, key string) (evidence.Registry, error) {
	op := "registry " + key
	if err := ctx.Err(); err != nil {
		return evidence.Registry{}, evidence.Wrap(op, err)
	}
	root, path, err := registryRoot(key)
	if err != nil {
		return evidence.Registry{}, fail(op, err)
	}
	const access = registry.QUERY_VALUE | registry.ENUMERATE_SUB_KEYS | registry.WOW64_64KEY
	k, err := registry.OpenKey(root, path, access)
	if err != nil {
		return evidence.Registry{}, fail(op, err)
	}
	defer k.Close()
	r := evidence.Registry{}
	if r.Keys, err = k.ReadSubKeyNames(-1); err != nil {
		return evidence.Registry{}, fail(op, err)
	}
	slices.Sort(r.Keys)
	if r.Values, err = registryValues(k); err != nil {
		return evidence.Registry{}, fail(op, err)
	}
	if len(r.Keys)+len(r.Values) > maxRegistryNames {
		return evidence.Registry{}, &evidence.Error{Reason: fact.ReasonTruncated, Op: op}
	}
	return r, nil
}

// registryRoot cuts the root off; the short names are those of
// evidence.RegistryKey.
func registryRoot(key string) (registry.Key, string, error) {
	name, path, _ := strings.Cut(evidence.RegistryKey(key), `\`)
	switch strings.ToUpper(name) {
	case "HKLM":
		return registry.LOCAL_MACHINE, path, nil
	case "HKU":
		return registry.USERS, path, nil
	case "HKCU":
		return registry.CURRENT_USER, path, nil
	case "HKCR":
		return registry.CLASSES_ROOT, path, nil
	}
	return 0, "", &evidence.Error{Reason: fact.ReasonUnsupported, Op: "registry " + key, Err: fmt.Errorf("root %q is not read", name)}
}

func registryValues(k registry.Key) (map[string]evidence.RegistryValue, error) {
	names, err := k.ReadValueNames(-1)
	if err != nil {
		return nil, err
	}
	values := make(map[string]evidence.RegistryValue, len(names))
	total := 0
	for _, name := range names {
		data, kind, err := registryData(k, name)
		if errors.Is(err, registry.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("value %q: %w", name, err)
		}
		if total += len(data); total > maxRegistryBytes {
			return nil, &evidence.Error{Reason: fact.ReasonTruncated, Op: "read value " + name}
		}
		values[strings.ToLower(name)] = regValue(name, kind, data)
	}
	return values, nil
}

// registryData reads the bytes of one value, again when it grew meanwhile.
func registryData(k registry.Key, name string) ([]byte, uint32, error) {
	buf := make([]byte, 512)
	for {
		n, kind, err := k.GetValue(name, buf)
		if err == nil {
			return buf[:n], kind, nil
		}
		if !errors.Is(err, registry.ErrShortBuffer) || n > maxRegistryBytes {
			return nil, 0, err
		}
		buf = make([]byte, max(n, 2*len(buf)))
	}
}

// profileHome is the home folder of an account, as ProfileList has it.
func profileHome(sid string) string {
	const list = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList\`
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, list+sid, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return ""
	}
	defer k.Close()
	path, _, err := k.GetStringValue("ProfileImagePath")
	if err != nil {
		return ""
	}
	return expand(path)
}

// expand fills in variables such as %SystemRoot%.
func expand(text string) string {
	if full, err := registry.ExpandString(text); err == nil {
		return full
	}
	return text
}

// systemRoot is the folder of Windows.
func systemRoot() string {
	dir, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return `C:\Windows`
	}
	return dir
}
