package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

func TestExpressionsOverAHealthyDevice(t *testing.T) {
	for expr, want := range map[string]api.Outcome{
		`device.os_type == "DESKTOP_LINUX"`:                                                 api.Pass,
		`device.os_type == "DESKTOP_MAC"`:                                                   api.Fail,
		`device.os.product == "debian" && versionAtLeast(device.os_version, "13")`:          api.Pass,
		`versionAtLeast(device.os_version, "13.10")`:                                        api.Fail,
		`versionAtLeast(device.os.build, "6.12.40")`:                                        api.Pass,
		`request.time - device.patch.last_update_at < duration("72h")`:                      api.Pass,
		`request.time - device.patch.last_update_at < duration("24h")`:                      api.Fail,
		`!device.patch.security_pending && !device.patch.reboot_pending`:                    api.Pass,
		`device.encryption_status == "ENCRYPTED"`:                                           api.Pass,
		`device.volumes["/home"].status == "ENCRYPTED"`:                                     api.Pass,
		`device.volumes.all(v, device.volumes[v].status == "ENCRYPTED")`:                    api.Pass,
		`device.firewall.enabled && device.firewall.default_inbound in ["drop", "reject"]`:  api.Pass,
		`device.edr["acme-guard"].running`:                                                  api.Pass,
		`device.edr["other-av"].running`:                                                    api.Fail,
		`device.edr.exists(k, device.edr[k].running)`:                                       api.Pass,
		`device.edr.all(k, device.edr[k].running)`:                                          api.Fail,
		`device.edr.filter(k, device.edr[k].installed).size() == 1`:                         api.Pass,
		`size(device.edr) == 2`:                                                             api.Pass,
		`device.edr["acme-guard"].origin == "built-in"`:                                     api.Pass,
		`device.key.attested in ["ek-chain", "verified"] && device.key.protection == "tpm"`: api.Pass,
		`device.hardware_id != "none"`:                                                      api.Pass,
		`user.sub == "alice-sub" && user.email.endsWith("@example.com")`:                    api.Pass,
		`"eng" in user.groups && !("root" in user.groups)`:                                  api.Pass,
		`inIpRange(origin.ip, ["192.0.2.0/24", "2001:db8::/32"])`:                           api.Pass,
		`inIpRange(origin.ip, ["192.0.2.8"])`:                                               api.Fail,
		`request.time.getHours() == 12`:                                                     api.Pass,
		`has(device.patch.last_update_at)`:                                                  api.Pass,
		// What cannot be answered is never a pass.
		`device == device`:                       api.Unclear,
		`!device.edr["never-heard-of"].running`:  api.Unclear,
		`[1][device.edr.size()] == 1`:            api.Unclear,
		`!inIpRange(user.email, ["192.0.2.8"])`:  api.Unclear,
		`!versionAtLeast("", device.os_version)`: api.Unclear,
	} {
		c, a := only(t, load(t, oneCheck(expr)).Decide(input(healthy())))
		if c.Outcome != want || a.Allowed != (want == api.Pass) {
			t.Errorf("%s: outcome %s allowed %v, want %s", expr, c.Outcome, a.Allowed, want)
		}
	}
}

