// Package fact holds the words of posture: states, reasons, facts, reports, and what "worse" means.
package fact

// State says how much is known about a signal or a fact. The zero value means
// nothing was recorded and is treated exactly like Unknown.
//
// Who may set which state, and what fails closed:
//
//	observed        a collector read it from the system; the only state that can satisfy a check
//	absent          a collector looked in every place it knows and the thing is not there
//	                (a negative finding, not an error); its attributes hold their negative value
//	unknown         a collector could not read it; always with a Reason; fails closed
//	not_applicable  only the broker may decide that a check does not apply; when a client
//	                sends it for a required check the check is denied
//	conflict        two sources disagree; both are kept; never passes
type State string

// The states, named by hand because they travel.
const (
	Unknown       State = "unknown"
	Observed      State = "observed"
	Absent        State = "absent"
	NotApplicable State = "not_applicable"
	Conflict      State = "conflict"
)

// Valid reports whether s is one of the five states. The empty string is not:
// it may exist in memory but never on the wire.
func (s State) Valid() bool {
	switch s {
	case Unknown, Observed, Absent, NotApplicable, Conflict:
		return true
	}
	return false
}

// Usable reports whether values carried under s may be given to a policy.
// Everything but a finding, positive or negative, fails closed.
func (s State) Usable() bool { return s == Observed || s == Absent }

// Reason is a stable code that says why something is not observed. The
// sentence for people and the fix belong to posture/catalogue.
type Reason string

// The reasons a collector may give.
const (
	ReasonToolMissing    Reason = "tool-missing"           // the program or file the reading needs is not installed
	ReasonNeedsPrivilege Reason = "needs-privilege"        // the system refused the reading to this user
	ReasonTimeout        Reason = "timeout"                // no answer within the collector's deadline
	ReasonBusy           Reason = "busy"                   // the system asked to try again
	ReasonUnreadable     Reason = "unreadable-output"      // an answer came that the collector cannot interpret
	ReasonUnsupported    Reason = "unsupported-system"     // this system has no source that the collector knows
	ReasonDisagree       Reason = "sources-disagree"       // two sources gave different answers
	ReasonStale          Reason = "stale"                  // the last good reading is older than its validity
	ReasonNotFound       Reason = "not-found"              // looked for in every known place, not there
	ReasonNotReported    Reason = "not-reported"           // a required fact is missing from a report
	ReasonOddIdentity    Reason = "identity-mismatch"      // found, but its hash or signer is not the declared one
	ReasonNotRunning     Reason = "not-running"            // installed, no process of it runs
	ReasonTruncated      Reason = "too-many-to-list"       // the list was cut at its limit
	ReasonNotYetRead     Reason = "not-yet-read"           // the first reading has not finished
	ReasonNotRecorded    Reason = "not-recorded"           // the recording of this machine does not hold it
	ReasonRefused        Reason = "forbidden-here"         // managed settings forbid to read it
	ReasonNoRelease      Reason = "release-not-in-table"   // the table of releases does not know this release
	ReasonRolling        Reason = "rolling-release"        // the distribution has no releases, so no end of support
	ReasonJunk           Reason = "shared-identifier"      // the identifier is one that many machines have
	ReasonNobody         Reason = "nobody-logged-in"       // it is a person's setting, and nobody is logged in
	ReasonSuspended      Reason = "protection-suspended"   // encrypted, but protection is switched off for a while
	ReasonClearKey       Reason = "clear-key"              // encrypted, but the key lies beside the data
	ReasonConverting     Reason = "conversion-running"     // encryption or decryption has not finished
	ReasonNotRegistered  Reason = "not-registered"         // the product does not know its organisation
	ReasonReduced        Reason = "reduced-function"       // the product runs with less than it should
	ReasonOldDefinitions Reason = "definitions-old"        // the product says that its definitions are out of date
	ReasonOddOwner       Reason = "wrong-owner"            // the program belongs to, or runs as, somebody who may not be trusted with it
	ReasonMalformed      Reason = "malformed-value"        // a value of another type or form than the system writes
	ReasonClaimedNA      Reason = "claimed-not-applicable" // a client said a required check does not apply
)

// Transient reports whether a reading that failed for this reason may simply
// be repeated: the last good value then stands for its validity. Everything
// else (a disappearance, a refusal) counts at once.
func (r Reason) Transient() bool { return r == ReasonTimeout || r == ReasonBusy }
