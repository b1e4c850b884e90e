package patch

import (
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// apt answers for Debian and what is made from it. What is installed is
// compared with apt's lists of packages as apt itself would choose
// (apt_preferences(5)); phased updates of Ubuntu wait for this machine only
// once they are for everybody, and packages on hold wait like others. The
// repositories of a subscription count where they are in use.
func apt(l *look) updates {
	in, why := l.dpkgInstalled()
	conf, confWhy := l.aptConf()
	u := nothing(why)
	u.blind, u.checked = true, moment{at: l.aptChecked(nil)}
	if why == "" {
		l.r.From(dpkgStatus)
		u = l.aptWaiting(in, conf)
	}
	l.aptNotifier(&u)
	u.last = l.lastByLogs(dpkgLogs())
	u.auto = l.aptAuto(in, conf, confWhy)
	u.restart = l.debianRestart(in)
	return u
}

// aptWaiting compares what is installed with the lists.
func (l *look) aptWaiting(in installed, conf aptConf) updates {
	u := nothing("")
	u.source = aptLists
	lists, why := l.aptOffers(in)
	u.blind = len(lists) == 0 && !l.there(aptLists)
	pins, pinsWhy := l.pins()
	if why == "" {
		why = pinsWhy
	}
	waits := map[string]*candidate{}
	for _, o := range lists {
		u.kernel = laterKernel(u.kernel, o.Kernel)
		o.weigh(waits, in, pins, conf.value("APT::Default-Release"))
	}
	pending, security := false, false
	for _, c := range waits {
		yes, secure := c.choose()
		pending, security = pending || yes, security || secure
	}
	if why == fact.ReasonUnreadable || why == fact.ReasonTruncated {
		if p, s, ok := l.aptSimulated(); ok {
			u.source, why = "apt-get -s dist-upgrade", ""
			pending, security = pending || p, security || s
		}
	}
	u.checked = moment{at: l.aptChecked(lists)}
	complete := answer{yes: why == "", why: why}
	u.pending = known(pending).unless(complete).unless(l.fresh(u.checked.at))
	u.security = known(security).unless(complete).unless(l.securityKnown(lists, pending, u.checked.at))
	return u
}

// listOffer is one list with where it comes from.
type listOffer struct {
	offered
	archive
}

// aptOffers reads every list of the suites in use. The reason is why something
// is missing; what was read still counts.
func (l *look) aptOffers(in installed) ([]listOffer, fact.Reason) {
	sources, why := l.aptSources()
	names, listWhy := l.list(aptLists)
	if listWhy != "" {
		return nil, listWhy
	}
	if why != "" { // which are in use is not known: take all
		sources = nil
		for _, name := range names {
			if prefix, ok := cutRelease(name); ok {
				sources = append(sources, aptSource(prefix))
			}
		}
	}
	slices.Sort(sources)
	var all []listOffer
	for _, s := range slices.Compact(sources) {
		some, missing := l.aptOffersOf(s, names, in)
		if why == "" {
			why = missing
		}
		all = append(all, some...)
	}
	if len(all) == 0 && why == "" {
		why = fact.ReasonNotFound
	}
	return all, why
}

func cutRelease(name string) (prefix string, ok bool) {
	if prefix, ok = strings.CutSuffix(name, "InRelease"); ok {
		return prefix, ok
	}
	return strings.CutSuffix(name, "Release")
}

// aptOffersOf reads the lists of one suite. A suite in use that was never
// refreshed is missing: nobody knows what it has.
func (l *look) aptOffersOf(s aptSource, names []string, in installed) ([]listOffer, fact.Reason) {
	var from aptRelease
	why := fact.ReasonNotFound
	for _, name := range []string{string(s) + "InRelease", string(s) + "Release"} {
		if slices.Contains(names, name) {
			_, why = l.distil(path.Join(aptLists, name), "apt-release-v1", &from, func(r io.Reader) (any, error) { return parseRelease(r) })
			break
		}
	}
	host, _, _ := strings.Cut(string(s), "_")
	var all []listOffer
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, string(s))
		if !ok || !isPackages(rest) {
			continue
		}
		o := listOffer{archive: archive{aptRelease: from, host: host}}
		o.component, _, _ = strings.Cut(rest, "_")
		at := path.Join(aptLists, name)
		_, missing := l.distil(at, "apt-packages-v1-"+in.digest, &o.offered, func(r io.Reader) (any, error) { return parsePackages(r, in) })
		if missing != "" {
			why, o.offered = missing, offered{} // where it comes from is known nevertheless
		} else {
			l.r.From(at)
		}
		all = append(all, o)
	}
	return all, why
}

// isPackages takes main_binary-amd64_Packages, Packages and the same with the
// ending of a compression.
func isPackages(rest string) bool {
	name, _, _ := strings.Cut(rest[strings.LastIndexByte(rest, '_')+1:], ".")
	return name == "Packages" && !strings.HasSuffix(rest, ".diff_Index")
}

// aptChecked is the latest time at which a refresh is known to have happened:
// what apt's and update-notifier's own scripts noted, or when the archives
// wrote what was fetched. The lists' times are those of the servers, and
// pkgcache.bin is written anew after every installation: neither tells.
func (l *look) aptChecked(lists []listOffer) time.Time {
	var at time.Time
	for _, stamp := range []string{"/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/periodic/update-stamp"} {
		if t := l.changed(stamp); t.After(at) {
			at = t
			l.r.From(stamp)
		}
	}
	for _, o := range lists {
		if o.Date.After(at) && !future(o.Date, l.m.Now()) {
			at = o.Date
		}
	}
	return at
}

// securityKnown tells whether the lists may show that no security update
// waits: an archive of security updates is among them, its own time has not
// run out (a refresh that got everything but this one counts as success), and
// the last refresh is fresh. Where the distribution has no such archive,
// nothing may wait at all.
func (l *look) securityKnown(lists []listOffer, pending bool, checked time.Time) answer {
	found, expected := false, false
	for _, o := range lists {
		expected = expected || o.hasSecurity()
		if !o.security() {
			continue
		}
		found = true
		if !o.ValidUntil.IsZero() && l.m.Now().After(o.ValidUntil) {
			return unknown(fact.ReasonStale)
		}
	}
	switch {
	case !found && expected:
		return unknown(fact.ReasonNotFound)
	case !found && pending:
		return unknown(fact.ReasonUnsupported)
	}
	return l.fresh(checked)
}
