package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/postern-zt/postern/tray/view"
)

// bound is how long anything here may take on a very busy machine.
const bound = 60 * time.Second

// TestMain lets a test start this program as a process of its own: a tray runs
// once in a process.
func TestMain(m *testing.M) {
	if os.Getenv("DEMO_TRAY") != "" {
		if err := demo(context.Background(), os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
<limit name="max_outgoing_bytes">1000000000</limit></busconfig>`

// bus is a message bus of a test's own, which knows no service to start.
type bus struct {
	address string
	stop    func() // ends the daemon
}

func startBus(t *testing.T) *bus {
	t.Helper()
	path, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("no dbus-daemon: it is in the package dbus-daemon")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, filepath.Join(dir, "bus")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(stop)
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the bus printed no address: %v", err)
	}
	return &bus{address: strings.TrimSpace(address), stop: stop}
}

func (b *bus) connect(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(b.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// tray is the program under test as a process.
type tray struct {
	t   *testing.T
	in  io.WriteCloser
	out chan string
	cmd *exec.Cmd
}

// startTray starts the program with these variables beside a clean environment.
func startTray(t *testing.T, env ...string) *tray {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append([]string{"DEMO_TRAY=1", "HOME=" + t.TempDir()}, env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &tray{t: t, in: in, out: make(chan string, 1000), cmd: cmd}
	go func() {
		defer close(p.out)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			p.out <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		for range p.out { // until the process ends; a hung one is the test's timeout
		}
		_ = cmd.Wait()
	})
	return p
}

func (p *tray) show(m view.Menu) {
	p.t.Helper()
	line, err := json.Marshal(m)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(string(line))
}

func (p *tray) send(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		p.t.Fatal(err)
	}
}

// next returns the next line that begins with one of these words.
func (p *tray) next(words ...string) string {
	p.t.Helper()
	timeout := time.After(bound)
	for {
		select {
		case line, open := <-p.out:
			if !open {
				p.t.Fatalf("the tray ended without %q", words)
			}
			for _, w := range words {
				if line == w || strings.HasPrefix(line, w+" ") {
					return line
				}
			}
		case <-timeout:
			p.t.Fatalf("no %q within %v", words, bound)
		}
	}
}

// eventually waits until f reports true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
