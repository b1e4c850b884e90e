package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-zt/postern/broker/api"
)

// fill is a good file with one line per thing, in which a test replaces one.
const fill = `version: 1
providers:
  - issuer: https://login.example.com
    client_id: postern
    scopes: [openid, email]
checks:
  disk:
    expr: device.encryption_status == "ENCRYPTED"
    code: org/disk
    remedy: {text: Turn it on., target: disk-encryption}
    unknown: fail
    from: 2027-01-01
    enforce: deny
apps:
  - id: wiki
    name: Wiki
    open: http:/start
    gateway: gw1
    destinations: ["tcp:wiki.internal:8080", "unix:/run/wiki.sock"]
    ports: [80, 443]
    primary: 443
    groups: [staff]
    checks: [disk]
    max_age: 10m
    acr: mfa
    min_key_assurance: ek-chain
exceptions:
  - check: disk
    device: dev-1
    until: 2026-12-31
    granted_by: Joan
    reason: old laptop
`

func TestLoadReadsEverything(t *testing.T) {
	p := load(t, fill)
	want := App{
		ID: "wiki", Name: "Wiki", Open: "http:/start", Gateway: "gw1",
		Destinations: []string{"tcp:wiki.internal:8080", "unix:/run/wiki.sock"}, Ports: []int{80, 443}, Primary: 443,
		Groups: []string{"staff"}, Checks: []string{"disk"}, MaxAge: 10 * time.Minute, ACR: "mfa",
		MinKeyAssurance: api.AttestedEKChain,
	}
	got, ok := p.App("wiki")
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]App{want}, p.Apps()); diff != "" {
		t.Error(diff)
	}
	if _, ok := p.App("nope"); ok {
		t.Error("found an app that is not there")
	}
	if diff := cmp.Diff([]api.Provider{{Issuer: "https://login.example.com", ClientID: "postern", Scopes: []string{"openid", "email"}}}, p.Providers()); diff != "" {
		t.Error(diff)
	}
	sum := sha256.Sum256([]byte(fill))
	if p.Hash() != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s", p.Hash())
	}
	if want := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); !p.checks[0].from.Equal(want) {
		t.Errorf("from %s", p.checks[0].from)
	}
}

func TestDefaults(t *testing.T) {
	p := load(t, oneCheck("true"))
	a, _ := p.App("app")
	if a.Open != "http:/" || a.Primary != 80 || p.checks[0].lenient || p.checks[0].report {
		t.Errorf("%+v %+v", a, p.checks[0])
	}
	if s := p.Providers()[0]; len(s.Scopes) != 1 || s.Scopes[0] != "openid" || s.ResponseMode != "" {
		t.Errorf("provider %+v", s)
	}
}

