package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
)

// Whatever fails is told with a code, a sentence and, where something helps, a
// hint; in each language.
func TestFailures(t *testing.T) {
	for _, tc := range []struct {
		err  error
		code string
		exit int
	}{
		{fmt.Errorf("ask agent: %w", localapi.ErrNotRunning), codeNotRunning, exitNotRunning},
		{fmt.Errorf("ask agent: %w", io.EOF), codeNotRunning, exitNotRunning},
		{fmt.Errorf("read answer: %w", io.ErrUnexpectedEOF), codeNotRunning, exitNotRunning},
		{fmt.Errorf("ask agent: %w", syscall.ECONNRESET), codeNotRunning, exitNotRunning},
		{localapi.ErrNoAccess, codeNoAccess, exitError},
		{context.DeadlineExceeded, codeTimedOut, exitError},
		{&localapi.Refused{Code: localapi.CodeSignedOut, Message: "nobody", Hint: "do"}, localapi.CodeSignedOut, exitSignedOut},
		{&localapi.Refused{Code: "never_heard_of", Message: "Odd.", Hint: "Do."}, "never_heard_of", exitError},
	} {
		for _, language := range []string{"en", "de"} {
			a := bare(nil)
			a.words = func() *words { return speak(language) }
			f := a.failureOf(tc.err)
			if f.Code != tc.code || f.exit != tc.exit || f.Message == "" || f.Hint == "" {
				t.Errorf("%v in %s is %+v", tc.err, language, f)
			}
		}
	}
}

// A status of somebody else's session, or of none, has no applications to speak
// of.
func TestSession(t *testing.T) {
	me := localapi.Status{State: localapi.StateCompliant, User: &localapi.User{Subject: "1"}, Broker: localapi.Broker{URL: "https://b"}}
	theirs, out := me, me
	theirs.Foreign = true
	out.User = nil
	for want, s := range map[string]localapi.Status{"": me, localapi.CodeNotOwner: theirs, localapi.CodeSignedOut: out} {
		got := ""
		if err := bare(nil).session(s); err != nil {
			f := bare(nil).failureOf(err)
			if got = f.Code; f.Message == "" || f.Hint == "" {
				t.Errorf("%+v", f)
			}
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCutShort(t *testing.T) {
	for line, want := range map[string]bool{
		"http://127.0.0.1:7/callback?code=abc": true, "http://127.0.0.1:7/callback?code=abc&state=": true,
		"http://127.0.0.1:7/callback?code=abc&state=se": true, "http://127.0.0.1:7/callback?code=abc&state=secret": false,
		"http://127.0.0.1:7/callback?code=abc&state=other": false, "http://127.0.0.1:7/callback?state=sx&code=abc": false,
	} {
		if got := cutShort(line, "secret"); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

// With --json every command that needs an agent tells its absence as one JSON
// document, and nothing else.
func TestErrorsAreJSON(t *testing.T) {
	for _, args := range []string{"status", "apps", "open wiki", "explain wiki", "check", "timeline", "sent", "sent --raw", "login --no-browser", "login --switch",
		"logout", "pause --reason x", "resume"} {
		var out, hints strings.Builder
		a := bare(&out)
		a.err = &hints
		code := a.main(t.Context(), append(strings.Fields(args), "--json", "--socket", "/nowhere/at/all.sock"))
		var doc struct {
			Error struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(out.String()), &doc); err != nil || code != exitNotRunning || hints.Len() > 0 ||
			doc.Error.Code != codeNotRunning || doc.Error.Message == "" || doc.Error.Hint == "" {
			t.Errorf("%s: %v, exit code %d, %q, %q", args, err, code, out.String(), hints.String())
		}
	}
}

func TestUndecided(t *testing.T) {
	with := func(state string, reasons ...string) localapi.Status {
		s := localapi.Status{State: localapi.StateCompliant, User: &localapi.User{Subject: "1"}}
		s.Apps = []localapi.App{{ID: "a", State: localapi.AppReady}, {ID: "b", State: state, Reasons: reasons}}
		return s
	}
	paused := with(localapi.AppClosed, "paused")
	paused.Pause = &localapi.Pause{}
	for name, tc := range map[string]struct {
		s    localapi.Status
		want bool
	}{
		"starting": {localapi.Status{State: localapi.StateStarting}, true}, "signed out": {localapi.Status{State: localapi.StateSignedOut}, false},
		"closed without a word": {with(localapi.AppClosed), true}, "paused until now": {with(localapi.AppClosed, "paused"), true},
		"paused": {paused, false}, "denied": {with(localapi.AppDenied, "x"), false}, "closed for a reason": {with(localapi.AppClosed, "x"), false},
		"all ready": {with(localapi.AppReady), false},
	} {
		if got := undecided(tc.s); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
