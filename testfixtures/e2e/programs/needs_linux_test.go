package programs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// needsPolicy has what applications ask for in every form: a check of one
// thing, one of several, a dated one, one that only reports, a condition.
const needsPolicy = `version: 1
providers:
  - {issuer: "${IDP}", client_id: postern, scopes: [openid, email]}
checks:
  edr-runs:
    expr: device.edr["local/test-edr"].running
    code: org/edr-not-running
    remedy: {text: start it}
  system known or edr:
    expr: device.os.product == "canary" || device.edr["local/test-edr"].running
    code: org/either
  rare system:
    expr: device.os.product == "canary" && device.os_version != ""
    code: org/rare
    from: 2099-12-01
    remedy: {text: Ask for another computer.}
  watched: {expr: device.os_version != "", code: org/watched, enforce: report}
apps:
  - {id: wiki, name: Wiki, gateway: dev, destinations: ["unix:${APPS}/wiki.sock"], ports: [80], checks: [edr-runs, system known or edr, rare system]}
  - {id: payroll, name: Payroll, gateway: dev, destinations: ["unix:${APPS}/payroll.sock"], ports: [80], checks: [watched], min_key_assurance: ek-chain, max_age: 24h}
  - {id: status, name: Status, gateway: dev, destinations: ["unix:${APPS}/status.sock"], ports: [80], posture: none}
  - {id: board, name: Board, gateway: dev, destinations: ["unix:${APPS}/status.sock"], ports: [80], checks: [edr-runs], groups: [board]}
`

// explained is as much of "postern explain --json" as is looked at here.
type explained struct {
	State string
	Told  bool
	Unmet []neededThing
	Met   []neededThing
	Later []neededThing
	Note  string
	Do    []string
}

type neededThing struct {
	Name, Outcome, State, From string
	Parts                      []struct{ Outcome, Says string }
}

// explain runs the command line, for people and for scripts, and writes down
// what an application needs: "edr-runs met (Security products: Running)".
func (r *rig) explain(app string) (e explained, lines []string, text string) {
	r.t.Helper()
	out, err := r.agent.Postern(r.t.Context(), "explain", app, "--json")
	r.must(err)
	if err := json.Unmarshal([]byte(out.Out), &e); err != nil {
		r.t.Fatalf("explain %s: exit %d: %s%s", app, out.Code, out.Out, out.ErrOut)
	}
	for _, n := range slices.Concat(e.Unmet, e.Met, e.Later) {
		var parts []string
		for _, p := range n.Parts {
			parts = append(parts, p.Outcome+" "+p.Says)
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s (%s)", n.State, n.Name, n.From, strings.Join(parts, "; "))))
	}
	said, err := r.agent.Postern(r.t.Context(), "explain", app)
	r.must(err)
	for _, secret := range []string{"canary", "local/test-edr"} {
		if strings.Contains(out.Out+said.Out, secret) {
			r.t.Errorf("explain %s tells what a rule compares with: %s%s", app, out.Out, said.Out)
		}
	}
	return e, lines, said.Out
}

func (r *rig) needs(app, when string, want ...string) explained {
	r.t.Helper()
	e, got, text := r.explain(app)
	if !e.Told || !slices.Equal(got, want) {
		r.t.Errorf("%s, %s (told: %v):\n%s\nwant\n%s", app, when, e.Told, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.t.Logf("%s:\n%s", when, text)
	return e
}

// What an application needs is told before anything fails, and follows a drift
// and its repair.
func TestExplainTellsNeeds(t *testing.T) {
	r := newWorldOf(t, needsPolicy)
	r.must(r.agent.Start(t.Context()))
	_, err := r.agent.Login(t.Context())
	r.must(err)
	r.fetch("wiki")

	key := "not_met Device key in hardware, proven to the broker  ()"
	either := "(%s one of these is enough: Operating system: Product (not met); Security products: Running (%s))"
	well := []string{"met edr-runs  (pass Security products: Running)", "met system known or edr  " + fmt.Sprintf(either, "pass", "met"),
		"coming rare system 2099-12-01T00:00:00Z (fail Operating system: Product; pass Operating system: Version)"}
	// Names that were made for files are read as words.
	well[0] = strings.Replace(well[0], "edr-runs", "edr runs", 1)
	payroll := []string{key, "met A recent look at this computer  ()", "reported watched  (pass Operating system: Version)"}

	e := r.needs("wiki", "before", well...)
	if !slices.Equal(e.Do, []string{"Ask for another computer."}) {
		t.Errorf("an open application whose later rule would fail says to do %q", e.Do)
	}
	r.needs("payroll", "before", payroll...)
	if e := r.needs("status", "before"); e.Note == "" {
		t.Error("an application that needs nothing does not say so")
	}
	if e, lines, _ := r.explain("board"); e.Told || slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "not_met edr") }) {
		t.Errorf("an application of other people tells %v", lines)
	}

	r.must(r.alive.Kill())
	r.alive.Wait()
	r.until("the broker's judgement of the drift", func() (bool, error) {
		e, lines, _ := r.explain("wiki")
		return len(e.Unmet) == 2 && e.Unmet[0].State == "not_met" && e.State == "denied", fmt.Errorf("%s %v", e.State, lines)
	})
	e = r.needs("wiki", "after the drift",
		"not_met edr runs  (fail Security products: Running)", "not_met system known or edr  "+fmt.Sprintf(either, "fail", "not met"), well[2])
	if !slices.Contains(e.Do, "start it") {
		t.Errorf("do %q", e.Do)
	}
	r.needs("payroll", "after the drift", payroll...)

	r.alive, err = r.StartEDR(r.edr)
	r.must(err)
	r.fetch("wiki")
	r.needs("wiki", "repaired", well...)
}
