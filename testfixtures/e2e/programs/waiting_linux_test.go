package programs

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// runs has the command line run, and wants that exit code.
func (r *rig) runs(code int, args ...string) lab.Result {
	r.t.Helper()
	res, err := r.agent.Postern(r.t.Context(), args...)
	r.must(err)
	if res.Code != code {
		r.t.Errorf("postern %v: exit %d, want %d: %s%s", args, res.Code, code, res.Out, res.ErrOut)
	}
	return res
}

// says fails for each text that is not in what the command line said.
func (r *rig) says(res lab.Result, texts ...string) {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(res.Out+res.ErrOut, text) {
			r.t.Errorf("%q is not in: %s%s", text, res.Out, res.ErrOut)
		}
	}
}

// watcher notes every status that a watcher of the agent gets, and how often it
// got none.
type watcher struct {
	states chan localapi.Status
	failed chan error
}

func (r *rig) watches() watcher {
	w := watcher{make(chan localapi.Status, 256), make(chan error, 256)}
	c := localapi.Dial(r.agent.Socket())
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var last localapi.Status
		for ctx.Err() == nil {
			s, err := c.WaitStatus(ctx, last.Revision, patience)
			switch {
			case err == nil:
				last = s
				w.states <- s
			case ctx.Err() == nil:
				w.failed <- err
				return
			}
		}
	}()
	r.t.Cleanup(func() { cancel(); <-ended; c.Close() })
	return w
}

// until waits for such a status.
func (w watcher) until(r *rig, what string, is func(localapi.Status) bool) localapi.Status {
	r.t.Helper()
	late := time.After(2 * patience) // and above the agent's own look without notices
	for {
		select {
		case s := <-w.states:
			if is(s) {
				return s
			}
		case err := <-w.failed:
			r.t.Fatalf("a watcher that waits for %s: %v", what, err)
		case <-late:
			r.t.Fatalf("no %s", what)
		}
	}
}

// From the installation to the first sign-in: an agent without settings says so,
// one with a mistake in them says which, and neither has to be started again.
func TestFirstStart(t *testing.T) {
	r := newWorld(t)
	file := filepath.Join(r.agent.State, "settings.yaml")
	text, err := os.ReadFile(file)
	r.must(err)
	r.must(os.Remove(file))
	r.must(r.agent.Start(t.Context()))
	pid := r.agent.PID()
	w := r.watches()
	s := w.until(r, "status", func(localapi.Status) bool { return true })
	if s.State != localapi.StateSignedOut || s.Broker.URL != "" || !slices.Equal(s.Reasons, []string{localapi.CodeNoBroker}) || !strings.Contains(s.Message, file) {
		t.Errorf("without settings the agent says %+v", s)
	}
	r.says(r.runs(4, "status"), "No broker is configured", "no_broker")
	r.says(r.runs(0, "config"), file, "no broker configured: set `broker`")
	r.says(r.runs(0, "version"), "level")
	for _, args := range [][]string{{"login", "--no-browser"}, {"check"}, {"pause", "--for", "1h", "--reason", "none"}, {"resume"}, {"logout"}} {
		r.says(r.runs(1, args...), "[no_broker]", "no broker is configured", file)
	}

	wrong := strings.Replace(string(text), "https://", "http://", 1)
	r.must(os.WriteFile(file, []byte(wrong), 0o600))
	s = w.until(r, "word of the mistake", func(s localapi.Status) bool { return slices.Equal(s.Reasons, []string{localapi.CodeSettings}) })
	const mistake = ":1: broker: a broker is reached by https only"
	if !strings.Contains(s.Message, file+mistake) {
		t.Errorf("the mistake is told as %q", s.Message)
	}
	r.says(r.runs(0, "config"), "a broker is reached by https only")
	r.says(r.runs(1, "login", "--no-browser"), file+mistake)

	// As editors and device management do: another file takes its place.
	r.must(os.WriteFile(file+".new", text, 0o600))
	r.must(os.Rename(file+".new", file))
	w.until(r, "enrolment by itself", func(s localapi.Status) bool { return s.Device.Enrolled })
	_, err = r.agent.Login(t.Context())
	r.must(err)
	r.fetch("wiki")
	if r.agent.PID() != pid || syscall.Kill(pid, 0) != nil {
		t.Errorf("the agent is another process than %d", pid)
	}
	// A second start finds the settings, and the session, at once.
	r.must(r.agent.Stop())
	r.must(r.agent.Start(t.Context()))
	if s := r.status(); s.Broker.URL == "" {
		t.Errorf("after a restart: %+v", s)
	}
	r.fetch("wiki")
}

// Settings that the agent may not read are told as that, and read as soon as it
// may.
func TestSettingsThatCannotBeRead(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test plays a second OS user and needs root")
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "postern-unreadable-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "settings.yaml")
	for _, err := range []error{os.WriteFile(file, []byte("broker: https://127.0.0.1:1\n"), 0o600), os.Chown(dir, person, person)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: person, Gid: person}}
	var log bytes.Buffer
	agent := exec.CommandContext(t.Context(), filepath.Join(bin, "posternd"), "--user", "--state", dir)
	agent.SysProcAttr, agent.Dir, agent.Stderr = as, "/", &log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		agent.Process.Kill()
		agent.Wait()
		if t.Failed() {
			t.Logf("log of the agent:\n%s", log.String())
		}
	})
	says := func(text string) {
		t.Helper()
		err := lab.Until(t.Context(), 2*patience, text, func() (bool, error) {
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "postern"), "--socket", filepath.Join(dir, "agent.sock"), "status", "--json")
			cmd.SysProcAttr, cmd.Dir = as, "/"
			out, err := cmd.Output()
			return strings.Contains(string(out), text), err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	says("the agent may not read it")
	if err := os.Chmod(file, 0o644); err != nil { // root's still, which is as good
		t.Fatal(err)
	}
	says(`"url": "https://127.0.0.1:1"`)
}
