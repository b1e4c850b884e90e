package main

import (
	"context"
	"runtime"
	"slices"
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
	return view.Input{Trouble: view.Whose(s), Status: s, Version: buildinfo.Version(), Now: time.Now(), Zone: time.Local,
		System: runtime.GOOS, Language: locale.Of(a.getenv)}
}

// session is an error where a status is of no session, or of somebody else's,
// so that there are no applications to speak of.
func (a *app) session(s localapi.Status) error {
	switch {
	case s.Foreign:
		return a.known(localapi.CodeNotOwner, exitError)
	case s.User == nil && s.Broker.URL == "" && slices.Contains(s.Reasons, localapi.CodeSettings):
		return a.known(localapi.CodeSettings, exitError)
	case s.User == nil && s.Broker.URL == "":
		return a.known(localapi.CodeNoBroker, exitError)
	case s.User == nil || s.State == localapi.StateSignedOut:
		return a.known(localapi.CodeSignedOut, exitSignedOut)
	}
	return nil
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
