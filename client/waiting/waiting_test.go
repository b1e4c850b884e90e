package waiting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-zt/postern/client/config"
	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/localserver"
	"github.com/postern-zt/postern/platform/clock"
	"github.com/postern-zt/postern/platform/ipc"
	"github.com/postern-zt/postern/platform/paths"
	"github.com/postern-zt/postern/platform/watch"
)

const good = "broker: https://broker.example\nmanaged_by: Example\n"

// rig is a Door over a real settings file, with a clock and a watcher of the
// test's.
type rig struct {
	t     *testing.T
	set   paths.Set
	clock *clock.Fake
	watch *twin
	door  *Door
	said  *strings.Builder
}

// twin is a Watch that tells when the test does.
type twin struct {
	events chan watch.Event
	files  []string
	err    error
}

func (w *twin) SetFiles(_ string, paths []string) error {
	w.files = paths
	return w.err
}

func (w *twin) Events() <-chan watch.Event { return w.events }

func newRig(t *testing.T, scope, settings string) *rig {
	t.Helper()
	r := &rig{t: t, set: paths.InState(filepath.Join(t.TempDir(), "own")), clock: clock.NewFake(time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC)),
		watch: &twin{events: make(chan watch.Event)}, said: &strings.Builder{}}
	if err := os.Mkdir(r.set.State, 0o700); err != nil {
		t.Fatal(err)
	}
	if settings != "" {
		r.write(settings)
	}
	s, err := r.load()
	r.door = New(Options{Clock: r.clock, Scope: scope, Version: "1", Socket: "/run/x.sock", Log: slog.New(slog.NewTextHandler(r.said, nil))}, s, err)
	return r
}

func (r *rig) load() (config.Settings, error) { return config.Load(r.set, config.Overrides{}) }

func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.set.Config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// pass lets time pass and everybody act on it.
func (r *rig) pass(d time.Duration) {
	r.clock.Advance(d)
	synctest.Wait()
}

// happen has the watcher tell.
func (r *rig) happen() {
	r.watch.events <- watch.Event{}
	synctest.Wait()
}

// got is what Await ended with.
type got struct {
	settings config.Settings
	err      error
}

// inBubble makes a rig and runs Await with what watch makes of its watcher, in a
// bubble of their own.
func inBubble(t *testing.T, scope, settings string, with func(*twin) Watch, then func(r *rig, done <-chan got)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, scope, settings)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan got, 1)
		go func() {
			s, err := r.door.Await(ctx, r.load, with(r.watch))
			done <- got{s, err}
		}()
		synctest.Wait()
		then(r, done)
		cancel()
		synctest.Wait()
		if r.clock.Pending() != 0 {
			t.Errorf("%d timers are left", r.clock.Pending())
		}
	})
}

func whole(w *twin) Watch { return w }

func (r *rig) wants(done <-chan got, broker string) {
	r.t.Helper()
	select {
	case g := <-done:
		if g.err != nil || g.settings.Broker.V != broker {
			r.t.Errorf("settings for %q, %v", g.settings.Broker.V, g.err)
		}
	default:
		r.t.Error("the settings are not taken")
	}
}

func (r *rig) stillWaits(done <-chan got) {
	r.t.Helper()
	select {
	case g := <-done:
		r.t.Fatalf("took settings for %q, %v", g.settings.Broker.V, g.err)
	default:
	}
}

func TestSettingsComeWithAnEvent(t *testing.T) {
	inBubble(t, "user", "", whole, func(r *rig, done <-chan got) {
		if !slices.Equal(r.watch.files, []string{r.set.Config}) {
			t.Errorf("watched %v", r.watch.files)
		}
		r.write(good)
		r.happen()
		r.stillWaits(done)
		r.pass(settle)
		r.wants(done, "https://broker.example")
	})
}

func TestSettingsComeWithoutAnEvent(t *testing.T) {
	for name, with := range map[string]func(*twin) Watch{
		"deaf":    whole,
		"refused": func(w *twin) Watch { w.err = errors.ErrUnsupported; return w },
		"none":    func(*twin) Watch { return nil },
		"closed":  func(w *twin) Watch { close(w.events); return w },
	} {
		inBubble(t, "user", "", with, func(r *rig, done <-chan got) {
			r.write(good)
			r.pass(backstop - time.Second)
			r.stillWaits(done)
			r.pass(time.Second)
			r.stillWaits(done)
			r.pass(settle)
			r.wants(done, "https://broker.example")
			if (name == "refused") != strings.Contains(r.said.String(), "watch the settings") {
				t.Errorf("%s: log %s", name, r.said)
			}
		})
	}
}

