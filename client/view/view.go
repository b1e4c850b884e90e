// Package view turns what the agent says into what a person is shown: one headline, what is wrong, and what helps.
//
// It is pure: the same input gives the same view. Menu, status page and
// command line show the same view, so that they never tell different stories.
package view

import (
	"time"

	"github.com/postern-zt/postern/client/localapi"
)

// Trouble is why nothing can be shown of an agent. The zero value is none.
type Trouble string

// Troubles.
const (
	NoTrouble    Trouble = ""
	NotRunning   Trouble = "agent_not_running"       // nobody listens
	NotAnswering Trouble = localapi.CodeNotAnswering // somebody listens, and says nothing
	NoAccess     Trouble = "socket_not_yours"        // the system does not let this user connect
	NotOwner     Trouble = "not_owner"               // another user of this machine is signed in
	Refused      Trouble = "refused"                 // the agent refuses for another reason; Input.Code says which
	Connecting   Trouble = "connecting"              // nothing was asked yet
)

// Moods of a view: what the icon and the colour of the headline say. They are
// also the tray's icon names.
const (
	MoodHealthy    = "healthy"
	MoodAttention  = "attention"
	MoodClosed     = "closed"
	MoodConnecting = "connecting"
	MoodSignedOut  = "signed_out"
	MoodOffline    = "offline"
)

// View is what a person is shown. All texts are in one language, one sentence
// or a short phrase each, and plain: no control characters.
type View struct {
	Language string  // BCP 47, of the texts
	Trouble  Trouble // as in the input
	State    string  // localapi.State… word, for scripts and styles; "" in trouble
	Mood     string  // one of the Mood… words
	Headline string  // "3 apps open · device healthy"
	Detail   string  // a second sentence, or ""
	Hint     string  // what to do about Headline and Detail, or ""
	Code     string  // the stable code behind Headline and Detail, or ""

	Person   string // who is signed in, "" when nobody is
	Ends     string // "Sign in again before 17:40", "" when that is far or unknown
	EndsNote string // what signing in again does, beside Ends
	SignIn   string // what Actions.SignIn is called now: "Sign in", "Sign in again"
	Pause    *Pause // set while paused
	Apps     []App
	NoApps   string  // said in place of Apps when there are none; "" when there are some
	Faults   []Fault // what is wrong: required ones first; each once
	Wrong    string  // heads Faults: "What is wrong (2)", "Recommended (1)"; "" without faults
	Problems int     // how many of Faults are required
	Coming   []Coming
	Closed   *Closed // the last time access was taken away, if it was
	Actions  Actions
	About    []Row // version, agent, broker, device, key, managed by, help; IDs are the Row… words
	Notes    []Row // odd but harmless: an older agent, a clock that is off

	// Until is when the view has to be made anew though nothing was heard of
	// the agent, because time alone changes its words; zero: never.
	Until time.Time
}

// App is one application.
type App struct {
	ID      string
	Name    string
	State   string // localapi.App… word, for scripts and styles
	Says    string // the state in words: "open", "closed", "paused"
	Good    bool   // it can be used: open, or opening with the first connection
	Paused  bool   // closed at the person's own wish, and for nothing else: no fault
	NotMine bool   // it is not meant for this person: no fault
	URL     string // to open in a browser, "" when there is nothing to open
	Address string // host:port on this machine, to copy; "" when there is none
	Why     []Reason
}

// Reason is why an application is closed. There is always a Text, and a Fix.
type Reason struct {
	Code  string // "" when no reason is known yet
	Text  string
	Fix   Fix
	Whole bool // it is not about this application: everything is closed for it
}

// Fault is one thing that is wrong with this machine, or not known of it.
type Fault struct {
	Code     string   // of the check or the reason, or the address of the fact when there is neither
	Title    string   // what is wrong: "The system disk is not encrypted"
	Check    string   // the administrator's name of the check, "" for a reason that is none, or a reading of our own
	Why      []string // what is behind it, from the reading of the machine; may be empty
	Required bool     // applications are closed because of it; else it is advice
	Unknown  bool     // it could not be read
	Apps     []string // names of the applications that are closed for it
	Fix      Fix
}

// Fix is what helps. The administrator's own text wins over ours. Where nothing
// better is known, it is whom to ask, and what to tell them.
type Fix struct {
	Text string // "" only of what is coming, or is met
	Page string // id of a page of platform/settings that this system has, "" for none
}

// Coming is something that will fail from a moment on.
type Coming struct {
	Code  string
	Title string
	From  time.Time // zero when the broker's word could not be read
	When  string    // "from 3 December"
	Apps  []string
	Fix   Fix
}

