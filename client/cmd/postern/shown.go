package main

import (
	"context"
	"runtime"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/locale"
)

// socketPath is where the chosen agent listens.
func (a *app) socketPath() string { return localapi.ChooseSocket(a.socket, a.getenv) }

// agent is the client of the chosen agent.
func (a *app) agent() *localapi.Client { return localapi.Dial(a.socketPath()) }

// status asks the agent.
func (a *app) status(ctx context.Context) (localapi.Status, error) {
	c := a.agent()
	defer c.Close()
	s, err := c.Status(ctx)
	return named(s, c), err
}

// named puts the socket that was used in place of what the agent calls it.
func named(s localapi.Status, c *localapi.Client) localapi.Status {
	s.Socket = c.Socket()
	return s.Filled()
}

// exitOf is the exit code that goes with a status.
func exitOf(s localapi.Status) int {
	switch s.State {
	case localapi.StateNotCompliant:
		return exitNotCompliant
	case localapi.StateSignedOut:
		return exitSignedOut
	}
	return exitOK
}

// input is what a view of this status is made of.
func (a *app) input(s localapi.Status) view.Input {
	return view.Input{Status: s, Version: buildinfo.Version(), Now: time.Now(), Zone: time.Local,
		System: runtime.GOOS, Language: locale.Of(a.getenv)}
}

// whole is input with what the machine says behind a check that did not pass.
func (a *app) whole(ctx context.Context, c *localapi.Client, s localapi.Status) view.Input {
	in := a.input(s)
	if !failing(s) {
		return in
	}
	// Without it the view says less, and nothing that is wrong.
	if r, err := c.Posture(ctx); err == nil {
		in.Reading = &r
	}
	return in
}

func failing(s localapi.Status) bool {
	for _, c := range s.Posture.Checks {
		if c.Outcome != "pass" {
			return true
		}
	}
	return false
}

// troubled is the input when err came in place of a status.
func (a *app) troubled(err error) view.Input {
	in := a.input(localapi.Status{})
	in.Trouble, in.Code, in.Message = view.TroubleOf(err)
	return in
}

// moodColours are the colours of headlines.
var moodColours = map[string]string{
	view.MoodHealthy: good, view.MoodAttention: doubtful, view.MoodClosed: bad, view.MoodConnecting: doubtful,
	view.MoodSignedOut: doubtful, view.MoodOffline: doubtful,
}

// labels are the few words that stand between the view's.
type labels struct {
	required, advised, unknown, fix, keeps, closed, coming, noApps, back, stays string

	marks map[string]string // of view.Remark
}

// labelsFor gives the labels in a language of the view; English for others.
func labelsFor(language string) labels {
	if language == "de" {
		return labels{"nötig", "empfohlen", "unbekannt", "Abhilfe:", "hält geschlossen:", "Zuletzt geschlossen:", "demnächst", "Keine Anwendungen.", "der Agent ist wieder da", "Was dieses Gerät nie verlässt:",
			map[string]string{view.MarkGood: "gut", view.MarkNote: "Hinweis", view.MarkUnknown: "unbekannt", view.MarkBad: "schlecht"}}
	}
	return labels{"required", "advised", "not known", "fix:", "keeps closed:", "Last closed:", "coming", "No applications.", "the agent is back", "What never leaves this computer:",
		map[string]string{view.MarkGood: "good", view.MarkNote: "note", view.MarkUnknown: "unknown", view.MarkBad: "bad"}}
}

func labelsOf(v view.View) labels { return labelsFor(v.Language) }
