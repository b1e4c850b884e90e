package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/testfixtures/lab"
)

// nowhere are settings with a broker that is never there.
const nowhere = "broker: https://127.0.0.1:1\n"

// ownAgent is a person's own agent, where such an agent has its files: the
// program itself says where, when they are missing.
func ownAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{t: t, pc: here.pc, program: windowsProgram("posternd"), args: []string{"--user"}, log: newRecord(t)}
	r := must[result](t)(a.pc.run(t.Context(), a.program, "--user", "--check"))
	file := regexp.MustCompile("set `broker` in (.*)\n").FindStringSubmatch(strings.ReplaceAll(r.errOut, "\r", ""))
	if r.code != 1 || file == nil {
		t.Fatalf("posternd without settings: %s", r)
	}
	a.state = filepath.Dir(a.pc.unix(file[1]))
	t.Cleanup(func() {
		if err := os.RemoveAll(a.state); err != nil {
			t.Error(err)
		}
	})
	a.settings(nowhere)
	a.endWith(t)
	return a
}

// TestRestart ends a person's own agent in every way, with callers on its pipe,
// and starts it again.
func TestRestart(t *testing.T) {
	a := ownAgent(t)
	first := a.start()
	// Found without being told where.
	r := must[result](t)(a.pc.run(t.Context(), windowsProgram("postern"), "version", "--json"))
	var found struct{ Socket string }
	if err := json.Unmarshal([]byte(r.out), &found); err != nil || found.Socket != a.socket || !strings.Contains(a.socket, `\user-S-1-`) {
		t.Errorf("postern found %q and not %q: %v", found.Socket, a.socket, err)
	}

	second := must[result](t)(a.pc.run(t.Context(), a.program, a.args...))
	if second.code != 1 || !regexp.MustCompile(`^posternd: another agent runs on C:\\users\\.*\\Postern already: posternd, process \d+; stop it first\r?\n$`).MatchString(second.errOut) {
		t.Errorf("a second agent: %s", second)
	}

	w := watchStatus(t, a)
	w.next(t)
	began := time.Now()
	a.kill()
	if s := a.start(); s.Device.UEID != first.Device.UEID || s.Device.UEID == "" {
		t.Errorf("started again it is the device %q, was %q", s.Device.UEID, first.Device.UEID)
	}
	t.Logf("killed and answering again in %d ms", time.Since(began).Milliseconds())
	w.until(t, "the agent is back", func(s localapi.Status) bool { return s.Version != "" && s.Revision != first.Revision })
	w.interrupt(t)

	a.interrupt()
	if left := a.leftovers(); len(left) > 0 {
		t.Errorf("after Ctrl-C there is still %q", left)
	}
	if r := a.postern("status"); r.code != 5 {
		t.Errorf("after Ctrl-C: %s", r)
	}
	alone(t, a.program)
}

// alone fails if a process runs a program still.
func alone(t *testing.T, program string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ok(t, err)
	for _, name := range lines {
		data, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		if strings.Contains(string(data), filepath.Base(program)) && strings.Contains(string(data), filepath.Dir(program)) {
			t.Errorf("%s: %q runs still", name, data)
		}
	}
}

// watcher is `postern status --watch --json`.
type watcher struct {
	lines  chan string
	said   *journal
	signal func(os.Signal) error
	ended  chan error
}

func watchStatus(t *testing.T, a *agent) *watcher {
	t.Helper()
	cmd := a.pc.command(t.Context(), windowsProgram("postern"), a.flags([]string{"status", "--watch", "--json"})...)
	w := &watcher{lines: make(chan string), said: &journal{}, ended: make(chan error, 1)}
	cmd.Stderr = w.said
	out := must[io.ReadCloser](t)(cmd.StdoutPipe())
	ok(t, cmd.Start())
	w.signal = cmd.Process.Signal
	go func() { // ends with the watcher, which the test's context ends
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			select {
			case w.lines <- in.Text():
			case <-t.Context().Done():
			}
		}
		w.ended <- wait(cmd)
	}()
	return w
}

// next is the next line.
func (w *watcher) next(t *testing.T) localapi.Status {
	t.Helper()
	select {
	case line := <-w.lines:
		var s localapi.Status
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("the watcher said %q: %v", line, err)
		}
		return s
	case err := <-w.ended:
		t.Fatalf("the watcher ended: %v: %s", err, w.said)
	case <-time.After(patience):
		t.Fatalf("the watcher says no more: %s", w.said)
	}
	return localapi.Status{}
}

func (w *watcher) until(t *testing.T, what string, is func(localapi.Status) bool) {
	t.Helper()
	ok(t, lab.Until(t.Context(), patience, what, func() (bool, error) { return is(w.next(t)), nil }))
}

// interrupt is Ctrl-C, which ends it at once.
func (w *watcher) interrupt(t *testing.T) {
	t.Helper()
	ok(t, w.signal(syscall.SIGINT))
	for deadline := time.After(patience); ; {
		select {
		case <-w.lines:
		case err := <-w.ended:
			if err != nil {
				t.Errorf("after Ctrl-C the watcher ended with %v: %s", err, w.said)
			}
			return
		case <-deadline:
			t.Fatal("after Ctrl-C the watcher runs on")
		}
	}
}
