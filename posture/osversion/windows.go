package osversion

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// windows reads the CurrentVersion key. ProductName says "Windows 10" on
// Windows 11 too, so the product follows from the build: 22000 was the first
// of Windows 11 (Microsoft, Windows 11 release information).
func windows(ctx context.Context, r *evidence.Reading) error {
	const key = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	values, err := evidence.RegistryKey(ctx, r.Machine(), key)
	if err != nil {
		return err
	}
	r.From(key)
	number, ok := values.Text("CurrentBuild")
	if !ok {
		number, _ = values.Text("CurrentBuildNumber")
	}
	build, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read CurrentBuild of " + key, Err: err}
	}
	observe(r, "product", windowsProduct(values, build))
	major, okMajor := values.Number("CurrentMajorVersionNumber")
	minor, okMinor := values.Number("CurrentMinorVersionNumber")
	if okMajor && okMinor {
		observe(r, "version", fmt.Sprintf("%d.%d.%d", major, minor, build))
	} else {
		r.Unknown("version", "", fact.ReasonNotFound)
	}
	if revision, ok := values.Number("UBR"); ok {
		observe(r, "build", fmt.Sprintf("%d.%d", build, revision))
	} else {
		r.Unknown("build", "", fact.ReasonUnreadable)
	}
	return nil
}

func windowsProduct(values evidence.Registry, build uint64) string {
	installation, _ := values.Text("InstallationType")
	switch {
	case strings.HasPrefix(strings.ToLower(installation), "server"):
		return "windows-server"
	case build >= 22000:
		return "windows-11"
	default:
		return "windows-10"
	}
}
