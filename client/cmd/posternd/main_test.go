package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/buildinfo"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/osexec"
	"github.com/postern-zt/postern/platform/paths"
)

// asProgram makes this test binary the program itself.
const asProgram = "POSTERND_TEST_PROGRAM"

func TestMain(m *testing.M) {
	osexec.DieWithParent()
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// stateWith makes a state folder with settings for a broker that is never there.
func stateWith(t *testing.T, settings string) string {
	t.Helper()
	parent := "/tmp" // a socket's path must be short
	if runtime.GOOS == "windows" {
		parent = "" // a pipe's name is short anywhere
	}
	dir, err := os.MkdirTemp(parent, "pd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if settings != "" {
		if err := os.WriteFile(filepath.Join(dir, "settings.yaml"), []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCommandLine(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	empty := stateWith(t, "")
	tests := []struct {
		args   []string
		exit   int
		stdout string
		stderr string
	}{
		{[]string{"--version"}, 0, buildinfo.Product + " " + buildinfo.Version(), ""},
		{[]string{"--version", "--json"}, 0, `{"product":"Postern","version":"` + buildinfo.Version() + `"}`, ""},
		{[]string{"--help"}, 0, "usage: posternd", ""},
		{[]string{"--nonsense"}, 2, "", "nonsense"},
		{[]string{"--state"}, 2, "", "state"},
		{[]string{"--user=perhaps"}, 2, "", "user"},
		{[]string{"start"}, 2, "", `unexpected argument "start"`},
		{[]string{"--check", "--user", "--state", empty}, 1, "", "no broker configured: set `broker` in " + filepath.Join(empty, "settings.yaml")},
		{[]string{"--check", "--user", "--state", empty, "--config", filepath.Join(empty, "none.yaml")}, 1, "", "none.yaml"},
		{[]string{"--check", "--user", "--state", stateWith(t, "broker: http://plain.example\n")}, 1, "", "settings.yaml:1: broker: a broker is reached by https only"},
		{[]string{"--check", "--user", "--state", stateWith(t, "broker: https://fine.example\n")}, 0, "settings.yaml: the broker is https://fine.example", ""},
	}
	for _, tt := range tests {
		var out, errOut bytes.Buffer
		if got := run(tt.args, &out, &errOut); got != tt.exit {
			t.Errorf("%v: exit %d, want %d", tt.args, got, tt.exit)
		}
		if !strings.Contains(out.String(), tt.stdout) || !strings.Contains(errOut.String(), tt.stderr) {
			t.Errorf("%v: said %q and %q", tt.args, out.String(), errOut.String())
		}
		if (out.Len() > 0) == (errOut.Len() > 0) {
			t.Errorf("%v: said %q and %q", tt.args, out.String(), errOut.String())
		}
		if tt.exit == 1 && !strings.HasPrefix(errOut.String(), "posternd: ") {
			t.Errorf("%v: said %q", tt.args, errOut.String())
		}
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("a check left %v, %v", entries, err)
	}
}

func TestPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, _ := os.Getwd()
	set, err := place(options{user: true, state: "s", socket: "x.sock"})
	if err != nil || set.State != filepath.Join(wd, "s") || set.Socket != filepath.Join(wd, "x.sock") {
		t.Errorf("places %+v, %v", set, err)
	}
	t.Setenv("HOME", "")
	if _, err := place(options{user: true}); err == nil && runtime.GOOS != "windows" { // which does not ask the environment
		t.Error("a user without a home folder has places")
	}
	if _, err := place(options{user: true, state: "s"}); err != nil {
		t.Errorf("a named folder needs no home: %v", err)
	}
}

// process is posternd as a child.
type process struct {
	*osexec.Child
	log *bytes.Buffer
}

func start(t *testing.T, dir string) process {
	t.Helper()
	return startWith(t, "--user", "--state", dir)
}

func startWith(t *testing.T, args ...string) process {
	t.Helper()
	var log bytes.Buffer
	c, err := osexec.StartSelf(t.Context(), osexec.Self{Args: args, Env: []string{asProgram + "=1", "HOME=" + os.Getenv("HOME")}, Stderr: &log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kill(); <-c.Done() })
	return process{c, &log}
}

func status(ctx context.Context, dir string) (localapi.Status, error) {
	c := localapi.Dial(paths.InState(dir).Socket)
	defer c.Close()
	return c.Status(ctx)
}

// answers waits until the agent in dir answers, and returns its status.
func answers(t *testing.T, p process, dir string) localapi.Status {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s, err := status(t.Context(), dir)
		if err == nil {
			return s
		}
		select {
		case <-p.Done():
			t.Fatalf("it ended: %s", p.log)
		case <-deadline:
			t.Fatalf("no answer: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestOneAgentOnAState(t *testing.T) {
	dir := stateWith(t, "broker: https://127.0.0.1:1\n")
	first := start(t, dir)
	s := answers(t, first, dir)
	if s.State != localapi.StateSignedOut || s.Broker.Reachable || s.Device.Enrolled || s.Scope != "user" {
		t.Errorf("status %+v", s)
	}
	second := start(t, dir)
	<-second.Done()
	want := fmt.Sprintf("another agent runs on %s already: posternd, process %d; stop it first", dir, first.PID())
	if got := second.log.String(); !strings.Contains(got, want) {
		t.Errorf("the second said %q", got)
	}
	answers(t, first, dir) // unharmed
	// However the first ends, the next one starts at once.
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.Done()
	third := start(t, dir)
	if now := answers(t, third, dir); now.Device.UEID != s.Device.UEID || now.Device.UEID == "" {
		t.Errorf("identity %s, was %s", now.Device.UEID, s.Device.UEID)
	}
	if err := third.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-third.Done()
	// On Windows there is no asking: to terminate is to kill.
	if err := third.Wait(); err != nil && runtime.GOOS != "windows" {
		t.Errorf("told to stop it ended with %v: %s", err, third.log)
	}
	if socket := paths.InState(dir).Socket; ipc.Exists(socket) {
		t.Errorf("the socket %s is left", socket)
	}
}

func TestBrokerWhoseCertificateIsNotTrusted(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	dir := stateWith(t, "broker: "+srv.URL+"\n")
	s := answers(t, start(t, dir), dir)
	for deadline := time.Now().Add(10 * time.Second); s.Message == "Nobody is signed in. Run `postern login`." && time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		s, _ = status(ctx, dir)
		cancel()
	}
	if s.Broker.Reachable || !strings.Contains(s.Message, "certificate") {
		t.Errorf("status %+v", s)
	}
}

func TestPorts(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "ports.json")
	p, err := openPorts(path, log)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.get("wiki", 80); got != "" {
		t.Errorf("address %q of nothing", got)
	}
	p.set("wiki", 80, "127.0.0.1:4000")
	p.set("wiki", 0, "127.0.0.1:4001")
	if p, err = openPorts(path, log); err != nil || p.get("wiki", 80) != "127.0.0.1:4000" || p.get("wiki", 0) != "127.0.0.1:4001" || p.get("wiki 8", 0) != "" {
		t.Errorf("remembered %v, %v", p, err)
	}
	// Applications come and go: the file may not grow until it cannot be read.
	for n := range 2000 {
		p.set(strings.Repeat("x", 250)+fmt.Sprint(n), 80, "127.0.0.1:5000")
	}
	if p, err = openPorts(path, log); err != nil || p.get(strings.Repeat("x", 250)+"1999", 80) == "" {
		t.Errorf("%v", err)
	}
	for _, damaged := range []string{"", "{", `{"a":1}`, "[]", strings.Repeat(" ", maxPorts+1)} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openPorts(path, log); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%.10q: %v", damaged, err)
		}
	}
	if err := os.WriteFile(path, []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = openPorts(path, log); err == nil {
		p.set("wiki", 80, "127.0.0.1:4000")
	}
}
