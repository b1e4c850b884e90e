package localapi

import (
	"encoding/json"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// Rights that a machine was read with.
const (
	RightsSystem = "system" // root, LocalSystem, or an administrator's
	RightsUser   = "user"   // an ordinary user's: some signals may be out of reach
)

// Reading is what was read of this machine, and with which rights.
type Reading struct {
	Report fact.Report `json:"report"`
	Rights string      `json:"rights"` // one of the Rights… words
}

// Checked is the answer of PathCheck: proof, signal by signal, that the machine
// was read again.
type Checked struct {
	Signals []Reread `json:"signals"`
	// Attested is true when the broker has answered an attestation of the new
	// reading; without a session, or without a broker that can be asked, it is
	// false, and Reason is a code that says why.
	Attested bool   `json:"attested"`
	Reason   string `json:"reason"`
	Status   Status `json:"status"` // after it
}

// Reread is one signal before and after it was read again.
type Reread struct {
	Name   string    `json:"name"`
	Before time.Time `json:"before,omitzero"` // when it was read before; zero: never
	After  time.Time `json:"after,omitzero"`
	// Changed lists the addresses of facts that are other than before, sorted.
	Changed []string `json:"changed"`
	// Digest of the evidence that the reading stands on.
	Digest string `json:"digest"`
}

// Sent is what last left this machine, so that its owner can read it.
type Sent struct {
	At time.Time `json:"at,omitzero"` // zero: nothing was sent in this session
	To string    `json:"to"`          // the broker's address
	// Claims is the payload of the attestation, as it was signed.
	Claims json.RawMessage `json:"claims,omitempty"`
	// Report is what the claims stand for: theirs, or, in a renewal, the one
	// that was accepted before.
	Report fact.Report `json:"report"`
	// Outcome is "accepted", "rejected", "unreachable" or "" while the answer
	// is awaited; Code is the broker's code of a rejection.
	Outcome string `json:"outcome"`
	Code    string `json:"code"`
}

// Outcomes of Sent.
const (
	SentAccepted    = "accepted"
	SentRejected    = "rejected"
	SentUnreachable = "unreachable"
)

// Timeline is what happened in this session, the newest last.
type Timeline struct {
	Events []Happening `json:"events"`
}

// MaxTimeline is how many events are kept; the oldest goes first.
const MaxTimeline = 200

// Happening is one thing that happened.
type Happening struct {
	At    time.Time `json:"at"`
	Event string    `json:"event"` // one of the Event… words
	// Apps are ids of applications that it is about, sorted.
	Apps []string `json:"apps"`
	// Code is why: a cause or a reason code; of EventPaused the reason that the
	// person gave; "" when there is nothing to say.
	Code string `json:"code"`
	// Facts are addresses of the facts that got worse or better.
	Facts []string `json:"facts"`
	// TookMS is how long closing took on this machine; 0 for other events.
	TookMS float64 `json:"took_ms"`
}

// Events of the timeline.
const (
	EventStarted   = "agent_started"
	EventSignedIn  = "signed_in"
	EventSignedOut = "signed_out"      // Code says why
	EventOpened    = "opened"          // applications have a lease now
	EventClosed    = "closed"          // applications lost theirs; Code says why
	EventDenied    = "denied"          // the broker gives no lease; Code says why
	EventPosture   = "posture_changed" // Facts are those that got worse, if any did
	EventOffline   = "offline"         // the broker cannot be asked
	EventOnline    = "online"
	EventPaused    = "paused"
	EventResumed   = "resumed"
	EventChecked   = "checked" // the machine was read again because somebody asked
)

// Config is the effective settings, each with where it comes from.
type Config struct {
	File     string    `json:"file"` // the settings file, whether or not it is there
	Settings []Setting `json:"settings"`
	Warnings []string  `json:"warnings"`
}

// Setting is one effective value.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`  // secrets read "(secret)"
	Origin string `json:"origin"` // "default", "file", "flag", "managed"
	Source string `json:"source"` // file, registry key or flag; "" for defaults
}

// Filled returns c with every nil list made an empty one, as it travels.
func (c Checked) Filled() Checked {
	c.Signals = append([]Reread{}, c.Signals...)
	for i := range c.Signals {
		c.Signals[i].Changed = filled(c.Signals[i].Changed)
	}
	c.Status = c.Status.Filled()
	return c
}

// Filled returns t with every nil list made an empty one, as it travels.
func (t Timeline) Filled() Timeline {
	t.Events = append([]Happening{}, t.Events...)
	for i := range t.Events {
		t.Events[i].Apps, t.Events[i].Facts = filled(t.Events[i].Apps), filled(t.Events[i].Facts)
	}
	return t
}

// Filled returns c with every nil list made an empty one, as it travels.
func (c Config) Filled() Config {
	c.Settings, c.Warnings = append([]Setting{}, c.Settings...), filled(c.Warnings)
	return c
}
