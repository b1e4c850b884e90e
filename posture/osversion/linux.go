package osversion

import (
	"context"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/release"
)

const (
	osReleaseEtc   = "/etc/os-release"
	osReleaseUsr   = "/usr/lib/os-release"
	debianVersion  = "/etc/debian_version"
	kernelRelease  = "/proc/sys/kernel/osrelease" // proc_sys_kernel(5)
	kernelArch     = "/proc/sys/kernel/arch"      // since Linux 6.1
	defaultProduct = "linux"                      // os-release(5): "If not set, a default of ID=linux may be used."
)

// linux reads os-release(5), whose first place wins, or what older systems have
// in its place, and the running kernel's release as build.
func linux(ctx context.Context, r *evidence.Reading, table release.Table) error {
	linuxKernel(ctx, r)
	values, err := osRelease(ctx, r)
	if err != nil {
		return err
	}
	d := distribution{values: values, product: first(values["ID"], defaultProduct)}
	if data, err := r.Machine().ReadFile(ctx, debianVersion); err == nil && d.product == "debian" {
		r.From(debianVersion)
		d.debian = clean(string(data))
	}
	observe(r, "product", d.product)
	observe(r, "family", d.family())
	observe(r, "version", values["VERSION_ID"])
	observe(r, "edition", first(values["VARIANT_ID"], values["VARIANT"]))
	observe(r, "revision", d.revision())
	linuxSupport(r, table, d)
	return nil
}

// linuxKernel sets kernel, build and architecture.
func linuxKernel(ctx context.Context, r *evidence.Reading) {
	m := r.Machine()
	uname, askErr := askPlatform(ctx, m)
	file := ""
	data, err := m.ReadFile(ctx, kernelRelease)
	if err == nil {
		file = clean(string(data))
		r.From(kernelRelease)
	}
	for _, field := range []string{"kernel", "build"} {
		if err != nil && askErr != nil {
			r.Unknown(field, "", evidence.ReasonOf(err))
		}
		agree(r, field, file, kernelRelease, uname.Release, "uname")
	}
	machine := uname.Machine
	if machine == "" {
		if data, err := m.ReadFile(ctx, kernelArch); err == nil {
			machine = clean(string(data))
		} else {
			r.Unknown("architecture", "", evidence.ReasonOf(err))
		}
	}
	observe(r, "architecture", architecture(machine))
}

// osRelease reads the first of the files that is there. Only where there is no
// os-release at all, as before 2012, is one of the older ones asked.
func osRelease(ctx context.Context, r *evidence.Reading) (map[string]string, error) {
	places := []struct {
		path  string
		parse func(string) map[string]string
	}{
		{osReleaseEtc, parseOSRelease}, {osReleaseUsr, parseOSRelease},
		{"/etc/redhat-release", parseReleaseLine}, {"/etc/system-release", parseReleaseLine},
		{"/etc/lsb-release", parseLSBRelease},
	}
	var missing error
	for _, place := range places {
		data, err := r.Machine().ReadFile(ctx, place.path)
		if err != nil && evidence.ReasonOf(err) == fact.ReasonNotFound {
			if missing == nil {
				missing = err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		r.From(place.path)
		values := place.parse(string(data))
		if len(values) == 0 {
			return nil, &evidence.Error{Reason: fact.ReasonUnreadable, Op: "read " + place.path}
		}
		return values, nil
	}
	return nil, missing
}

// linuxSupport sets the name of the release and what is known of its support.
func linuxSupport(r *evidence.Reading, table release.Table, d distribution) {
	product, version, extended := d.listed()
	rel, known := table.Find(product, version)
	observe(r, "release", d.codename(rel.Name))
	if d.rolling() {
		r.Observe("rolling", "", fact.Bool(true))
		r.Observe("release_known", "", fact.Bool(false))
		undated(r, fact.ReasonRolling)
		return
	}
	if table.Product(product) {
		r.Observe("rolling", "", fact.Bool(false))
	} else {
		r.Unknown("rolling", "", fact.ReasonNoRelease)
	}
	if known {
		supported(r, rel)
	} else {
		unlisted(r)
	}
	if known && !extended {
		r.Unknown("extended_support_end", "", fact.ReasonNotFound)
	}
	ownSupportEnd(r, d.values["SUPPORT_END"], rel.Support)
}

// ownSupportEnd takes the day that the distribution itself names: the first one
// without support, as systemd reads it (os-release(5), SUPPORT_END). It counts
// where the table has no day, and where it is the earlier of the two: nobody
// gains a day by writing a file, and nobody keeps one that the maker took back.
func ownSupportEnd(r *evidence.Reading, text string, listed release.End) {
	if text == "" || listed.Over {
		return
	}
	at, ok := parseSupportEnd(text)
	switch {
	case !ok && listed.At.IsZero():
		r.Unknown("support_end", "", fact.ReasonMalformed)
	case ok && (listed.At.IsZero() || at.Before(listed.At)):
		r.Observe("support_end", "", fact.Time(at))
	}
}

// family words, each with the family that it belongs to. What a distribution
// says it is like may be a derivative itself.
func families() map[string]string {
	return map[string]string{
		"debian": "debian", "ubuntu": "debian", "rhel": "rhel", "centos": "rhel", "ol": "rhel", "fedora": "fedora",
		"suse": "suse", "opensuse": "suse", "sles": "suse", "sled": "suse", "sles_sap": "suse", "sl-micro": "suse", "sle-micro": "suse",
		"arch": "arch", "archlinux": "arch", "alpine": "alpine", "gentoo": "gentoo", "slackware": "slackware", "nixos": "nixos",
		"void": "void", "mageia": "mandriva", "mandriva": "mandriva", "openwrt": "openwrt", "coreos": "coreos", "solus": "solus",
	}
}

// family is what the distribution is made from, or the product itself.
func (d distribution) family() string {
	known := families()
	if strings.HasPrefix(d.values["PLATFORM_ID"], "platform:el") {
		return "rhel"
	}
	for _, word := range append([]string{d.product}, strings.Fields(d.values["ID_LIKE"])...) {
		if f, ok := known[strings.ToLower(word)]; ok {
			return f
		}
	}
	return d.product
}
