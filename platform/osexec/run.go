// Package osexec runs other programs: system tools from a list, with bounds on everything, and our own executable as a child that dies with us.
package osexec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// DefaultTimeout bounds a command whose context has no deadline.
	DefaultTimeout = 10 * time.Second
	// MaxOutput is how many bytes of standard output, and as many of standard
	// error, are kept. What follows is read and thrown away.
	MaxOutput = 1 << 20
	// drainTime is how long a finished command's pipes may stay open in the
	// hands of processes it left behind.
	drainTime = time.Second
)

// ErrNotAllowed is in the chain of the error for a name that is not in the list.
var ErrNotAllowed = errors.New("not in the list of allowed commands")

// List names the commands that may be run: for each name the absolute paths
// where it may be, the first that is there is taken. PATH is never searched.
type List map[string][]string

// Command is one command to run. Its zero value is not allowed to run.
type Command struct {
	List List
	Name string   // a name in List
	Args []string // the arguments after the name; no shell sees them
}

// Output is what a command wrote, at most MaxOutput bytes of each.
type Output struct {
	Stdout, Stderr []byte
	// Truncated says that something is missing: more was written than is
	// kept, or a process left behind still held the output open.
	Truncated bool
}

// MissingError says that none of the paths listed for Name is an executable file.
type MissingError struct{ Name string }

func (e *MissingError) Error() string { return e.Name + " is not installed" }

// TimeoutError says that a command was killed when its time was over. It
// unwraps to context.DeadlineExceeded.
type TimeoutError struct {
	Name  string
	After time.Duration // how long it had run
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s did not end within %v", e.Name, e.After.Round(time.Millisecond))
}

func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// ExitError says that a program ended with another code than 0.
type ExitError struct {
	Name string
	// Code is the exit code, -1 if a signal ended the program.
	Code int
	// Stderr is what a command wrote to standard error; nil for a Child.
	Stderr []byte
	state  string
}

func (e *ExitError) Error() string { return e.Name + " ended with " + e.state }

// Run runs a command from the list l; see the function Run.
func (l List) Run(ctx context.Context, name string, args ...string) (Output, error) {
	return Run(ctx, Command{List: l, Name: name, Args: args})
}

// Run runs c to its end. Standard input is empty; the environment is LC_ALL=C
// and a PATH of system folders, without HOME (Windows: SystemRoot and what
// hangs on it); the working folder is the root.
//
// It is killed at the deadline of ctx, or after DefaultTimeout if there is
// none; on Unix its whole process group is, on Windows the process alone. The
// error is one with ErrNotAllowed in its chain, a *MissingError, a
// *TimeoutError, an *ExitError (Output then holds what was written), or, when
// ctx was cancelled, one with context.Canceled in its chain.
func Run(ctx context.Context, c Command) (Output, error) {
	path, err := c.List.find(c.Name)
	if err != nil {
		return Output{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
	}
	stdout, stderr := &capped{}, &capped{}
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Env, cmd.Dir = minimalEnv(), rootDir()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = drainTime
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd.Process) }

	began := time.Now()
	err = cmd.Run()
	out := Output{Stdout: stdout.buf.Bytes(), Stderr: stderr.buf.Bytes(), Truncated: stdout.over || stderr.over}
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		// It ended well, but something it started still has its output.
		killGroup(cmd.Process)
		out.Truncated = true
		err = nil
	}
	return out, runError(ctx, c.Name, err, out.Stderr, time.Since(began))
}

func runError(ctx context.Context, name string, err error, stderr []byte, ran time.Duration) error {
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &TimeoutError{Name: name, After: ran}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("run %s: %w", name, ctx.Err())
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &ExitError{Name: name, Code: exit.ExitCode(), Stderr: stderr, state: exit.ProcessState.String()}
	}
	return fmt.Errorf("run %s: %w", name, err)
}

// find returns the first path listed for name that is an executable file.
func (l List) find(name string) (string, error) {
	paths, ok := l[name]
	if !ok {
		return "", fmt.Errorf("run %q: %w", name, ErrNotAllowed)
	}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return "", fmt.Errorf("run %q: %q is not an absolute path: %w", name, path, ErrNotAllowed)
		}
		if info, err := os.Stat(path); err == nil && executable(info) {
			return path, nil
		}
	}
	return "", &MissingError{Name: name}
}

// capped keeps the first MaxOutput bytes and swallows the rest, so that a
// talkative command ends instead of blocking.
type capped struct {
	buf  bytes.Buffer
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	keep := min(len(p), MaxOutput-c.buf.Len())
	c.buf.Write(p[:keep])
	c.over = c.over || keep < len(p)
	return len(p), nil
}
