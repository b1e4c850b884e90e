package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/cells"
	terminals "github.com/postern-zt/postern/platform/terminal"
	"github.com/postern-zt/postern/testfixtures/pty"
)

// screen is a pseudo-terminal and what was written to it.
type screen struct {
	control *os.File // the side of whoever sits at it
	file    *os.File // the side of the program

	mu   sync.Mutex
	seen bytes.Buffer
	news chan struct{}
}

// newScreen opens a pseudo-terminal (ptmx(4), pts(4)).
func newScreen(t *testing.T, columns, rows uint16) *screen {
	t.Helper()
	control, file, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{control: control, file: file, news: make(chan struct{}, 1)}
	s.resize(t, columns, rows)
	done := make(chan struct{})
	go func() { defer close(done); s.read() }()
	// The reader ends when the other side has been closed (EIO).
	t.Cleanup(func() { file.Close(); <-done; control.Close() })
	return s
}

func (s *screen) resize(t *testing.T, columns, rows uint16) {
	t.Helper()
	if err := pty.Resize(s.control, columns, rows); err != nil {
		t.Fatal(err)
	}
}

func (s *screen) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.control.Read(buf)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.seen.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// await waits until there is a text that was not there before position from,
// and gives the position after it.
func (s *screen) await(t *testing.T, from int, want string) int {
	t.Helper()
	late := time.After(patience)
	for {
		text := s.text()
		if i := strings.Index(text[from:], want); i >= 0 {
			return from + i + len(want)
		}
		select {
		case <-s.news:
		case <-late:
			t.Fatalf("no %q on the terminal, which has %q", want, text[from:])
		}
	}
}

// at is an app whose person sits at the screen.
func (s *screen) at(env map[string]string) *app {
	a := &app{in: s.file, out: s.file, err: s.file, getenv: func(name string) string { return env[name] },
		inTerm: terminalOf(s.file), outTerm: terminalOf(s.file), errTerm: terminalOf(s.file)}
	a.colour = wantsColour(a.outTerm, a.getenv)
	return a
}

// On a terminal a watch draws in place, follows its size, and gives the
// terminal back with the last status on it.
func TestWatchOnTerminal(t *testing.T) {
	agent, socket := play(t, statusWith("Wiki", localapi.AppReady))
	s := newScreen(t, 80, 24)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	code := make(chan int, 1)
	a := s.at(map[string]string{"TERM": "xterm"})
	go func() { code <- a.main(ctx, []string{"--socket", socket, "status", "--watch"}) }()
	at := s.await(t, 0, enterScreen+homeCursor)
	at = s.await(t, at, "Wiki")
	at = s.await(t, at, "open")
	agent.become(statusWith("Wiki", localapi.AppOpen))
	at = s.await(t, at, homeCursor)
	at = s.await(t, at, "open")
	s.resize(t, 80, 5)
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil { // the terminal is not this process's own
		t.Fatal(err)
	}
	at = s.await(t, at, "…")
	stop()
	at = s.await(t, at, leaveScreen)
	s.await(t, at, "Wiki")
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d", c)
	}
	if n := strings.Count(s.text(), enterScreen); n != 1 {
		t.Errorf("the screen was entered %d times", n)
	}
}

// A terminal without control sequences gets lines, as a pipe does.
func TestWatchOnDumbTerminal(t *testing.T) {
	_, socket := play(t, statusWith("Wiki", localapi.AppReady))
	s := newScreen(t, 80, 24)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	code := make(chan int, 1)
	a := s.at(map[string]string{"TERM": "dumb"})
	go func() { code <- a.main(ctx, []string{"--socket", socket, "status", "--watch"}) }()
	s.await(t, 0, "Wiki: open")
	stop()
	if c := <-code; c != exitOK || strings.Contains(s.text(), "\x1b") {
		t.Errorf("exit code %d, %q", c, s.text())
	}
}

// Colours are on a terminal only, and not where NO_COLOR is set; lines fit.
func TestStatusOnTerminal(t *testing.T) {
	_, socket := play(t, statusWith("Wiki", localapi.AppReady))
	for _, tc := range []struct {
		env    map[string]string
		colour bool
	}{{map[string]string{"TERM": "xterm"}, true}, {map[string]string{"TERM": "xterm", "NO_COLOR": "1"}, false}, {map[string]string{"TERM": "dumb"}, false}} {
		s := newScreen(t, 40, 24)
		if code := s.at(tc.env).main(t.Context(), []string{"--socket", socket, "status"}); code != exitOK {
			t.Fatalf("exit code %d: %s", code, s.text())
		}
		s.await(t, 0, "enrolled")
		if got := strings.Contains(s.text(), "\x1b["); got != tc.colour {
			t.Errorf("%v: colours %v: %q", tc.env, got, s.text())
		}
	}
}

