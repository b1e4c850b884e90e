package osversion

import (
	"context"
	"fmt"
	"strconv"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/release"
)

const (
	currentVersion = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`
	environment    = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`
	rtlGetVersion  = "RtlGetVersion"
)

// windows reads the CurrentVersion key and asks the kernel. ProductName says
// "Windows 10" on Windows 11 too, so the product follows from the build.
func windows(ctx context.Context, r *evidence.Reading, table release.Table) error {
	m := r.Machine()
	kernel, kernelErr := askPlatform(ctx, m)
	windowsArchitecture(ctx, r, kernel.Machine)
	r.Observe("family", "", fact.Str(release.Windows))
	r.Observe("rolling", "", fact.Bool(false))
	values, err := m.Registry(ctx, currentVersion)
	if err != nil && kernel.Build == nil {
		return err
	}
	if err == nil {
		r.From(currentVersion)
	} else {
		r.Unknown("edition", "", evidence.ReasonOf(err))
		r.Unknown("release", "", evidence.ReasonOf(err))
	}
	edition, _ := values.Text("EditionID")
	observe(r, "edition", clean(edition))
	build, why := windowsBuild(values)
	switch {
	case why == "" && kernel.Build != nil && uint64(*kernel.Build) != build:
		buildConflict(r, build, *kernel.Build)
		return nil
	case why != "" && kernel.Build == nil:
		return &evidence.Error{Reason: why, Op: "read CurrentBuild of " + currentVersion, Err: kernelErr}
	case why != "":
		build = uint64(*kernel.Build)
	}
	if kernel.Build != nil {
		r.From(rtlGetVersion)
	}
	windowsVersion(r, values, kernel, build)
	windowsRevision(r, values, build, err)
	windowsRelease(r, table, values, kernel, build)
	return nil
}

// windowsBuild is the number of the build, which two values of the key tell.
func windowsBuild(values evidence.Registry) (uint64, fact.Reason) {
	first, there := values.Text("CurrentBuild")
	second, also := values.Text("CurrentBuildNumber")
	switch {
	case there && also && first != second:
		return 0, fact.ReasonDisagree
	case !there && !also && (values.Has("CurrentBuild") || values.Has("CurrentBuildNumber")):
		return 0, fact.ReasonMalformed
	case !there && !also:
		return 0, fact.ReasonNotFound
	case !there:
		first = second
	}
	build, err := strconv.ParseUint(first, 10, 32)
	if err != nil {
		return 0, fact.ReasonMalformed
	}
	return build, ""
}

func buildConflict(r *evidence.Reading, registry uint64, kernel uint32) {
	for _, f := range [][2]string{{"version", "10.0.%d"}, {"build", "%d"}} {
		r.Conflict(f[0], "", fact.Str(fmt.Sprintf(f[1], registry)), currentVersion, fact.Str(fmt.Sprintf(f[1], kernel)), rtlGetVersion)
	}
	for _, field := range []string{"product", "release", "revision", "kernel", "release_known"} {
		r.Unknown(field, "", fact.ReasonDisagree)
	}
	undated(r, fact.ReasonDisagree)
}

// windowsVersion sets version and kernel, which are the same on Windows. Every
// build since the first of Windows 10 is a 10.0, whatever else is missing.
func windowsVersion(r *evidence.Reading, values evidence.Registry, kernel platform, build uint64) {
	const first10 = 10240
	major, okMajor := values.Number("CurrentMajorVersionNumber")
	minor, okMinor := values.Number("CurrentMinorVersionNumber")
	registry, told := "", ""
	switch {
	case okMajor && okMinor:
		registry = fmt.Sprintf("%d.%d.%d", major, minor, build)
	case values.Has("CurrentMajorVersionNumber") || values.Has("CurrentMinorVersionNumber"):
		r.Unknown("version", "", fact.ReasonMalformed)
	case build >= first10:
		registry = fmt.Sprintf("10.0.%d", build)
	default:
		if old, ok := values.Text("CurrentVersion"); ok {
			registry = fmt.Sprintf("%s.%d", old, build)
		}
	}
	if kernel.Major != nil && kernel.Minor != nil {
		told = fmt.Sprintf("%d.%d.%d", *kernel.Major, *kernel.Minor, build)
	}
	agree(r, "version", registry, currentVersion, told, rtlGetVersion)
	agree(r, "kernel", registry, currentVersion, told, rtlGetVersion)
}

// windowsRevision sets what the monthly updates raise: the value UBR.
func windowsRevision(r *evidence.Reading, values evidence.Registry, build uint64, err error) {
	why := fact.ReasonNotFound
	ubr, ok := values.Number("UBR")
	switch {
	case ok:
		r.Observe("revision", "", fact.Str(strconv.FormatUint(uint64(ubr), 10)))
		r.Observe("build", "", fact.Str(fmt.Sprintf("%d.%d", build, ubr)))
		return
	case err != nil:
		why = evidence.ReasonOf(err)
	case values.Has("UBR"):
		why = fact.ReasonMalformed
	}
	r.Unknown("revision", "", why)
	r.Unknown("build", "", why)
}

// windowsRelease sets product, name of the release and its support.
func windowsRelease(r *evidence.Reading, table release.Table, values evidence.Registry, kernel platform, build uint64) {
	edition, _ := values.Text("EditionID")
	installation, _ := values.Text("InstallationType")
	name, _ := values.Text("ProductName")
	number := strconv.FormatUint(build, 10)
	marks := release.WindowsMarks{Installation: installation, Edition: edition, Name: name, Type: kernel.ProductType}
	line := table.Line(marks, number)
	observe(r, "product", release.WindowsProduct(line, build))
	variants, known := release.WindowsVariants(line, edition)
	rel, found := table.Find(line, number, variants...)
	observe(r, "release", windowsName(table, values, line, number, rel))
	switch {
	case line == "":
		r.Unknown("release_known", "", fact.ReasonNotFound)
		undated(r, fact.ReasonNotFound)
	case !table.Known(line, number):
		unlisted(r)
	case found && (known || !table.Divided(line, number)):
		supported(r, rel)
	default: // which editions of this release end when is known, the edition is not
		r.Observe("release_known", "", fact.Bool(true))
		undated(r, fact.ReasonNotFound)
	}
}

// windowsName is the name of the release. A server is known by the year in its
// name, a client by its DisplayVersion; before there was one, by its ReleaseId,
// which stays at 2009 for good.
func windowsName(table release.Table, values evidence.Registry, line, number string, rel release.Release) string {
	display, ok := values.Text("DisplayVersion")
	old, isOld := values.Text("ReleaseId")
	switch {
	case line == release.WindowsServer && rel.Name != "":
		return rel.Name
	case ok:
		return clean(display)
	case isOld && old != "2009":
		return clean(old)
	case line == "":
		return ""
	}
	return table.Name(line, number)
}

// windowsArchitecture sets the architecture of the system, not of this program.
func windowsArchitecture(ctx context.Context, r *evidence.Reading, machine string) {
	if machine != "" {
		r.Observe("architecture", "", fact.Str(architecture(machine)))
		return
	}
	values, err := r.Machine().Registry(ctx, environment)
	if err != nil {
		r.Unknown("architecture", "", evidence.ReasonOf(err))
		return
	}
	if name, ok := values.Text("PROCESSOR_ARCHITECTURE"); ok {
		observe(r, "architecture", architecture(clean(name)))
	}
}
