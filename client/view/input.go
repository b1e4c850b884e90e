package view

import (
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// Input is all that a view is made of.
type Input struct {
	// Trouble says that there is no status; Code and Message are then the
	// agent's refusal, if it was one.
	Trouble Trouble
	Code    string
	Message string
	// Status is the agent's, when there is no trouble.
	Status localapi.Status
	// Reading is what the agent read of this machine, nil if it was not asked:
	// it says what is behind a failed check.
	Reading *localapi.Reading
	// Timeline is what happened in this session, nil if the agent was not
	// asked: it says since when an application is closed, and how a sign-in
	// ended.
	Timeline *localapi.Timeline
	// LastManaged says who looked after this machine when an agent last said so:
	// whom to ask is needed most when there is no agent. The zero value: nobody
	// remembers.
	LastManaged localapi.Managed
	// SigningIn is true while the program that shows waits for a sign-in in
	// the browser.
	SigningIn bool
	// Version of the program that shows, for telling an older agent.
	Version string
	// Now is this machine's wall clock.
	Now time.Time
	// Zone is how times are shown; nil is that of Now.
	Zone *time.Location
	// System is GOOS, for fixes.
	System string
	// Language is what the person reads, as the system tells it: a BCP 47 tag,
	// or a locale such as de_DE.UTF-8. English stands in for what is not
	// translated.
	Language string
	// HasPage reports whether this machine has the settings page of an id; nil
	// means that it has none.
	HasPage func(id string) bool
}
