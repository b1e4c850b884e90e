// Package watch tells when something of a kind may have changed on this machine.
package watch

import "time"

// The causes of an Event.
const (
	CauseExit     = "exit"     // a watched process has ended
	CauseExec     = "exec"     // a watched executable was opened, as it is when it starts
	CauseReplaced = "replaced" // a watched executable was put there, changed, moved or taken away
	CauseLost     = "lost"     // the system dropped notices: anything may have changed
)

// Event says that facts of one kind should be read again. It says when, not
// what is true now.
type Event struct {
	Kind  string        // the fact signal that the caller gave, such as "edr"
	Cause string        // one of the Cause… words
	Path  string        // the executable, where one is concerned
	PID   int           // the process, where one is concerned
	At    time.Duration // clock.Boot() when the notice was taken from the system
}
