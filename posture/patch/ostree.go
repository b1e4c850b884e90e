package patch

import (
	"encoding/json"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// ostreeStatus is what rpm-ostree(1) tells with "status --json".
type ostreeStatus struct {
	Deployments []struct {
		Booted    bool   `json:"booted"`
		Staged    bool   `json:"staged"`
		Checksum  string `json:"checksum"`
		Timestamp int64  `json:"timestamp"` // of the commit, in seconds since 1970
	} `json:"deployments"`
	CachedUpdate json.RawMessage `json:"cached-update"`
	Driver       struct {
		Name string `json:"driver-name"`
	} `json:"update-driver"`
}

type ostreeUpdate struct {
	Checksum   string              `json:"checksum"`
	Advisories [][]json.RawMessage `json:"advisories"` // id, kind, severity, packages, more
}

// securityAdvisory is the kind of an advisory on security (DnfAdvisoryKind of
// libdnf).
const securityAdvisory = "1"

// ostree answers for systems that are replaced as a whole, such as Fedora
// Silverblue and CoreOS. An update that lies ready waits for a restart.
func ostree(l *look) updates {
	out, err := evidence.Text(l.ctx, l.m, "rpm-ostree", "status", "--json")
	if err != nil {
		u := nothing(evidence.ReasonOf(err))
		u.auto = l.ostreeAuto("")
		return u
	}
	u, driver := parseOSTree(out)
	l.r.From("rpm-ostree status --json")
	u.source = "rpm-ostree status"
	u.auto = l.ostreeAuto(driver)
	return u
}

// parseOSTree never says that nothing waits: the status does not tell when the
// system last asked.
func parseOSTree(doc []byte) (updates, string) {
	var s ostreeStatus
	if err := json.Unmarshal(doc, &s); err != nil || len(s.Deployments) == 0 {
		return nothing(fact.ReasonUnreadable), ""
	}
	booted := -1
	for i, d := range s.Deployments {
		if d.Booted {
			booted = i
		}
	}
	if booted < 0 {
		return nothing(fact.ReasonUnreadable), s.Driver.Name
	}
	u := nothing(fact.ReasonNotFound)
	running := s.Deployments[booted]
	if at := time.Unix(running.Timestamp, 0).UTC(); running.Timestamp > 0 && running.Timestamp < 1<<40 {
		u.last = moment{at: at}
	}
	// what is first in the list is started next; after a rollback that is the running one
	u.restart = known(booted != 0)
	update, security := parseCachedUpdate(s.CachedUpdate)
	waits := update.Checksum != "" && update.Checksum != running.Checksum
	if waits || booted != 0 {
		u.pending = known(true)
	}
	if waits && security {
		u.security = known(true)
	}
	return u, s.Driver.Name
}

func parseCachedUpdate(doc json.RawMessage) (update ostreeUpdate, security bool) {
	if json.Unmarshal(doc, &update) != nil {
		return ostreeUpdate{}, false
	}
	for _, advisory := range update.Advisories {
		security = security || len(advisory) > 1 && string(advisory[1]) == securityAdvisory
	}
	return update, security
}

// ostreeAuto reads the policy of rpm-ostreed.conf(5): only "stage" and "apply"
// bring an update without a person, and only with the timer. Fedora CoreOS
// leaves it to Zincati.
func (l *look) ostreeAuto(driver string) answer {
	if driver == "Zincati" {
		return l.zincati()
	}
	const conf = "/etc/rpm-ostreed.conf"
	text, why := l.text(conf)
	if why != "" && why != fact.ReasonNotFound {
		return unknown(why)
	}
	policy := "none"
	for _, s := range parseINI(text) {
		if value, there := s.values["automaticupdatepolicy"]; there && s.name == "Daemon" {
			policy = value
			l.r.From(conf)
		}
	}
	return known(policy == "stage" || policy == "apply").and(l.enabled("rpm-ostreed-automatic.timer"))
}

// zincati is on unless a part of its configuration says "enabled = false" in
// the section updates.
func (l *look) zincati() answer {
	on, all := true, known(true)
	for _, dir := range []string{"/usr/lib/zincati/config.d", "/etc/zincati/config.d", "/run/zincati/config.d"} {
		files, why := l.parts(dir, ".toml")
		if why != "" {
			return unknown(why)
		}
		for _, f := range files {
			all = all.and(ended(f.text))
			for _, s := range parseINI(f.text) {
				if value, there := s.values["enabled"]; there && s.name == "updates" {
					on = yes(value, true)
					l.r.From(f.path)
				}
			}
		}
	}
	return known(on).and(all)
}