// A fact that is not known makes the check unclear, names the address, and is
// let through by "unknown: pass" only when the device tried to read it.
func TestWhatIsNotKnown(t *testing.T) {
	const firewall, volume, edr, anyEDR = `device.firewall.enabled`, `device.volumes["/home"].status == "ENCRYPTED"`,
		`device.edr["acme-guard"].running`, `device.edr.all(k, device.edr[k].installed || !device.edr[k].running)`
	signal := func(name string, state fact.State, reason fact.Reason) fact.Report {
		return change(healthy(), name, func(s *fact.Signal) { s.State, s.Reason, s.Facts = state, reason, nil })
	}
	odd := func(value fact.Value) fact.Report {
		return change(healthy(), fact.SignalFirewall, func(s *fact.Signal) { s.Facts[0].Value = value })
	}
	cases := []struct {
		name, expr string
		report     fact.Report
		missing    []string
		excused    bool
	}{
		{"fact unknown", firewall, marked(healthy(), "firewall", "", "enabled", fact.Unknown, fact.ReasonTimeout), []string{"firewall.enabled"}, true},
		{"fact stale", firewall, marked(healthy(), "firewall", "", "enabled", fact.Unknown, fact.ReasonStale), []string{"firewall.enabled"}, true},
		{"fact unknown without reason", firewall, marked(healthy(), "firewall", "", "enabled", fact.Unknown, ""), []string{"firewall.enabled"}, false},
		{"fact conflict", firewall, marked(healthy(), "firewall", "", "enabled", fact.Conflict, fact.ReasonDisagree), []string{"firewall.enabled"}, false},
		{"fact not applicable", firewall, marked(healthy(), "firewall", "", "enabled", fact.NotApplicable, ""), []string{"firewall.enabled"}, false},
		{"fact with a made-up state", firewall, marked(healthy(), "firewall", "", "enabled", "fine", "x"), []string{"firewall.enabled"}, false},
		{"fact missing", firewall, change(healthy(), "firewall", func(s *fact.Signal) { s.Facts = s.Facts[1:] }), []string{"firewall.enabled"}, false},
		{"fact of the wrong kind", firewall, odd(fact.Str("true")), []string{"firewall.enabled"}, false},
		{"fact with a word that does not exist", `device.firewall.default_inbound != "accept"`,
			change(healthy(), "firewall", func(s *fact.Signal) { s.Facts[1].Value = fact.Str("whatever") }), []string{"firewall.default_inbound"}, false},
		{"fact without value", firewall, odd(fact.Value{}), []string{"firewall.enabled"}, false},
		{"device says it was not reported", firewall, marked(healthy(), "firewall", "", "enabled", fact.Unknown, fact.ReasonNotReported), []string{"firewall.enabled"}, false},
		{"signal unknown", firewall, signal("firewall", fact.Unknown, fact.ReasonNeedsPrivilege), []string{"firewall.enabled"}, true},
		{"signal conflict", firewall, signal("firewall", fact.Conflict, fact.ReasonDisagree), []string{"firewall.enabled"}, false},
		{"signal not applicable", firewall, signal("firewall", fact.NotApplicable, ""), []string{"firewall.enabled"}, false},
		{"signal missing", firewall, without(healthy(), "firewall"), []string{"firewall.enabled"}, false},
		{"no report", firewall, fact.Report{}, []string{"firewall.enabled"}, false},
		{"entry unknown", volume, marked(healthy(), "disk", "/home", "status", fact.Unknown, fact.ReasonBusy), []string{"disk[/home].status"}, true},
		{"entry conflict", volume, marked(healthy(), "disk", "/home", "status", fact.Conflict, fact.ReasonDisagree), []string{"disk[/home].status"}, false},
		{"entry not sent", `device.volumes["/srv"].status == "ENCRYPTED"`, healthy(), []string{"disk[*].status"}, false},
		{"entry of an unknown signal", edr, signal("edr", fact.Unknown, fact.ReasonTimeout), []string{"edr[*].running"}, true},
		{"entry of a missing signal", edr, without(healthy(), "edr"), []string{"edr[*].running"}, false},
		{"entry of an absent signal", `!device.edr["acme-guard"].running`, signal("edr", fact.Absent, fact.ReasonNotFound), []string{"edr[*].running"}, false},
		{"loop over an unknown signal", anyEDR, signal("edr", fact.Unknown, fact.ReasonTimeout), []string{"edr[*].installed", "edr[*].running"}, true},
		{"loop over a missing signal", anyEDR, without(healthy(), "edr"), []string{"edr[*].installed", "edr[*].running"}, false},
		{"loop over a conflict", anyEDR, signal("edr", fact.Conflict, fact.ReasonDisagree), []string{"edr[*].installed", "edr[*].running"}, false},
		{"loop over a cut list", anyEDR, change(healthy(), "edr", func(s *fact.Signal) { s.Truncated = true }), []string{"edr[*].installed", "edr[*].running"}, true},
		{"loop over an unknown entry", anyEDR, marked(healthy(), "edr", "other-av", "running", fact.Unknown, fact.ReasonBusy), []string{"edr[other-av].running"}, true},
		{"whole list with an unknown signal", `size(device.edr) >= 0`, signal("edr", fact.Unknown, fact.ReasonTimeout), declared("edr", "*"), true},
		{"two of them", firewall + " && " + edr, marked(marked(healthy(), "firewall", "", "enabled", fact.Unknown, fact.ReasonBusy), "edr", "acme-guard", "running", fact.Conflict, fact.ReasonDisagree), []string{"edr[acme-guard].running", "firewall.enabled"}, false},
	}
	for _, c := range cases {
		for _, lenient := range []bool{false, true} {
			word := map[bool]string{false: "fail", true: "pass"}[lenient]
			check, app := only(t, load(t, oneCheck(c.expr, "unknown: "+word)).Decide(input(c.report)))
			if check.Outcome != api.Unclear || !slices.Equal(check.Missing, c.missing) {
				t.Errorf("%s: outcome %s missing %v, want unknown %v", c.name, check.Outcome, check.Missing, c.missing)
			}
			if app.Allowed != (lenient && c.excused) {
				t.Errorf("%s, unknown: %s: allowed %v", c.name, word, app.Allowed)
			}
			if !app.Allowed && !slices.Equal(app.Reasons, []string{"org/it"}) {
				t.Errorf("%s: reasons %v", c.name, app.Reasons)
			}
		}
	}
}

