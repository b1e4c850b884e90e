package state

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/platform/jws"
	"github.com/postern-zt/postern/posture/fact"
)

// telling is an answer to the applications a and b that tells their needs.
func telling() api.Answer {
	return api.Answer{
		Verdict: api.TierAffirming, Leases: []api.Lease{granted("a", ttlA), granted("b", ttlB)},
		Checks: []api.Check{
			{Code: "org/disk", Name: "disk", Outcome: api.Pass, Enforced: true, Parts: []api.Part{{Outcome: api.Pass, Reads: []string{"disk.system_status"}}}},
			{Code: "org/edr", Name: "edr", Outcome: api.Fail, From: "2026-12-01T00:00:00Z", Parts: []api.Part{
				{Outcome: api.Fail, OneOf: []api.Choice{{Outcome: api.Fail, Reads: []string{"edr[*].running"}}, {Outcome: api.Unclear, Reads: []string{"person", "firewall.enabled"}}}}}},
		},
		Needs: []api.AppNeeds{
			{App: "a", Checks: []string{"disk", "edr"}, Conditions: []api.Condition{{Code: api.ReasonACR, Outcome: api.Pass}}},
			{App: "b", Checks: []string{}},
		},
	}
}

func TestNeedsAreKept(t *testing.T) {
	r := start(t).signIn(0)
	a := telling()
	r.answer(time.Second, a)
	if !reflect.DeepEqual(r.s.Checks, a.Checks) || len(r.s.Needs) != 2 || !slices.Equal(r.s.Needs["a"].Checks, []string{"disk", "edr"}) ||
		len(r.s.Needs["a"].Conditions) != 1 || len(r.s.Needs["b"].Checks) != 0 {
		t.Fatalf("%+v\n%+v", r.s.Checks, r.s.Needs)
	}
	before := fmt.Sprintf("%+v %+v", r.s.Checks, r.s.Needs)
	a.Checks[1].Parts[0].OneOf[0].Reads[0], a.Needs[0].Checks[0], a.Needs[0].Conditions[0].Code = "x", "x", "x"
	if got := fmt.Sprintf("%+v %+v", r.s.Checks, r.s.Needs); got != before {
		t.Errorf("the state shares memory with an answer: %s", got)
	}
	// A broker of an earlier version says nothing, and then nothing is known.
	r.next(CheckNow{At: 2 * time.Second})
	r.both(3 * time.Second)
	if r.s.Needs != nil {
		t.Errorf("needs outlive the answer that told them: %+v", r.s.Needs)
	}
	r.next(CheckNow{At: 4 * time.Second})
	r.answer(5*time.Second, telling())
	if r.next(SignedOut{At: 6 * time.Second}); r.s.Needs != nil || r.s.Checks != nil {
		t.Errorf("needs outlive a session: %+v", r.s.Needs)
	}
}

