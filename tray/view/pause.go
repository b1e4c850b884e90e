package view

import (
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// Lengths of a pause that the menu offers.
const (
	quarterHour = "15m"
	hour        = "1h"
	tomorrow    = "tomorrow"
)

// dayBegins is the hour at which a pause until tomorrow ends.
const dayBegins = 6

// pause offers each length with each reason.
func (b *builder) pause() Item {
	sub := Item{ID: b.id("pause"), Text: b.w.Pause}
	for _, length := range []struct{ id, text string }{{quarterHour, b.w.QuarterHour}, {hour, b.w.Hour}, {tomorrow, b.w.Tomorrow}} {
		one := Item{ID: b.id("pause:" + length.id), Text: length.text}
		for _, r := range view.PauseReasons(b.v.Language) {
			choice := length.id + ":" + r.ID
			one.Items = append(one.Items, b.item("pause:"+choice, r.Text, Action{DoPause, choice}))
		}
		sub.Items = append(sub.Items, one)
	}
	return sub
}

// PauseOf is what to ask the agent for when a DoPause entry with this argument
// was chosen at a moment, in the zone of which tomorrow begins; false if no
// menu offers that.
func PauseOf(argument string, now time.Time) (localapi.PauseRequest, bool) {
	length, id, _ := strings.Cut(argument, ":")
	var lasts time.Duration
	switch length {
	case quarterHour:
		lasts = 15 * time.Minute
	case hour:
		lasts = time.Hour
	case tomorrow:
		lasts = time.Date(now.Year(), now.Month(), now.Day()+1, dayBegins, 0, 0, 0, now.Location()).Sub(now)
	default:
		return localapi.PauseRequest{}, false
	}
	for _, r := range view.PauseReasons("") {
		if r.ID == id {
			return localapi.PauseRequest{Reason: r.Told, ForMS: min(lasts.Milliseconds(), localapi.MaxPauseMS)}, true
		}
	}
	return localapi.PauseRequest{}, false
}
