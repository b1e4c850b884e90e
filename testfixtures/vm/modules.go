//go:build linux

package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// moduleName is the name of a module by its file's: the kernel takes a hyphen
// for an underscore.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(path.Base(file), ".ko"), "-", "_")
}

// needs lists the modules that one needs, which it says itself (section
// .modinfo, "depends=a,b").
func needs(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no section .modinfo")
	}
	data, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, entry := range strings.Split(string(data), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}

// inOrder lists the wanted modules and what they need, each after what it
// needs. Names that were not found are built in, and left out.
func inOrder(found map[string][]byte, wanted []string) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		module, ok := found[name]
		if seen[name] || !ok {
			return nil
		}
		seen[name] = true
		below, err := needs(module)
		if err != nil {
			return fmt.Errorf("read module %s: %w", name, err)
		}
		for _, n := range below {
			if _, ok := found[n]; !ok {
				return fmt.Errorf("module %s needs %s, which was not kept", name, n)
			}
			if err := visit(n); err != nil {
				return err
			}
		}
		out = append(out, name)
		return nil
	}
	for _, name := range wanted {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writeModules puts modules into a folder whose order of names is that of
// loading.
func writeModules(dir string, found map[string][]byte, wanted []string) error {
	names, err := inOrder(found, wanted)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, name := range names {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d-%s.ko", i, name)), found[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
