package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/tc-hib/winres"
	"github.com/tc-hib/winres/version"
)

// Where the data lies, from the root of the repository.
const (
	tablePath    = "installer/windows/programs.json"
	manifestPath = "installer/windows/program.manifest"
	iconPath     = "tray/icons/ico/app.ico"
)

// What the version information says of every program. The product's name is the
// one of platform/buildinfo, which a test holds it to.
const (
	product   = "Postern"
	authors   = "The Postern Authors"
	copyright = "Copyright 2026 The Postern Authors. Apache License 2.0"
	unstamped = "dev"
)

// english is the language of the resources (LANGID, English of the United
// States); where a person's own is missing, Windows takes what is there.
const english = 0x0409

// generate makes the objects of every program, by their paths from the root of
// the repository.
func generate(root string) (map[string][]byte, error) {
	var table map[string]string // the program's folder: what people call it
	text, err := os.ReadFile(filepath.Join(root, tablePath))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &table); err != nil {
		return nil, fmt.Errorf("read %s: %w", tablePath, err)
	}
	manifest, err := os.ReadFile(filepath.Join(root, manifestPath))
	if err != nil {
		return nil, err
	}
	icon, err := os.ReadFile(filepath.Join(root, iconPath))
	if err != nil {
		return nil, err
	}
	objects := map[string][]byte{}
	for dir, description := range table {
		set, err := resources(path.Base(dir), description, manifest, icon)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		for _, arch := range []winres.Arch{winres.ArchAMD64, winres.ArchARM64} {
			var b bytes.Buffer
			if err := set.WriteObject(&b, arch); err != nil {
				return nil, fmt.Errorf("%s: %w", dir, err)
			}
			objects[path.Join(dir, "resources_windows_"+string(arch)+".syso")] = b.Bytes()
		}
	}
	return objects, nil
}

// resources are those of one program.
func resources(name, description string, manifest, icon []byte) (*winres.ResourceSet, error) {
	set := &winres.ResourceSet{}
	pictures, err := winres.LoadICO(bytes.NewReader(icon))
	if err != nil {
		return nil, err
	}
	// The icon with the lowest id is the one that is shown for the file.
	if err := set.SetIcon(winres.ID(1), pictures); err != nil {
		return nil, err
	}
	// 1 is the manifest of a program (CREATEPROCESS_MANIFEST_RESOURCE_ID).
	text := bytes.ReplaceAll(manifest, []byte("NAME"), []byte(name))
	if err := set.Set(winres.RT_MANIFEST, winres.ID(1), english, text); err != nil {
		return nil, err
	}
	var info version.Info
	for key, value := range map[string]string{
		version.ProductName: product, version.FileDescription: description,
		version.CompanyName: authors, version.LegalCopyright: copyright,
		version.InternalName: name, version.OriginalFilename: name + ".exe",
	} {
		if err := info.Set(english, key, value); err != nil {
			return nil, err
		}
	}
	return set, setVersion(set, &info, unstamped)
}

// setVersion puts the version information with that version into the set.
func setVersion(set *winres.ResourceSet, info *version.Info, v string) error {
	info.FileVersion, info.ProductVersion = numbers(v), numbers(v)
	for _, key := range []string{version.FileVersion, version.ProductVersion} {
		if err := info.Set(english, key, v); err != nil {
			return err
		}
	}
	// 1 is the one version information of a file (VS_VERSION_INFO).
	return set.Set(winres.RT_VERSION, winres.ID(1), english, info.Bytes())
}

// numbers are the four of a version as "git describe" tells it: those of the tag
// and, as the last, how many commits came after it. A version without a tag is
// all zero; by these numbers installers decide which file is the newer one.
func numbers(v string) [4]uint16 {
	var major, minor, patch, after uint16
	tag, rest, _ := strings.Cut(strings.TrimPrefix(v, "v"), "-")
	if n, err := fmt.Sscanf(tag, "%d.%d.%d", &major, &minor, &patch); n != 3 || err != nil {
		return [4]uint16{}
	}
	if n, err := fmt.Sscanf(rest, "%d-g", &after); n != 1 || err != nil {
		after = 0 // of the tag itself, or one before a release
	}
	return [4]uint16{major, minor, patch, after}
}
