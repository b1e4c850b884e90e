package localserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// sessionOf is a Backend that knows whose session it is and nothing else.
type sessionOf struct {
	Backend
	owner   ipc.Peer
	stopped ipc.Peer
	status  localapi.Status
}

func (b *sessionOf) Owner() (ipc.Peer, bool) { return b.owner, b.owner.Known }

func (b *sessionOf) Status() localapi.Status { return b.status }

func (b *sessionOf) SignOut(_ context.Context, p ipc.Peer) error {
	b.stopped, b.owner = p, ipc.Peer{}
	return nil
}

// Callers of every class, of both kinds of system.
var (
	ada     = ipc.Peer{Known: true, UID: 1000, Class: ipc.ClassPerson, PID: 7}
	bob     = ipc.Peer{Known: true, UID: 1001, Class: ipc.ClassPerson}
	root    = ipc.Peer{Known: true, UID: 0, Class: ipc.ClassAdministrator}
	daemon  = ipc.Peer{Known: true, UID: 33, Class: ipc.ClassService}
	strange = ipc.Peer{Known: true, UID: 1002} // of no known class
	nowhere = ipc.Peer{}
	winAda  = ipc.Peer{Known: true, SID: "S-1-5-21-1-2-3-1001", Session: 1, Class: ipc.ClassPerson}
	winRDP  = ipc.Peer{Known: true, SID: "S-1-5-21-1-2-3-1001", Session: 4, Class: ipc.ClassAdministrator}
	winBob  = ipc.Peer{Known: true, SID: "S-1-5-21-1-2-3-1002", Session: 2, Class: ipc.ClassPerson}
	winSys  = ipc.Peer{Known: true, SID: "S-1-5-18", Class: ipc.ClassAdministrator}
	winSvc  = ipc.Peer{Known: true, SID: "S-1-5-19", Class: ipc.ClassService}
)

// codes are short for the answers in the tables below.
var codes = map[byte]string{
	'+': "", '-': localapi.CodeNotOwner, 's': localapi.CodeService, '?': localapi.CodeNoIdentity, '0': localapi.CodeSignedOut,
}

// columns are the paths in the order of the tables.
var columns = []string{
	localapi.PathVersion, localapi.PathStatus, localapi.PathPosture, localapi.PathConfig, localapi.PathTimeline, localapi.PathSent,
	localapi.PathSignIn, localapi.PathSignInFinish, localapi.PathSignInCancel, localapi.PathCheck, localapi.PathSignOut,
	localapi.PathPause, localapi.PathResume,
}

