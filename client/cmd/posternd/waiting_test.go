package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/paths"
)

// patience bounds what the agent does by itself; were its watcher deaf, the
// settings would count after half a minute and a second.
const patience = 60 * time.Second

// waitingFor follows the status from one on until it is as wanted, as a watcher
// of the status does: that no call fails on the way is a part of it.
func waitingFor(t *testing.T, c *localapi.Client, s localapi.Status, what string, is func(localapi.Status) bool) localapi.Status {
	t.Helper()
	for end := time.Now().Add(patience); !is(s); {
		if time.Now().After(end) {
			t.Fatalf("no %s: %+v", what, s)
		}
		next, err := c.WaitStatus(t.Context(), s.Revision, patience)
		if err != nil {
			t.Fatalf("while waiting for %s: %v", what, err)
		}
		s = next
	}
	return s
}

func notSetUp(s localapi.Status) bool {
	return s.Broker.URL == "" && slices.Equal(s.Reasons, []string{localapi.CodeNoBroker})
}

func mistaken(s localapi.Status) bool {
	return s.Broker.URL == "" && slices.Equal(s.Reasons, []string{localapi.CodeSettings})
}

func settled(s localapi.Status) bool { return s.Broker.URL != "" && s.Device.UEID != "" }

// An agent that is not set up runs and says so, tells each mistake of its
// settings, and goes on by itself when they are right.
func TestSettingsComeLater(t *testing.T) {
	dir := stateWith(t, "")
	file := filepath.Join(dir, "settings.yaml")
	p := start(t, dir)
	s := answers(t, p, dir)
	if !notSetUp(s) || s.State != localapi.StateSignedOut || s.Scope != "user" || s.Version == "" || s.API != localapi.API ||
		!strings.Contains(s.Message, "no broker is configured") || !strings.Contains(s.Message, file) {
		t.Fatalf("without settings: %+v", s)
	}
	c := localapi.Dial(paths.InState(dir).Socket)
	defer c.Close()
	if v, err := c.Version(t.Context()); err != nil || v.Scope != "user" {
		t.Errorf("version %+v, %v", v, err)
	}
	if cfg, err := c.Config(t.Context()); err != nil || cfg.File != file || len(cfg.Settings) < 8 || len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], "no broker configured") {
		t.Errorf("config %+v, %v", cfg, err)
	}
	var no *localapi.Refused
	if _, err := c.StartSignIn(t.Context(), localapi.SignInRequest{RedirectURI: "http://127.0.0.1:4000/x"}); !errors.As(err, &no) || no.Code != localapi.CodeNoBroker || no.Hint == "" {
		t.Errorf("a sign-in: %v", err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("broker: http://127.0.0.1:1\nnope: 1\n")
	s = waitingFor(t, c, s, "word of the mistake", mistaken)
	if !strings.Contains(s.Message, "have 2 mistakes") || !strings.Contains(s.Message, file+":1: broker: a broker is reached by https only") {
		t.Errorf("two mistakes are told as %q", s.Message)
	}
	if cfg, err := c.Config(t.Context()); err != nil || len(cfg.Warnings) != 2 || !strings.Contains(cfg.Warnings[1], ":2: nope: no such key") {
		t.Errorf("config %+v, %v", cfg, err)
	}
	write("broker: https://127.0.0.1:1\ndevice_name: here\n")
	s = waitingFor(t, c, s, "agent", settled)
	if s.Broker.URL != "https://127.0.0.1:1" {
		t.Errorf("status %+v", s)
	}
	select {
	case <-p.Done():
		t.Fatalf("it ended: %s", p.log)
	default:
	}
	if cfg, err := c.Config(t.Context()); err != nil || !slices.ContainsFunc(cfg.Settings, func(s localapi.Setting) bool { return s.Value == "here" && s.Source == file }) {
		t.Errorf("config %+v, %v", cfg, err)
	}
	if r, err := c.Posture(t.Context()); err != nil || r.Rights == "" {
		t.Errorf("posture: %v", err)
	}
}

// The agent goes by settings however they come.
func TestWaysOfSettings(t *testing.T) {
	const good = "broker: https://127.0.0.1:1\n"
	put := func(t *testing.T, path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name   string
		before func(t *testing.T, file string) // the agent is not there yet
		is     func(localapi.Status) bool
		says   string
		then   func(t *testing.T, file string)
		unix   bool
	}{
		{name: "replaced", before: func(t *testing.T, file string) { put(t, file, "broker: x\n", 0o600) }, is: mistaken, says: "this is not a web address",
			then: func(t *testing.T, file string) {
				put(t, file+".new", good, 0o600)
				if err := os.Rename(file+".new", file); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "others may write", before: func(t *testing.T, file string) { put(t, file, good, 0o666) }, is: mistaken, says: "its mode 0666 lets others change it",
			then: func(t *testing.T, file string) { put(t, file, good, 0o600) }, unix: true},
		{name: "a link", before: func(t *testing.T, file string) {
			if err := os.Symlink(filepath.Join("later", "mine.yaml"), file); err != nil {
				t.Fatal(err)
			}
		}, is: mistaken, says: "which is not there", then: func(t *testing.T, file string) {
			later := filepath.Join(filepath.Dir(file), "later")
			if err := os.Mkdir(later, 0o700); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(later, "mine.yaml"), good, 0o600)
		}, unix: true},
		{name: "a folder", before: func(t *testing.T, file string) {
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		}, is: mistaken, says: "folder, not a file", then: func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			put(t, file, good, 0o600)
		}, unix: true},
		{name: "a file beside", before: func(t *testing.T, file string) {
			put(t, file, good+"enrolment_token_file: token\n", 0o600)
			put(t, filepath.Join(filepath.Dir(file), "token"), "a b", 0o600)
		},
			is: mistaken, says: "a token has", then: func(t *testing.T, file string) {
				put(t, filepath.Join(filepath.Dir(file), "token"), "abcdefghijklmnop", 0o600)
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.unix && runtime.GOOS == "windows" {
				t.Skip("no modes, and links need a privilege on Windows")
			}
			dir := stateWith(t, "")
			file := filepath.Join(dir, "settings.yaml")
			tc.before(t, file)
			s := answers(t, start(t, dir), dir)
			if !tc.is(s) || !strings.Contains(s.Message, tc.says) {
				t.Fatalf("before: %+v", s)
			}
			tc.then(t, file)
			c := localapi.Dial(paths.InState(dir).Socket)
			defer c.Close()
			waitingFor(t, c, s, "agent", settled)
		})
	}
}

