// Package view turns what a person is shown into a tray menu, as plain comparable data.
package view

import "slices"

// Icons of the tray. Each has a shape of its own: colour is never the only sign.
const (
	IconHealthy    = "healthy"    // what was leased is open or ready
	IconAttention  = "attention"  // open, but something asks for a look
	IconClosed     = "closed"     // something is closed that the person could have
	IconConnecting = "connecting" // signed in, no answer yet
	IconSignedOut  = "signed_out" // nobody is signed in, or the access is paused
	IconOffline    = "offline"    // no agent, or no broker
)

// Icons lists every icon name.
func Icons() []string {
	return []string{IconHealthy, IconAttention, IconClosed, IconConnecting, IconSignedOut, IconOffline}
}

// Menu is everything a tray shows at one moment.
type Menu struct {
	Icon    string // one of the Icon… names
	Tooltip string // one line
	Items   []Item // never empty
}

// Item is one entry. The zero Item is an empty text that cannot be chosen.
type Item struct {
	// ID names the entry for whoever drives or tests the menu; unique in it,
	// "" for separators.
	ID   string
	Text string
	// Do is what choosing the entry asks for; the zero Action means that it
	// cannot be chosen (it is drawn disabled unless it has Items).
	Do        Action
	Checked   bool
	Separator bool
	Items     []Item // of the submenu, if any
}

// Action is what choosing an entry asks for: a Kind with, where the kind needs
// one, its Argument.
type Action struct {
	Kind     string // one of the Do… words
	Argument string
}

// Kinds of actions.
const (
	DoSignIn   = "sign_in"
	DoSignOut  = "sign_out"
	DoSwitch   = "switch"  // sign out, then in as somebody else
	DoCheck    = "check"   // read everything again
	DoPause    = "pause"   // Argument: a choice for PauseOf
	DoResume   = "resume"  //
	DoOpenApp  = "open"    // Argument: the application's id
	DoCopyApp  = "copy"    // Argument: the application's id
	DoFix      = "fix"     // Argument: an id of platform/settings
	DoDetails  = "details" // the status page; Argument: one of the Section… words, "" for the top
	DoCancel   = "cancel"  // the sign-in under way
	DoRetry    = "retry"   // ask the agent again now
	DoQuitTray = "quit"    // ends the tray, never the agent
)

// Sections of the status page that the menu opens.
const (
	SectionTop      = ""
	SectionFaults   = "faults"
	SectionApps     = "apps"
	SectionComing   = "coming"
	SectionMachine  = "machine"
	SectionSent     = "sent"
	SectionTimeline = "timeline"
	SectionAbout    = "about"
)

// Equal reports whether two menus are drawn and act the same.
func (m Menu) Equal(n Menu) bool {
	return m.Icon == n.Icon && m.Tooltip == n.Tooltip && slices.EqualFunc(m.Items, n.Items, Item.Equal)
}

// Equal reports whether two entries are drawn and act the same.
func (i Item) Equal(j Item) bool {
	return i.ID == j.ID && i.Text == j.Text && i.Do == j.Do && i.Checked == j.Checked && i.Separator == j.Separator &&
		slices.EqualFunc(i.Items, j.Items, Item.Equal)
}
