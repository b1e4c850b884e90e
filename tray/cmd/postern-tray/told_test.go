package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/client/view"
)

// day is when these tests begin.
func day() time.Time { return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC) }

func forecast(code string, from time.Time) localapi.Forecast {
	return localapi.Forecast{Code: code, Name: code, From: from.Format(time.RFC3339)}
}

func signedIn(change func(*localapi.Status)) localapi.Status {
	st := localapi.Status{API: localapi.API, State: localapi.StateCompliant, User: &localapi.User{Name: "Ada", Subject: "ada"},
		Device: localapi.Device{Enrolled: true}, Broker: localapi.Broker{URL: "https://broker.example", Reachable: true},
		Apps: []localapi.App{{ID: "wiki", Name: "Wiki", State: localapi.AppOpen}}}
	if change != nil {
		change(&st)
	}
	return st.Filled()
}

// tray is one run of the program, from the first status of the agent on.
type tray struct {
	*memory
	t    *testing.T
	told view.Told
	tell func(context.Context, view.Notice) error
	got  []string
	fail error
}

func newTray(t *testing.T, path string) *tray {
	base := view.Input{Language: "en", System: "linux", Zone: time.UTC}
	r := &tray{t: t, memory: remember(path, base, slog.New(slog.DiscardHandler))}
	r.tell = r.once(func(_ context.Context, n view.Notice) error {
		if r.fail == nil {
			r.got = append(r.got, n.ID[:strings.IndexByte(n.ID+":", ':')])
		}
		return r.fail
	})
	return r
}

// see has the tray see a status at a moment, and returns the kinds of what it
// tells.
func (r *tray) see(at time.Time, st localapi.Status) []string {
	r.t.Helper()
	r.got = nil
	r.now = func() time.Time { return at }
	r.saw(st)
	in := r.base
	in.Status, in.Now = st, at
	told, notices, _ := view.Next(r.told, in, view.New(in))
	r.told = told
	for _, n := range notices {
		if err := r.tell(context.Background(), n); err != nil && r.fail == nil {
			r.t.Error(err)
		}
	}
	return r.got
}

func want(t *testing.T, got []string, kinds ...string) {
	t.Helper()
	if !slices.Equal(got, kinds) {
		t.Fatalf("told %q, want %q", got, kinds)
	}
}

func toldFile(t *testing.T) string { return filepath.Join(private(t), toldName) }

// private is a folder of this user alone.
func private(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRuleIsNotToldTwice(t *testing.T) {
	path, begins := toldFile(t), day().Add(20*time.Hour)
	st := signedIn(func(s *localapi.Status) { s.Forecast = []localapi.Forecast{forecast("org/disk", begins)} })
	want(t, newTray(t, path).see(day(), st), "coming")
	for _, later := range []time.Duration{time.Second, time.Hour, 18 * time.Hour} {
		want(t, newTray(t, path).see(day().Add(later), st))
	}
	// An hour before it is told again, whether the tray runs or starts then.
	r := newTray(t, path)
	want(t, r.see(day().Add(18*time.Hour), st))
	want(t, r.see(begins.Add(-59*time.Minute), st), "coming")
	want(t, newTray(t, path).see(begins.Add(-30*time.Minute), st))
	// A rule that came to be known since is told.
	more := signedIn(func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{forecast("org/disk", begins), forecast("org/new", begins.Add(time.Hour))}
	})
	want(t, newTray(t, path).see(begins.Add(-20*time.Minute), more), "coming")
	want(t, newTray(t, path).see(begins.Add(-19*time.Minute), more))
	// So is one that was put off.
	late := signedIn(func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{forecast("org/disk", begins.Add(2*time.Hour))}
	})
	want(t, newTray(t, path).see(begins.Add(-10*time.Minute), late), "coming")
}

