package machine

import (
	"slices"
	"testing"

	"github.com/postern-zt/postern/posture/evidence"
)

func TestParseSession(t *testing.T) {
	const seated = "# This is private data. Do not parse.\nUID=1000\nUSER=kim\nACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\nSEAT=seat0\n"
	for name, c := range map[string]struct {
		text string
		want evidence.Session
		ok   bool
	}{
		"at the screen": {seated, evidence.Session{User: "kim", ID: "1000", Active: true}, true},
		"by ssh":        {"UID=1000\nUSER=kim\nACTIVE=1\nREMOTE=1\nCLASS=user\nTYPE=tty\n", evidence.Session{User: "kim", ID: "1000", Remote: true}, true},
		"switched away": {"UID=1001\nUSER=lee\nACTIVE=0\nREMOTE=0\nCLASS=user\nSEAT=seat0\n", evidence.Session{User: "lee", ID: "1001"}, true},
		"early":         {"UID=1001\nUSER=lee\nACTIVE=0\nCLASS=user-early\nSEAT=seat0\n", evidence.Session{User: "lee", ID: "1001"}, true},
		"greeter":       {"UID=120\nUSER=gdm\nACTIVE=1\nCLASS=greeter\nSEAT=seat0\n", evidence.Session{}, false},
		"background":    {"UID=1000\nUSER=kim\nCLASS=background\n", evidence.Session{}, false},
		"closing":       {"UID=1000\nUSER=kim\nCLASS=user\nSTATE=closing\n", evidence.Session{}, false},
		"nothing":       {"", evidence.Session{}, false},
	} {
		got, ok := parseSession(c.text)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	var list []evidence.Session
	for _, s := range []evidence.Session{{ID: "1", Remote: true}, {ID: "1", Active: true}, {ID: "2"}} {
		list = join(list, s)
	}
	if want := []evidence.Session{{ID: "1", Active: true}, {ID: "2"}}; !slices.Equal(list, want) {
		t.Errorf("joined %+v", list)
	}
}

func TestParseStatus(t *testing.T) {
	p, alive := parseStatus("Name:\tfalcon sensor\\n\\\\\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nUid:\t0\t1000\t0\t0\nGid:\t0\n")
	if !alive || p.Name != "falcon sensor\n\\" || p.Owner != "1000" {
		t.Errorf("%+v, %v", p, alive)
	}
	for _, gone := range []string{"Name:\tx\nState:\tZ (zombie)\nUid:\t0\t0\n", "Name:\tx\nState:\tX (dead)\n", "", "Name:\tx\nState:\n"} {
		if _, alive := parseStatus(gone); alive {
			t.Errorf("%q is taken for alive", gone)
		}
	}
}