// What the broker itself does not know is never excused: the device gave no
// reason for it.
func TestNothingButFactsIsExcused(t *testing.T) {
	in := input(healthy())
	in.Person.Email, in.Device.KeyAttested, in.Device.KeyProtection, in.Device.HardwareID, in.Origin = "", "", "", "", netip.Addr{}
	for _, expr := range []string{`user.email != "x"`, `device.key.attested != "none"`, `device.key.protection != "file"`,
		`device.hardware_id != "none"`, `!inIpRange(origin.ip, ["10.0.0.0/8"])`} {
		c, a := only(t, load(t, oneCheck(expr, "unknown: pass")).Decide(in))
		if c.Outcome != api.Unclear || a.Allowed || c.Missing != nil {
			t.Errorf("%s: %+v allowed %v", expr, c, a.Allowed)
		}
	}
}

func TestFalseWinsOverUnknown(t *testing.T) {
	r := without(healthy(), "firewall")
	for expr, want := range map[string]api.Outcome{
		`device.firewall.enabled && device.os_type == "DESKTOP_MAC"`:     api.Fail,
		`device.os_type == "DESKTOP_MAC" && device.firewall.enabled`:     api.Fail,
		`device.firewall.enabled || device.os_type == "DESKTOP_LINUX"`:   api.Pass,
		`device.os_type != "DESKTOP_WINDOWS" || device.firewall.enabled`: api.Pass,
		`device.firewall.enabled || device.os_type == "DESKTOP_MAC"`:     api.Unclear,
	} {
		c, _ := only(t, load(t, oneCheck(expr)).Decide(input(r)))
		if c.Outcome != want || (want != api.Unclear && c.Missing != nil) {
			t.Errorf("%s: %s %v, want %s", expr, c.Outcome, c.Missing, want)
		}
	}
}