func TestWhoMayWhat(t *testing.T) {
	for _, tc := range []struct {
		name   string
		scope  string
		own    ipc.Peer // of a user's own agent
		owner  ipc.Peer // of the session
		caller ipc.Peer
		want   string // one letter for each column
	}{
		//                                                               version status posture config timeline sent signin finish cancel check signout pause resume
		{"nobody signed in: a person", "system", ipc.Peer{}, ipc.Peer{}, ada, "+++++0+++++00"},
		{"nobody signed in: an administrator", "system", ipc.Peer{}, ipc.Peer{}, root, "+++++0+++++00"},
		{"nobody signed in: a service", "system", ipc.Peer{}, ipc.Peer{}, daemon, "+ssssssssssss"},
		{"nobody signed in: no known class", "system", ipc.Peer{}, ipc.Peer{}, strange, "+????????????"},
		{"nobody signed in: unknown", "system", ipc.Peer{}, ipc.Peer{}, nowhere, "+????????????"},

		{"a session: its owner", "system", ipc.Peer{}, ada, ada, "+++++++++++++"},
		{"a session: another person", "system", ipc.Peer{}, ada, bob, "+------------"},
		{"a session: an administrator", "system", ipc.Peer{}, ada, root, "+++++-----+--"},
		{"a session: a service", "system", ipc.Peer{}, ada, daemon, "+ssssssssssss"},
		{"a session: no known class", "system", ipc.Peer{}, ada, strange, "+????????????"},
		{"a session: unknown", "system", ipc.Peer{}, ada, nowhere, "+????????????"},
		{"a session of a service: that service", "system", ipc.Peer{}, daemon, daemon, "+ssssssssssss"},
		{"an administrator's session: he himself", "system", ipc.Peer{}, root, root, "+++++++++++++"},
		{"an administrator's session: a person", "system", ipc.Peer{}, root, ada, "+------------"},

		{"windows: the owner", "system", ipc.Peer{}, winAda, winAda, "+++++++++++++"},
		{"windows: the owner by remote desktop, elevated", "system", ipc.Peer{}, winAda, winRDP, "+++++++++++++"},
		{"windows: another person at the same time", "system", ipc.Peer{}, winAda, winBob, "+------------"},
		{"windows: LocalSystem", "system", ipc.Peer{}, winAda, winSys, "+++++-----+--"},
		{"windows: LocalService", "system", ipc.Peer{}, winAda, winSvc, "+ssssssssssss"},
		{"windows: uid 0 with a SID is not root's session", "system", ipc.Peer{}, root, winBob, "+------------"},

		{"his own agent: its user", "user", ada, ipc.Peer{}, ada, "+++++++++++++"},
		{"his own agent: its user in a session", "user", ada, ada, ada, "+++++++++++++"},
		{"his own agent: another person", "user", ada, ipc.Peer{}, bob, "+------------"},
		{"his own agent: an administrator", "user", ada, ada, root, "+------------"},
		{"his own agent: a service", "user", ada, ipc.Peer{}, daemon, "+------------"},
		{"his own agent: unknown", "user", ada, ipc.Peer{}, nowhere, "+????????????"},
		{"root's own agent: root", "user", root, ipc.Peer{}, root, "+++++++++++++"},
		{"root's own agent: a person", "user", root, ipc.Peer{}, ada, "+------------"},
		{"a service's own agent: that service", "user", daemon, ipc.Peer{}, daemon, "+++++++++++++"},
		{"nobody's agent: unknown", "user", ipc.Peer{}, ipc.Peer{}, nowhere, "+????????????"},
		{"nobody's agent: a person", "user", ipc.Peer{}, ipc.Peer{}, ada, "+------------"},
		{"an agent without a scope: its user", "", ada, ipc.Peer{}, ada, "+++++++++++++"},
		{"an agent without a scope: another person", "", ada, ipc.Peer{}, bob, "+------------"},
	} {
		s := New(&sessionOf{owner: tc.owner}, Options{Scope: tc.scope, Owner: tc.own})
		if len(s.routes) != len(columns) || len(tc.want) != len(columns) {
			t.Fatalf("%s: %d routes, %d columns, %d answers", tc.name, len(s.routes), len(columns), len(tc.want))
		}
		for i, path := range columns {
			rt, ok := s.routes[path]
			if !ok {
				t.Fatalf("no route %s", path)
			}
			code := ""
			var no *localapi.Refused
			if err := s.may(tc.caller, rt.access); errors.As(err, &no) {
				code = no.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if code != codes[tc.want[i]] {
				t.Errorf("%s: %s is answered %q, want %q", tc.name, path, code, codes[tc.want[i]])
			}
		}
	}
}

func TestRouteWithoutAccessIsClosed(t *testing.T) {
	s := New(&sessionOf{owner: ada}, Options{Scope: "system"})
	for _, p := range []ipc.Peer{ada, root, nowhere} {
		if s.may(p, 0) == nil {
			t.Errorf("%+v may use a route that says nothing", p)
		}
	}
	own := New(&sessionOf{}, Options{Scope: "user", Owner: ada})
	if own.may(ada, 0) == nil {
		t.Error("a route that says nothing is open in a user's own agent")
	}
}

// TestStopIsLogged: who ended another's session is in the log, who ended his
// own is not.
func TestStopIsLogged(t *testing.T) {
	for _, tc := range []struct {
		caller ipc.Peer
		logged bool
	}{{root, true}, {ada, false}} {
		var log bytes.Buffer
		b := &sessionOf{owner: ada}
		s := New(b, Options{Scope: "system", Log: slog.New(slog.NewTextHandler(&log, nil))})
		r := httptest.NewRequest("POST", localapi.PathSignOut, nil)
		a, far := net.Pipe()
		defer a.Close()
		defer far.Close()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r.WithContext(ipc.ConnContext(r.Context(), &ipc.Conn{Conn: a, Peer: tc.caller})))
		if w.Code != 200 || b.stopped != tc.caller {
			t.Fatalf("%s: %d %s", tc.caller, w.Code, w.Body)
		}
		said := log.String()
		if strings.Contains(said, "by=\""+tc.caller.String()) != tc.logged || strings.Contains(said, "owner=\""+ada.String()) != tc.logged {
			t.Errorf("%s: logged %q", tc.caller, said)
		}
	}
}

// withUser is a session whose status names its user.
type withUser struct{ sessionOf }

func (*withUser) Status() localapi.Status {
	return localapi.Status{User: &localapi.User{Name: "Ada"}}
}

// TestForeignSession: an administrator who reads another's status is told that
// it is another's, so that nothing shows it as his own.
func TestForeignSession(t *testing.T) {
	s := New(&withUser{sessionOf{owner: ada}}, Options{Scope: "system"})
	for who, want := range map[ipc.Peer]bool{root: true, ada: false} {
		if st, err := s.current(who); err != nil || st.User == nil || st.Foreign != want {
			t.Errorf("%s: %+v, %v", who, st, err)
		}
	}
}

// An agent that gives a sign-in no id gives nobody the right to finish it.
func TestSignInWithoutAnID(t *testing.T) {
	var b begun
	b.add(person(1000), "")
	if b.take(person(1000), "") {
		t.Error("no id is taken for one")
	}
	b.add(person(1000), "id")
	for _, id := range []string{"", "i", "id ", "ID"} {
		if b.take(person(1000), id) {
			t.Errorf("%q is taken for %q", id, "id")
		}
	}
	if b.take(person(1001), "id") || b.take(ipc.Peer{}, "id") || !b.take(person(1000), "id") || b.take(person(1000), "id") {
		t.Error("it is not that user's, once")
	}
}