// The folder of the settings may come as late as the settings.
func TestNoFolderOfSettings(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the settings are in the folder of the state")
	}
	home := stateWith(t, "")
	t.Setenv("HOME", home)
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	set, err := paths.User()
	if err != nil {
		t.Fatal(err)
	}
	p := startWith(t, "--user")
	c := localapi.Dial(set.Socket)
	defer c.Close()
	var s localapi.Status
	for end := time.Now().Add(patience); ; {
		if s, err = c.Status(t.Context()); err == nil {
			break
		}
		select {
		case <-p.Done():
			t.Fatalf("it ended: %s", p.log)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if !notSetUp(s) || !strings.Contains(s.Message, set.Config) {
		t.Fatalf("status %+v", s)
	}
	if err := os.MkdirAll(filepath.Dir(set.Config), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(set.Config, []byte("broker: https://127.0.0.1:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	waitingFor(t, c, s, "agent", settled)
}

// An agent that waits ends as asked, and leaves no socket.
func TestStopWhileWaiting(t *testing.T) {
	dir := stateWith(t, "")
	p := start(t, dir)
	answers(t, p, dir)
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := p.Wait(); err != nil && runtime.GOOS != "windows" { // where to terminate is to kill
		t.Errorf("it ended with %v: %s", err, p.log)
	}
	if _, err := status(t.Context(), dir); !errors.Is(err, localapi.ErrNotRunning) {
		t.Errorf("its socket: %v", err)
	}
}