func TestEndOfSignInIsNotToldTwice(t *testing.T) {
	path, ends := toldFile(t), day().Add(9*time.Minute)
	at := func(ends time.Time) localapi.Status {
		return signedIn(func(s *localapi.Status) { s.SessionEnds = ends })
	}
	want(t, newTray(t, path).see(day(), at(ends)), "sign-in")
	want(t, newTray(t, path).see(day().Add(5*time.Second), at(ends.Add(2*time.Second)))) // counted anew
	r := newTray(t, path)
	want(t, r.see(day().Add(5*time.Minute), at(ends)))
	want(t, r.see(ends.Add(-2*time.Minute), at(ends)), "sign-in")
	want(t, newTray(t, path).see(ends.Add(-time.Minute), at(ends)))
	want(t, newTray(t, path).see(ends, at(ends.Add(8*time.Minute))), "sign-in") // of another sign-in
	// That it ended is no warning, and told.
	r = newTray(t, path)
	want(t, r.see(ends.Add(time.Minute), at(ends.Add(8*time.Minute))))
	want(t, r.see(ends.Add(8*time.Minute), signedIn(func(s *localapi.Status) { s.State, s.User, s.Apps = localapi.StateSignedOut, nil, nil })), "sign-in")
}

func TestAnotherPersonIsTold(t *testing.T) {
	path := toldFile(t)
	of := func(who string) localapi.Status {
		return signedIn(func(s *localapi.Status) {
			s.User.Subject, s.Forecast = who, []localapi.Forecast{forecast("org/disk", day().Add(3*time.Hour))}
		})
	}
	want(t, newTray(t, path).see(day(), of("ada")), "coming")
	want(t, newTray(t, path).see(day().Add(time.Minute), of("eve")), "coming")
	want(t, newTray(t, path).see(day().Add(time.Minute), of("eve")))
	data, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(data), "eve") || strings.Contains(string(data), "disk") {
		t.Errorf("the file says %s, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// What is only news is told by each tray, and a warning that could not be shown
// by the next.
func TestOnlyWhatWasShownIsKept(t *testing.T) {
	path := toldFile(t)
	st := signedIn(func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{forecast("org/disk", day().Add(3*time.Hour))}
	})
	r := newTray(t, path)
	r.fail = errors.New("no service")
	want(t, r.see(day(), st))
	want(t, newTray(t, path).see(day(), st), "coming")
	for range 2 {
		if err := r.once(func(context.Context, view.Notice) error { return nil })(context.Background(), view.Notice{ID: "agent"}); err != nil {
			t.Error(err)
		}
	}
	if r.once(nil) != nil {
		t.Error("it tells where nothing can be told")
	}
}

func TestDamagedFileIsIgnored(t *testing.T) {
	st := signedIn(func(s *localapi.Status) {
		s.Forecast = []localapi.Forecast{forecast("org/disk", day().Add(3*time.Hour))}
	})
	good := toldFile(t)
	want(t, newTray(t, good).see(day(), st), "coming")
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for name, damaged := range map[string]string{
		"empty": "", "cut": text[:len(text)/2], "doubled": text + text, "of another version": strings.Replace(text, `"version":1`, `"version":2`, 1),
		"with more": strings.Replace(text, "{", `{"x":1,`, 1), "of no time": strings.Replace(text, "2026", "20x6", 1), "null": "null",
		"of the future": strings.Replace(text, "2026", "2027", 1), "of long ago": strings.Replace(text, "2026", "2025", 1),
		"large": strings.Repeat(" ", toldMost) + text,
	} {
		path := toldFile(t)
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		got := newTray(t, path).see(day().Add(time.Minute), st)
		if !slices.Equal(got, []string{"coming"}) {
			t.Errorf("%s: told %q", name, got)
		}
		want(t, newTray(t, path).see(day().Add(2*time.Minute), st)) // it is whole by now
	}
	if runtime.GOOS == "windows" {
		return
	}
	open := toldFile(t)
	if err := os.WriteFile(open, data, 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, newTray(t, open).see(day().Add(time.Minute), st), "coming")
}

func FuzzReadTold(f *testing.F) {
	f.Add([]byte(`{"version":1,"person":"x","rules_at":"2026-11-02T09:00:00Z","rules":["a"]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got, err := readTold(data); err == nil && (got.Version != toldVersion || len(got.Rules) > toldRules) {
			t.Errorf("%q is read as %+v", data, got)
		}
	})
}
