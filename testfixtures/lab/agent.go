package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/osexec"
)

// waitStart bounds the start of a program.
const waitStart = 20 * time.Second

// Agent is one `posternd --user` with a state folder of its own.
type Agent struct {
	World *World
	State string
	// RunDir makes it the system's agent instead, with its socket in this
	// folder, which every user can enter.
	RunDir string
	// As is how the command line is run, such as with another user's
	// credentials; nil: as this process.
	As *syscall.SysProcAttr

	mu    sync.Mutex
	child *osexec.Child
}

// Product is an endpoint security product that the settings declare.
type Product struct {
	ID, Name, Executable, SHA256 string
}

// NewAgent makes the state folder and settings of an agent.
func (w *World) NewAgent(name string, products ...Product) (*Agent, error) {
	a := &Agent{World: w, State: w.File(name)}
	if err := os.Mkdir(a.State, 0o700); err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "broker: %s\nbroker_ca: %s\nenrolment_token_file: %s\ndevice_name: %s\n", w.Info.Broker, w.Info.BrokerCA, w.Info.Token, name)
	if len(products) > 0 {
		b.WriteString("edr_catalogue:\n")
	}
	for _, p := range products {
		fmt.Fprintf(&b, "  - id: %s\n    name: %s\n    linux:\n      - executable: %s\n        sha256: %s\n", p.ID, p.Name, p.Executable, p.SHA256)
	}
	if err := os.WriteFile(filepath.Join(a.State, "settings.yaml"), []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agents = append(w.agents, a)
	return a, nil
}

// Launch starts the agent and does not wait for it.
func (a *Agent) Launch() error {
	args := []string{"--user", "--state", a.State}
	if a.RunDir != "" {
		args = []string{"--state", a.State, "--socket", a.Socket()}
	}
	c, err := osexec.Start(a.World.ctx, a.World.program("posternd"), osexec.Self{Args: args, Stdout: a.World.Log, Stderr: a.World.Log})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.child = c
	a.mu.Unlock()
	return nil
}

// Start starts the agent; it is ready when its socket answers.
func (a *Agent) Start(ctx context.Context) error {
	if err := a.Launch(); err != nil {
		return err
	}
	return Until(ctx, waitStart, "the agent's socket", func() (bool, error) {
		_, err := a.Status(ctx)
		return err == nil, err
	})
}

// PID of the agent, 0 when it does not run.
func (a *Agent) PID() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.child == nil {
		return 0
	}
	return a.child.PID()
}

// Stop ends the agent in order.
func (a *Agent) Stop() error { return a.end((*osexec.Child).Terminate) }

// Kill ends the agent with SIGKILL.
func (a *Agent) Kill() error { return a.end((*osexec.Child).Kill) }

func (a *Agent) end(how func(*osexec.Child) error) error {
	a.mu.Lock()
	c := a.child
	a.child = nil
	a.mu.Unlock()
	if c == nil {
		return nil
	}
	err := how(c)
	<-c.Done()
	return err
}

// Socket is where the agent listens.
func (a *Agent) Socket() string {
	if a.RunDir != "" {
		return filepath.Join(a.RunDir, "agent.sock")
	}
	return filepath.Join(a.State, "agent.sock")
}

// command is the command line against this agent.
func (a *Agent) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, a.World.program("postern"), append([]string{"--socket", a.Socket()}, args...)...)
	cmd.SysProcAttr = a.As
	return cmd
}

// Result of a run of the command line.
type Result struct {
	Code        int
	Out, ErrOut string
}

// Postern runs the command line against this agent, as a person would.
func (a *Agent) Postern(ctx context.Context, args ...string) (Result, error) {
	cmd := a.command(ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	r := Result{Out: out.String(), ErrOut: errOut.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.Code = exit.ExitCode()
		return r, nil
	}
	return r, err
}

// Status is `postern status --json`.
func (a *Agent) Status(ctx context.Context) (localapi.Status, error) {
	var s localapi.Status
	r, err := a.Postern(ctx, "status", "--json")
	if err != nil {
		return s, err
	}
	// 3 and 4 say that the agent answered: not compliant, signed out.
	if err := json.Unmarshal([]byte(r.Out), &s); err != nil || (r.Code != 0 && r.Code != 3 && r.Code != 4) {
		return s, fmt.Errorf("postern status: exit %d: %s%s", r.Code, r.Out, r.ErrOut)
	}
	return s, nil
}

// App is one application of `postern status --json`.
func (a *Agent) App(ctx context.Context, id string) (localapi.App, error) {
	s, err := a.Status(ctx)
	if err != nil {
		return localapi.App{}, err
	}
	for _, x := range s.Apps {
		if x.ID == id {
			return x, nil
		}
	}
	return localapi.App{}, fmt.Errorf("the agent (%s) does not know the app %s", s.State, id)
}

// Running is a product that runs.
type Running struct{ child *osexec.Child }

// InstallEDR puts a copy of the demo's product into the world's folder.
func (w *World) InstallEDR(id, name string) (Product, error) {
	data, err := os.ReadFile(w.program("demo-edr"))
	if err != nil {
		return Product{}, err
	}
	path := w.File(strings.ReplaceAll(id, "/", "-"))
	if err := os.WriteFile(path, data, 0o700); err != nil {
		return Product{}, err
	}
	sum := sha256.Sum256(data)
	return Product{ID: id, Name: name, Executable: path, SHA256: hex.EncodeToString(sum[:])}, nil
}

// StartEDR starts a product; it dies with this process.
func (w *World) StartEDR(p Product) (*Running, error) {
	c, err := osexec.Start(w.ctx, p.Executable, osexec.Self{})
	if err != nil {
		return nil, err
	}
	return &Running{child: c}, nil
}

// PID of the product.
func (r *Running) PID() int { return r.child.PID() }

// Kill ends the product with SIGKILL and does not wait for anybody to notice.
func (r *Running) Kill() error { return r.child.Kill() }

// Wait waits for the product's end.
func (r *Running) Wait() { <-r.child.Done() }
