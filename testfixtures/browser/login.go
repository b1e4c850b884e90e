package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/postern-zt/postern/client/localapi"
)

// Login is a `postern login --no-browser --json` that runs.
type Login struct {
	URL string // its link

	cmd   *exec.Cmd
	rest  *bufio.Reader
	notes bytes.Buffer // its standard error
}

// Ended is how a login ended.
type Ended struct {
	Code   int             // exit code
	Status localapi.Status // after one that worked
	Error  struct {        // of one that did not
		Code    string `json:"code"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	}
	Notes string // its standard error
}

// StartLogin begins a sign-in with the command line at path, at the agent that
// listens on socket, with more flags if any, and returns when it has given its
// link.
func StartLogin(ctx context.Context, path, socket string, more ...string) (*Login, error) {
	return begin(exec.CommandContext(ctx, path, append([]string{"--socket", socket, "login", "--no-browser", "--json"}, more...)...))
}

// begin starts a login and returns when it has given its link.
func begin(cmd *exec.Cmd) (*Login, error) {
	l := &Login{cmd: cmd}
	l.cmd.Stderr = &l.notes
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	l.rest = bufio.NewReader(out)
	var first struct {
		URL string `json:"url"`
	}
	text, err := l.rest.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(text, &first)
	}
	if err != nil || first.URL == "" {
		l.cmd.Process.Kill()
		return nil, errors.Join(fmt.Errorf("postern login gave no link but %q: %w", text, err), l.cmd.Wait())
	}
	l.URL = first.URL
	return l, nil
}

// Interrupt is Ctrl-C.
func (l *Login) Interrupt() error { return l.cmd.Process.Signal(os.Interrupt) }

// Wait waits for its end and reads the last line that it wrote.
func (l *Login) Wait() (Ended, error) {
	text, err := io.ReadAll(l.rest)
	var exit *exec.ExitError
	if werr := l.cmd.Wait(); werr != nil && !errors.As(werr, &exit) {
		err = errors.Join(err, werr)
	}
	e := Ended{Code: l.cmd.ProcessState.ExitCode(), Notes: l.notes.String()}
	if err != nil {
		return e, fmt.Errorf("postern login: %w", err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	last := lines[len(lines)-1]
	if e.Code == 0 {
		err = json.Unmarshal(last, &e.Status)
	} else {
		err = json.Unmarshal(last, &struct{ Error any }{&e.Error})
	}
	if err != nil {
		return e, fmt.Errorf("postern login: exit %d: %q: %w", e.Code, text, err)
	}
	return e, nil
}