// An absent signal reads as its negative values, and a loop over nothing does
// not pass for want of a counter-example.
func TestAbsent(t *testing.T) {
	absent := func(name string) fact.Report {
		return change(healthy(), name, func(s *fact.Signal) { s.State, s.Reason, s.Facts = fact.Absent, fact.ReasonNotFound, nil })
	}
	empty := func(name string) fact.Report {
		return change(healthy(), name, func(s *fact.Signal) { s.Facts = nil })
	}
	for _, c := range []struct {
		expr   string
		report fact.Report
		want   api.Outcome
	}{
		{`device.firewall.enabled`, absent("firewall"), api.Fail},
		{`device.firewall.default_inbound == "accept"`, absent("firewall"), api.Pass},
		{`device.os_version != "12"`, absent("os_version"), api.Unclear},
		{`device.edr.exists(k, device.edr[k].running)`, absent("edr"), api.Fail},
		{`device.volumes.all(v, device.volumes[v].status == "ENCRYPTED")`, absent("disk"), api.Fail},
		{`device.volumes.all(v, device.volumes[v].status == "ENCRYPTED")`, empty("disk"), api.Fail},
		{`device.edr.all(k, device.edr[k].origin != "user-settings")`, empty("edr"), api.Unclear},
		{`size(device.edr) > 0`, empty("edr"), api.Unclear},
		{`size(device.volumes) > 0`, empty("disk"), api.Unclear},
		{`device.edr["acme-guard"].running`, marked(healthy(), "edr", "acme-guard", "running", fact.Absent, fact.ReasonNotRunning), api.Fail},
	} {
		got, app := only(t, load(t, oneCheck(c.expr, "unknown: pass")).Decide(input(c.report)))
		if got.Outcome != c.want || app.Allowed != (c.want == api.Pass) {
			t.Errorf("%s: %s, want %s", c.expr, got.Outcome, c.want)
		}
	}
}

// What a user's own settings declare counts only where a literal names it.
func TestLocalEntries(t *testing.T) {
	local := change(healthy(), "edr", func(s *fact.Signal) {
		s.Facts = append(product("local/mine", true, true, fact.OriginUserSettings), product("acme-guard", true, false, fact.OriginBuiltIn)...)
	})
	alone := change(healthy(), "edr", func(s *fact.Signal) { s.Facts = product("local/mine", true, true, fact.OriginUserSettings) })
	cheat := change(healthy(), "edr", func(s *fact.Signal) { s.Facts = product("acme-guard", true, true, fact.OriginUserSettings) })
	for _, c := range []struct {
		expr   string
		report fact.Report
		want   api.Outcome
	}{
		{`device.edr["local/mine"].running`, local, api.Pass},
		{`device.edr["local/mine"].origin == "user-settings"`, local, api.Pass},
		{`device.edr["local/other"].running`, local, api.Unclear},
		{`device.edr.exists(k, device.edr[k].running)`, local, api.Fail},
		{`device.edr.exists(k, device.edr["local/mine"].running)`, local, api.Pass},
		{`device.edr.exists(k, device.edr[k].running)`, alone, api.Fail},
		{`device.edr.exists(k, device.edr[k].running) || device.edr["local/mine"].running`, local, api.Pass},
		{`["local/mine"].exists(k, device.edr[k].running)`, local, api.Unclear},
		{`device.edr["local" + "/mine"].running`, local, api.Unclear},
		{`[device.edr][0]["local/mine"].running`, local, api.Unclear},
		{`"local/mine" in device.edr`, local, api.Fail},
		{`size(device.edr) == 1`, local, api.Pass},
		{`device.edr["acme-guard"].running`, cheat, api.Unclear},
		{`device.edr.exists(k, device.edr[k].running)`, cheat, api.Fail},
	} {
		got, _ := only(t, load(t, oneCheck(c.expr)).Decide(input(c.report)))
		if got.Outcome != c.want {
			t.Errorf("%s: %s %v, want %s", c.expr, got.Outcome, got.Missing, c.want)
		}
	}
}

