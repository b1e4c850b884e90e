// Package evidence is the machine being examined: what a collector may read, recorded and replayed.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/postern-zt/postern/posture/fact"
)

// System is the kind of operating system under examination.
type System string

// The systems.
const (
	Linux   System = "linux"
	Windows System = "windows"
	MacOS   System = "darwin"
)

// MaxFile is the most bytes of one file or one command's output that a
// collector is given; more is cut and Truncated says so.
const MaxFile = 4 << 20

// Machine is everything a collector may ask. Collectors are pure functions of
// it: the live one is platform/machine, a recorded one is a folder, and Memory
// is a machine made by hand. Every error is an *Error or wraps one, so that
// its reason reaches the report.
type Machine interface {
	// System tells which collectors' sources exist here.
	System() System
	// Now is the machine's wall clock; a replay tells the time of the recording.
	Now() time.Time
	// ReadFile reads at most MaxFile bytes.
	ReadFile(ctx context.Context, path string) ([]byte, error)
	// ReadDir lists the names in a folder, sorted.
	ReadDir(ctx context.Context, path string) ([]string, error)
	// ReadLink tells where a symbolic link points.
	ReadLink(ctx context.Context, path string) (string, error)
	// Stat tells size, mode and time of change of what path leads to.
	Stat(ctx context.Context, path string) (Info, error)
	// SHA256 is the lower-case hex digest of a regular file.
	SHA256(ctx context.Context, path string) (string, error)
	// Run executes a command of the machine's allow-list, by name.
	Run(ctx context.Context, name string, args ...string) ([]byte, error)
	// Processes lists the running processes this user may see.
	Processes(ctx context.Context) ([]Process, error)
}

// Info is what Stat tells of a file.
type Info struct {
	Size    int64       `json:"size"` // bytes
	Mode    fs.FileMode `json:"mode"`
	ModTime time.Time   `json:"mod_time"`
}

// Process is one running process.
type Process struct {
	PID        int    `json:"pid"`
	Name       string `json:"name"`                 // short name, as the kernel keeps it
	Executable string `json:"executable,omitempty"` // absolute path, empty when this user may not see it
	Deleted    bool   `json:"deleted,omitempty"`    // the file it was started from is gone or replaced
}

// Error says why something could not be read, in the report's own words.
type Error struct {
	Reason fact.Reason
	Op     string // what was read: "read /etc/os-release"
	Err    error  // the cause, for logs
}

// Error reads: what was being done, the reason, the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Op, e.Reason)
	}
	return fmt.Sprintf("%s: %s: %v", e.Op, e.Reason, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wrap makes an *Error of any error of the operating system, mapping the
// kinds that have a reason of their own.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	return &Error{Reason: reasonFor(err), Op: op, Err: err}
}

func reasonFor(err error) fact.Reason {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fact.ReasonNotFound
	case errors.Is(err, fs.ErrPermission):
		return fact.ReasonNeedsPrivilege
	case errors.Is(err, context.DeadlineExceeded):
		return fact.ReasonTimeout
	case errors.Is(err, context.Canceled):
		return fact.ReasonTimeout
	}
	return fact.ReasonUnreadable
}

// ReasonOf is the reason inside err, or unreadable-output when it carries none.
func ReasonOf(err error) fact.Reason {
	var known *Error
	if errors.As(err, &known) {
		return known.Reason
	}
	return reasonFor(err)
}
