// Package state is the agent's pure state machine: what happened goes in, what is to be done comes out.
package state

import (
	"maps"
	"slices"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/tunnel/plan"
)

// State is all that the agent knows about its session and leases. It is a
// value: Next never changes the one it is given, and nothing that it returned
// before. Whoever reads one must not write to its maps and slices either. All
// moments are boot time (platform/clock). The zero State is signed out; New
// gives one with a seed.
type State struct {
	Session  Session
	Apps     map[string]App // by application id: those this person may want
	Verdict  api.Tier
	Checks   []api.Check
	Needs    map[string]Needs // by application id; one that is missing was not told
	Forecast []api.Forecast

	Online      bool       // the last attempt to ask the broker got an answer, or none was made yet
	BrokerError string     // why the last attempt got none; empty while Online
	Rejection   *Rejection // the broker's last word was no
	Answered    bool       // the broker answered an attestation of this session
	Flight      *Flight    // the attestation in the air
	Dirty       bool       // something changed that no attestation carried yet
	NextAttest  time.Duration
	Failures    int // attestations in a row without an answer, for the backoff

	Pause          *Paused       // set while the person wants everything closed
	LastRevocation *Revocation   // of this session
	Skew           time.Duration // device clock minus broker clock, when it matters
	Stopped        bool          // the end; nothing opens again
	Now            time.Duration // the latest moment any event told

	seed       uint64
	lastGen    int           // generations are counted over all applications: none is ever used twice
	lastFlight int64         // ids of flights count up and are never used twice
	again      bool          // the next attestation only carries keys that the last one lacked
	woke       bool          // the network changed under the attestation in the air
	lastWish   time.Duration // when the broker was, or will be, told of a wish
}

// New gives the state of an agent that has just started. The seed spreads the
// agents of many machines in time; it may be any number that differs among
// them and need not be secret.
func New(seed uint64) State { return State{seed: seed} }

// Session says who is signed in.
type Session struct {
	SignedIn bool
	Person   api.Person
	Ends     time.Duration // when a new sign-in is needed; 0: not known
}

// Paused is a wish of the person to have everything closed for a while.
type Paused struct {
	Reason       string
	Since, Until time.Duration
}

// App is one application that the person may use, or may not.
type App struct {
	Info   api.AppInfo
	KeyGen int // the key pair for its next or present tunnel; a new one after every close
	// Lease is nil while there is none. It may be over already: ask Live.
	Lease       *Lease
	Denied      []string // reason codes of the broker's last word, none while leased
	ClosedCause string   // why the last lease ended, empty while leased
}

// Lease is a lease that the broker granted in answer to our attestation.
type Lease struct {
	ID       string
	Tunnel   plan.Tunnel
	Until    time.Duration
	StandsOn []string // fact addresses, "[*]" for any entry
	Limited  bool
	Pending  bool
	KeyGen   int
}

// Flight is an attestation that was sent and has no answer yet.
type Flight struct {
	ID       int64
	Renewal  bool           // nothing changed; any change makes it void
	Gens     map[string]int // the key generation it carries for each application
	Again    bool           // it only carries keys that the one before lacked
	Deadline time.Duration  // when it counts as lost
}

// Rejection is a refusal by the broker as a whole (law: rejected is not
// unreachable).
type Rejection struct {
	Code string // of the problem, broker/api
	Text string
}

// Revocation is why applications were closed before their leases' end.
type Revocation struct {
	Cause string   // one of the causes, or the reason code of a denial
	Apps  []string // ids, sorted
	Facts []string // for CausePosture: the addresses that got worse
	At    time.Duration
}

// Why a lease ended, beside reason codes of denials and the codes of
// rejections (broker/api).
const (
	CauseExpired      = api.CauseExpired
	CauseRevoked      = api.CauseRevoked
	CausePosture      = "posture-worse"
	CauseWithdrawn    = "withdrawn" // the broker no longer speaks of the application
	CauseReplaced     = "replaced"  // the broker has another tunnel for it, which needs a new key
	CauseUnusable     = "lease-unusable"
	CauseSignedOut    = "signed-out"
	CauseSignedIn     = "signed-in-again"
	CauseSessionEnded = "session-ended"
	CauseStopped      = "stopped"
	CausePaused       = "paused"                      // the person's own wish
	CauseByAdmin      = "signed-out-by-administrator" // of this computer
)

// Live reports whether the application's lease is in force at boot time at:
// the one test that opens a tunnel.
func (s State) Live(app string, at time.Duration) bool {
	a := s.Apps[app]
	return s.Session.SignedIn && !s.Stopped && s.Pause == nil && a.Lease != nil &&
		a.Lease.Until > at && a.Lease.KeyGen == a.KeyGen
}

// open lists the tunnels that may be open at boot time at, by application.
// Nothing else decides about tunnels.
func open(s State, at time.Duration) []plan.Tunnel {
	var list []plan.Tunnel
	for _, id := range s.ids() {
		if s.Live(id, at) {
			list = append(list, s.Apps[id].Lease.Tunnel.Clone())
		}
	}
	return list
}

// ids lists the known applications. Whatever goes over them goes in this order,
// so that equal states stay equal.
func (s State) ids() []string { return slices.Sorted(maps.Keys(s.Apps)) }

// apps lists the known applications by id.
func (s State) apps() []api.AppInfo {
	var list []api.AppInfo
	for _, id := range s.ids() {
		list = append(list, s.Apps[id].Info)
	}
	return list
}

// clone copies what Next writes to. Everything deeper is only ever replaced.
func (s State) clone() State {
	s.Apps = maps.Clone(s.Apps)
	if s.Apps == nil {
		s.Apps = map[string]App{}
	}
	return s
}

// Headlines: the state in one word.
const (
	SignedOutHeadline    = "signed_out"
	StartingHeadline     = "starting"
	OfflineHeadline      = "offline"
	CompliantHeadline    = "compliant"
	LimitedHeadline      = "limited"
	NotCompliantHeadline = "not_compliant"
	PausedHeadline       = "paused"
)

// Headline is the state in one word at boot time at: signed_out, paused (at the
// person's own wish), starting (the
// broker has not said anything yet, or is being asked again after a sleep),
// offline (it cannot be asked and nothing is open), compliant (everything is
// open), limited (some of it is) or not_compliant (nothing is).
func (s State) Headline(at time.Duration) string {
	if !s.Session.SignedIn {
		return SignedOutHeadline
	}
	if s.Pause != nil {
		return PausedHeadline
	}
	live, partly, refused := 0, false, s.Rejection != nil
	for id, a := range s.Apps {
		if s.Live(id, at) {
			live++
			partly = partly || a.Lease.Limited
			continue
		}
		over := a.Lease != nil || a.ClosedCause == "" || a.ClosedCause == CauseExpired
		refused = refused || len(a.Denied) > 0 || !over
	}
	switch {
	case live == 0 && !s.Online:
		return OfflineHeadline
	case live == 0 && refused:
		return NotCompliantHeadline
	case live == 0 && (!s.Answered || len(s.Apps) > 0):
		return StartingHeadline
	case live == 0 && s.Verdict == api.TierContraindicated:
		return NotCompliantHeadline
	case live < len(s.Apps) || partly:
		return LimitedHeadline
	}
	return CompliantHeadline
}
