package state

import (
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/tunnel/plan"
)

// Event is something that happened. Every event tells the boot time at which
// it did.
type Event interface{ when() time.Duration }

// SignedIn: a person signed in, or the agent found a session that lasts.
type SignedIn struct {
	At        time.Duration
	Person    api.Person
	KnownApps []api.AppInfo // applications this person had before
	Ends      time.Duration // boot time of the session's end; 0: not known
	// Pause is set if the session was paused when the agent ended: then nothing
	// of it is wanted before that pause is over.
	Pause *Paused
}

// SignedOut: the person signed out, or the session turned out to be over.
type SignedOut struct {
	At    time.Duration
	Cause string // empty: CauseSignedOut
}

// PostureChanged: a new report differs from the one before.
type PostureChanged struct {
	At    time.Duration
	Worse []string // addresses of the facts that got worse (posture/fact, Worsened)
}

// Answered: the broker accepted an attestation.
type Answered struct {
	At     time.Duration
	Flight int64
	SentAt time.Duration // when the request went out that this answers
	Answer api.Answer
}

// Rejected: the broker said no to an attestation. What it could not decide
// (busy, internal errors, a broken connection) is Unreachable and not this.
type Rejected struct {
	At     time.Duration
	Flight int64
	Code   string // of the problem, or of the OAuth error that ended the session
	Text   string
}

// Unreachable: the broker could not be asked.
type Unreachable struct {
	At     time.Duration
	Flight int64
	Text   string // why, without secrets
}

// Tick: a moment came that WakeAt asked for. An extra one does no harm.
type Tick struct{ At time.Duration }

// BrokerSays: an event came down the broker's stream.
type BrokerSays struct {
	At    time.Duration
	Name  string // api.Event…
	Event api.Event
}

// NetworkWoke: the machine woke, or its network changed.
type NetworkWoke struct{ At time.Duration }

// Pause: the person wants everything closed until a boot time. A later one
// takes the place of the one before.
type Pause struct {
	At     time.Duration
	Until  time.Duration
	Reason string
}

// Resume: the person wants the pause to end.
type Resume struct{ At time.Duration }

// CheckNow: the machine was read again because somebody asked; the broker is
// to hear of it even if nothing changed.
type CheckNow struct{ At time.Duration }

// Stop: the agent ends.
type Stop struct{ At time.Duration }

func (e SignedIn) when() time.Duration       { return e.At }
func (e SignedOut) when() time.Duration      { return e.At }
func (e PostureChanged) when() time.Duration { return e.At }
func (e Answered) when() time.Duration       { return e.At }
func (e Rejected) when() time.Duration       { return e.At }
func (e Unreachable) when() time.Duration    { return e.At }
func (e Tick) when() time.Duration           { return e.At }
func (e BrokerSays) when() time.Duration     { return e.At }
func (e NetworkWoke) when() time.Duration    { return e.At }
func (e Pause) when() time.Duration          { return e.At }
func (e Resume) when() time.Duration         { return e.At }
func (e CheckNow) when() time.Duration       { return e.At }
func (e Stop) when() time.Duration           { return e.At }

// Effect is something to do. They are done in the order in which they come.
type Effect interface{ effect() }

// Tunnels is what may be open from now on: no other tunnel may. Every Next
// gives exactly one, the first of its effects, so that doing them in order
// shuts a tunnel before anything about it is sent.
type Tunnels struct {
	Wanted []plan.Tunnel // by application id
	Apps   []api.AppInfo // every known application, by id
}

// Attest asks the broker with a fresh nonce. Its end is told as Answered,
// Rejected or Unreachable with the same Flight.
type Attest struct {
	Flight  int64
	Renewal bool           // the report is the last accepted one, unless it says otherwise by now
	Keys    map[string]int // for each wanted application the generation of its key
	Pause   string         // the person's reason, while everything is paused
}

// CancelAttest gives up an attestation; what still comes of it is ignored.
type CancelAttest struct{ Flight int64 }

// WakeAt asks for a Tick at a boot time; it replaces the one before. Without
// one there is nothing to wait for.
type WakeAt struct{ At time.Duration }

// ForgetSession deletes what was kept of the session.
type ForgetSession struct{ Cause string }

// Changed tells that what people are shown may differ.
type Changed struct{}

func (Tunnels) effect()       {}
func (Attest) effect()        {}
func (CancelAttest) effect()  {}
func (WakeAt) effect()        {}
func (ForgetSession) effect() {}
func (Changed) effect()       {}