// A file that is written piece by piece counts when it is whole, and its halves
// are not told as mistakes.
func TestHalfAFile(t *testing.T) {
	inBubble(t, "user", "", whole, func(r *rig, done <-chan got) {
		before := r.door.Status()
		for _, text := range []string{"broker: https://broker.exam", "broker: https://broker.example\nforb", good} {
			r.write(text)
			r.happen()
			r.pass(settle - time.Millisecond)
			r.stillWaits(done)
			if s := r.door.Status(); s.Revision != before.Revision {
				t.Errorf("after %q it tells %q", text, s.Message)
			}
		}
		r.pass(time.Millisecond)
		r.wants(done, "https://broker.example")
	})
}

func TestMistakesAreToldAsTheyChange(t *testing.T) {
	inBubble(t, "system", "broker: x\n", whole, func(r *rig, done <-chan got) {
		first := r.door.Status()
		if first.Reasons[0] != localapi.CodeSettings || !strings.Contains(first.Message, ":1: broker: this is not a web address") {
			t.Errorf("status %+v", first)
		}
		heard := make(chan localapi.Status, 1)
		go func() { heard <- r.door.WaitChange(r.t.Context(), first.Revision) }()
		r.happen() // nothing is other
		r.pass(settle)
		if s := r.door.Status(); s.Revision != first.Revision {
			t.Error("a notice without a change is told as one")
		}
		r.write("log_level: loud\n")
		r.happen()
		r.pass(settle)
		if s := <-heard; s.Revision == first.Revision || !strings.Contains(s.Message, ":1: log_level: no such level") {
			t.Errorf("told %+v", s)
		}
		if err := os.Remove(r.set.Config); err != nil {
			t.Fatal(err)
		}
		r.happen()
		r.pass(settle)
		if s := r.door.Status(); s.Reasons[0] != localapi.CodeNoBroker {
			t.Errorf("without a file: %+v", s)
		}
		r.stillWaits(done)
		for _, want := range []string{"log_level: no such level", "no broker configured"} {
			if strings.Count(r.said.String(), want) != 1 {
				t.Errorf("the log says %q not once: %s", want, r.said)
			}
		}
	})
}

