// Package tell is what a machine under test says over its serial line, one JSON document a line.
package tell

import "github.com/postern-zt/postern/posture/fact"

// The cases, as the kernel's command line names them after Parameter.
const (
	Parameter = "postern.case="

	Healthy = "healthy" // encrypted root, packet filter; then it gets worse, step by step
	Bare    = "bare"    // nothing is protected
	Layered = "layered" // root and swap are logical volumes on one encrypted disk
)

// The steps of Healthy, in their order; the others have Started only.
const (
	Started  = "started"
	Stick    = "stick"    // a stick without encryption was mounted
	Swapped  = "swapped"  // memory goes to a partition without encryption
	Flushed  = "flushed"  // the packet filter's rules were removed
	Filtered = "filtered" // and set again
	Failed   = "failed"   // the machine could not go on; Error says why
)

// Document is what is true of the machine after one step.
type Document struct {
	Step   string      `json:"step"`
	Uptime int64       `json:"uptime_ms"` // of the kernel, when the report was complete
	Took   int64       `json:"took_ms"`   // reading the report
	Report fact.Report `json:"report"`
	Error  string      `json:"error,omitempty"`

	// Milliseconds from the beginning of the change to its end, to its event,
	// and to the report that holds it. Cause is the event's.
	Cause  string `json:"cause,omitempty"`
	Change int64  `json:"change_ms,omitempty"`
	Notice int64  `json:"notice_ms,omitempty"`
	Known  int64  `json:"known_ms,omitempty"`
}