func TestResponseMode(t *testing.T) {
	for mode, want := range map[string]string{"auto": "", "query": api.ResponseQuery} {
		p := load(t, strings.Replace(oneCheck("true"), "client_id:", "response_mode: "+mode+", client_id:", 1))
		if got := p.Providers()[0].ResponseMode; got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"version: 1", "version: 2", "p:1: version: only version 1 is known"},
		{"version: 1", "version: \"1\"", "p:1: version: only version 1 is known"},
		{"version: 1", "name: x", "p:1: file: version is missing"},
		{"version: 1", "version: 1\nversion: 1", `p:2: file: key "version" is there twice, first in line 1`},
		{"version: 1", "version: 1\nobservations: []", "p:2: observations: want keys and values"},
		{"https://login.example.com", "http://login.example.com", "p:3: providers[0].issuer: want https, or http on a literal loopback address"},
		{"https://login.example.com", "http://localhost:5556", "p:3: providers[0].issuer: want https, or http on"},
		{"https://login.example.com", "https://a@login.example.com", "p:3: providers[0].issuer: an issuer has no user"},
		{"https://login.example.com", "https://login.example.com?x=1", "p:3: providers[0].issuer: an issuer has no user, query"},
		{"https://login.example.com", "login", "p:3: providers[0].issuer: want an address"},
		{"    client_id: postern\n", "", "p:3: providers[0]: client_id is missing"},
		{"client_id: postern", "client_id: 12", "p:4: providers[0].client_id: want text"},
		{"client_id: postern", "client_id: postern\n    response_mode: fragment", `p:5: providers[0].response_mode: "fragment" is not one of auto, query`},
		{"[openid, email]", "[email]", "p:5: providers[0].scopes: openid is missing"},
		{"[openid, email]", "[openid, openid]", `p:5: providers[0].scopes[1]: "openid" is there twice`},
		{"checks:\n  disk:", "checks:\n  disk: {expr: 'true', code: org/a}\n  disk:", `p:8: checks: key "disk" is there twice, first in line 7`},
		{"encryption_status ==", "encryptoin_status ==", "p:8: checks.disk.expr: column 7 of the expression: undefined field 'encryptoin_status'"},
		{"device.encryption_status ==", "devise.encryption_status ==", "p:8: checks.disk.expr: column 1 of the expression: undeclared reference to 'devise'"},
		{`device.encryption_status == "ENCRYPTED"`, "|\n      true &&\n      device.nope", "p:10: checks.disk.expr: column 7 of the expression: undefined field 'nope'"},
		{`== "ENCRYPTED"`, "== 3", "p:8: checks.disk.expr: column 26 of the expression: found no matching overload"},
		{`== "ENCRYPTED"`, "", "p:8: checks.disk.expr: the result is string, want true or false"},
		{`== "ENCRYPTED"`, "==", "p:8: checks.disk.expr: column 28 of the expression: Syntax error"},
		{`device.encryption_status == "ENCRYPTED"`, `dyn(device).x == "ENCRYPTED"`, "p:8: checks.disk.expr: column 4 of the expression: dyn()"},
		{`device.encryption_status == "ENCRYPTED"`, `device.volumes[""].status == "x"`, "p:8: checks.disk.expr: column 15 of the expression: volumes has no entry with that key"},
		{`device.encryption_status == "ENCRYPTED"`, `device.volumes["*"].status == "x"`, "volumes has no entry with that key"},
		{`device.encryption_status == "ENCRYPTED"`, `device.edr@local["a"].running`, "p:8: checks.disk.expr: column 11 of the expression: Syntax error"},
		{`device.encryption_status == "ENCRYPTED"`, `'["a"].all(device, device == "a")'`, "device is taken"},
		{`device.encryption_status == "ENCRYPTED"`, `inIpRange(origin.ip, ["10.0.0.0/33"])`, `"10.0.0.0/33" is not an address range`},
		{`device.encryption_status == "ENCRYPTED"`, `request.time > timestamp("soon")`, "invalid timestamp"},
		{`device.encryption_status == "ENCRYPTED"`, `user.email.matches("[")`, "p:8: checks.disk.expr: column"},
		{`device.encryption_status == "ENCRYPTED"`, `postern.device{} == device`, "objects cannot be made"},
		{`device.encryption_status == "ENCRYPTED"`, strings.Repeat("!", 5000) + "true", "p:8: checks.disk.expr: "},
		{`device.encryption_status == "ENCRYPTED"`, strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), "p:8: checks.disk.expr: "},
		{`expr: device.encryption_status == "ENCRYPTED"`, "expr: true", "p:8: checks.disk.expr: want an expression as text"},
		{"    code: org/disk\n", "", "p:8: checks.disk: code is missing"},
		{"code: org/disk", "code: disk", `p:9: checks.disk.code: "disk": want org/`},
		{"code: org/disk", "code: org/Disk", `p:9: checks.disk.code: "org/Disk": want org/`},
		{"target: disk-encryption", "target: 'ms-settings:x y'", "p:10: checks.disk.remedy.target: want the id of a settings page"},
		{"target: disk-encryption", "url: x", `p:10: checks.disk.remedy: unknown key "url"`},
		{"unknown: fail", "unknown: maybe", `p:11: checks.disk.unknown: "maybe" is not one of fail, pass`},
		{"2027-01-01", "soon", "p:12: checks.disk.from: want a date"},
		{"2027-01-01", "2027-02-30", "p:12: checks.disk.from: want a date"},
		{"enforce: deny", "enforce: warn", `p:13: checks.disk.enforce: "warn" is not one of deny, report`},
		{"    enforce: deny", "    enforced: deny", `p:13: checks.disk: unknown key "enforced"`},
		{"id: wiki", "id: Wiki", "p:15: apps[0].id: an id has"},
		{"id: wiki", "id: x\n    name: X\n    destinations: ['tcp:a:1']\n    ports: [1]\n    posture: none\n  - id: x", `p:20: apps[1].id: "x" is there twice`},
		{"    name: Wiki\n", "", "p:15: apps[0](wiki): name is missing"},
		{"name: Wiki", "name: \"a\\nb\"", "p:16: apps[0](wiki).name: it holds a line break"},
		{"http:/start", "http://evil.example", "p:17: apps[0](wiki).open: want a scheme and a path"},
		{"tcp:wiki.internal:8080", "wiki.internal:8080", "p:19: apps[0](wiki).destinations[0]: want tcp:host:port or unix:/path"},
		{"tcp:wiki.internal:8080", "tcp:wiki.internal", "p:19: apps[0](wiki).destinations[0]: want tcp:host:port with"},
		{"tcp:wiki.internal:8080", "tcp:wiki.internal:0", "p:19: apps[0](wiki).destinations[0]: want a port"},
		{"tcp:wiki.internal:8080", "tcp:wiki.internal:080", "p:19: apps[0](wiki).destinations[0]: want a port"},
		{"tcp:wiki.internal:8080", "tcp:0.0.0.0:80", "p:19: apps[0](wiki).destinations[0]: want tcp:host:port with"},
		{"tcp:wiki.internal:8080", "tcp:a b:80", "p:19: apps[0](wiki).destinations[0]: want tcp:host:port with"},
		{"unix:/run/wiki.sock", "unix:run/wiki.sock", "p:19: apps[0](wiki).destinations[1]: want unix: and a clean absolute path"},
		{"unix:/run/wiki.sock", "unix:/run/../etc", "p:19: apps[0](wiki).destinations[1]: want unix: and a clean absolute path"},
		{"[80, 443]", "[443]", "p:19: apps[0](wiki).destinations: 2 destinations for 1 ports"},
		{"[80, 443]", "[443, 443]", "p:20: apps[0](wiki).ports[1]: port 443 is there twice"},
		{"[80, 443]", "[443, 70000]", "p:20: apps[0](wiki).ports[1]: want a port from 1 to 65535"},
		{"[80, 443]", "443", "p:20: apps[0](wiki).ports: want a list"},
		{"primary: 443", "primary: 22", "p:21: apps[0](wiki).primary: 22 is not one of the ports"},
		{"groups: [staff]", "groups: []", "p:22: apps[0](wiki).groups: the list is empty"},
		{"checks: [disk]", "checks: [disc]", `p:23: apps[0](wiki).checks[0]: there is no check "disc"`},
		{"checks: [disk]", "checks: []", "p:23: apps[0](wiki).checks: the list is empty"},
		{"    checks: [disk]\n", "", "p:15: apps[0](wiki): it names no checks; an app that is open whatever the device is like must say posture: none"},
		{"checks: [disk]", "checks: [disk]\n    posture: none", "p:24: apps[0](wiki): it says posture: none and names checks"},
		{"checks: [disk]", "posture: off", `p:23: apps[0](wiki).posture: "off" is not one of none`},
		{"checks: [disk]", "posture: none", "p:24: apps[0](wiki).max_age: without checks"},
		{"max_age: 10m", "max_age: 10", "p:24: apps[0](wiki).max_age: want a length of time"},
		{"max_age: 10m", "max_age: -5m", "p:24: apps[0](wiki).max_age: want a length of time"},
		{"acr: mfa", "acr: ''", "p:25: apps[0](wiki).acr: it is empty"},
		{"min_key_assurance: ek-chain", "min_key_assurance: tpm", `p:26: apps[0](wiki).min_key_assurance: "tpm" is not one of none, ek-tofu, ek-chain, verified`},
		{"acr: mfa", "acr: mfa\n    outage_grace: 5m", "p:26: apps[0](wiki).outage_grace: this version does not lengthen leases"},
		{"  - check: disk", "  - check: disc", `p:28: exceptions[0].check: there is no check "disc"`},
		{"    device: dev-1\n", "", "p:28: exceptions[0]: want one of device and person"},
		{"device: dev-1", "device: dev-1\n    person: joe", "p:28: exceptions[0]: want one of device and person"},
		{"    until: 2026-12-31\n", "", "p:28: exceptions[0]: until is missing"},
		{"    granted_by: Joan\n", "", "p:28: exceptions[0]: granted_by is missing"},
		{"    reason: old laptop\n", "", "p:28: exceptions[0]: reason is missing"},
		{"checks: [disk]", "checks: &a [disk]\n    groups2: *a", `p:24: apps[0]: unknown key "groups2"`},
		{"groups: [staff]", "groups: [&a staff, *a]", "p:22: apps[0](wiki).groups[1]: want text; anchors and aliases are not used here"},
		{"reason: old laptop", "reason: old laptop\n---\nversion: 1", "p:33: file: a second document begins here"},
		{"providers:", "providers: [", "not YAML: "},
	} {
		text := strings.Replace(fill, c.from, c.to, 1)
		if text == fill {
			t.Fatalf("%q is not in the file", c.from)
		}
		p, err := Load("p", []byte(text))
		var le *LoadError
		if p != nil || !errors.As(err, &le) {
			t.Errorf("%q: loaded", c.to)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.to, err, c.want)
		}
	}
}

func TestWholeFilesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "p:1: file: it is empty",
		"# nothing":                           "p:1: file: it is empty",
		"- a":                                 "p:1: file: want keys and values",
		"version: 1":                          "p:1: file: apps is missing",
		head + "apps: []":                     "p:4: apps: the list is empty",
		head + "checks: {}\napps: []":         "p:4: checks: it is empty",
		"version: 1\nproviders: []\napps: []": "p:2: providers: the list is empty",
		head + "apps:\n  - wiki":              "p:5: apps[0]: want keys and values",
		strings.Repeat("#", maxFile+1):        "p:1: file: 1048577 bytes, at most 1048576 allowed",
		"a: \x00":                             "p:1: file: not YAML: ",
	} {
		_, err := Load("p", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	text := strings.NewReplacer("code: org/disk", "code: disk", "[80, 443]", "[80]", "encryption_status", "nope").Replace(fill)
	_, err := Load("p", []byte(text))
	var le *LoadError
	if !errors.As(err, &le) || le.File != "p" || len(le.Problems) != 4 {
		t.Fatalf("want four problems: %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	for i, prefix := range []string{"p:8: checks.disk.expr: ", "p:9: checks.disk.code: ", "p:19: ", "p:21: "} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], prefix) {
			t.Errorf("line %d: %v", i, lines)
		}
	}
}

// The page that explains the file must be true: its example loads and its
// table lists every attribute with its fact.
func TestThePageIsTrue(t *testing.T) {
	data, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	_, rest, ok := strings.Cut(page, "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("no example")
	}
	load(t, example)
	for _, a := range Attributes() {
		row := "| `" + a.Name + "` |"
		line := ""
		for _, l := range strings.Split(page, "\n") {
			if strings.HasPrefix(l, row) {
				line = l
			}
		}
		if line == "" || (a.Fact != "" && !strings.Contains(line, "`"+a.Fact+"`")) {
			t.Errorf("the table has no row %s with fact %s", a.Name, a.Fact)
		}
	}
}

// Every fact can be used in a rule, and every attribute has its fact.
func TestTheTableIsComplete(t *testing.T) {
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range s.attrs {
		if a.Fact != "" && s.defs[a.Fact].Signal == "" {
			t.Errorf("%s: there is no fact %s", a.Name, a.Fact)
		}
		if a.Fact == "" && a.read == nil {
			t.Errorf("%s comes from nowhere", a.Name)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(fill))
	f.Add([]byte(office))
	f.Add([]byte(oneCheck(`device.edr.exists(k, device.edr["local/x"].running && k != "")`)))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? [x]\n: y"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load("f", data)
		var le *LoadError
		switch {
		case err != nil && (p != nil || !errors.As(err, &le) || len(le.Problems) == 0):
			t.Fatalf("half a policy: %v %v", p, err)
		case err == nil:
			for _, a := range p.Apps() {
				if len(a.Checks) == 0 && !a.NoPosture {
					t.Fatalf("%s is open without saying so", a.ID)
				}
			}
			for _, d := range p.Decide(Input{}).Apps {
				if d.Allowed {
					t.Fatalf("%s is open to nobody in particular", d.App.ID)
				}
			}
			p.Decide(input(healthy()))
		}
	})
}
