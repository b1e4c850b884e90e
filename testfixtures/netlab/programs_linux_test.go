package netlab

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUFW switches ufw on and off, with a copy of its settings.
func TestUFW(t *testing.T) {
	t.Parallel()
	if _, inside := machines(t, 1); !inside {
		return
	}
	h := newHost(t)
	own(t, "/etc/ufw", "/etc/default")
	for _, step := range []struct{ args, want, manager string }{
		{"--force enable", "true drop true drop", "ufw"},
		{"allow 22/tcp", "true drop true drop", "ufw"},
		{"default allow incoming", "false accept false accept", "ufw"},
		{"default reject incoming", "true reject true reject", "ufw"},
		{"disable", "false accept false accept", "?not-found"},
	} {
		h.change("ufw "+step.args, func() { do(t, "", "ufw", strings.Fields(step.args)...) })
		h.expect("ufw "+step.args, step.want)
		if got := show(h.last(), "manager", ""); got != step.manager {
			t.Errorf("ufw %s: the manager is %s, want %s", step.args, got, step.manager)
		}
	}
}

// TestFirewalld runs firewalld on a bus of its own, with a copy of its settings:
// as it is installed, and with the older of its two backends.
func TestFirewalld(t *testing.T) {
	t.Parallel()
	part, inside := machines(t, 2)
	if !inside {
		return
	}
	h := newHost(t)
	own(t, "/etc/firewalld")
	if part.index == 1 {
		do(t, "", "sed", "-i", "s/^FirewallBackend=.*/FirewallBackend=iptables/", "/etc/firewalld/firewalld.conf")
	}
	do(t, "", "mkdir", "-p", "/run/dbus")
	start(t, "dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog")
	daemon := start(t, "firewalld", "--nofork", "--nopid", "--log-file", "/run/firewalld.log")
	answers(t, "firewall-cmd", "--state")
	if list := do(t, "", "nft", "list", "tables"); strings.Contains(list, "inet firewalld") != (part.index == 0) {
		t.Errorf("this is the other backend: %s", list)
	}
	h.settled()
	h.reread()
	for _, step := range []struct{ zone, want string }{
		{"public", "true reject true reject"}, // the default
		{"drop", "true drop true drop"},
		{"trusted", "false accept false accept"},
		{"block", "true reject true reject"},
	} {
		if step.zone != "public" {
			h.change("zone "+step.zone, func() { do(t, "", "firewall-cmd", "-q", "--set-default-zone="+step.zone) })
			h.settled()
			h.reread()
		}
		h.expect("zone "+step.zone, step.want)
		h.agree("zone "+step.zone, false)
		if got := show(h.last(), "manager", ""); got != "firewalld" {
			t.Errorf("zone %s: the manager is %s", step.zone, got)
		}
	}
	h.change("stopped", func() { daemon.stop() })
	h.settled()
	h.reread()
	h.expect("stopped", "false accept false accept")
}

// answers runs a command until it succeeds, as it does when a program is ready.
func answers(t *testing.T, name string, args ...string) {
	t.Helper()
	for began := time.Now(); ; {
		_, err := try(t.Context(), "", name, args...)
		if err == nil {
			return
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// service is a program that runs until the test's end, or until it is stopped.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan struct{}
}

func start(t *testing.T, name string, args ...string) *service {
	t.Helper()
	path, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.cmd.Wait(); close(s.done) }()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.done
		if t.Failed() && s.out.Len() > 0 {
			t.Logf("%s: %s", name, s.out.Bytes())
		}
	})
	return s
}

// stop asks the program to end and waits for that.
func (s *service) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(15 * time.Second):
		s.t.Error("the program does not end")
	}
}
