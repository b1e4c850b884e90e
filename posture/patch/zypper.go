package patch

import (
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

// zypper answers for SUSE's systems. Which patch applies is decided by rules
// that only the program itself knows; with --no-refresh it asks no server.
func zypper(l *look) updates {
	u := nothing("")
	u.source = "zypper list-patches"
	in, why := l.repositories("/etc/zypp/repos.d")
	var caches []cached
	for _, dir := range l.folders("/var/cache/zypp/raw") {
		if c, ok := l.cacheIn(path.Base(dir), dir); ok {
			caches = append(caches, c)
		}
	}
	checked, complete := l.checkedAt(in, why, caches)
	patches, security := l.zypperList("list-patches")
	packages, _ := l.zypperList("list-updates")
	u.checked = checked
	u.pending = patches.or(packages).unless(complete)
	u.security = security.unless(complete)
	id := l.osRelease("ID")
	rolling := strings.HasSuffix(id, "tumbleweed") || strings.HasSuffix(id, "slowroll") || strings.HasSuffix(id, "microos")
	if u.security.says(false) && (rolling || !hasAdvisories(in, caches)) && !u.pending.says(false) {
		u.security = unknown(fact.ReasonUnsupported) // no patches there: what the updates are for is not said
	}
	l.rpmTimes(&u, zyppLogs())
	u.auto = l.zypperAuto()
	return u
}

func (l *look) zypperList(what string) (pending, security answer) {
	out, err := l.m.Run(l.ctx, "zypper", "--no-refresh", "--non-interactive", "--xmlout", what)
	if err != nil {
		return unknown(evidence.ReasonOf(err)), unknown(evidence.ReasonOf(err))
	}
	l.r.From("zypper --no-refresh " + what)
	pending, security = parseZypper(out.Stdout)
	why := zypperFailure(out)
	if why != "" {
		pending, security = pending.unless(unknown(why)), security.unless(unknown(why))
		if !pending.certain() {
			pending.why = why
		}
		if !security.certain() {
			security.why = why
		}
	}
	return pending, security
}

// zypperFailure knows zypper(8)'s exit codes; those from 100 on only inform,
// but for 106: a repository was passed over.
func zypperFailure(out evidence.Output) fact.Reason {
	switch out.Code {
	case 0, 100, 101, 102, 103:
		return ""
	case 5:
		return fact.ReasonNeedsPrivilege
	case 6, 106:
		return fact.ReasonNotFound
	case 7:
		return fact.ReasonBusy
	}
	return evidence.ReasonOf(evidence.Failure("zypper", out))
}

// parseZypper reads <update-list> with an <update> for each package or needed
// patch; a patch has a category. A document that was cut shows what is in it,
// but not that there is no more.
func parseZypper(doc []byte) (pending, security answer) {
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	d.Strict = false
	listed := false
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) || err != nil {
			break
		}
		switch t := token.(type) {
		case xml.EndElement:
			listed = listed || t.Name.Local == "update-list"
		case xml.StartElement:
			if t.Name.Local != "update" {
				continue
			}
			status, category := attribute(t, "status"), attribute(t, "category")
			if status == "" || status == "needed" {
				pending.yes = true
				security.yes = security.yes || category == "security"
			}
		}
	}
	if !listed {
		pending, security = pending.unless(unknown(fact.ReasonUnreadable)), security.unless(unknown(fact.ReasonUnreadable))
	}
	return pending, security
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// zypperAuto looks for transactional-update's and os-update's timers, and for
// YaST's online update, which runs from cron.
func (l *look) zypperAuto() answer {
	cron := known(false)
	const yast = "/etc/sysconfig/automatic_online_update"
	text, why := l.text(yast)
	if why != "" && why != fact.ReasonNotFound {
		cron = unknown(why)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "AOU_ENABLE_CRONJOB="); ok {
			cron = known(yes(value, false))
			l.r.From(yast)
		}
	}
	return either(cron, l.enabled("transactional-update.timer"), l.enabled("os-update.timer"))
}
