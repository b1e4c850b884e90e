package main

import (
	"debug/macho"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// loaded are the libraries that a program for macOS may import: what Go's own
// runtime, resolver (net) and certificate store (crypto/x509) import, all parts
// of every system. AppKit is not among them.
var loaded = []string{
	"/usr/lib/libSystem.B.dylib",
	"/usr/lib/libresolv.9.dylib",
	"/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
	"/System/Library/Frameworks/Security.framework/Versions/A/Security",
}

// TestMachO builds this program for macOS without cgo and reads what it needs
// from the system: AppKit is looked up when it runs, so that no SDK is needed to
// build it.
func TestMachO(t *testing.T) {
	for arch, cpu := range map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64} {
		t.Run(arch, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "demo-tray")
			build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", out, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=darwin", "GOARCH="+arch)
			if said, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build: %v\n%s", err, said)
			}
			f, err := macho.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Cpu != cpu || f.Type != macho.TypeExec {
				t.Errorf("it is %v for %v", f.Type, f.Cpu)
			}
			libraries, err := f.ImportedLibraries()
			if err != nil {
				t.Fatal(err)
			}
			for _, lib := range libraries {
				if !slices.Contains(loaded, lib) {
					t.Errorf("it imports %s", lib)
				}
			}
			if len(libraries) == 0 {
				t.Error("no imports were read")
			}
			symbols, err := f.ImportedSymbols()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(symbols, "_dlopen") {
				t.Errorf("without dlopen there is no AppKit in it: %v", symbols)
			}
		})
	}
}
