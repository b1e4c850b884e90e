package desktop

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// Patience bounds every wait for a part of the desktop. It is for a machine
	// much slower than most; nothing takes a tenth of it on an idle one.
	Patience = 60 * time.Second
	// grace is how long a process may take to end when it is asked to.
	grace = 10 * time.Second
	// beat is how often something is looked at that nobody tells of.
	beat = 25 * time.Millisecond
)

// Until looks at something until it is there. It gives up after a while with
// what was waited for and the last error of the look.
func Until(what string, within time.Duration, look func() (bool, error)) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		done, err := look()
		if done {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			if err != nil {
				return fmt.Errorf("wait for %s: not within %v: %w", what, within, err)
			}
			return fmt.Errorf("wait for %s: not within %v", what, within)
		}
	}
}

// Process is a program that runs in a desktop.
type Process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // once done is closed
}

// launch starts a program that ends with this process, should that die, and
// whose output goes to a file.
func launch(log string, env []string, name string, args ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	return begin(cmd)
}

func begin(cmd *exec.Cmd) (*Process, error) {
	name := filepath.Base(cmd.Path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Start()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{name: name, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is what the process ended with, once Done is closed: nil or an
// *exec.ExitError.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the process to end (SIGTERM), ends it if it does not within ten
// seconds, and waits for it. What it was killed for is an error.
func (p *Process) Stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if p.ended(grace) {
		return nil
	}
	p.Kill()
	return fmt.Errorf("end %s: did not end within %v when asked", p.name, grace)
}

// Kill ends the process at once (SIGKILL) and waits for it.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func (p *Process) ended(within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// mark is the variable by which the processes of a desktop are known, also
// those that its bus or a program started.
const mark = "POSTERN_DESKTOP="

// marked lists the processes whose environment has the mark of the folder, with
// their command lines.
func marked(dir string) map[int]string {
	found := map[int]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	want := []byte(mark + dir)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // another user's, or gone
		}
		for variable := range bytes.SplitSeq(environ, []byte{0}) {
			if bytes.Equal(variable, want) {
				line, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
				found[pid] = strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
	}
	return found
}

// sweep waits until no process of the folder is left. Those that stay are
// killed and named in the error.
func sweep(dir string, within time.Duration) error {
	err := Until("the end of all processes", within, func() (bool, error) {
		left := marked(dir)
		return len(left) == 0, fmt.Errorf("left behind: %v", left)
	})
	if err == nil {
		return nil
	}
	for pid := range marked(dir) {
		if kill := syscall.Kill(pid, syscall.SIGKILL); kill != nil && !errors.Is(kill, syscall.ESRCH) {
			err = errors.Join(err, kill)
		}
	}
	return errors.Join(err, Until("the end of what was left", grace, func() (bool, error) { return len(marked(dir)) == 0, nil }))
}

// removeAll removes a folder in which a process that is just ending may still
// write.
func removeAll(dir string) error {
	return Until("the folder to be empty", grace, func() (bool, error) {
		err := os.RemoveAll(dir)
		return err == nil || errors.Is(err, fs.ErrNotExist), err
	})
}
