// Package localapi holds the words of the agent's local socket, and the client that command line and tray use.
//
// It is HTTP/1.1 with JSON bodies over a local socket of platform/ipc. Members
// are decoded strictly; members of a newer peer are ignored. A list that has
// nothing in it is written as [], never null or missing.
package localapi

import "time"

// States of the agent, as a person would name them. The zero value is none of
// them and is to be treated like StateSignedOut.
const (
	StateSignedOut    = "signed_out"    // nobody is signed in: no application can be reached
	StateStarting     = "starting"      // signed in, the first answer of the broker is outstanding
	StateOffline      = "offline"       // the broker cannot be asked; leases run to their own end
	StateCompliant    = "compliant"     // every enforced check passed
	StateLimited      = "limited"       // some ports or applications only
	StateNotCompliant = "not_compliant" // an enforced check failed
	StatePaused       = "paused"        // the person closed everything for a while; since level 2
)

// States of an application. The zero value is none of them and is to be
// treated like AppClosed.
const (
	AppReady      = "ready"      // a lease; the tunnel opens with the first connection
	AppConnecting = "connecting" // a lease, the tunnel is not up yet
	AppOpen       = "open"       // a lease and a tunnel that has shaken hands
	AppClosed     = "closed"     // no lease
	AppDenied     = "denied"     // the broker refused a lease; Reasons say why
)

// Status is everything a person may be shown of the agent, at one moment.
type Status struct {
	// Revision changes whenever anything else in the status does, except what
	// goes on by itself while all stays well: the counting down of leases, byte
	// counters, and when the machine was last read. It begins anywhere at each
	// start of the agent and says nothing but "other than before".
	Revision int64 `json:"revision"`
	// Version of the agent.
	Version string `json:"version"`
	// Scope is "system" or "user" (broker/api).
	Scope string `json:"scope"`
	// API is the agent's level of this protocol; 0 is level 1.
	API int `json:"api,omitempty"`
	// Socket is the path the agent listens on.
	Socket string `json:"socket"`
	// State is one of the State… words.
	State string `json:"state"`
	// Reasons are codes of why it does not go further, such as a refused enrolment.
	Reasons []string `json:"reasons"`
	// Message is one plain sentence that goes with State and Reasons.
	Message string `json:"message"`
	// User is nil when nobody is signed in.
	User *User `json:"user,omitempty"`
	// Foreign is true when User is somebody else than who asks: an
	// administrator of the machine may read and end such a session.
	Foreign bool `json:"foreign,omitempty"`
	// SessionEnds is when a new sign-in is needed, by this machine's wall
	// clock; zero when it is not known or nobody is signed in.
	SessionEnds time.Time `json:"session_ends,omitzero"`
	// Pause is set while the person has paused the access.
	Pause   *Pause  `json:"pause,omitempty"`
	Managed Managed `json:"managed,omitzero"`
	Broker  Broker  `json:"broker"`
	Device  Device  `json:"device"`
	Posture Posture `json:"posture"`
	Apps    []App   `json:"apps"`
	// Forecast lists what will fail when a dated rule starts.
	Forecast []Forecast `json:"forecast"`
	// LastRevocation is the last time access was taken away in this session.
	LastRevocation *Revocation `json:"last_revocation,omitempty"`
}

// User is the signed-in person, in the words of the ID token.
type User struct {
	Subject string `json:"sub"`
	Email   string `json:"email"`
	Name    string `json:"name"`
}

// Pause is a wish of the person to have everything closed for a while.
type Pause struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

// Managed says who looks after this machine's Postern, in the administrator's
// own words; all may be empty.
type Managed struct {
	By      string `json:"by,omitempty"`      // the organisation's name
	Support string `json:"support,omitempty"` // how to reach the helpdesk
}

// Broker is the other side, as last seen.
type Broker struct {
	URL       string `json:"url"` // "" when none is configured
	Reachable bool   `json:"reachable"`
	// ClockSkewMS is the device's wall clock minus the broker's, in milliseconds.
	ClockSkewMS int64 `json:"clock_skew_ms"`
}

// Device is this machine's record at the broker.
type Device struct {
	ID       string `json:"id"`
	UEID     string `json:"ueid"` // RFC 9711 section 4.2.1
	Enrolled bool   `json:"enrolled"`
	// HardwareID is the broker's word for the hardware, "none" when too little
	// identifies it; HardwareReason then says why.
	HardwareID     string `json:"hardware_id"`
	HardwareReason string `json:"hardware_reason"`
	Key            Key    `json:"key"`
}

// Key says where the device key lives (Protection: the device's own claim) and
// what the broker could prove of it (Attested), in the words of broker/api.
type Key struct {
	Protection string `json:"protection"`
	Attested   string `json:"attested"`
}