// Files that the settings name are watched, too.
func TestFilesBeside(t *testing.T) {
	inBubble(t, "user", "broker: https://broker.example\nbroker_ca: ca.pem\nenrolment_token_file: token\n", whole, func(r *rig, _ <-chan got) {
		for _, name := range []string{"settings.yaml", "ca.pem", "token"} {
			if !slices.Contains(r.watch.files, filepath.Join(r.set.State, name)) {
				t.Errorf("%s is not watched: %v", name, r.watch.files)
			}
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "user", "")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.door.Await(ctx, r.load, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// What people are told has the file, what to do and whom to ask, and no secret.
func TestWords(t *testing.T) {
	for _, tc := range []struct {
		scope, settings string
		code            string
		want            []string
	}{
		{"system", "", localapi.CodeNoBroker, []string{"no broker is configured", "Ask your helpdesk. Administrators: write the broker's address as `broker` into FILE"}},
		{"user", "support: 'it@example.com'\n", localapi.CodeNoBroker, []string{"Write the broker's address as `broker` into FILE", "ask your helpdesk (it@example.com)."}},
		{"system", "broker: http://b\n", localapi.CodeSettings, []string{"have a mistake: FILE:1: broker: a broker is reached by https only", "Administrators: put it right; the agent"}},
		{"user", "broker: http://b\nnope: 1\n", localapi.CodeSettings, []string{"have 2 mistakes. The first: FILE:1: broker", "Put them right, postern config shows them all; the agent"}},
		{"user", "broker: https://me:tok-3f9a1cdeadbeef@b\n", localapi.CodeSettings, []string{"more than a host and a port"}},
		{"user", "tok-3f9a1cdeadbeef: x\n", localapi.CodeSettings, []string{"FILE:1: (a long name): no such key"}},
		{"user", "enrolment_token: a tok-3f9a1cdeadbeef\n", localapi.CodeSettings, []string{"a token has"}},
	} {
		r := newRig(t, tc.scope, tc.settings)
		s := r.door.Status()
		if s.Reasons[0] != tc.code || s.State != localapi.StateSignedOut || s.Broker.URL != "" || s.User != nil || s.Socket != "/run/x.sock" || s.API != localapi.API {
			t.Errorf("%s: %+v", tc.settings, s)
		}
		for _, want := range tc.want {
			if want = strings.ReplaceAll(want, "FILE", r.set.Config); !strings.Contains(s.Message, want) {
				t.Errorf("%s: %q has no %q", tc.settings, s.Message, want)
			}
		}
		_, err := r.door.Posture(t.Context())
		if said := fmt.Sprint(s, r.door.Config(), err); strings.Contains(said, "deadbeef") {
			t.Errorf("%s: a secret is told: %s", tc.settings, said)
		}
	}
	many := newRig(t, "user", strings.Repeat("nope: 1\n", 5000))
	if w := many.door.Config().Warnings; len(w) != mostTold+1 || w[mostTold] != "and 4980 more" {
		t.Errorf("%d warnings, the last %q", len(w), w[len(w)-1])
	}
}

// Everything that needs an agent is refused with what is wrong; after the
// handover it is the agent that answers, also those who wait.
func TestHandOver(t *testing.T) {
	r := newRig(t, "user", "")
	d, peer := r.door, ipc.Peer{}
	acts := map[string]func() error{
		"posture": func() error { _, err := d.Posture(t.Context()); return err },
		"start":   func() error { _, err := d.StartSignIn(t.Context(), peer, localapi.SignInRequest{}); return err },
		"finish":  func() error { return d.FinishSignIn(t.Context(), peer, localapi.Finish{}) },
		"cancel":  func() error { return d.CancelSignIn(t.Context(), peer, "") },
		"signout": func() error { return d.SignOut(t.Context(), peer) },
		"check":   func() error { _, err := d.Check(t.Context(), peer); return err },
		"pause":   func() error { return d.Pause(t.Context(), peer, localapi.PauseRequest{}) },
		"resume":  func() error { return d.Resume(t.Context(), peer) },
	}
	for name, act := range acts {
		var no *localapi.Refused
		if err := act(); !errors.As(err, &no) || no.Code != localapi.CodeNoBroker || no.Message == "" || no.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, session := d.Owner(); session {
		t.Error("somebody owns a session")
	}
	if e := d.Timeline().Events; len(e) != 1 || e[0].Event != localapi.EventStarted || !e[0].At.Equal(r.clock.Now()) {
		t.Errorf("timeline %+v", e)
	}
	if s := d.Sent(); s.To != "" || s.Report.Signals != nil {
		t.Errorf("sent %+v", s)
	}
	a := &agent{}
	synctest.Test(t, func(t *testing.T) {
		d.changed = make(chan struct{}) // one of this bubble
		heard := make(chan localapi.Status, 1)
		after := d.Status().Revision
		go func() { heard <- d.WaitChange(t.Context(), after) }()
		synctest.Wait()
		d.HandOver(a)
		synctest.Wait()
		select {
		case s := <-heard:
			if s.Revision != 7 {
				t.Errorf("who waited heard %+v", s)
			}
		default:
			t.Error("who waited hears nothing")
		}
	})
	for name, act := range acts {
		if err := act(); err != nil || a.last != name {
			t.Errorf("%s came as %q: %v", name, a.last, err)
		}
	}
	_, session := d.Owner()
	if !session || d.Status().Revision != 7 || d.Config().File != "agent" || d.Sent().To != "agent" || len(d.Timeline().Events) != 2 {
		t.Error("not all answers are the agent's")
	}
}

// agent is a Backend that notes its last act.
type agent struct{ last string }

var _ localserver.Backend = (*agent)(nil)

func (a *agent) Status() localapi.Status                           { return localapi.Status{Revision: 7} }
func (a *agent) WaitChange(context.Context, int64) localapi.Status { return a.Status() }
func (a *agent) Owner() (ipc.Peer, bool)                           { return ipc.Peer{}, true }
func (a *agent) Timeline() localapi.Timeline {
	return localapi.Timeline{Events: make([]localapi.Happening, 2)}
}
func (a *agent) Sent() localapi.Sent     { return localapi.Sent{To: "agent"} }
func (a *agent) Config() localapi.Config { return localapi.Config{File: "agent"} }
func (a *agent) act(name string) error   { a.last = name; return nil }
func (a *agent) Posture(context.Context) (localapi.Reading, error) {
	return localapi.Reading{}, a.act("posture")
}
func (a *agent) FinishSignIn(context.Context, ipc.Peer, localapi.Finish) error {
	return a.act("finish")
}
func (a *agent) CancelSignIn(context.Context, ipc.Peer, string) error { return a.act("cancel") }
func (a *agent) SignOut(context.Context, ipc.Peer) error              { return a.act("signout") }
func (a *agent) Resume(context.Context, ipc.Peer) error               { return a.act("resume") }
func (a *agent) StartSignIn(context.Context, ipc.Peer, localapi.SignInRequest) (localapi.SignIn, error) {
	return localapi.SignIn{}, a.act("start")
}
func (a *agent) Check(context.Context, ipc.Peer) (localapi.Checked, error) {
	return localapi.Checked{}, a.act("check")
}
func (a *agent) Pause(context.Context, ipc.Peer, localapi.PauseRequest) error { return a.act("pause") }
