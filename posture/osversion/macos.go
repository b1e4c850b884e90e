package osversion

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/release"
)

const (
	coreServices = "/System/Library/CoreServices/"
	basePlist    = coreServices + "SystemVersion.plist"
	// plainPlist is a link to basePlist. The system gives programs that were
	// built for an older macOS another file in place of basePlist, by its path;
	// by this path it gives the true one.
	plainPlist = coreServices + ".SystemVersionPlatform.plist"
	preboot    = "/System/Volumes/Preboot"
	swVers     = "sw_vers"
	sysctlName = "sysctl kern.osproductversion"
)

// maxPreboot bounds how many volume groups of one disk are looked at.
const maxPreboot = 16

// told is what one source says of the version.
type told struct {
	source  string
	version string // ProductVersion
	extra   string // ProductVersionExtra, such as (a): a rapid response or background improvement
	build   string // ProductBuildVersion, or BuildVersion
}

// macos asks every source there is, as some of them tell some programs a
// version that never was, and holds them against the kernel's own release.
func macos(ctx context.Context, r *evidence.Reading, table release.Table) error {
	m := r.Machine()
	r.Observe("family", "", fact.Str(release.MacOS))
	r.Observe("rolling", "", fact.Bool(false))
	darwin, machine := macKernel(ctx, r)
	macArchitecture(ctx, r, machine)
	sources, err := macSources(ctx, r)
	if len(sources) == 0 {
		return err
	}
	version, why := macVersion(r, table, sources, darwin)
	if running, err := m.Sysctl(ctx, "kern.osversion"); err == nil && isMacBuild(clean(running)) {
		sources = append(sources, told{source: "sysctl kern.osversion", build: clean(running)})
	}
	macBuild(r, sources)
	r.Observe("product", "", fact.Str(release.MacOS))
	if why != "" {
		r.Unknown("release", "", why)
		r.Unknown("release_known", "", why)
		undated(r, why)
		return nil
	}
	rel, known := table.Find(release.MacOS, version)
	if !known {
		r.Unknown("release", "", fact.ReasonNoRelease)
		unlisted(r)
		return nil
	}
	observe(r, "release", rel.Name)
	supported(r, rel)
	return nil
}

// macSources gives what the sources say, the best first, and an error when none
// says anything: that of the file every macOS has.
func macSources(ctx context.Context, r *evidence.Reading) ([]told, error) {
	m := r.Machine()
	var all []told
	var failure error
	paths := append(macCryptexes(ctx, m), plainPlist, basePlist)
	for _, path := range paths {
		data, err := m.ReadFile(ctx, path)
		if err == nil {
			var t told
			if t, err = parseSystemVersion(data); err == nil {
				t.source = path
				all = append(all, t)
			}
		}
		if path == basePlist {
			failure = err
		}
	}
	if text, err := evidence.Text(ctx, m, swVers); err == nil {
		if t := parseSwVers(string(text)); t.version != "" {
			t.source = swVers
			all = append(all, t)
		}
	}
	if v, err := m.Sysctl(ctx, "kern.osproductversion"); err == nil && isMacVersion(clean(v)) {
		all = append(all, told{source: sysctlName, version: clean(v)})
	}
	for _, t := range all {
		r.From(t.source)
	}
	return all, failure
}

// macCryptexes are the files of the system that rapid responses change. There
// is one for each system on the disk; with several it is open which one runs.
func macCryptexes(ctx context.Context, m evidence.Machine) []string {
	groups, err := m.ReadDir(ctx, preboot)
	if err != nil || len(groups) > maxPreboot {
		return nil
	}
	var paths []string
	for _, group := range groups {
		path := preboot + "/" + group + "/cryptex1/current/SystemVersion.plist"
		if _, err := m.Stat(ctx, path); err == nil {
			paths = append(paths, path)
		}
	}
	if len(paths) != 1 {
		return nil
	}
	return paths
}