// Posture is the broker's judgement of the last accepted attestation.
type Posture struct {
	Verdict    string    `json:"verdict"` // tier of AR4SI: affirming, warning, contraindicated, none
	ObservedAt time.Time `json:"observed_at,omitzero"`
	Checks     []Check   `json:"checks"`
}

// Check is one check's outcome with a reason code, never the value compared.
type Check struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Outcome  string   `json:"outcome"`  // pass, fail, unknown
	Enforced bool     `json:"enforced"` // false: reported only, or not yet in force
	Remedy   Remedy   `json:"remedy"`
	Missing  []string `json:"missing"` // addresses of facts that were not known
	// From is when it begins to decide, RFC 3339, if it does not yet. A check
	// that is not enforced and has none only reports.
	From string `json:"from,omitempty"`
	// Parts are what it asks for, all of them; none when the broker does not
	// tell.
	Parts []Part `json:"parts,omitempty"`
}

// Part is one of the things that a check asks for: what is looked at and how
// that came out.
type Part struct {
	Outcome string `json:"outcome"` // pass, fail, unknown
	// Reads are addresses of facts, with "*" for the entry of a list, and the
	// Reads… words of broker/api. Several are looked at together.
	Reads []string `json:"reads,omitempty"`
	// OneOf has, in place of Reads, things of which one is enough.
	OneOf []Choice `json:"one_of,omitempty"`
}

// Choice is one of several things of which one is enough.
type Choice struct {
	Outcome string   `json:"outcome"`
	Reads   []string `json:"reads"`
}

// Needs is what an application asks for.
type Needs struct {
	// Checks are names of checks of Status.Posture; with none and no
	// conditions the application asks for nothing of this computer.
	Checks     []string    `json:"checks"`
	Conditions []Condition `json:"conditions"`
}

// Condition is something that an application asks for beside checks.
type Condition struct {
	Code    string `json:"code"` // the reason that closes the application where it is not met
	Outcome string `json:"outcome"`
}

// Remedy is how to get well again. Target is an id of platform/settings' table.
type Remedy struct {
	Text   string `json:"text"`
	Target string `json:"target"`
}

// App is one application and how it stands with it.
type App struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// State is one of the App… words.
	State string `json:"state"`
	// URL is what to open in a browser, "" while it cannot be reached.
	URL string `json:"url"`
	// LocalAddress is host:port to connect to on this machine.
	LocalAddress string   `json:"local_address"`
	Reasons      []string `json:"reasons"`
	// LeaseRemainingMS is how long the lease still runs if nothing renews it;
	// 0 without a lease.
	LeaseRemainingMS int64  `json:"lease_remaining_ms"`
	TunnelPublicKey  string `json:"tunnel_public_key"` // the device's end, base64
	RxBytes          int64  `json:"rx_bytes"`
	TxBytes          int64  `json:"tx_bytes"`
	// Needs is what it asks for, as of the broker's last answer; nil when the
	// broker does not tell.
	Needs *Needs `json:"needs,omitempty"`
}

// Forecast tells what will fail from a moment on.
type Forecast struct {
	Code   string   `json:"code"`
	Name   string   `json:"name"`
	From   string   `json:"from"` // RFC 3339
	Apps   []string `json:"apps"`
	Remedy Remedy   `json:"remedy"`
}

// Revocation is one time that access was taken away.
type Revocation struct {
	Cause string    `json:"cause"` // code: what got worse, or who said so
	App   string    `json:"app"`   // ids, joined by commas
	At    time.Time `json:"at"`
	// ClientMS is the time in milliseconds from learning the cause to the gate
	// being shut on this machine.
	ClientMS float64 `json:"client_ms"`
	// Code is Cause without the facts, and Facts are the addresses of those
	// that got worse. Since level 2.
	Code  string   `json:"code,omitempty"`
	Facts []string `json:"facts,omitempty"`
}

// Filled returns s with every nil list made an empty one, as it travels. It
// copies what it changes.
func (s Status) Filled() Status {
	s.Reasons = filled(s.Reasons)
	s.Forecast = append([]Forecast{}, s.Forecast...)
	for i := range s.Forecast {
		s.Forecast[i].Apps = filled(s.Forecast[i].Apps)
	}
	s.Posture.Checks = append([]Check{}, s.Posture.Checks...)
	for i := range s.Posture.Checks {
		s.Posture.Checks[i].Missing = filled(s.Posture.Checks[i].Missing)
	}
	s.Apps = append([]App{}, s.Apps...)
	for i := range s.Apps {
		s.Apps[i].Reasons = filled(s.Apps[i].Reasons)
		if n := s.Apps[i].Needs; n != nil {
			s.Apps[i].Needs = &Needs{Checks: filled(n.Checks), Conditions: append([]Condition{}, n.Conditions...)}
		}
	}
	return s
}

func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
