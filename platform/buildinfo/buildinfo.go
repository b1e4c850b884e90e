// Package buildinfo says which product and which version this program is.
package buildinfo

import "runtime/debug"

// Product is the name that people see.
const Product = "Postern"

// version is set by the linker (-X github.com/postern-zt/postern/platform/buildinfo.version=1.2.3)
// and by nothing else.
var version string

// Version returns the version given at link time, else the main module's
// version as the Go command recorded it (debug.ReadBuildInfo; since Go 1.24
// that is a tag or a pseudo-version when built inside a version-controlled
// tree), else "dev". It is never empty.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = nil
	}
	return choose(version, info)
}

func choose(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	// The Go command writes "(devel)" where it knows no version.
	if info != nil && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
