package policy

import (
	"strings"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
	"github.com/postern-zt/postern/posture/observe"
)

// watched is a file that says what to observe, with one line per thing.
const watched = head + `observations:
  read:
    - id: org/agent
      kind: process
      path: /opt/acme/agent
      read: [sha256]
      systems: [linux, darwin]
    - {id: org/agent, kind: process, path: 'C:\Program Files\Acme\agent.exe', read: [signer]}
    - {id: org/mode, kind: registry, key: 'HKLM\SOFTWARE\Policies\Acme', name: Mode}
    - {id: org/vpn, kind: package, name: acme-vpn, manager: dpkg}
  edr:
    - id: org/guard
      name: Acme Guard
      linux: [{executable: /opt/guard/guardd}]
      run_as: root
checks:
  it:
    expr: device.custom["org/agent"].running && device.edr["org/guard"].running
    code: org/it
apps:
  - {id: app, name: App, destinations: ["tcp:10.0.0.1:80"], ports: [80], checks: [it]}
`

func TestObservationsAreRead(t *testing.T) {
	d := load(t, watched).Observations()
	if len(d.Observations) != 4 || len(d.EDR) != 1 || d.Version != 0 {
		t.Fatalf("%+v", d)
	}
	if o := d.Observations[0]; o.ID != "org/agent" || o.Origin != fact.OriginBroker || o.Read[0] != observe.ReadSHA256 || o.On(observe.Windows) {
		t.Errorf("%+v", o)
	}
	if r := d.EDR[0]; r.ID != "org/guard" || r.Origin != fact.OriginBroker || r.RunAs != observe.RunAsRoot {
		t.Errorf("%+v", r)
	}
	if d := load(t, fill).Observations(); len(d.Observations)+len(d.EDR) != 0 {
		t.Errorf("%+v", d)
	}
}

func TestObservationsRefused(t *testing.T) {
	const expr = `device.custom["org/agent"].running && device.edr["org/guard"].running`
	for _, c := range []struct{ from, to, want string }{
		{"  read:\n", "  write: []\n  read:\n", `p:5: observations: unknown key "write"`},
		{"path: /opt/acme/agent", "path: /opt/acme/../agent", "p:6: observations.read[0]: observation org/agent: path"},
		{"path: /opt/acme/agent", "path: /etc/shadow", "what keeps secrets are not for observations"},
		{"path: /opt/acme/agent", "path: /home/kim/agent", "people's folders are not for observations"},
		{"path: /opt/acme/agent", "path: /proc/self/exe", "what the kernel makes up"},
		{"path: /opt/acme/agent", "path: /opt/*/agent", "may stand for something else"},
		{"path: /opt/acme/agent", "path: /opt/acme/agent\n      expect: yes", "p:6: observations.read[0]: observation: field expect not found"},
		{"path: /opt/acme/agent", "path: /opt/acme/agent\n      path: /x/y", "already defined"},
		{"kind: process\n", "kind: script\n", "is none of certificate, file"},
		{"id: org/agent\n", "id: local/agent\n", "belong to users' settings"},
		{"id: org/agent\n", "id: agent\n", "an id is org/"},
		{"systems: [linux, darwin]", "systems: [linux, windows]", "no meaning on windows"},
		{"[signer]}", "[signer], systems: [darwin]}", "p:11: observations.read[1]: observation org/agent: systems"},
		{"- {id: org/mode, kind: registry, key: 'HKLM\\SOFTWARE\\Policies\\Acme', name: Mode}", "- {id: org/agent, kind: file, path: /a/b}", "p:12: observations.read[2]: observation org/agent from broker: the id is already declared for linux"},
		{"- {id: org/mode, kind: registry, key: 'HKLM\\SOFTWARE\\Policies\\Acme', name: Mode}", "- *x", "not YAML"},
		{"[signer]}", "&r [signer]}", "anchors and aliases are not used here"},
		{"id: org/guard", "id: guard", "p:15: observations.edr[0]: catalogue row guard: an id of your own begins with org/"},
		{"id: org/guard", "id: crowdstrike-falcon", "an id of your own begins with org/"},
		{"id: org/guard", "id: local/guard", "belong to users' settings"},
		{"run_as: root", "status: crowdstrike", "only shipped rows"},
		{"run_as: root", "origin: built-in", "field origin not found"},
		{"/opt/guard/guardd", "/home/kim/guardd", "people's folders"},
		{expr, `device.custom["org/agnet"].running`, "observations.read declares no org/agnet"},
		{expr, `device.edr["org/gaurd"].running`, "observations.edr declares no org/gaurd"},
		{expr, `device.custom["org/vpn"].running`, "observation org/vpn does not tell running; it tells present, version"},
		{expr, `device.custom["org/agent"].value == "x"`, "does not tell value"},
	} {
		text := strings.Replace(watched, c.from, c.to, 1)
		if text == watched {
			t.Fatalf("%q is not in the file", c.from)
		}
		_, err := Load("p", []byte(text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.to, err, c.want)
		}
	}
	for _, expr := range []string{
		`device.custom["org/agent"].signer == "Acme" || device.custom["local/mine"].present || device.custom["org/mode"].value == "1"`,
		`device.custom["org/agent"].origin == "broker" && device.edr["acme-guard"].running && device.edr["local/x"].running`,
		`device.custom.exists(k, device.custom[k].present) || device.custom["org/vpn"] == device.custom["org/mode"]`,
	} {
		if _, err := Load("p", []byte(strings.Replace(watched, `device.custom["org/agent"].running && device.edr["org/guard"].running`, "|\n      "+expr, 1))); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
	}
	// Without a list of its own, a file may name what managed settings declare.
	load(t, oneCheck(`device.custom["org/managed"].value == "x"`))
}

