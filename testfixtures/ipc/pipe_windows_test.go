package ipc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/paths"
)

// TestLocalSocketOnAPipe has the system's agent and its callers speak over a
// named pipe: the whole protocol, many watchers, and the end of the agent.
func TestLocalSocketOnAPipe(t *testing.T) {
	socket := paths.InState(t.TempDir()).Socket
	c := localapi.Dial(socket)
	defer c.Close()
	if _, err := c.Version(t.Context()); !errors.Is(err, localapi.ErrNotRunning) {
		t.Errorf("before the agent runs: %v", err)
	}
	l, err := ipc.Listen(socket, ipc.Options{AnyUser: true})
	if err != nil {
		t.Fatal(err)
	}
	a, log := NewAgent(), &journal{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := localserver.New(a, localserver.Options{Scope: "system", Log: slog.New(slog.NewTextHandler(log, nil))})
	go func() { done <- s.Serve(ctx, l) }()

	self := ipc.Self()
	id := "of " + self.String()
	for _, step := range []struct{ verb, want string }{
		{"version", "ok"}, {"status", "ok"}, {"sent", localapi.CodeSignedOut}, {"start", "ok"}, {"finish " + id, "ok"},
		{"status", "ok"}, {"posture", "ok"}, {"timeline", "ok"}, {"sent", "ok"}, {"config", "ok"}, {"check", "ok"}, {"pause", "ok"}, {"resume", "ok"},
	} {
		verb, arg, _ := strings.Cut(step.verb, " ")
		if got := call(socket, verb, arg); got != step.want {
			t.Errorf("%s: answered %q, want %q", verb, got, step.want)
		}
	}
	if owner, ok := a.Owner(); !ok || !owner.Same(self) || owner.Session != self.Session || owner.Class != self.Class {
		t.Errorf("the session belongs to %+v, this is %+v", owner, self)
	}
	want := []string{"sign-in begun by " + self.String(), "signed in by " + self.String(), "checked by " + self.String(),
		"paused by " + self.String(), "resumed by " + self.String()}
	if got := a.Done(); !slices.Equal(got, want) {
		t.Errorf("the agent did %q", got)
	}
	manyWatch(t, a, socket)

	// Somebody else's session: this user is an administrator under Wine.
	a.own(ipc.Peer{Known: true, SID: "S-1-5-21-9-9-9-1009", Class: ipc.ClassPerson})
	if self.Class == ipc.ClassAdministrator {
		for _, step := range []struct{ verb, want string }{
			{"status", "ok"}, {"pause", localapi.CodeNotOwner}, {"start", localapi.CodeNotOwner}, {"signout", "ok"},
		} {
			if got := call(socket, step.verb, ""); got != step.want {
				t.Errorf("%s in another's session: answered %q, want %q", step.verb, got, step.want)
			}
		}
		if !strings.Contains(log.String(), "ended another user's session") {
			t.Errorf("the stop is not in the log: %q", log)
		}
	}

	go c.WaitStatus(context.Background(), a.Status().Revision, localapi.MaxWaitMS*time.Millisecond)
	until(t, "a caller waits", func() bool { return a.Waiting() == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := c.Version(t.Context()); !errors.Is(err, localapi.ErrNotRunning) {
		t.Errorf("after the agent: %v", err)
	}
}

// manyWatch has many watchers wait and hear of a change.
func manyWatch(t *testing.T, a *Agent, socket string) {
	const many = 100
	revision := a.Status().Revision
	var all sync.WaitGroup
	var mu sync.Mutex
	heard := map[string]int{}
	for range many {
		all.Go(func() {
			c := localapi.Dial(socket)
			defer c.Close()
			st, err := c.WaitStatus(context.Background(), revision, localapi.MaxWaitMS*time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			heard[fmt.Sprint(st.Revision, err)]++
		})
	}
	until(t, "all wait", func() bool { return a.Waiting() == many })
	next := a.Change()
	all.Wait()
	if len(heard) != 1 || heard[fmt.Sprint(next, error(nil))] != many {
		t.Errorf("heard %v, want all of revision %d", heard, next)
	}
}
