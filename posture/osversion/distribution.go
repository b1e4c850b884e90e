package osversion

import (
	"strings"
	"time"
)

// distribution is what a Linux system says of itself.
type distribution struct {
	values  map[string]string // os-release
	product string            // ID
	debian  string            // /etc/debian_version: 12.7, or trixie/sid
}

// listed is how the table of releases names this release, and whether the
// longer maintenance that the table knows is offered for it.
func (d distribution) listed() (product, version string, extended bool) {
	product, version, extended = strings.ToLower(d.product), d.values["VERSION_ID"], true
	switch product {
	case "centos":
		if strings.Contains(strings.ToLower(d.values["NAME"]), "stream") {
			product = "centos-stream"
		}
	case "linuxmint":
		if strings.HasPrefix(d.values["NAME"], "LMDE") || strings.HasPrefix(d.values["PRETTY_NAME"], "LMDE") {
			product = "lmde"
		}
	case "sles_sap", "sle_hpc":
		product = "sles"
	case "sled": // ends with the server's general support, but is never sold with LTSS
		product, extended = "sles", false
	case "opensuse":
		product = "opensuse-leap"
	}
	return product, version, extended
}

// rollers are distributions that have no releases, by ID.
func rollers() []string {
	return []string{
		"arch", "archarm", "artix", "cachyos", "endeavouros", "garuda", "manjaro", "manjaro-arm", "blackarch", "archcraft", "rebornos",
		"opensuse-tumbleweed", "opensuse-slowroll", "opensuse-microos", "opensuse-aeon", "opensuse-kalpa",
		"kali", "void", "gentoo", "calculate", "funtoo", "solus", "guix", "pclinuxos", "chimera", "exherbo", "siduction", "kaos",
	}
}

// rolling tells whether the distribution, or this branch of it, has no releases.
func (d distribution) rolling() bool {
	for _, id := range rollers() {
		if strings.EqualFold(d.product, id) {
			return true
		}
	}
	v := func(name string) string { return strings.ToLower(d.values[name]) }
	switch strings.ToLower(d.product) {
	case "debian": // testing and unstable have no VERSION_ID
		return v("VERSION_ID") == "" && (strings.HasSuffix(d.debian, "/sid") || strings.HasSuffix(v("PRETTY_NAME"), "/sid"))
	case "alpine":
		return strings.Contains(v("PRETTY_NAME"), "edge") || strings.Contains(v("VERSION_ID"), "_alpha")
	case "fedora":
		return strings.Contains(v("VERSION"), "rawhide") || v("REDHAT_BUGZILLA_PRODUCT_VERSION") == "rawhide"
	case "nixos": // the unstable channels: 25.11pre
		return strings.Contains(v("VERSION"), "pre") || strings.Contains(v("BUILD_ID"), "pre")
	}
	return v("BUILD_ID") == "rolling" || strings.HasSuffix(v("VERSION_CODENAME"), "rolling") || strings.Contains(v("NAME"), "tumbleweed")
}

// codename is the name of the release: VERSION_CODENAME, or what stands in
// brackets at the end of VERSION and is neither variant nor architecture, or
// the table's.
func (d distribution) codename(listed string) string {
	if name := d.values["VERSION_CODENAME"]; name != "" {
		return name
	}
	version := d.values["VERSION"]
	variant := d.values["VARIANT"]
	if i := strings.LastIndexByte(version, '('); i >= 0 && strings.HasSuffix(version, ")") {
		name := version[i+1 : len(version)-1]
		if name != "" && !strings.EqualFold(name, variant) && architecture(name) == strings.ToLower(name) {
			return name
		}
	}
	return listed
}

// revision is what updates between versions raise: the point release of Debian,
// the longer number in VERSION (24.04.3 LTS), or BUILD_ID.
func (d distribution) revision() string {
	id := d.values["VERSION_ID"]
	word, _, _ := strings.Cut(d.values["VERSION"], " ")
	for _, point := range []string{d.debian, d.values["DEBIAN_VERSION_FULL"], word} {
		if id != "" && strings.HasPrefix(point, id+".") {
			return point
		}
	}
	return d.values["BUILD_ID"]
}

// parseSupportEnd reads a day, which begins in UTC.
func parseSupportEnd(text string) (time.Time, bool) {
	at, err := time.Parse("2006-01-02", text)
	return at, err == nil && at.Year() >= 1990 && at.Year() <= 2100
}
