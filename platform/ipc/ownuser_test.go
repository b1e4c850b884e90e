package ipc

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

// Every answer of the system about who calls.
func TestOwnUserAdmits(t *testing.T) {
	me := Peer{Known: true, UID: 1000, Class: ClassPerson}
	for name, tc := range map[string]struct {
		who  Peer
		err  error
		want bool
	}{
		"this user":             {who: me, want: true},
		"an administrator":      {who: Peer{Known: true, Class: ClassAdministrator}, want: true},
		"another person":        {who: Peer{Known: true, UID: 1001, Class: ClassPerson}},
		"a service":             {who: Peer{Known: true, UID: 33, Class: ClassService}},
		"one of no class":       {who: Peer{Known: true, UID: 1001}},
		"nobody":                {},
		"an unknown one":        {who: Peer{UID: 1000, Class: ClassAdministrator}},
		"not told":              {who: me, err: fmt.Errorf("look: %w", ErrNoPeer)},
		"told by no system":     {err: fmt.Errorf("look: %w", errors.ErrUnsupported), want: true},
		"broken while it looks": {who: me, err: errors.New("broken")},
	} {
		l := ownUser{nil, me, func(*net.TCPConn) (Peer, error) { return tc.who, tc.err }}
		if got := l.admits(new(net.TCPConn)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if (ownUser{nil, me, func(*net.TCPConn) (Peer, error) { return me, nil }}).admits(a) {
		t.Error("what is no TCP connection is let in")
	}
}
