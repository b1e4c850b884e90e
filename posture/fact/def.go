package fact

import (
	"slices"
	"time"
)

// Limits of a report (protocol, "Attest").
const (
	MaxString  = 256             // bytes of one string
	MaxEntries = 64              // entries of one list
	MaxFacts   = 16 * MaxEntries // facts of one signal
)

// DefaultValidity is how long the last good value of a fact stands when a
// re-read fails for a transient reason.
const DefaultValidity = 60 * time.Second

// Order says which of two values of a fact is the worse one.
type Order string

// The orders.
const (
	HigherIsBetter Order = "higher" // versions
	LowerIsBetter  Order = "lower"  // durations that a setting allows
	LaterIsBetter  Order = "later"  // timestamps
	TrueIsBetter   Order = "true"
	FalseIsBetter  Order = "false"
	Ranked         Order = "ranked"   // Def.Ranks, worst first
	Identity       Order = "identity" // any change is worse: the thing is another thing now
	Neutral        Order = "neutral"  // describes; a change is neither better nor worse
)

// Def declares one fact: its place, type, order and validity.
type Def struct {
	Signal   string
	Field    string
	Keyed    bool // one per list entry, addressed signal[key].field
	Kind     Kind
	Order    Order
	Ranks    []string // for Enum: the closed list; with Order Ranked, worst first
	Validity time.Duration
	Negative Value // what the attribute reads when the signal or entry is absent
	Meaning  string
}

// Defs lists every fact. A fact that is not here does not exist: the broker
// refuses a report that carries one under a known signal.
func Defs() []Def { return slices.Clone(table) }

// table and index are made once and never changed: every fact of every report
// is looked up in them.
var (
	table = declare()
	index = indexed(table)
)

type place struct {
	signal, field string
	keyed         bool
}

func indexed(defs []Def) map[place]Def {
	m := make(map[place]Def, len(defs))
	for _, d := range defs {
		m[place{d.Signal, d.Field, d.Keyed}] = d
	}
	return m
}

func declare() []Def {
	out := slices.Concat(osDefs(), patchDefs(), diskDefs(), firewallDefs(), edrDefs(),
		integrityDefs(), screenLockDefs(), enrolmentDefs(), deviceDefs(), customDefs())
	for i := range out {
		if out[i].Validity == 0 {
			out[i].Validity = DefaultValidity
		}
	}
	return out
}

// Lookup finds the declaration of a fact.
func Lookup(signal, field string, keyed bool) (Def, bool) {
	d, ok := index[place{signal, field, keyed}]
	return d, ok
}

// Clip cuts s to MaxString bytes at a character boundary.
func Clip(s string) string {
	if len(s) <= MaxString {
		return s
	}
	n := MaxString
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
