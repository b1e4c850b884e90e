package policy

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

// leaky is a file in which everything the administrator compares with, or
// keeps to the gateway, is a canary.
const leaky = head + `checks:
  version: {expr: 'versionAtLeast(device.os_version, "13.canary1")', code: org/version}
  product: {expr: 'device.os.product in ["debian-canary2", "canary3"]', code: org/product}
  entry: {expr: 'device.edr["canary4"].running || device.edr["local/canary5"].running', code: org/entry, unknown: pass}
  loop: {expr: 'device.edr.exists(k, k == "canary6" && device.edr[k].running)', code: org/loop, enforce: report}
  volume: {expr: 'device.volumes["/canary7"].status == "ENCRYPTED"', code: org/volume, from: 2027-01-01}
  person: {expr: 'user.email == "canary8@example.com" || "canary9" in user.groups', code: org/person}
  net: {expr: 'inIpRange(origin.ip, ["198.51.100.77"])', code: org/net}
  broken: {expr: 'device.edr[user.email + "canary10"].running', code: org/broken}
apps:
  - {id: a, name: A, destinations: ["tcp:canary11.internal:80"], ports: [80], gateway: canary12, checks: [version, product, entry, loop], max_age: 1m}
  - {id: b, name: B, destinations: ["unix:/run/canary13.sock"], ports: [80], groups: [canary14, staff], checks: [volume, person, net, broken], acr: canary15}
  - {id: c, name: C, destinations: ["tcp:10.0.0.1:80"], ports: [80], groups: [canary16], posture: none}
exceptions:
  - {check: net, person: alice-sub, until: 2026-08-01, granted_by: Joan, reason: canary17}
  - {check: version, device: canary18, until: 2026-08-01, granted_by: canary19, reason: canary20}
`

// Nothing the administrator configured as a value travels to a client,
// whatever the report is like.
func TestNoConfiguredValueLeaves(t *testing.T) {
	p := load(t, leaky)
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		in := input(spoilt(random))
		if random.IntN(3) == 0 {
			in.Person.Groups = nil
		}
		d := p.Decide(in)
		sent := []any{d.Checks, d.Forecast, d.Tier, d.Needs}
		for _, a := range d.Apps {
			if !a.Allowed {
				sent = append(sent, a.Denied())
			}
		}
		data, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"canary", "198.51.100.77", "10.0.0.1"} {
			if strings.Contains(string(data), secret) {
				t.Fatalf("%s leaves: %s", secret, data)
			}
		}
	}
}

// spoilt is a healthy report with some of it missing or not known.
func spoilt(random *rand.Rand) fact.Report {
	states := []fact.State{fact.Observed, fact.Absent, fact.Unknown, fact.NotApplicable, fact.Conflict}
	reasons := []fact.Reason{"", fact.ReasonTimeout, fact.ReasonNotReported}
	var r fact.Report
	for _, s := range healthy().Signals {
		if random.IntN(5) == 0 {
			continue
		}
		if random.IntN(2) == 0 {
			s.State, s.Reason = states[random.IntN(5)], reasons[random.IntN(3)]
		}
		for i := range s.Facts {
			if random.IntN(3) == 0 {
				s.Facts[i].State, s.Facts[i].Reason = states[random.IntN(5)], reasons[random.IntN(3)]
			}
		}
		r.Signals = append(r.Signals, s)
	}
	return r
}

// Checks of apps that are not meant for a person are not told.
func TestOtherPeoplesRulesAreNotTold(t *testing.T) {
	in := input(fact.Report{})
	in.Person.Groups = []string{"eng"}
	for _, c := range load(t, strings.Replace(office, "groups: [eng]", "groups: [ops]", 1)).Decide(in).Checks {
		if c.Name == "edr" || c.Name == "patch" {
			t.Errorf("told of %s", c.Name)
		}
		if c.Outcome == api.Pass {
			t.Errorf("%s passes over nothing", c.Name)
		}
	}
}
