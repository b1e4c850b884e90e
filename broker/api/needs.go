package api

// AppNeeds is what one application asks for: that the checks pass which it
// names, and the conditions beside them. It is told whole or not at all, and
// only to people who may have the application.
type AppNeeds struct {
	App        string      `json:"app"`
	Checks     []string    `json:"checks"` // names of checks of the same answer; none: it asks for no check
	Conditions []Condition `json:"conditions,omitempty"`
}

// Condition is something that an application asks for beside checks.
type Condition struct {
	Code    string  `json:"code"` // the reason that denies the application where it is not met
	Outcome Outcome `json:"outcome"`
}

// Part is one of the things that a check asks for; all of them must hold. It
// says what is looked at and how that came out, never what it is compared with.
type Part struct {
	Outcome Outcome `json:"outcome"`
	// Reads are addresses of facts, with "*" for the entry of a list, and the
	// Reads… words. Several are looked at together: none of them alone decides.
	Reads []string `json:"reads,omitempty"`
	// OneOf has, in place of Reads, things of which one is enough: two or more.
	OneOf []Choice `json:"one_of,omitempty"`
}

// Choice is one of several things of which one is enough.
type Choice struct {
	Outcome Outcome  `json:"outcome"`
	Reads   []string `json:"reads"`
}

// What a part may look at beside facts. A word has no dot, an address has one.
const (
	ReadsKey      = "key"      // the device key: what it claims, or what is proven of it
	ReadsHardware = "hardware" // which machine this is, as the broker knows it
	ReadsPerson   = "person"   // who signed in
	ReadsNetwork  = "network"  // where the request comes from
	ReadsTime     = "time"     // the time of day or the date, and no fact's age
)

// Limits of what is told of needs. What goes beyond is not told at all, so
// that no list is ever a piece of one.
const (
	MaxNeedsBytes   = 64 << 10 // of all texts together
	MaxNeedsApps    = 256
	MaxNeedsChecks  = 64 // of one application
	MaxConditions   = 8  // of one application
	MaxParts        = 16 // of one check
	MaxChoices      = 8  // of one part
	MaxReads        = 16 // of one part or choice
	MaxReadsAddress = 128
)
