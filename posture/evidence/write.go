package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Writer takes the files of a recorded folder: a folder on disk, or an archive.
type Writer interface {
	// WriteFile puts a file, with the folders above it. The name is relative,
	// with slashes, and fs.ValidPath.
	WriteFile(name string, content []byte) error
}

// Write makes the recorded folder. It may be called once all readings have
// ended.
func (r *Recording) Write(w Writer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := maps.Clone(r.files)
	files[headerFile] = pretty(header{Format: Format, System: r.System(), Now: r.now, Missing: MissingNotRecorded, Cut: r.cut})
	files[filesFile] = pretty(r.pathList())
	if len(r.failures) > 0 {
		failures := slices.Clone(r.failures)
		slices.SortFunc(failures, func(a, b failure) int {
			return strings.Compare(a.Op+"\x00"+a.Target, b.Op+"\x00"+b.Target)
		})
		files[errorsFile] = pretty(failures)
	}
	for name, list := range r.lists {
		files[name] = pretty(list)
	}
	if len(r.sysctls) > 0 {
		files[sysctlsFile] = pretty(r.sysctls)
	}
	if len(r.registry) > 0 {
		files[registryDir+"/recorded.json"] = pretty(r.registry)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !fs.ValidPath(name) {
			return fmt.Errorf("write recording: name %q cannot be kept", name)
		}
		if err := w.WriteFile(name, files[name]); err != nil {
			return fmt.Errorf("write recording: %w", err)
		}
	}
	return nil
}

func (r *Recording) pathList() []pathEntry {
	out := make([]pathEntry, 0, len(r.paths))
	for _, p := range slices.Sorted(maps.Keys(r.paths)) {
		out = append(out, *r.paths[p])
	}
	return out
}

// describe notes what Stat told.
func (e *pathEntry) describe(info Info) {
	e.Dir = info.Mode.IsDir()
	e.Mode = strconv.FormatUint(octal(info.Mode), 8)
	e.Kind = kindOf(info.Mode)
	size, at, owner := info.Size, info.ModTime, info.Owner
	e.Size, e.ModTime, e.Owner = &size, &at, &owner
}

// special are the bits above the permissions, in chmod(2)'s numbers.
var special = map[fs.FileMode]uint64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000}

func octal(mode fs.FileMode) uint64 {
	bits := uint64(mode.Perm())
	for bit, n := range special {
		if mode&bit != 0 {
			bits |= n
		}
	}
	return bits
}

func modeOf(bits uint64) fs.FileMode {
	mode := fs.FileMode(bits & 0o777)
	for bit, n := range special {
		if bits&n != 0 {
			mode |= bit
		}
	}
	return mode
}

var kinds = map[string]fs.FileMode{
	"device": fs.ModeDevice, "char-device": fs.ModeDevice | fs.ModeCharDevice,
	"socket": fs.ModeSocket, "pipe": fs.ModeNamedPipe, "irregular": fs.ModeIrregular,
}

func kindOf(mode fs.FileMode) string {
	for name, bits := range kinds {
		if mode.Type() == bits {
			return name
		}
	}
	return ""
}

// wmiName is where a class lies below wmi/.
func wmiName(namespace, class string) string {
	parts := strings.Split(strings.ReplaceAll(namespace, `\`, "/"), "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return path.Join(path.Join(parts...), escape(class))
}

// pretty is JSON for people to read and compare.
func pretty(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // only our own plain types are written
		return nil
	}
	return append(data, '\n')
}

func jsonOf(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

func notNil(rows []Row) []Row {
	if rows == nil {
		return []Row{}
	}
	return rows
}

func as(err error, target **Error) bool { return errors.As(err, target) }

// The operations of errors.json.
const (
	opRead     = "read"
	opList     = "list"
	opFollow   = "follow"
	opStat     = "stat"
	opHash     = "hash"
	opRun      = "run"
	opRegistry = "registry"
	opWMI      = "wmi"
	opSysctl   = "sysctl"
	opAsk      = "ask"
)
