//go:build linux || darwin

package localserver

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/platform/ipc"
)

// A caller who asks on and on and reads nothing is hung up on, once he has had
// time to read one answer.
func TestWhoDoesNotReadIsHungUpOn(t *testing.T) {
	s := New(newMemory(), Options{Scope: "user", Owner: ipc.Self()})
	s.takes = 100 * time.Millisecond
	conn, err := ipc.Dial(t.Context(), serve(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
	ask := bytes.Repeat([]byte("GET /v1/status HTTP/1.1\r\nHost: agent\r\n\r\n"), 100)
	for sent := 0; ; sent += len(ask) {
		if _, err := conn.Write(ask); err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Errorf("nobody hung up after %d bytes: %v", sent, err)
			}
			return
		}
	}
}

// Whatever a broker makes of its applications, the person can see how it stands
// and sign out.
func TestStatusFits(t *testing.T) {
	m := newMemory()
	c := localapi.Dial(serve(t, New(m, Options{Scope: "user", Owner: ipc.Self()})))
	defer c.Close()
	many := func(n int, name string) []localapi.App {
		out := make([]localapi.App, n)
		for i := range out {
			out[i] = localapi.App{ID: fmt.Sprint("app", i), Name: name, State: localapi.AppReady}
		}
		return out
	}
	long := strings.Repeat("<", localapi.MaxAnswer)
	for name, tc := range map[string]struct {
		apps []localapi.App
		edit func(*localapi.Status)
		want int
	}{
		"few":             {apps: many(3, "Wiki"), want: 3},
		"all that fit":    {apps: many(1000, "Wiki"), want: 1000},
		"too many":        {apps: many(10_000, "Wiki"), want: mostApps},
		"too long":        {apps: many(2, long), want: 0},
		"checks":          {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.Posture.Checks = make([]localapi.Check, 50_000) }, want: 2},
		"a long check":    {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.Posture.Checks = []localapi.Check{{Name: long}} }, want: 0},
		"forecasts":       {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.Forecast = make([]localapi.Forecast, 50_000) }, want: 2},
		"a long message":  {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.Message = long }, want: 0},
		"many reasons":    {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.Reasons = make([]string, 500_000) }, want: 0},
		"a long name":     {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.User.Name = long }, want: 0},
		"a long last one": {apps: many(2, "Wiki"), edit: func(st *localapi.Status) { st.LastRevocation = &localapi.Revocation{App: long} }, want: 0},
	} {
		m.session(ipc.Self())
		m.mu.Lock()
		m.status.Apps = tc.apps
		if tc.edit != nil {
			tc.edit(&m.status)
		}
		m.mu.Unlock()
		st, err := c.Status(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(st.Apps) != tc.want || st.State != localapi.StateCompliant || st.User == nil {
			t.Errorf("%s: %d applications, %s, %v", name, len(st.Apps), st.State, st.User)
		}
		if out, err := c.Check(t.Context()); err != nil || len(out.Status.Apps) != tc.want {
			t.Errorf("%s: checked: %d applications, %v", name, len(out.Status.Apps), err)
		}
		m.mu.Lock()
		m.status.Posture.Checks, m.status.Forecast, m.status.Message, m.status.Reasons, m.status.LastRevocation = nil, nil, "", nil, nil
		m.mu.Unlock()
	}
}

// A place is given back once, however often a connection is closed.
func TestClosingTwiceGivesOnePlaceBack(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	l := newLimited(&one{conn: &ipc.Conn{Conn: a, Peer: person(1000)}}, 8, noOwner)
	if !l.enter(person(1000)) {
		t.Fatal("no place")
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if l.all != 2 {
		t.Fatalf("%d are held", l.all)
	}
	for range 3 {
		c.Close()
	}
	if l.all != 1 || l.held[userOf(person(1000))] != 1 {
		t.Errorf("%d are held, %v", l.all, l.held)
	}
}

// one is a listener with one connection.
type one struct {
	net.Listener
	conn net.Conn
}

func (o *one) Accept() (net.Conn, error) { return o.conn, nil }

// Where a sign-in comes back to is a program of this computer, named in a way
// that leads nowhere else.
func TestRedirects(t *testing.T) {
	for uri, want := range map[string]bool{
		"http://127.0.0.1:4711/callback": true, "http://[::1]:4711/callback": true, "http://127.0.0.1:4711": true,
		"http://127.0.0.2:4711/": false, "http://127.0.0.1:0/": false, "http://127.0.0.1/": false, "http://127.0.0.1:/": false,
		"http://kim@127.0.0.1:4711/": false, "http://kim:x@127.0.0.1:4711/": false, "http://[::ffff:127.0.0.1]:4711/": false,
		"http://[::1%25lo]:4711/": false, "http://[::]:4711/": false, "http://0.0.0.0:4711/": false, "http://localhost:4711/": false,
		"http://127.0.0.1.example:4711/": false, "http://127.1:4711/": false, "http://0x7f.0.0.1:4711/": false, "https://127.0.0.1:4711/": false,
		"http://127.0.0.1:4711/?x": false, "http://127.0.0.1:4711/?": false, "http://127.0.0.1:4711/#x": false, "http:127.0.0.1:4711": false, "": false,
	} {
		if got := loopback(uri); got != want {
			t.Errorf("%q: %v", uri, got)
		}
	}
}

func TestShortKeepsWholeCharacters(t *testing.T) {
	for _, s := range []string{"", "kim", strings.Repeat("a", mostText), strings.Repeat("ä", mostText), "a" + strings.Repeat("😀", mostText)} {
		got := short(s)
		if !strings.HasPrefix(s, got) || !utf8.ValidString(got) || len(got) > mostText || len(got) < min(len(s), mostText-3) {
			t.Errorf("%d bytes become %d", len(s), len(got))
		}
	}
}
