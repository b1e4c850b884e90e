package patch

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// updatesAvailable is the text that Ubuntu's update-notifier-common keeps for
// the message of the day.
const updatesAvailable = "/var/lib/update-notifier/updates-available"

// aptNotifier adds what update-notifier counted. It counts for what the lists
// left open, and against them when it was written after all that they show.
// Its "none" counts only where nothing could be compared: it counts the same
// lists, and where they are empty, old or incomplete it counts none as well.
func (l *look) aptNotifier(u *updates) {
	text, why := l.text(updatesAvailable)
	if why == fact.ReasonNotFound {
		return
	}
	pending, security := unknown(why), unknown(why)
	written := l.changed(updatesAvailable)
	if why == "" {
		l.r.From(updatesAvailable)
		pending, security = parseUpdatesAvailable(text)
		pending, security = pending.unless(l.fresh(written)), security.unless(l.fresh(written))
	}
	outdated := !written.After(l.changed(dpkgStatus)) || written.Before(u.checked.at)
	if u.security.says(false) && security.says(true) && !outdated {
		u.contradicts = updatesAvailable
	}
	if u.blind {
		u.pending, u.security = pending, security
		return
	}
	if !u.pending.certain() && pending.says(true) {
		u.pending = pending
	}
	if !u.security.certain() && security.says(true) {
		u.security = security
	}
}

// parseUpdatesAvailable understands the English wording since Ubuntu 12.04. The
// line on security updates is left out when there are none. Updates that only
// a paid subscription would bring are not waiting here.
func parseUpdatesAvailable(text string) (pending, security answer) {
	total := regexp.MustCompile(`(?m)^(\d+) (?:updates?|packages?) can be (?:applied|updated|installed)`)
	secure := regexp.MustCompile(`(?m)^(\d+) (?:of these )?updates? (?:is|are) (?:an? )?(?:[\w:]+ ){0,4}security updates?`)
	pending, found := someIn(total, text)
	if !found || !pending.certain() {
		return unknown(fact.ReasonUnreadable), unknown(fact.ReasonUnreadable)
	}
	security, _ = someIn(secure, text)
	pending, security = pending.unless(ended(text)), security.unless(ended(text))
	if strings.Contains(text, "is more than a week old") {
		pending, security = pending.unless(unknown(fact.ReasonStale)), security.unless(unknown(fact.ReasonStale))
	}
	return pending, security
}

// someIn tells whether one of the numbers that the pattern finds is not zero.
func someIn(pattern *regexp.Regexp, text string) (some answer, found bool) {
	all := pattern.FindAllStringSubmatch(text, 16)
	for _, one := range all {
		n, err := strconv.Atoi(one[1])
		if err != nil {
			return unknown(fact.ReasonUnreadable), true
		}
		some = some.or(known(n > 0))
	}
	return some, len(all) > 0
}