// macVersion sets the version and gives it, or says why it is open. A version
// that macOS only claims to be is never given; what the kernel does not fit is
// a conflict, and so are two sources that differ.
func macVersion(r *evidence.Reading, table release.Table, sources []told, darwin string) (string, fact.Reason) {
	var good, claimed []told
	for _, t := range sources {
		if release.IsMacCompat(t.version) {
			claimed = append(claimed, t)
			if b, ok := table.ByCode(release.MacOS, t.build); ok { // the build says it by itself
				good = append(good, told{source: t.source + " ProductBuildVersion", version: b.Number, build: t.build})
			}
			continue
		}
		good = append(good, t)
	}
	if len(good) == 0 {
		kernel := release.MacByKernel(first(darwin, claimed[0].build))
		if kernel == "" {
			kernel = "not " + claimed[0].version
		}
		r.Conflict("version", "", fact.Str(kernel), "the kernel", fact.Str(claimed[0].version), claimed[0].source)
		return "", fact.ReasonDisagree
	}
	best := good[0]
	for _, t := range good[1:] {
		if !sameVersion(t.version, best.version) {
			r.Conflict("version", "", fact.Str(best.version), best.source, fact.Str(t.version), t.source)
			return "", fact.ReasonDisagree
		}
	}
	for _, kernel := range []string{darwin, best.build} {
		if begins := release.MacByKernel(kernel); begins != "" && !release.FitsMac(best.version, kernel) {
			r.Conflict("version", "", fact.Str(best.version), best.source, fact.Str(begins), "Darwin "+kernel)
			return "", fact.ReasonDisagree
		}
	}
	r.Observe("version", "", fact.Str(best.version))
	return best.version, ""
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// sameVersion knows that the first version of a macOS is written 26 or 26.0.
func sameVersion(a, b string) bool {
	return strings.TrimSuffix(a, ".0") == strings.TrimSuffix(b, ".0")
}

// macBuild sets build and revision. A rapid response gives the system a build of
// its own, with a small letter at its end (22E772610a); the files below keep the
// build they were made with.
func macBuild(r *evidence.Reading, sources []told) {
	extra := ""
	for _, t := range sources {
		if extra == "" {
			extra = t.extra
		}
	}
	observe(r, "revision", extra)
	var base, response told
	for _, t := range sources {
		at := &base
		if isResponse(t.build) {
			at = &response
		}
		switch {
		case t.build == "" || t.build == at.build:
		case at.build == "":
			*at = t
		default:
			r.Conflict("build", "", fact.Str(at.build), at.source, fact.Str(t.build), t.source)
			return
		}
	}
	observe(r, "build", base.build)
	if response.build != "" {
		observe(r, "build", response.build)
		if extra == "" {
			r.Observe("revision", "", fact.Str("("+response.build[len(response.build)-1:]+")"))
		}
	}
}

// isResponse tells the build of a rapid response from that of a beta (25A5279m),
// which has a small letter too: its number has six digits.
func isResponse(build string) bool {
	body := strings.TrimLeft(build, "0123456789")
	if len(body) < 2 || body[len(body)-1] < 'a' {
		return false
	}
	number := body[1 : len(body)-1]
	return len(number) >= 6 && strings.Trim(number, "0123456789") == ""
}

// macKernel sets the kernel's release and gives it, with the architecture that
// uname(2) tells.
func macKernel(ctx context.Context, r *evidence.Reading) (darwin, machine string) {
	m := r.Machine()
	kernel, askErr := askPlatform(ctx, m)
	v, err := m.Sysctl(ctx, "kern.osrelease")
	if err != nil && kernel.Release == "" {
		r.Unknown("kernel", "", evidence.ReasonOf(err))
		return "", kernel.Machine
	}
	if askErr == nil {
		r.From("uname")
	}
	agree(r, "kernel", clean(v), "sysctl kern.osrelease", kernel.Release, "uname")
	return first(clean(v), kernel.Release), kernel.Machine
}

// macArchitecture sets the architecture of the machine: uname(2) tells x86_64
// to a program that is translated, so the processor is asked first.
func macArchitecture(ctx context.Context, r *evidence.Reading, machine string) {
	arm, err := r.Machine().Sysctl(ctx, "hw.optional.arm64")
	switch {
	case err == nil && clean(arm) == "1":
		r.Observe("architecture", "", fact.Str("arm64"))
	case machine != "":
		r.Observe("architecture", "", fact.Str(architecture(machine)))
	default:
		r.Unknown("architecture", "", fact.ReasonNotFound)
	}
}
