package config

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

const watching = `
observations:
  read:
    - {id: local/vpn, kind: process, path: /opt/vpn/vpnd, read: [sha256]}
    - {id: local/conf, kind: file, path: /etc/vpn.conf}
  forbid:
    kinds: [registry, edr]
    paths: [/opt/private, 'HKLM\SOFTWARE\Private']
`

func TestObservations(t *testing.T) {
	s, err := Load(home(t, watching), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Observations) != 2 || s.Observations[0].ID != "local/vpn" || s.Observations[0].Origin != fact.OriginUserSettings {
		t.Errorf("%+v", s.Observations)
	}
	if s.Forbid.Origin != OriginFile || !s.Forbid.V.Path("/opt/private/x") || !s.Forbid.V.Observation(observe.Observation{Kind: observe.KindRegistry}) {
		t.Errorf("%+v", s.Forbid)
	}
	if s, err = Load(home(t, "log_level: info\n"), Overrides{}); err != nil || len(s.Observations) != 0 || s.Forbid.Origin != OriginDefault {
		t.Errorf("%+v, %v", s, err)
	}
}

// What a user's settings may not say about observations, with the line.
func TestObservationsRefused(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"id: local/vpn", "id: org/vpn", `:4: observations.read[0].id: "org/vpn" could stand for one of the organisation's`},
		{"id: local/vpn", "id: vpn", "could stand for one of the organisation's"},
		{"id: local/conf", "id: local/vpn", ":5: observations.read[1]: observation local/vpn from user-settings: the id is already declared"},
		{"path: /etc/vpn.conf", "path: /home/kim/x", "people's folders"},
		{"path: /etc/vpn.conf", "path: /etc/vpn.conf, run: x", "field run not found"},
		{"kind: file", "kind: script", "is none of"},
		{"[registry, edr]", "[scripts]", `observations.forbid: kinds: "scripts" is none of`},
		{"/opt/private", "private", "begins neither with /"},
		{"[registry, edr]", "[1]", "this is not text"},
		{"forbid:", "deny:", "no such key"},
	} {
		_, err := Load(home(t, strings.Replace(watching, c.from, c.to, 1)), Overrides{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.to, err, c.want)
		}
	}
}