// TestNeedsAreWholeOrNotThere: whatever is wrong with what is told of an
// application or a check takes all of it away, and nothing else.
func TestNeedsAreWholeOrNotThere(t *testing.T) {
	long := strings.Repeat("x", api.MaxReadsAddress+1)
	choices := func(n int) []api.Choice {
		return slices.Repeat([]api.Choice{{Outcome: api.Pass, Reads: []string{"person"}}}, n)
	}
	for what, spoil := range map[string]func(a *api.Answer){
		"a check that is not there":  func(a *api.Answer) { a.Needs[0].Checks[1] = "other" },
		"a check twice":              func(a *api.Answer) { a.Needs[0].Checks[1] = "disk" },
		"two checks of one name":     func(a *api.Answer) { a.Checks = append(a.Checks, api.Check{Name: "edr", Outcome: api.Pass}) },
		"another application":        func(a *api.Answer) { a.Needs[0].App = "c" },
		"a condition without a code": func(a *api.Answer) { a.Needs[0].Conditions[0].Code = "" },
		"a long code":                func(a *api.Answer) { a.Needs[0].Conditions[0].Code = strings.Repeat("x", fact.MaxString+1) },
		"an outcome of its own":      func(a *api.Answer) { a.Needs[0].Conditions[0].Outcome = "splendid" },
		"too many conditions": func(a *api.Answer) {
			a.Needs[0].Conditions = slices.Repeat(a.Needs[0].Conditions, api.MaxConditions+1)
		},
		"too many checks": func(a *api.Answer) {
			for i := range api.MaxNeedsChecks {
				a.Checks = append(a.Checks, api.Check{Name: fmt.Sprint(i), Outcome: api.Pass})
				a.Needs[0].Checks = append(a.Needs[0].Checks, fmt.Sprint(i))
			}
		},
	} {
		a := telling()
		spoil(&a)
		r := start(t).signIn(0).answer(time.Second, a)
		if _, there := r.s.Needs["a"]; there {
			t.Errorf("%s: %+v", what, r.s.Needs["a"])
		}
		if _, there := r.s.Needs["b"]; !there || len(r.s.Checks[0].Parts) != 1 {
			t.Errorf("%s: and the rest is gone", what)
		}
	}
	for what, spoil := range map[string]func(p *api.Part){
		"no outcome":           func(p *api.Part) { p.Outcome = "" },
		"both":                 func(p *api.Part) { p.Reads = []string{"person"} },
		"neither":              func(p *api.Part) { p.OneOf = nil },
		"one alternative":      func(p *api.Part) { p.OneOf = choices(1) },
		"too many":             func(p *api.Part) { p.OneOf = choices(api.MaxChoices + 1) },
		"looks at nothing":     func(p *api.Part) { p.OneOf[0].Reads = nil },
		"looks at too much":    func(p *api.Part) { p.OneOf[0].Reads = slices.Repeat([]string{"person"}, api.MaxReads+1) },
		"a broken address":     func(p *api.Part) { p.OneOf[0].Reads[0] = "edr[." },
		"a long address":       func(p *api.Part) { p.OneOf[0].Reads[0] = long },
		"no address":           func(p *api.Part) { p.OneOf[0].Reads[0] = "" },
		"an unknown outcome":   func(p *api.Part) { p.OneOf[0].Outcome = "x" },
		"an outcome in German": func(p *api.Part) { p.OneOf[1].Outcome = "ja" },
	} {
		a := telling()
		a.Checks[1].Parts = append(a.Checks[1].Parts, api.Part{Outcome: api.Pass, Reads: []string{"new_signal.new_fact", "new-word"}})
		spoil(&a.Checks[1].Parts[0])
		r := start(t).signIn(0).answer(time.Second, a)
		if len(r.s.Checks[1].Parts) != 0 || len(r.s.Checks[0].Parts) != 1 || len(r.s.Needs) != 2 || r.s.Checks[1].Outcome != api.Fail {
			t.Errorf("%s: %+v", what, r.s.Checks)
		}
	}
}

// bytesOf is how much text a state holds of needs.
func bytesOf(s State) int {
	n := 0
	for id, x := range s.Needs {
		n += len(id)
		for _, c := range x.Checks {
			n += len(c)
		}
		for _, c := range x.Conditions {
			n += len(c.Code)
		}
	}
	for _, c := range s.Checks {
		for _, p := range c.Parts {
			n += len(strings.Join(p.Reads, ""))
			for _, o := range p.OneOf {
				n += len(strings.Join(o.Reads, ""))
			}
		}
	}
	return n
}

func TestNeedsHaveABound(t *testing.T) {
	a := telling()
	reads := slices.Repeat([]string{strings.Repeat("x", api.MaxReadsAddress)}, api.MaxReads)
	for i := range 200 {
		a.Checks = append(a.Checks, api.Check{Name: fmt.Sprint("c", i), Outcome: api.Pass, Parts: slices.Repeat([]api.Part{{Outcome: api.Pass, Reads: reads}}, api.MaxParts)})
	}
	r := start(t).signIn(0).answer(time.Second, a)
	if n := bytesOf(r.s); n > api.MaxNeedsBytes || n < api.MaxNeedsBytes/4 || len(r.s.Checks) != 202 {
		t.Errorf("%d bytes of %d checks", n, len(r.s.Checks))
	}
}

// FuzzNeeds reads what a broker may send as needs.
func FuzzNeeds(f *testing.F) {
	seed, err := json.Marshal(telling())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"needs":[{"app":"a","checks":["x","x"]}],"checks":[{"name":"x","outcome":"pass","parts":[{"outcome":"pass","reads":["a[","."]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a api.Answer
		if jws.Decode(data, &a) != nil {
			return
		}
		checks, needs := readNeeds(a, map[string]App{"a": {}, "b": {}})
		if n := bytesOf(State{Checks: checks, Needs: needs}); n > api.MaxNeedsBytes || len(checks) != len(a.Checks) || len(needs) > 2 {
			t.Fatalf("%d bytes, %d of %d checks, %d needs", n, len(checks), len(a.Checks), len(needs))
		}
		for _, x := range needs {
			for _, name := range x.Checks {
				if !slices.ContainsFunc(checks, func(c api.Check) bool { return c.Name == name }) {
					t.Fatalf("needs the check %q, which is not there", name)
				}
			}
		}
	})
}
