package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// TestComing has an agent be noticed when it comes, whether or not its folder is
// there and whatever a dead one left.
func TestComing(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a pipe is no file that could be watched")
	}
	socket := filepath.Join(t.TempDir(), "not", "yet", "agent.sock")
	signs := make(chan struct{}, 100)
	c := &coming{sockets: func() []string { return []string{socket} }, log: slog.New(slog.DiscardHandler)}
	c.tell(func() { signs <- struct{}{} })
	none := fmt.Errorf("ask: %w", localapi.ErrNotRunning)
	for round, why := range []error{none, io.EOF, none} {
		if c.heard(context.DeadlineExceeded) {
			t.Error("an agent that is slow is to be asked again at once")
		}
		if !c.heard(why) {
			t.Fatal("what came before it is not looked for")
		}
		if c.heard(none) {
			t.Error("it watches a second time")
		}
		l, err := ipc.Listen(socket, ipc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		select {
		case <-signs:
			t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
		case <-time.After(30 * time.Second):
			t.Fatal("nobody says that it came")
		}
		if c.heard(nil) || c.heard(&localapi.Refused{}) || c.heard(localapi.ErrNoAccess) {
			t.Error("it is there and is to be asked again")
		}
		c.wait()
		for len(signs) > 0 {
			<-signs
		}
		if round == 1 {
			l.Close()
			continue
		}
		defer l.Close()
		socket = filepath.Join(t.TempDir(), "agent.sock")
	}
	if len(signs) > 0 {
		t.Error("it tells of what it no longer waits for")
	}
}

func TestSockets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the places are for Unix")
	}
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	none := func(string) string { return "" }
	if got := sockets("/x/agent.sock", none); len(got) != 1 || got[0] != "/x/agent.sock" {
		t.Errorf("a flag: %q", got)
	}
	if got := sockets("", func(string) string { return "/y/agent.sock" }); len(got) != 1 || got[0] != "/y/agent.sock" {
		t.Errorf("a variable: %q", got)
	}
	if got := sockets("", none); len(got) != 2 || got[0] == got[1] {
		t.Errorf("neither: %q", got)
	}
}
