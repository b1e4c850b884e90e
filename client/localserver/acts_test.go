//go:build linux || darwin

package localserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// pausing asks for a pause as kim, whose session it is, and gives what the
// backend was asked and the code of a refusal.
func pausing(t *testing.T, body string) (asked []string, code string) {
	t.Helper()
	m := newMemory()
	m.session(kim)
	r := httptest.NewRequest(http.MethodPost, localapi.PathPause, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	_, err := New(m, Options{Scope: scopeSystem}).pause(r, kim)
	var no *localapi.Refused
	if errors.As(err, &no) {
		code = no.Code
	} else if err != nil {
		t.Fatal(err)
	}
	return m.noted(), code
}

func TestPauseTakesWhatCanBeShown(t *testing.T) {
	long := strings.Repeat("会", localapi.MaxPauseReason)
	for reason, want := range map[string]string{
		"lunch": "lunch", "  lunch\n": "lunch", long: long, "a \"talk\" in room 7 & <b>8</b>": "a \"talk\" in room 7 & <b>8</b>",
		"": "", "  \t": "", long + "会": "", "lunch\nPAUSED by=admin": "", "\x1b[2Jlunch": "", "lunch\u202egnp.exe": "", "a\u009b31mb": "", "a\u2028b": "", "a\x00b": "", "a\u200bb": "",
	} {
		body, err := json.Marshal(localapi.PauseRequest{Reason: reason, ForMS: 60_000})
		if err != nil {
			t.Fatal(err)
		}
		asked, code := pausing(t, string(body))
		switch {
		case want == "" && (code != localapi.CodeBadRequest || len(asked) != 0):
			t.Errorf("%q is answered %q, and the agent was asked %q", reason, code, asked)
		case want != "" && (code != "" || !slices.Equal(asked, []string{"pause uid 1000 " + want})):
			t.Errorf("%q is answered %q, and the agent was asked %q", reason, code, asked)
		}
	}
}

func TestPauseLastsADayAtMost(t *testing.T) {
	for ms, want := range map[string]string{
		"1": "", "86400000": "", "0": localapi.CodeBadRequest, "-1": localapi.CodeBadRequest, "86400001": localapi.CodeBadRequest,
		"9223372036854775807": localapi.CodeBadRequest, "9223372036854775808": localapi.CodeBadRequest, "1.5": localapi.CodeBadRequest, "\"1\"": localapi.CodeBadRequest,
	} {
		if asked, code := pausing(t, `{"reason":"lunch","for_ms":`+ms+`}`); code != want || (len(asked) == 0) != (want != "") {
			t.Errorf("%s ms: %q, and the agent was asked %q", ms, code, asked)
		}
	}
}

func TestWishesWithoutWordsHaveNoBody(t *testing.T) {
	m := newMemory()
	m.session(kim)
	s := New(m, Options{Scope: scopeSystem})
	for name, ask := range map[string]func(*http.Request, ipc.Peer) (any, error){"check": s.check, "resume": s.resume, "sign out": s.signOut} {
		var no *localapi.Refused
		if _, err := ask(httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")), kim); !errors.As(err, &no) || no.Code != localapi.CodeBadRequest {
			t.Errorf("%s with a body: %v", name, err)
		}
	}
	if asked := m.noted(); len(asked) != 0 {
		t.Errorf("the agent was asked %q", asked)
	}
}

// begins is a backend in which a session of kim's begins while it answers.
type begins struct{ *memory }

func (b *begins) Timeline() localapi.Timeline { b.session(kim); return b.memory.Timeline() }
func (b *begins) Sent() localapi.Sent         { b.session(kim); return b.memory.Sent() }

func TestWhatBelongsToASessionThatBegins(t *testing.T) {
	s := New(&begins{newMemory()}, Options{Scope: scopeSystem})
	for name, ask := range map[string]func(*http.Request, ipc.Peer) (any, error){"timeline": s.timeline, "sent": s.sent} {
		var no *localapi.Refused
		if _, err := ask(nil, lee); !errors.As(err, &no) || no.Code != localapi.CodeNotOwner {
			t.Errorf("%s: lee reads it: %v", name, err)
		}
	}
}

// ownerless is a backend that does not know whose its status is.
type ownerless struct{ *memory }

func (ownerless) Owner() (ipc.Peer, bool) { return ipc.Peer{}, false }

func TestStatusOfNobodyKnownIsNotGiven(t *testing.T) {
	m := newMemory()
	m.session(kim)
	if out, err := New(ownerless{m}, Options{Scope: scopeSystem}).current(lee); err == nil {
		t.Errorf("lee reads %+v", out)
	}
}

func TestLongestWait(t *testing.T) {
	if _, wait, err := waitOf("after=1&wait=2000000000"); err != nil || wait.Milliseconds() != localapi.MaxWaitMS {
		t.Errorf("waits %v, %v", wait, err)
	}
}