func TestStandsOn(t *testing.T) {
	edr := declared("edr", "*")
	for expr, want := range map[string][]string{
		`device.firewall.enabled && device.encryption_status == "ENCRYPTED"`: {"disk.system_status", "firewall.enabled"},
		`device.firewall.enabled || device.firewall.enabled`:                 {"firewall.enabled"},
		`device.edr["acme-guard"].running`:                                   {"edr[acme-guard].running"},
		`device.edr["local/mine"].running`:                                   {"edr[local/mine].running"},
		`device["edr"]["a"].running`:                                         nil, // does not compile, see below
		`device.edr.exists(k, device.edr[k].running)`:                        {"edr[*].running"},
		`device.edr.exists(k, k == "acme-guard")`:                            edr,
		`device.edr[user.email].running`:                                     {"edr[*].running"},
		`device.edr[device.os.product].running`:                              {"edr[*].running", "os_version.product"},
		`size(device.edr) > 0`:                                               edr,
		`device.edr["a"] == device.edr["b"]`:                                 declared("edr", "a", "b"),
		`device.patch == device.patch`:                                       declared("patch"),
		`has(device.patch.last_update_at)`:                                   {"patch.last_update_at"},
		`user.sub != "" && device.key.attested == "verified" && request.time > timestamp("2020-01-01T00:00:00Z")`: nil,
		`[device.os_type, "x"].all(x, x != "")`:                                 {"os_version.type"},
		`{"a": device.os_type}.a == "b"`:                                        {"os_version.type"},
		`(device.firewall.enabled ? device.edr["a"] : device.edr["b"]).running`: append(declared("edr", "a", "b"), "firewall.enabled"),
	} {
		p, err := Load("f", []byte(oneCheck(expr)))
		if err != nil {
			if want != nil {
				t.Errorf("%s: %v", expr, err)
			}
			continue
		}
		_, app := only(t, p.Decide(input(healthy())))
		if !slices.Equal(app.StandsOn, want) {
			t.Errorf("%s:\n got %v\nwant %v", expr, app.StandsOn, want)
		}
	}
	whole := load(t, oneCheck(`device == device`))
	_, app := only(t, whole.Decide(input(healthy())))
	if facts := len(fact.Defs()); len(app.StandsOn) != facts {
		t.Errorf("the whole device stands on %v, want all %d facts", app.StandsOn, facts)
	}
}

const office = head + `checks:
  disk: {expr: 'device.encryption_status == "ENCRYPTED"', code: org/disk, remedy: {text: Turn on encryption., target: disk-encryption}}
  firewall: {expr: device.firewall.enabled, code: org/firewall}
  edr: {expr: 'device.edr["acme-guard"].running', code: org/edr, enforce: report}
  patch: {expr: '!device.patch.reboot_pending', code: org/patch, from: 2026-07-01}
apps:
  - {id: wiki, name: Wiki, destinations: ["tcp:wiki.internal:80"], ports: [80], checks: [disk, firewall]}
  - {id: git, name: Git, destinations: ["tcp:git.internal:443", "unix:/run/git.sock"], ports: [443, 22], primary: 443, open: "https:/",
     groups: [eng], checks: [disk, edr, patch], max_age: 10m, min_key_assurance: ek-chain}
  - {id: pay, name: Pay, destinations: ["tcp:10.0.0.9:443"], ports: [443], groups: [finance], checks: [firewall]}
  - {id: help, name: Helpdesk, destinations: ["tcp:help.internal:80"], ports: [80], posture: none}
`

func decisionOf(d Decision, id string) AppDecision {
	for _, a := range d.Apps {
		if a.App.ID == id {
			return a
		}
	}
	return AppDecision{}
}

func TestDecide(t *testing.T) {
	p := load(t, office)
	good := p.Decide(input(healthy()))
	if good.Tier != api.TierAffirming || len(good.Checks) != 4 || len(good.Forecast) != 0 {
		t.Fatalf("healthy: %+v", good)
	}
	if a := decisionOf(good, "pay"); a.Allowed || !slices.Equal(a.Reasons, []string{api.ReasonNotInGroup}) || a.StandsOn != nil {
		t.Errorf("pay: %+v", a)
	}
	if a := decisionOf(good, "git"); !a.Allowed || !slices.Equal(a.StandsOn, []string{"disk.system_status"}) {
		t.Errorf("git must stand on its enforced checks alone: %+v", a)
	}

	r := healthy()
	r = change(r, "disk", func(s *fact.Signal) { s.Facts[0].Value = fact.Str(fact.Unencrypted) })
	r = change(r, "firewall", func(s *fact.Signal) { s.Facts[0].Value = fact.Bool(false) })
	in := input(r)
	in.Device.KeyAttested = api.AttestedEKTofu
	in.Now = noon.Add(time.Hour)
	bad := p.Decide(in)
	if bad.Tier != api.TierContraindicated {
		t.Errorf("tier %s", bad.Tier)
	}
	if got := decisionOf(bad, "wiki").Reasons; !slices.Equal(got, []string{"org/disk", "org/firewall"}) {
		t.Errorf("wiki: every failure at once, got %v", got)
	}
	if got := decisionOf(bad, "git").Reasons; !slices.Equal(got, []string{"org/disk", api.ReasonTooOld, api.ReasonKeyAssurance}) {
		t.Errorf("git: %v", got)
	}
	if !decisionOf(bad, "help").Allowed {
		t.Error("the helpdesk must stay open")
	}
	if bad.Checks[0].Remedy != (api.Remedy{Text: "Turn on encryption.", Target: "disk-encryption"}) {
		t.Errorf("remedy %+v", bad.Checks[0].Remedy)
	}
}