// A person at a terminal sees how long there still is, and what comes after the
// sign-in; the line is gone when it is over.
func TestLoginOnTerminal(t *testing.T) {
	agent, socket := play(t, localapi.Status{State: localapi.StateSignedOut})
	agent.URL, agent.Browser = "https://idp.example/", "code"
	agent.After = statusWith("Wiki", localapi.AppClosed)
	agent.After.State = localapi.StateStarting
	s := newScreen(t, 80, 24)
	a := s.at(map[string]string{"TERM": "xterm"})
	code := make(chan int, 1)
	go func() { code <- a.main(t.Context(), []string{"--socket", socket, "login", "--no-browser"}) }()
	at := s.await(t, 0, "https://idp.example/")
	at = s.await(t, at, "left"+clearLine)
	at = s.await(t, at, "Asking your organisation")
	agent.become(statusWith("Wiki", localapi.AppReady))
	at = s.await(t, at, "\r"+clearLine)
	s.await(t, at, "Signed in as")
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d: %q", c, s.text())
	}
	agent.browsers.Wait()
}

// An answer of a sign-in may be longer than what a terminal takes as a line,
// and is not shown; afterwards the terminal is as it was.
func TestReadUnseen(t *testing.T) {
	s := newScreen(t, 80, 24)
	before, err := pty.Settings(s.file)
	if err != nil {
		t.Fatal(err)
	}
	restore, err := terminals.ReadUnseen(s.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a := s.at(nil)
	lines := a.lines(ctx)
	long := strings.Repeat("x", 10_000)
	go func() { _, _ = s.control.WriteString(long + "\n") }() // what is lost is missed below
	select {
	case got := <-lines:
		if strings.TrimSpace(got) != long {
			t.Errorf("of %d letters %d came", len(long), len(got))
		}
	case <-time.After(patience):
		t.Fatal("the line did not come")
	}
	if strings.Contains(s.text(), "x") {
		t.Error("what was pasted is on the screen")
	}
	stop()
	_, _ = s.control.WriteString("\n") // for the reader, which ends with its next line
	restore()
	after, err := pty.Settings(s.file)
	if err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("the terminal was %s and is %s", before, after)
	}
}

// What is told beside the output fits the terminal too, word by word.
func TestHintsFitTheTerminal(t *testing.T) {
	for _, columns := range []uint16{40, 80} {
		s := newScreen(t, columns, 24)
		code := s.at(map[string]string{"TERM": "xterm"}).main(t.Context(), []string{"--socket", "/nowhere/at/all.sock", "status"})
		if code != exitNotRunning {
			t.Fatalf("exit code %d", code)
		}
		s.await(t, 0, "system's.\r\n")
		for line := range strings.Lines(s.text()) {
			if n := cells.Width(strings.TrimRight(line, "\r\n")); n > int(columns) {
				t.Errorf("%d columns: %q", n, line)
			}
		}
	}
}

// A person who types the name alone gets the help, a script an error alone.
func TestAlone(t *testing.T) {
	s := newScreen(t, 80, 24)
	if code := s.at(map[string]string{"TERM": "xterm"}).main(t.Context(), nil); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	at := s.await(t, 0, "Every day:")
	s.await(t, at, "no command given")
}

// A terminal that can do nothing but lines, as those of editors and of some
// screen readers, gets lists.
func TestPostureOnDumbTerminal(t *testing.T) {
	agent, socket := play(t, asking(statusWith("Wiki", localapi.AppReady)))
	agent.Report = ill()
	s := newScreen(t, 100, 50)
	if code := s.at(map[string]string{"TERM": "dumb"}).main(t.Context(), []string{"--socket", socket, "posture"}); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	s.await(t, 0, "Disk encryption: ! problem\r\n")
	if strings.Contains(s.text(), "CHECK") || strings.Contains(s.text(), "\x1b") {
		t.Error(s.text())
	}
}

// On a terminal the table has colours and is as wide as the terminal at most.
func TestPostureOnTerminal(t *testing.T) {
	agent, socket := play(t, asking(statusWith("Wiki", localapi.AppReady)))
	agent.Report = ill()
	s := newScreen(t, 84, 50)
	if code := s.at(map[string]string{"TERM": "xterm"}).main(t.Context(), []string{"--socket", socket, "posture"}); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	s.await(t, 0, "\x1b[31m! problem\x1b[0m")
}

// A person who ends a pause is told what came of it, not what is not yet known.
func TestResumeOnTerminal(t *testing.T) {
	agent, socket := play(t, statusWith("Wiki", localapi.AppClosed))
	agent.After = statusWith("Wiki", localapi.AppClosed)
	s := newScreen(t, 80, 24)
	a := s.at(map[string]string{"TERM": "xterm"})
	code := make(chan int, 1)
	go func() { code <- a.main(t.Context(), []string{"--socket", socket, "resume"}) }()
	at := s.await(t, 0, "Asking your organisation")
	agent.become(statusWith("Wiki", localapi.AppReady))
	s.await(t, at, "1 app open")
	if c := <-code; c != exitOK || strings.Contains(s.text()[at:], "closed") {
		t.Errorf("exit code %d: %q", c, s.text())
	}
}
