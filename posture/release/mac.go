package release

import (
	"strconv"
	"strings"
)

// MacOS is the table's product for macOS.
const MacOS = "macos"

// IsMacCompat tells whether a version is one that macOS only claims to be, to
// programs that were built for an older one: 10.16 on macOS 11 and later, 16 on
// macOS 26 and later. No macOS ever had these versions, nor any up to 25.
func IsMacCompat(version string) bool {
	major, minor, _ := strings.Cut(version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	if major == "10" {
		return minor == "16"
	}
	n, err := strconv.Atoi(major)
	return err == nil && n >= 16 && n <= 25
}

// MacByKernel is how versions of macOS begin that have the kernel release
// (Darwin 25.1.0) or the build (25B78), both of which begin with the same
// number; "" when it is neither. Apple's numbering: Darwin 5 to 19 are 10.1 to
// 10.15, 20 to 24 are 11 to 15, from 25 on the version is one more.
func MacByKernel(release string) string {
	digits := strings.IndexFunc(release, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(release)
	}
	darwin, err := strconv.Atoi(release[:digits])
	switch {
	case err != nil || darwin < 5 || darwin > 99:
		return ""
	case darwin < 20:
		return "10." + strconv.Itoa(darwin-4)
	case darwin < 25:
		return strconv.Itoa(darwin - 9)
	}
	return strconv.Itoa(darwin + 1)
}

// FitsMac tells whether a version of macOS is of the kernel release or build.
func FitsMac(version, release string) bool {
	begins := MacByKernel(release)
	return begins != "" && (version == begins || strings.HasPrefix(version, begins+"."))
}