func TestTiers(t *testing.T) {
	p := load(t, office)
	off := func(signal string, i int) fact.Report {
		return change(healthy(), signal, func(s *fact.Signal) { s.Facts[i].Value = fact.Bool(false) })
	}
	for name, c := range map[string]struct {
		edit func(*Input)
		want api.Tier
	}{
		"nobody":                 {func(in *Input) { in.Person = api.Person{} }, api.TierNone},
		"well":                   {func(*Input) {}, api.TierAffirming},
		"one app denied":         {func(in *Input) { in.Report = off("firewall", 0) }, api.TierWarning},
		"a reported check fails": {func(in *Input) { in.Report = off("edr", 1) }, api.TierWarning},
		"nothing reported":       {func(in *Input) { in.Report = fact.Report{} }, api.TierContraindicated},
		"quarantined":            {func(in *Input) { in.Device.Quarantined = true }, api.TierContraindicated},
	} {
		in := input(healthy())
		c.edit(&in)
		if got := p.Decide(in).Tier; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestTheZeroInputGetsNothing(t *testing.T) {
	d := load(t, office).Decide(Input{})
	for _, a := range d.Apps {
		if a.Allowed {
			t.Errorf("%s is allowed", a.App.ID)
		}
	}
	if d.Tier != api.TierNone {
		t.Errorf("tier %s", d.Tier)
	}
	in := input(fact.Report{})
	in.Now = time.Time{}
	if a := decisionOf(load(t, office).Decide(in), "git"); !slices.Contains(a.Reasons, "org/patch") {
		t.Errorf("without a clock a dated rule must count as started: %v", a.Reasons)
	}
}

func TestQuarantineAndSignIn(t *testing.T) {
	p := load(t, strings.Replace(office, "posture: none}", "posture: none, acr: mfa}", 1))
	in := input(healthy())
	if a := decisionOf(p.Decide(in), "help"); !slices.Equal(a.Reasons, []string{ReasonACR}) {
		t.Errorf("weak sign-in: %v", a.Reasons)
	}
	in.ACR = "mfa"
	if a := decisionOf(p.Decide(in), "help"); !a.Allowed {
		t.Errorf("strong sign-in: %v", a.Reasons)
	}
	in.Device.Quarantined = true
	for _, a := range p.Decide(in).Apps {
		if a.Allowed {
			t.Errorf("quarantined, but %s is open", a.App.ID)
		}
	}
}

func TestForecast(t *testing.T) {
	p := load(t, office)
	r := change(healthy(), "patch", func(s *fact.Signal) { s.Facts[2].Value = fact.Bool(true) })
	r = change(r, "edr", func(s *fact.Signal) { s.Facts[1].Value = fact.Bool(false) })
	d := p.Decide(input(r))
	want := []api.Forecast{
		{Code: "org/edr", Name: "edr", Apps: []string{"git"}},
		{Code: "org/patch", Name: "patch", From: "2026-07-01T00:00:00Z", Apps: []string{"git"}},
	}
	if diff := cmp.Diff(want, d.Forecast); diff != "" {
		t.Error(diff)
	}
	if a := decisionOf(d, "git"); !a.Allowed {
		t.Errorf("a rule that has not started denied: %v", a.Reasons)
	}
	in := input(r)
	in.Now = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	if a := decisionOf(p.Decide(in), "git"); !slices.Contains(a.Reasons, "org/patch") {
		t.Errorf("the rule has started: %v", a.Reasons)
	}
}

func TestExceptions(t *testing.T) {
	const x = `exceptions:
  - {check: it, %s, until: 2026-06-15T12:00:30Z, granted_by: Joan, reason: waiting for a part}
  - {check: it, %s, until: 2026-01-01, granted_by: Joan, reason: over}
`
	r := change(healthy(), "firewall", func(s *fact.Signal) { s.Facts[0].Value = fact.Bool(false) })
	for who, applies := range map[string]bool{"device: dev-1": true, "device: dev-2": false, "person: alice@example.com": true,
		"person: alice-sub": true, "person: bob@example.com": false} {
		p := load(t, oneCheck(`device.firewall.enabled`)+fmt.Sprintf(x, who, who))
		d := p.Decide(input(r))
		c, a := only(t, d)
		if a.Allowed != applies || c.Enforced == applies || c.Outcome != api.Fail {
			t.Errorf("%s: allowed %v, check %+v", who, a.Allowed, c)
		}
		if !applies {
			continue
		}
		if want := "Excepted until 2026-06-15T12:00:30Z, granted by Joan."; c.Remedy.Text != want {
			t.Errorf("shown as %q", c.Remedy.Text)
		}
		if len(d.Exceptions) != 1 || d.Exceptions[0].Reason != "waiting for a part" || d.Tier != api.TierWarning {
			t.Errorf("exceptions %+v tier %s", d.Exceptions, d.Tier)
		}
		if len(d.Forecast) != 1 || d.Forecast[0].From != "2026-06-15T12:00:30Z" {
			t.Errorf("forecast %+v", d.Forecast)
		}
		near(t, who, a.ValidFor, 30*time.Second)
		in := input(r)
		in.Now = noon.Add(30 * time.Second)
		if _, a := only(t, p.Decide(in)); a.Allowed {
			t.Errorf("%s: still excepted after its end", who)
		}
	}
}

func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got > want || got < want-time.Second || (got == 0) != (want == 0) {
		t.Errorf("%s: valid for %s, want %s", what, got, want)
	}
}

func TestValidFor(t *testing.T) {
	const none = time.Duration(0)
	dated := func(more string) string { return oneCheck(`!device.patch.security_pending`, more) }
	pending := change(healthy(), "patch", func(s *fact.Signal) { s.Facts[1].Value = fact.Bool(true) })
	aged := func(age string) string {
		return strings.Replace(oneCheck(`device.firewall.enabled`), "checks: [it]", "checks: [it], max_age: "+age, 1)
	}
	for _, c := range []struct {
		name, file string
		report     fact.Report
		want       time.Duration
	}{
		{"no time in it", oneCheck(`device.firewall.enabled`), healthy(), none},
		{"age far off", oneCheck(`request.time - device.patch.last_update_at < duration("72h")`), healthy(), none},
		{"age near", oneCheck(`request.time - device.patch.last_update_at < duration("48h20s")`), healthy(), 20 * time.Second},
		{"age very near", oneCheck(`request.time - device.patch.last_update_at <= duration("48h")`), healthy(), time.Millisecond},
		{"hour of the day", oneCheck(`request.time < timestamp("2026-06-15T12:00:45Z")`), healthy(), 45 * time.Second},
		{"starts within the lease and fails", dated("from: 2026-06-15T12:00:10Z"), pending, 10 * time.Second},
		{"starts within the lease and passes", dated("from: 2026-06-15T12:00:10Z"), healthy(), none},
		{"starts later", dated("from: 2026-06-16"), pending, none},
		{"reported only", oneCheck(`request.time < timestamp("2026-06-15T12:00:45Z")`, "enforce: report"), healthy(), none},
		{"age of the facts", aged("40s"), healthy(), 30 * time.Second},
		{"age of the facts beyond the lease", aged("10m"), healthy(), 10*time.Minute - 10*time.Second},
	} {
		_, a := only(t, load(t, c.file).Decide(input(c.report)))
		if !a.Allowed {
			t.Errorf("%s: denied: %v", c.name, a.Reasons)
		}
		near(t, c.name, a.ValidFor, c.want)
	}
}

func TestMaxAge(t *testing.T) {
	p := load(t, strings.Replace(oneCheck(`device.firewall.enabled && device.encryption_status != "X"`), "checks: [it]", "checks: [it], max_age: 40s", 1))
	observedAt := func(at time.Time) fact.Report {
		return change(healthy(), "disk", func(s *fact.Signal) { s.ObservedAt = at })
	}
	for name, c := range map[string]struct {
		report  fact.Report
		arrived time.Time
		allowed bool
	}{
		"fresh":                           {healthy(), noon, true},
		"one of two is too old":           {observedAt(noon.Add(-40 * time.Second)), noon, false},
		"one does not say":                {observedAt(time.Time{}), noon, false},
		"another signal is old":           {change(healthy(), "edr", func(s *fact.Signal) { s.ObservedAt = time.Time{} }), noon, true},
		"a clock ahead keeps nothing new": {observedAt(noon.Add(24 * time.Hour)), noon.Add(-time.Minute), false},
		"arrived in the future": {change(observedAt(noon.Add(24*time.Hour)), "firewall", func(s *fact.Signal) {
			s.ObservedAt = noon.Add(24 * time.Hour)
		}), noon.Add(time.Hour), true},
	} {
		in := input(c.report)
		in.ReportAt = c.arrived
		_, a := only(t, p.Decide(in))
		if a.Allowed != c.allowed {
			t.Errorf("%s: allowed %v %v", name, a.Allowed, a.Reasons)
		}
		if a.ValidFor > 40*time.Second {
			t.Errorf("%s: valid for %s, longer than max_age", name, a.ValidFor)
		}
		if !a.Allowed && !slices.Equal(a.Reasons, []string{api.ReasonTooOld}) {
			t.Errorf("%s: %v", name, a.Reasons)
		}
	}
}

func TestAnExpensiveExpressionFailsClosed(t *testing.T) {
	loop := `[1,2,3,4,5,6,7,8,9,10].all(%s, `
	expr := "true"
	for _, v := range []string{"a", "b", "c", "d", "e", "f"} {
		expr = fmt.Sprintf(loop, v) + expr + ")"
	}
	c, a := only(t, load(t, oneCheck(expr, "unknown: pass")).Decide(input(healthy())))
	if c.Outcome != api.Unclear || a.Allowed {
		t.Errorf("outcome %s allowed %v", c.Outcome, a.Allowed)
	}
}

func TestConcurrentUse(t *testing.T) {
	p := load(t, office)
	want := p.Decide(input(healthy()))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, p.Decide(input(healthy()))); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkDecide(b *testing.B) {
	p := load(b, bigFile())
	in := input(healthy())
	if d := p.Decide(in); d.Tier != api.TierAffirming {
		b.Fatalf("%+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(in)
	}
}

// bigFile has 8 checks and 10 apps that need all of them.
func bigFile() string {
	checks := []string{
		`device.encryption_status == "ENCRYPTED"`, `device.firewall.enabled`, `device.edr.exists(k, device.edr[k].running)`,
		`device.edr["acme-guard"].running`, `request.time - device.patch.last_update_at < duration("720h")`,
		`versionAtLeast(device.os_version, "12")`, `device.key.attested in ["ek-chain", "verified"]`,
		`device.volumes.all(v, device.volumes[v].status == "ENCRYPTED")`,
	}
	text := head + "checks:\n"
	for i, c := range checks {
		text += fmt.Sprintf("  c%d:\n    expr: |\n      %s\n    code: org/c%d\n", i, c, i)
	}
	text += "apps:\n"
	for i := range 10 {
		text += fmt.Sprintf("  - {id: app%d, name: App, destinations: ['tcp:10.0.0.%d:80'], ports: [80], checks: [c0,c1,c2,c3,c4,c5,c6,c7], max_age: 10m}\n", i, i+1)
	}
	return text
}
