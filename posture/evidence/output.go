package evidence

import (
	"context"
	"fmt"
	"strings"

	"github.com/postern-zt/postern/posture/fact"
)

// Text runs a command that is expected to end with code 0 and gives what it
// wrote to standard output. Another code is an *Error: needs-privilege where
// the program says so in the words that programs use for it, otherwise
// unreadable-output.
func Text(ctx context.Context, m Machine, name string, args ...string) ([]byte, error) {
	out, err := m.Run(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	if out.Code != 0 {
		return nil, Failure(name, out)
	}
	return out.Stdout, nil
}

// Failure is the error that stands for a command which ended with another code
// than 0. Programs say "not allowed" only in words; LC_ALL=C keeps them
// English, except on Windows.
func Failure(name string, out Output) error {
	why := fact.ReasonUnreadable
	said := strings.ToLower(string(out.Stderr) + "\n" + string(out.Stdout))
	for _, words := range []string{
		"operation not permitted", "permission denied", "must be root", "as root", "root privileges",
		"requires root", "need to be root", "superuser", "not authorized", "access is denied",
	} {
		if strings.Contains(said, words) {
			why = fact.ReasonNeedsPrivilege
		}
	}
	return &Error{Reason: why, Op: "run " + name, Code: fmt.Sprint("exit ", out.Code), Err: fmt.Errorf("ended with code %d", out.Code)}
}