func custom(id string, facts ...fact.Fact) fact.Report {
	r := healthy()
	for i := range facts {
		facts[i].Key = id
	}
	facts = append(facts, fact.Fact{Field: "kind", Key: id, Value: fact.Str("file")}, fact.Fact{Field: "origin", Key: id, Value: fact.Str(fact.OriginBroker)})
	r.Signals = append(r.Signals, observed(fact.SignalCustom, facts...))
	return r
}

// A rule on an observation opens on what was observed and on nothing else.
func TestRuleOnAnObservation(t *testing.T) {
	p := load(t, oneCheck(`device.custom["org/f"].sha256 == "abc"`))
	lenient := load(t, oneCheck(`device.custom["org/f"].sha256 == "abc"`, "unknown: pass"))
	for _, c := range []struct {
		name        string
		f           fact.Fact
		want, soft  api.Outcome // soft: with unknown: pass
		open, eased bool
	}{
		{"right", fact.Fact{Field: "sha256", Value: fact.Str("abc")}, api.Pass, api.Pass, true, true},
		{"wrong", fact.Fact{Field: "sha256", Value: fact.Str("abd")}, api.Fail, api.Fail, false, false},
		{"could not be read", fact.Fact{Field: "sha256", State: fact.Unknown, Reason: fact.ReasonTimeout}, api.Unclear, api.Unclear, false, true},
		{"forbidden", fact.Fact{Field: "sha256", State: fact.Unknown, Reason: fact.ReasonRefused}, api.Unclear, api.Unclear, false, false},
		{"not there", fact.Fact{Field: "sha256", State: fact.Absent, Reason: fact.ReasonNotFound}, api.Unclear, api.Unclear, false, false},
		{"not sent", fact.Fact{Field: "present", Value: fact.Bool(true)}, api.Unclear, api.Unclear, false, false},
	} {
		check, app := only(t, p.Decide(input(custom("org/f", c.f))))
		if check.Outcome != c.want || app.Allowed != c.open {
			t.Errorf("%s: %s, open %t", c.name, check.Outcome, app.Allowed)
		}
		check, app = only(t, lenient.Decide(input(custom("org/f", c.f))))
		if check.Outcome != c.soft || app.Allowed != c.eased {
			t.Errorf("%s, unknown: pass: %s, open %t", c.name, check.Outcome, app.Allowed)
		}
	}
}

// A user's own observation does not stand for the organisation's.
func TestLocalObservation(t *testing.T) {
	p := load(t, oneCheck(`device.custom["org/f"].present || device.custom.exists(k, device.custom[k].present)`))
	r := custom("local/f", fact.Fact{Field: "present", Value: fact.Bool(true)})
	if _, app := only(t, p.Decide(input(r))); app.Allowed {
		t.Error("a local observation opened the app")
	}
	forged := custom("org/f", fact.Fact{Field: "present", Value: fact.Bool(true)})
	forged = change(forged, fact.SignalCustom, func(s *fact.Signal) {
		for i := range s.Facts {
			if s.Facts[i].Field == "origin" {
				s.Facts[i].Value = fact.Str(fact.OriginUserSettings)
			}
		}
	})
	if _, app := only(t, p.Decide(input(forged))); app.Allowed {
		t.Error("an observation of a user's settings opened the app under an id of the organisation")
	}
}

// Fuzzing begins at the section: whatever it says, it is refused with its
// place, or everything in it is fit to be sent.
func FuzzObservations(f *testing.F) {
	_, section, _ := strings.Cut(watched, "observations:")
	section, _, _ = strings.Cut(section, "checks:")
	f.Add(section)
	f.Add("read:\n  - {id: org/a, kind: certificate, store: root, subject: Acme}\n  - {id: org/b, kind: plist, path: /a/b, keys: [x]}\n")
	f.Add("{read: [], edr: []}\n")
	f.Fuzz(func(t *testing.T, section string) {
		read := &file{}
		root := read.parse([]byte(section))
		if root == nil {
			return
		}
		d := read.observations(root)
		for _, p := range read.problems {
			if p.Line < 1 || p.Where == "" || p.Text == "" {
				t.Errorf("no place: %+v", p)
			}
		}
		if _, err := d.From(fact.OriginBroker); err != nil && len(read.problems) == 0 {
			t.Errorf("accepted, and not fit to be sent: %v", err)
		}
	})
}

// A table of releases travels as it stands in the file; one that is none is
// refused with the line of the file.
func TestReleasesAreRead(t *testing.T) {
	table := func(first string) string {
		return strings.Replace(watched, "  read:\n", "  releases: |\n    "+first+"\n    release\tdebian\t99\t\tFuture\t2030-01-01\t2035-06-30\t\n  read:\n", 1)
	}
	d := load(t, table("postern-releases\t1\t2099-01-01")).Observations()
	if want := "postern-releases\t1\t2099-01-01\nrelease\tdebian\t99\t\tFuture\t2030-01-01\t2035-06-30\t\n"; d.Releases != want {
		t.Errorf("got %q", d.Releases)
	}
	for _, text := range []string{table("something else"), strings.Replace(watched, "  read:\n", "  releases: [x]\n  read:\n", 1)} {
		if _, err := Load("p", []byte(text)); err == nil || !strings.Contains(err.Error(), "p:5: observations.releases") {
			t.Errorf("got %v", err)
		}
	}
}
