package osexec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// stopTime is how long a child may take to end after its context is cancelled
// and it was asked to (Unix: SIGTERM), before it is killed.
const stopTime = 5 * time.Second

// Self says how a child is started.
type Self struct {
	Args []string // the arguments after the program's name
	// Env is added, as "NAME=value", to the environment that Run gives.
	Env []string
	// Stdin is what the child reads; nil is an empty input. An *os.File, such
	// as the read end of os.Pipe, is handed over as it is.
	Stdin io.Reader
	// Stdout and Stderr are where the child writes; nil throws it away.
	Stdout, Stderr io.Writer
	Dir            string // the working folder, "" for ours
}

// Child is a running program that was started here.
type Child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and err is set
	err  error
}

// StartSelf starts our own executable (os.Executable) as a child that dies with
// this process, even if this process is killed: see Start.
func StartSelf(ctx context.Context, s Self) (*Child, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start own executable: %w", err)
	}
	return Start(ctx, path, s)
}

// Start starts the program at an absolute path as a long-lived child, which
// gets its own process group on Unix, so that Ctrl-C in a terminal reaches it
// only through us. When ctx is cancelled it is asked to end and, after 5 s,
// killed. The caller must Wait for it, or cancel ctx.
//
// When this process ends, in whatever way, the child is killed: on Linux by
// PR_SET_PDEATHSIG (prctl(2)), on Windows by a job object with kill-on-close.
// macOS has neither; there, and on every Unix, a pipe from us closes, which the
// child notices if its main has called DieWithParent.
func Start(ctx context.Context, path string, s Self) (*Child, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("start %s: not an absolute path: %w", path, ErrNotAllowed)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	cmd := exec.CommandContext(ctx, path, s.Args...)
	cmd.Env = append(minimalEnv(), s.Env...)
	cmd.Dir = s.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.Stdin, s.Stdout, s.Stderr
	cmd.WaitDelay = stopTime
	cmd.Cancel = func() error { return terminate(cmd.Process) }
	ownGroup(cmd)

	c := &Child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go c.run(started) // ends with the child; Wait waits for it
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return c, nil
}

// run starts the child and waits for its end, all on one thread.
func (c *Child) run(started chan<- error) {
	defer close(c.done)
	release := lockToThread()
	defer release()
	held, err := startTied(c.cmd)
	if err != nil {
		started <- err
		return
	}
	defer held.Close()
	started <- nil
	err = c.cmd.Wait()
	if state := c.cmd.ProcessState; state != nil && state.Success() {
		// It ended well, if perhaps because ctx was cancelled or while
		// something else still held its output open.
		err = nil
	}
	c.err = runError(context.Background(), filepath.Base(c.cmd.Path), err, nil, 0)
}

// PID returns the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Wait returns when the child has ended: nil for exit code 0, else an
// *ExitError, also when it was told to end. It may be called more than once and
// from several goroutines.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

// Done returns a channel that is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Terminate asks the child to end: SIGTERM on Unix. Windows has no such request
// for a process without a window; there it is Kill. A child that has already
// ended is no error.
func (c *Child) Terminate() error { return c.signal(terminate) }

// Kill ends the child at once, on Unix its whole process group. A child that
// has already ended is no error.
func (c *Child) Kill() error { return c.signal(killGroup) }

func (c *Child) signal(how func(*os.Process) error) error {
	select {
	case <-c.done:
		return nil
	default:
	}
	if err := how(c.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", filepath.Base(c.cmd.Path), err)
	}
	return nil
}
