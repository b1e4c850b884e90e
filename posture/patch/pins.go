package patch

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// pin is one record of apt_preferences(5).
type pin struct {
	packages []string // names or globs; nil: all
	kind     string   // release, origin, version
	value    string
	priority int
}

// archive is where a list of packages comes from, as pins see it.
type archive struct {
	aptRelease
	host      string
	component string
}

func (l *look) pins() ([]pin, fact.Reason) {
	text, why := l.text("/etc/apt/preferences")
	if why != "" && why != fact.ReasonNotFound {
		return nil, why
	}
	all := parsePins(text)
	more, why := l.parts("/etc/apt/preferences.d", "", ".pref")
	for _, p := range more {
		all = append(all, parsePins(p.text)...)
	}
	return all, why
}

// maxPins bounds how many records of one file count.
const maxPins = 1000

func parsePins(text string) []pin {
	var all []pin
	for _, f := range controlFields(text) {
		kind, value, ok := strings.Cut(f["pin"], " ")
		priority, err := strconv.Atoi(f["pin-priority"])
		if strings.EqualFold(f["pin-priority"], "never") {
			priority, err = -32768, nil
		}
		if !ok || err != nil || f["package"] == "" || len(all) >= maxPins {
			continue
		}
		p := pin{kind: strings.ToLower(kind), value: strings.TrimSpace(value), priority: priority}
		if f["package"] != "*" {
			p.packages = strings.Fields(f["package"])
		}
		all = append(all, p)
	}
	return all
}

// priority is how much apt wants a version of a package from an archive. The
// record that names the package counts before one for all packages, and of
// either sort the first; what no record fits has the archive's own priority
// (apt_preferences(5), "APT's Default Priority Assignments").
func priority(pins []pin, target string, a archive, name, version string) int {
	for _, general := range []bool{false, true} {
		for _, p := range pins {
			if (p.packages == nil) == general && p.names(name) && p.fits(a, version) {
				return p.priority
			}
		}
	}
	switch {
	case target != "" && (target == a.Suite || target == a.Codename || target == a.Version):
		return 990
	case a.NotAutomatic && a.Upgrades:
		return 100
	case a.NotAutomatic:
		return 1
	}
	return 500
}

func (p pin) names(name string) bool {
	return p.packages == nil || slices.ContainsFunc(p.packages, func(pattern string) bool { return glob(pattern, name) })
}

func (p pin) fits(a archive, version string) bool {
	switch p.kind {
	case "version":
		return glob(p.value, version)
	case "origin":
		return strings.Trim(p.value, `"`) == a.host
	case "release":
		return a.matches(p.value)
	}
	return false
}

// matches reads "a=stable, l=Debian" or, in short, "stable".
func (a archive) matches(conditions string) bool {
	for _, c := range strings.Split(conditions, ",") {
		c = strings.TrimSpace(c)
		key, want, ok := strings.Cut(c, "=")
		if !ok {
			if !glob(c, a.Suite) && !glob(c, a.Codename) && !glob(c, a.Version) {
				return false
			}
			continue
		}
		have, known := map[string]string{
			"a": a.Suite, "n": a.Codename, "o": a.Origin, "l": a.Label, "v": a.Version, "c": a.component,
		}[strings.TrimSpace(key)]
		if !known || !glob(strings.Trim(strings.TrimSpace(want), `"`), have) {
			return false
		}
	}
	return true
}

// glob matches as fnmatch(3). A regular expression, which apt allows between
// slashes, matches nothing.
func glob(pattern, s string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(s, "/", "\x00"))
	return err == nil && ok
}