// Closed is the last time access was taken away.
type Closed struct {
	At     time.Time
	When   string // "today 14:30"
	Apps   []string
	Why    string // one sentence
	TookMS float64
}

// Pause is what is shown while everything is closed at the person's own wish.
type Pause struct {
	Reason string
	Until  time.Time
	Says   string // "Paused until 14:30: …"
}

// Actions are what the person can do now.
type Actions struct {
	SignIn, Cancel, SignOut, Switch bool // Cancel: the sign-in under way
	Check, Pause, Resume            bool
	Sent, Timeline                  bool
	Retry                           bool // ask the agent again: there is nothing to show of it
}

// Row is a name and a value.
type Row struct {
	ID    string // for styles and scripts: one of the Row… words
	Name  string
	Value string
}

// IDs of rows.
const (
	RowPerson   = "person"
	RowVersion  = "version" // of the program that shows
	RowAgent    = "agent"   // version and scope of the agent
	RowBroker   = "broker"
	RowDevice   = "device"
	RowKey      = "key"
	RowHardware = "hardware"
	RowClock    = "clock"
	RowManaged  = "managed"
	RowSupport  = "support"
	RowOlder    = "older"  // the agent knows less than the program that shows
	RowAccess   = "access" // some applications in part only
	RowRead     = "read"   // when the machine was last read
)

// Explanation is what is known of why one application is open or closed. It
// names checks and outcomes, never what a check compares with.
type Explanation struct {
	App   App
	Known bool   // false: there is no such application; Says tells it
	Says  string // one sentence: "Payroll is closed: …"
	Since string // "Closed since today 14:02", "" when it is not known
	Told  bool   // Unmet, Met and Later are all that it asks for, and nothing else
	Unmet []Need // what this application needs and does not have
	Met   []Need // what it needs and has; unless Told, every check of this computer that passes
	Later []Need // what does not decide yet, or never: see their State
	Note  string // what is not known about them, or ""
	Next  []string
	Do    []Fix // what the person can do; empty: nothing is known, or needed
}

// Asked is what one application asks for.
type Asked struct {
	App   string // its id
	Told  bool   // Needs is all of it; else the broker does not tell, and nothing is known
	Needs []Need // in the broker's order
}

// Need is one requirement.
type Need struct {
	Code    string
	Name    string // the administrator's name of the check, or our words
	Outcome string // pass, fail, unknown
	State   string // one of the Need… words
	Says    string // the state in words: "met", "from 1 December · not met"
	When    string // "from 1 December", of what is coming; "" for what decides now
	From    time.Time
	Why     []string
	Parts   []NeedPart // what it looks at, where the broker tells it
	Fix     Fix
}

// NeedPart is one of the things that a requirement asks for; all must hold.
type NeedPart struct {
	Outcome string // pass, fail, unknown
	Says    string // the outcome in words
	Text    string // "Disk encryption: System disk"
}

// States of requirements.
const (
	NeedMet        = "met"
	NeedUnmet      = "not_met"
	NeedUnsure     = "unknown"     // a fact it needs is not known, and so it closes
	NeedLetThrough = "let_through" // a fact it needs is not known, and it closes nothing for that
	NeedChanged    = "changed"     // what it looks at got worse; the broker has not judged it again
	NeedComing     = "coming"      // it begins to decide at From
	NeedReported   = "reported"    // it only reports
)

// Event is one thing that happened, in words.
type Event struct {
	At   time.Time
	When string // "today 14:30:07"
	Text string // "Payroll closed: the system disk is not encrypted"
	Kind string // localapi.Event… word
	Code string // "" when there is none
	Bad  bool   // access was lost

	TookMS float64 // how long closing took on this machine; 0 for other events
}

// Posted is what last left this machine, in words.
type Posted struct {
	At      time.Time // zero: nothing was sent in this session
	When    string
	To      string
	Outcome string // localapi.Sent… word
	Says    string // one sentence: when, to whom, with what outcome
	Parts   []Part
	Stays   []string // what never leaves
}

// Part is what was said of one signal, or of the device itself.
type Part struct {
	Name  string // of the signal, for scripts
	Title string
	Lines []Row // facts in words
}

// Proof is that the machine was read again.
type Proof struct {
	At    time.Time
	Says  string // "Read again at 14:03:07 · 10 signals, 1 changed"
	Told  string // whether the broker has answered to it; "" when it has and nothing needs saying
	Parts []Part // per signal: when before, when now, what changed
}
