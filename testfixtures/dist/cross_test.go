package dist

import (
	"context"
	"debug/macho"
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/platform/buildinfo"
)

// envDist names the folder of what "make cross" built; without it the tests
// build for themselves.
const envDist = "POSTERN_DIST"

// buildPatience bounds compiling, the first time also of Go's library.
const buildPatience = 15 * time.Minute

// shipped are the programs with what Windows calls them.
var shipped = map[string]string{
	"./client/cmd/postern":        "Postern command line",
	"./client/cmd/posternd":       "Postern agent",
	"./broker/cmd/postern-broker": "Postern broker and gateway",
	"./tray/cmd/postern-tray":     "Postern",
}

// testVersion is what the tests build, if they do.
const testVersion = "v1.22.333-4-gabcdef0"

// crossed gives the folder of the programs for a target.
func crossed(t *testing.T, system, arch string, programs ...string) string {
	t.Helper()
	if dir := os.Getenv(envDist); dir != "" {
		return filepath.Join(dir, system+"-"+arch)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	t.Setenv("VERSION", testVersion)
	if err := Build(ctx, system, arch, dir, programs...); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWindows reads what Windows reads of each program before it runs.
func TestWindows(t *testing.T) {
	for arch, machine := range map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64} {
		t.Run(arch, func(t *testing.T) {
			dir := crossed(t, "windows", arch)
			for program, description := range shipped {
				name := filepath.Base(program)
				f, err := pe.Open(filepath.Join(dir, name+".exe"))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if f.Machine != machine {
					t.Errorf("%s is for machine %#x", name, f.Machine)
				}
				checkSubsystem(t, f, name)
				checkResources(t, f, name, description)
				checkWhole(t, f, name)
			}
		})
	}
}

// checkSubsystem: the tray is of the desktop, the others are of the console.
func checkSubsystem(t *testing.T, f *pe.File, name string) {
	t.Helper()
	want := uint16(pe.IMAGE_SUBSYSTEM_WINDOWS_CUI)
	if name == "postern-tray" {
		want = pe.IMAGE_SUBSYSTEM_WINDOWS_GUI
	}
	h, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || h.Subsystem != want {
		t.Errorf("%s is of subsystem %d, want %d", name, h.Subsystem, want)
	}
}

// checkWhole: what was stamped after the link still has all its parts, and the
// table of symbols behind them.
func checkWhole(t *testing.T, f *pe.File, name string) {
	t.Helper()
	h := f.OptionalHeader.(*pe.OptionalHeader64)
	var end uint32
	for _, s := range f.Sections {
		if _, err := s.Data(); err != nil {
			t.Errorf("%s: section %s: %v", name, s.Name, err)
		}
		if s.VirtualAddress < end {
			t.Errorf("%s: section %s begins inside the one before", name, s.Name)
		}
		end = s.VirtualAddress + s.VirtualSize
	}
	if end > h.SizeOfImage {
		t.Errorf("%s: its sections end at %#x, the image at %#x", name, end, h.SizeOfImage)
	}
	if !slices.ContainsFunc(f.Symbols, func(s *pe.Symbol) bool { return s.Name == "main.main" }) {
		t.Errorf("%s: main.main is not among its %d symbols", name, len(f.Symbols))
	}
}

func checkResources(t *testing.T, f *pe.File, name, description string) {
	t.Helper()
	all, err := resourcesOf(f)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	got := map[uint32][]resource{}
	for _, r := range all {
		got[r.kind] = append(got[r.kind], r)
	}
	for _, kind := range []uint32{typeGroupIcon, typeVersion, typeManifest} {
		if len(got[kind]) != 1 || got[kind][0].id != 1 {
			t.Errorf("%s: resources of type %d: %d", name, kind, len(got[kind]))
			return
		}
	}
	checkIcon(t, name, got[typeGroupIcon][0].data, got[typeIcon])
	checkVersion(t, name, description, got[typeVersion][0].data)
	checkManifest(t, name, got[typeManifest][0].data)
}

// checkIcon holds the pictures to those of the icon in the tree. A group of
// icons is the folder of an ICO with an id in the place of where a picture lies.
func checkIcon(t *testing.T, name string, group []byte, pictures []resource) {
	t.Helper()
	icon := inTree(t, "tray/icons/ico/app.ico")
	n := int(le.Uint16(icon[4:]))
	if len(group) != 6+14*n || len(pictures) != n {
		t.Errorf("%s: %d pictures and a group of %d bytes, want %d", name, len(pictures), len(group), n)
		return
	}
	for i := range n {
		entry := icon[6+16*i:]
		want := icon[le.Uint32(entry[12:]):][:le.Uint32(entry[8:])]
		if !slices.ContainsFunc(pictures, func(p resource) bool { return string(p.data) == string(want) }) {
			t.Errorf("%s: the picture of %d pixels is another one", name, entry[0])
		}
	}
}

func checkVersion(t *testing.T, name, description string, data []byte) {
	t.Helper()
	numbers, texts, err := versionOf(data)
	if err != nil {
		t.Errorf("%s: version: %v", name, err)
		return
	}
	for key, want := range map[string]string{
		"ProductName": buildinfo.Product, "FileDescription": description, "InternalName": name, "OriginalFilename": name + ".exe",
	} {
		if texts[key] != want {
			t.Errorf("%s: %s is %q, want %q", name, key, texts[key], want)
		}
	}
	if texts["CompanyName"] == "" || texts["LegalCopyright"] == "" {
		t.Errorf("%s: nobody made it: %v", name, texts)
	}
	want := builtVersion(t)
	if texts["FileVersion"] != want || texts["ProductVersion"] != want {
		t.Errorf("%s: it is of version %q and of product version %q, want %q", name, texts["FileVersion"], texts["ProductVersion"], want)
	}
	if want == testVersion && numbers != [4]uint16{1, 22, 333, 4} {
		t.Errorf("%s: it has the numbers %v for %s", name, numbers, want)
	}
}

// builtVersion is the version that was built: the one that the program of this
// system says.
func builtVersion(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(envDist)
	if dir == "" {
		return testVersion
	}
	tray := filepath.Join(dir, runtime.GOOS+"-"+runtime.GOARCH, "postern-tray")
	out, err := exec.CommandContext(t.Context(), tray, "--version").Output()
	v, ok := strings.CutPrefix(strings.TrimSpace(string(out)), buildinfo.Product+" ")
	if err != nil || !ok {
		t.Fatalf("%s: %q, %v", tray, out, err)
	}
	return v
}

// checkManifest holds the manifest to the one in the tree, and that one to what
// each setting must be.
func checkManifest(t *testing.T, name string, data []byte) {
	t.Helper()
	want := strings.ReplaceAll(string(inTree(t, "installer/windows/program.manifest")), "NAME", name)
	if string(data) != want {
		t.Errorf("%s: its manifest is not the one in the tree", name)
	}
	settings := manifestOf(t, data)
	for key, want := range map[string]string{
		"dpiAware": "true/pm", "dpiAwareness": "PerMonitorV2, PerMonitor", "longPathAware": "true", "activeCodePage": "UTF-8",
		"supportedOS Id":                "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}",
		"requestedExecutionLevel level": "asInvoker", "requestedExecutionLevel uiAccess": "false",
		"dependentAssembly name": "Microsoft.Windows.Common-Controls", "dependentAssembly version": "6.0.0.0",
	} {
		if settings[key] != want {
			t.Errorf("%s: manifest: %s is %q, want %q", name, key, settings[key], want)
		}
	}
}

// TestDarwin looks for the tray's own part for macOS without cgo: were it a
// stub, it would not be linked.
func TestDarwin(t *testing.T) {
	const tray = "./tray/cmd/postern-tray"
	for arch, cpu := range map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64} {
		t.Run(arch, func(t *testing.T) {
			f, err := macho.Open(filepath.Join(crossed(t, "darwin", arch, tray), filepath.Base(tray)))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Cpu != cpu || f.Type != macho.TypeExec || f.Symtab == nil {
				t.Fatalf("it is %v for %v", f.Type, f.Cpu)
			}
			for _, part := range []string{"(*appKit).Run", "(*appKit).rebuild", "(*appKit).setIcon", "(*objcRuntime).Open", "(*objcRuntime).Send"} {
				if !slices.ContainsFunc(f.Symtab.Syms, func(s macho.Symbol) bool { return strings.HasSuffix(s.Name, "tray/shell."+part) }) {
					t.Errorf("%s is not in it", part)
				}
			}
		})
	}
}
