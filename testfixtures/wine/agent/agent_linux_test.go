package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/lab"
	"github.com/postern-zt/postern/testfixtures/wine"
)

// agent is one posternd.exe with its command line.
type agent struct {
	t       testing.TB
	pc      *computer
	program string // posternd.exe
	args    []string
	state   string // the folder, on this system
	log     record
	socket  string // the pipe, as the agent said

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and err is set
	err  error
}

// newAgent makes the state folder of an agent with its settings.
func newAgent(t testing.TB, settings string) *agent {
	t.Helper()
	a := &agent{t: t, pc: here.pc, program: windowsProgram("posternd"), state: filepath.Join(t.TempDir(), "state"), log: newRecord(t)}
	a.args = []string{"--user", "--state", wine.Windows(a.state)}
	a.settings(settings)
	a.endWith(t)
	return a
}

// windowsProgram is the path of a program for Windows.
func windowsProgram(name string) string { return filepath.Join(here.windows, name+".exe") }

// settings makes the state folder with these settings in it.
func (a *agent) settings(text string) {
	a.t.Helper()
	ok(a.t, os.Mkdir(a.state, 0o700))
	ok(a.t, os.WriteFile(filepath.Join(a.state, "settings.yaml"), []byte(text), 0o600))
}

// endWith ends the agent with the test.
func (a *agent) endWith(t testing.TB) {
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("the agent said:\n%s", a.log)
		}
	})
}

// record is a file that a program writes while others read it. Of a pipe, parts
// of Windows that start with the program would hold an end for longer than it
// lives.
type record string

func newRecord(t testing.TB) record {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	ok(t, os.WriteFile(path, nil, 0o600))
	return record(path)
}

func (r record) String() string {
	data, err := os.ReadFile(string(r))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// launch starts the agent and does not wait for it.
func (a *agent) launch() {
	a.t.Helper()
	a.cmd = a.pc.command(context.WithoutCancel(a.t.Context()), a.program, a.args...)
	log, err := os.OpenFile(string(a.log), os.O_APPEND|os.O_WRONLY, 0)
	ok(a.t, err)
	defer log.Close()
	a.cmd.Stderr = log
	ok(a.t, a.cmd.Start())
	a.done = make(chan struct{})
	go func() { // ends with the agent, which the test ends
		defer close(a.done)
		a.err = a.cmd.Wait()
	}()
}

// start starts the agent and waits until it answers, which it must say where.
func (a *agent) start() localapi.Status {
	a.t.Helper()
	before := len(a.log.String())
	a.launch()
	var s localapi.Status
	ok(a.t, lab.Until(a.t.Context(), patience, "the agent", func() (bool, error) {
		select {
		case <-a.done:
			a.t.Fatalf("the agent ended: %v", a.err)
		default:
		}
		_, said, found := strings.Cut(a.log.String()[before:], `msg="agent runs" socket=`)
		if !found {
			return false, errors.New("it has not said where it listens")
		}
		a.socket, _, _ = strings.Cut(said, " ")
		var err error
		s, err = a.status()
		return err == nil, err
	}))
	return s
}

// interrupt is Ctrl-C, which Wine makes of SIGINT. The agent must end in order.
func (a *agent) interrupt() {
	a.t.Helper()
	began := time.Now()
	ok(a.t, a.cmd.Process.Signal(syscall.SIGINT))
	select {
	case <-a.done:
		a.t.Logf("after Ctrl-C the agent ended in %d ms", time.Since(began).Milliseconds())
		// Wine ends the threads that are left of a program with SIGKILL, and now
		// and then the one that the exit code would come from.
		var exit *exec.ExitError
		if a.err != nil && !(errors.As(a.err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL) {
			a.t.Errorf("after Ctrl-C the agent ended with %v", a.err)
		}
	case <-time.After(patience):
		a.t.Fatal("after Ctrl-C the agent runs on")
	}
}

// kill ends the agent as the Task Manager does: it learns nothing of it.
func (a *agent) kill() {
	if a.done == nil {
		return
	}
	a.cmd.Process.Kill()
	<-a.done
}

// postern runs the command line against this agent.
func (a *agent) postern(args ...string) result {
	a.t.Helper()
	return must[result](a.t)(a.pc.run(a.t.Context(), windowsProgram("postern"), a.flags(args)...))
}

// flags are the arguments with the flag that chooses this agent.
func (a *agent) flags(args []string) []string {
	return append([]string{"--socket", a.socket}, args...)
}

// says runs the command line and decodes its JSON. The exit code must be code.
func says[T any](a *agent, code int, args ...string) T {
	a.t.Helper()
	var v T
	r := a.postern(append(args, "--json")...)
	if r.code != code {
		a.t.Fatalf("postern %v: %s", args, r)
	}
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		a.t.Fatalf("postern %v: %v in %s", args, err, r)
	}
	return v
}

// status is `postern status --json`.
func (a *agent) status() (localapi.Status, error) {
	var s localapi.Status
	r, err := a.pc.run(a.t.Context(), windowsProgram("postern"), a.flags([]string{"status", "--json"})...)
	if err != nil {
		return s, err
	}
	// 3 and 4 say that the agent answered: not compliant, signed out.
	if err := json.Unmarshal([]byte(r.out), &s); err != nil || r.code != 0 && r.code != 3 && r.code != 4 {
		return s, fmt.Errorf("postern status: %s", r)
	}
	return s, nil
}

// waitFor asks for the status until it is as wanted, and gives it.
func (a *agent) waitFor(what string, is func(localapi.Status) bool) localapi.Status {
	a.t.Helper()
	var s localapi.Status
	err := lab.Until(a.t.Context(), patience, what, func() (bool, error) {
		var err error
		s, err = a.status()
		return err == nil && is(s), err
	})
	if err != nil {
		a.t.Fatalf("%v; the status is %+v", err, s)
	}
	return s
}

// app is one application of a status.
func app(s localapi.Status, id string) localapi.App {
	for _, x := range s.Apps {
		if x.ID == id {
			return x
		}
	}
	return localapi.App{}
}

// visit has a program on Windows fetch an application's page.
func (a *agent) visit(app localapi.App) result {
	a.t.Helper()
	return must[result](a.t)(a.pc.run(a.t.Context(), windowsProgram("visitor"), "http://"+app.LocalAddress+"/"))
}

// leftovers are the files in the agent's folders that nobody needs any more.
func (a *agent) leftovers() []string {
	a.t.Helper()
	var out []string
	ok(a.t, filepath.WalkDir(a.state, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if strings.Contains(e.Name(), ".tmp-") {
			out = append(out, path)
		}
		if e.Name() == "agent.lock" {
			data, err := os.ReadFile(path)
			if len(data) > 0 {
				out = append(out, fmt.Sprintf("%s: %q", path, data))
			}
			return err
		}
		return nil
	}))
	return out
}
