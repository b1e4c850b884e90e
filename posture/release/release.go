// Package release is the table of operating system releases: ends of support and known builds.
package release

import (
	_ "embed"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// Table is what is known of releases up to a day. The zero Table knows nothing.
// It is never changed once made, so it may be shared.
type Table struct {
	dated    time.Time
	releases map[place][]Release // all variants of one release, in the table's order
	builds   map[place]Build
	newest   map[place]Build // of a release
	codes    map[place]Build
	products map[string]bool
	divided  map[place]bool // begins the versions of several releases: 22 where there is 22.3
}

// place is a product with a release, a build or an update of it.
type place struct{ product, key string }

// Release is one release of a product, or one variant of it where variants end
// on different days.
type Release struct {
	Product  string    // windows, windows-server, macos, or os-release ID in lower case
	Version  string    // 24.04, 15, or the build that a release of Windows is known by: 26100
	Variant  string    // of Windows: e, w, e-lts, iot-lts, iot, sac; otherwise empty
	Name     string    // 24H2, Sequoia, Bookworm; may be empty
	Released time.Time // day of general availability; zero: not known
	Support  End       // the maker's free security updates
	Extended End       // updates that are paid for or that others carry on: ESU, ESM, LTSS, ELS, Debian LTS
}

// End tells when something stops. Its zero value says that nothing is known:
// for Extended, that the table knows of no such offer.
type End struct {
	At   time.Time // first moment without it, UTC; zero: no day is published
	Open bool      // it goes on, the maker publishes no day
	Over bool      // it has ended, the day is not known
}

// Build is one build that its maker published.
type Build struct {
	Product  string
	Number   string    // Windows: build.revision; macOS: version
	Code     string    // Windows: the update's KB number; macOS: build, such as 25G83; may be empty
	Released time.Time // zero: not known
	Kind     Kind
}

// Kind is what a build was published for.
type Kind string

// The kinds. A preview brings no security updates that were not out before and
// nobody has to install it; a hotpatch brings one month's security updates to
// machines that are subscribed to hotpatches, beside that month's regular build.
const (
	Regular   Kind = ""
	OutOfBand Kind = "out-of-band"
	Preview   Kind = "preview"
	Hotpatch  Kind = "hotpatch"
)

//go:embed table.tsv
var table []byte

var builtIn = sync.OnceValues(func() (Table, error) { return Parse(table) })

// BuiltIn is the table that ships with this version. Where its facts are from
// says the file SOURCES beside it.
func BuiltIn() (Table, error) { return builtIn() }

// Newest is the table to go by: one that somebody sent, if it is of a later day
// than the shipped one. Text that is no table is an error, and the shipped one
// stands.
func Newest(sent string) (Table, error) {
	shipped, err := BuiltIn()
	if err != nil || sent == "" {
		return shipped, err
	}
	other, err := Parse([]byte(sent))
	if err != nil {
		return shipped, err
	}
	if other.Dated().After(shipped.Dated()) {
		return other, nil
	}
	return shipped, nil
}

// Dated is the day up to which the table's facts reach. Of two tables the one
// with the later day replaces the other.
func (t Table) Dated() time.Time { return t.dated }

// Find gives the release that a version belongs to: the version itself, or what
// is left of it when parts are cut from its end (15.7.1, 15.7, 15), as long as
// the table does not tell releases apart by that part. Of several variants it
// gives the first of those asked for that there is; without one asked for, the
// one without a name, or the only one.
func (t Table) Find(product, version string, variants ...string) (Release, bool) {
	all := t.releases[place{product, t.release(product, version)}]
	if len(all) == 1 && (len(variants) == 0 || all[0].Variant == "") {
		return all[0], true
	}
	for _, want := range append(variants, "") {
		for _, r := range all {
			if r.Variant == want {
				return r, true
			}
		}
	}
	return Release{}, false
}

// Known tells whether a version belongs to a release of the table, in whatever
// variant.
func (t Table) Known(product, version string) bool {
	return len(t.releases[place{product, t.release(product, version)}]) > 0
}

// Divided tells whether the release that a version belongs to has variants.
func (t Table) Divided(product, version string) bool {
	return len(t.releases[place{product, t.release(product, version)}]) > 1
}

// Name is the name that all variants of a release share.
func (t Table) Name(product, version string) string {
	name := ""
	for i, r := range t.releases[place{product, t.release(product, version)}] {
		if i > 0 && r.Name != name {
			return ""
		}
		name = r.Name
	}
	return name
}

// Build gives the build with that number.
func (t Table) Build(product, number string) (Build, bool) {
	b, ok := t.builds[place{product, number}]
	return b, ok
}

// ByCode gives a build by its code: a KB number, or a build of Apple's. An
// update of Windows may bring builds of several releases; it gives one of them.
func (t Table) ByCode(product, code string) (Build, bool) {
	b, ok := t.codes[place{product, code}]
	return b, ok
}

// Newest gives the newest build of the release that a version belongs to.
// Previews and hotpatches are left out: who does without them misses no
// security update.
func (t Table) Newest(product, version string) (Build, bool) {
	b, ok := t.newest[place{product, t.release(product, version)}]
	return b, ok
}

// release is the key of the release that a version belongs to, or "".
func (t Table) release(product, version string) string {
	for key := version; key != ""; key = shorter(key) {
		if len(t.releases[place{product, key}]) > 0 {
			return key
		}
		if t.divided[place{product, shorter(key)}] {
			return ""
		}
	}
	return ""
}

func shorter(version string) string {
	return version[:max(0, strings.LastIndexByte(version, '.'))]
}

// Product tells whether the table has releases of a product.
func (t Table) Product(product string) bool { return t.products[product] }

// AtLeast tells whether the build number a is b or a later one.
func AtLeast(a, b string) bool { return fact.CompareVersions(a, b) >= 0 }
