package view

import (
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/state"
)

// PauseLength is how long a pause may be.
type PauseLength struct {
	ID   string // names the choice
	Text string // "15 minutes", "Until tomorrow"
}

// Lengths of a pause that menu, page and command line offer.
const (
	PauseQuarter  = "15m"
	PauseHour     = "1h"
	PauseHalfDay  = "4h"
	PauseTomorrow = "tomorrow"
)

// dayBegins is the hour at which a pause until tomorrow ends.
const dayBegins = 6

// PauseLengths are the lengths that are offered, the shortest first.
func PauseLengths(language string) []PauseLength {
	w := speak(language).Row
	return []PauseLength{{PauseQuarter, w.Quarter}, {PauseHour, w.Hour}, {PauseHalfDay, w.Hours4}, {PauseTomorrow, w.Tomorrow}}
}

// PauseFor is how long a pause of a length is that is chosen at a moment, in
// the zone of which tomorrow begins; false: there is no such length.
func PauseFor(id string, now time.Time) (time.Duration, bool) {
	switch id {
	case PauseQuarter:
		return 15 * time.Minute, true
	case PauseHour:
		return time.Hour, true
	case PauseHalfDay:
		return 4 * time.Hour, true
	case PauseTomorrow:
		morning := time.Date(now.Year(), now.Month(), now.Day()+1, dayBegins, 0, 0, 0, now.Location())
		return min(morning.Sub(now), localapi.MaxPauseMS*time.Millisecond), true
	}
	return 0, false
}

// PauseReason is why somebody pauses.
type PauseReason struct {
	ID   string // names the choice
	Told string // what the agent and the organisation's log are told
	Text string // how it is said to the person
}

// PauseReasons are the reasons that a menu offers.
func PauseReasons(language string) []PauseReason {
	w, en := speak(language).Row, english().Row
	return []PauseReason{{"trouble", en.Trouble, w.Trouble}, {"meeting", en.Meeting, w.Meeting}, {"private", en.Private, w.Private}}
}

// pauseReason is a reason in the person's language, or in their own words.
func (m *maker) pauseReason(reason string) string {
	for _, r := range PauseReasons(m.w.Language) {
		if r.Told == reason {
			return r.Text
		}
	}
	if reason == state.ReasonUnreadablePause {
		return m.w.Row.Unreadable
	}
	return plain(reason, localapi.MaxPauseReason)
}
