// Package lab runs the real programs on one machine and watches them from outside: for the demo, end-to-end tests and benchmarks.
package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/postern-zt/postern/broker/dev"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/osexec"
)

// World is one broker with its gateway and sample apps, in a folder of its own.
type World struct {
	Bin   string // folder of the programs
	Dir   string // folder of everything this world writes
	Lease time.Duration
	Clock clock.Clock // the boot clock, one for all processes of the machine
	Log   io.Writer

	Info    dev.Info
	ctx     context.Context
	child   *osexec.Child
	in      io.WriteCloser
	answers chan string
	mu      sync.Mutex
	agents  []*Agent
}

// Programs that a world needs.
var programs = []string{"./broker/cmd/postern-broker", "./client/cmd/posternd", "./client/cmd/postern", "./testfixtures/cmd/demo-edr"}

// Build compiles the programs into dir; root is the top of the tree.
func Build(ctx context.Context, root, dir string) error {
	args := append([]string{"build", "-buildvcs=false", "-o", dir + string(filepath.Separator)}, programs...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build programs: %w\n%s", err, out)
	}
	return nil
}

// New makes a world; Start starts it.
func New(ctx context.Context, bin, dir string, lease time.Duration, log io.Writer) *World {
	return &World{Bin: bin, Dir: dir, Lease: lease, Clock: clock.System(), Log: log, ctx: ctx}
}

func (w *World) program(name string) string { return filepath.Join(w.Bin, name) }

// File is a path below the world's folder.
func (w *World) File(name string) string { return filepath.Join(w.Dir, name) }

// Start runs `postern-broker dev` under a policy and waits until it is ready.
func (w *World) Start(policy string) error {
	path := w.File("demo-policy.yaml")
	if err := os.WriteFile(path, []byte(policy), 0o600); err != nil {
		return err
	}
	in, cmds, err := os.Pipe()
	if err != nil {
		return err
	}
	out, lines := io.Pipe()
	w.in, w.answers = cmds, make(chan string, 16)
	w.child, err = osexec.Start(w.ctx, w.program("postern-broker"), osexec.Self{
		Args: []string{"dev", "--state", w.File("dev"), "--policy", path, "--lease", w.Lease.String()}, Stdin: in, Stdout: lines, Stderr: w.Log,
	})
	in.Close()
	if err != nil {
		return err
	}
	go func() { <-w.child.Done(); lines.Close() }()
	go w.read(out)
	if err := w.expect("ready", 40*time.Second); err != nil {
		return err
	}
	return w.readInfo()
}

// read passes answers on and the rest to the log.
func (w *World) read(out io.Reader) {
	defer close(w.answers)
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		line := sc.Text()
		if line == "ready" || strings.HasPrefix(line, "done: ") || strings.HasPrefix(line, "error: ") {
			w.answers <- line
			continue
		}
		fmt.Fprintln(w.Log, line)
	}
}

func (w *World) expect(want string, within time.Duration) error {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case got, ok := <-w.answers:
		if !ok {
			return fmt.Errorf("postern-broker dev ended: %w", w.child.Wait())
		}
		if got != want {
			return fmt.Errorf("postern-broker dev said %q, want %q", got, want)
		}
		return nil
	case <-t.C:
		return fmt.Errorf("postern-broker dev did not say %q within %s", want, within)
	}
}

func (w *World) readInfo() error {
	data, err := os.ReadFile(filepath.Join(w.File("dev"), dev.InfoFile))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &w.Info)
}

// Command says "stop broker" and the like to `postern-broker dev` and waits
// until it is done.
func (w *World) Command(line string) error {
	if _, err := fmt.Fprintln(w.in, line); err != nil {
		return err
	}
	if err := w.expect("done: "+line, 40*time.Second); err != nil {
		return err
	}
	return w.readInfo()
}

// Close ends every process of this world.
func (w *World) Close() error {
	w.mu.Lock()
	agents := w.agents
	w.mu.Unlock()
	var errs []error
	for _, a := range agents {
		errs = append(errs, a.Stop())
	}
	if w.child != nil {
		w.in.Close()
		w.child.Terminate()
		<-w.child.Done()
	}
	return errors.Join(errs...)
}

// PIDs of all processes of this world that live.
func (w *World) PIDs() []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	pids := []int{w.child.PID(), w.Info.BrokerPID, w.Info.GWPID}
	for _, a := range w.agents {
		if pid := a.PID(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Since is the time in milliseconds between two moments of the boot clock.
func Since(from, to time.Duration) float64 { return float64(to-from) / float64(time.Millisecond) }

// Until asks again and again whether something outside this process has come
// about, and gives up after within.
func Until(ctx context.Context, within time.Duration, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	var last error
	for {
		ok, err := ask()
		if ok {
			return nil
		}
		last = err
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %s: %w", what, within, errors.Join(last, ctx.Err()))
		}
	}
}
