package view

import (
	"strings"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// pause offers each length with each reason.
func (b *builder) pause() Item {
	sub := Item{ID: b.id("pause"), Text: b.w.Pause}
	for _, length := range view.PauseLengths(b.v.Language) {
		one := Item{ID: b.id("pause:" + length.ID), Text: cut(length.Text, columns)}
		for _, r := range view.PauseReasons(b.v.Language) {
			choice := length.ID + ":" + r.ID
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
	lasts, ok := view.PauseFor(length, now)
	if !ok {
		return localapi.PauseRequest{}, false
	}
	for _, r := range view.PauseReasons("") {
		if r.ID == id {
			return localapi.PauseRequest{Reason: r.Told, ForMS: min(lasts.Milliseconds(), localapi.MaxPauseMS)}, true
		}
	}
	return localapi.PauseRequest{}, false
}
