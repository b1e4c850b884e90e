package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/broker/api"
	"github.com/postern-zt/postern/posture/fact"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

const head = `version: 1
providers:
  - {issuer: "https://login.example.com", client_id: postern}
`

// oneCheck is a file with one check and one app that needs it.
func oneCheck(expr string, more ...string) string {
	return head + "checks:\n  it:\n    expr: |\n      " + strings.ReplaceAll(expr, "\n", "\n      ") + "\n    code: org/it\n" +
		indent("    ", more) + `apps:
  - {id: app, name: App, destinations: ["tcp:10.0.0.1:80"], ports: [80], checks: [it]}
`
}

func indent(by string, lines []string) string {
	out := ""
	for _, l := range lines {
		out += by + l + "\n"
	}
	return out
}

func load(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Load("policy.yaml", []byte(text))
	if err != nil {
		t.Fatalf("load: %v\n%s", err, text)
	}
	return p
}

func observed(name string, facts ...fact.Fact) fact.Signal {
	return fact.Signal{Name: name, State: fact.Observed, Collector: "test", ObservedAt: noon.Add(-10 * time.Second), Facts: facts}
}

func product(key string, installed, running bool, origin string) []fact.Fact {
	return entry(fact.SignalEDR, key,
		fact.Fact{Field: "installed", Value: fact.Bool(installed)},
		fact.Fact{Field: "running", Value: fact.Bool(running)},
		fact.Fact{Field: "origin", Value: fact.Str(origin)})
}

// entry is one list entry with all facts that are declared for it: those
// given, and any well-formed value for the rest.
func entry(signal, key string, given ...fact.Fact) []fact.Fact {
	var out []fact.Fact
	for _, d := range fact.Defs() {
		if d.Signal != signal || !d.Keyed {
			continue
		}
		f := fact.Fact{Field: d.Field, Value: anyValue(d)}
		for _, g := range given {
			if g.Field == d.Field {
				f = g
			}
		}
		f.Key = key
		out = append(out, f)
	}
	return out
}

func anyValue(d fact.Def) fact.Value {
	switch d.Kind {
	case fact.Boolean:
		return fact.Bool(true)
	case fact.Enum:
		return fact.Str(d.Ranks[len(d.Ranks)-1])
	case fact.Timestamp:
		return fact.Time(noon.Add(-time.Hour))
	case fact.Duration:
		return fact.Seconds(time.Minute)
	}
	return fact.Str("1")
}

// declared lists the addresses of a signal's facts, sorted: those of one entry
// when there is a key, otherwise those that exist once.
func declared(signal string, keys ...string) []string {
	var out []string
	for _, d := range fact.Defs() {
		if d.Signal != signal || d.Keyed != (len(keys) > 0) {
			continue
		}
		if !d.Keyed {
			out = append(out, fact.Address(signal, "", d.Field))
		}
		for _, key := range keys {
			out = append(out, fact.Address(signal, key, d.Field))
		}
	}
	slices.Sort(out)
	return out
}

// healthy is a report in which everything is well.
func healthy() fact.Report {
	return fact.Report{Signals: []fact.Signal{
		observed(fact.SignalOS,
			fact.Fact{Field: "type", Value: fact.Str(fact.OSLinux)},
			fact.Fact{Field: "product", Value: fact.Str("debian")},
			fact.Fact{Field: "version", Value: fact.Str("13.1")},
			fact.Fact{Field: "build", Value: fact.Str("6.12.41-amd64")}),
		observed(fact.SignalPatch,
			fact.Fact{Field: "last_update_at", Value: fact.Time(noon.Add(-48 * time.Hour))},
			fact.Fact{Field: "security_pending", Value: fact.Bool(false)},
			fact.Fact{Field: "reboot_pending", Value: fact.Bool(false)}),
		observed(fact.SignalDisk, slices.Concat(
			[]fact.Fact{{Field: "system_status", Value: fact.Str(fact.Encrypted)}},
			entry(fact.SignalDisk, "/"), entry(fact.SignalDisk, "/home"))...),
		observed(fact.SignalFirewall,
			fact.Fact{Field: "enabled", Value: fact.Bool(true)},
			fact.Fact{Field: "default_inbound", Value: fact.Str(fact.InboundDrop)}),
		observed(fact.SignalEDR, append(product("acme-guard", true, true, fact.OriginBuiltIn),
			product("other-av", false, false, fact.OriginBuiltIn)...)...),
	}}
}

// change edits one signal of a report.
func change(r fact.Report, name string, edit func(*fact.Signal)) fact.Report {
	for i := range r.Signals {
		if r.Signals[i].Name == name {
			edit(&r.Signals[i])
		}
	}
	return r
}

// without leaves one signal out.
func without(r fact.Report, name string) fact.Report {
	var out fact.Report
	for _, s := range r.Signals {
		if s.Name != name {
			out.Signals = append(out.Signals, s)
		}
	}
	return out
}

// marked gives one fact a state of its own.
func marked(r fact.Report, signal, key, field string, state fact.State, reason fact.Reason) fact.Report {
	return change(r, signal, func(s *fact.Signal) {
		for i := range s.Facts {
			if s.Facts[i].Key == key && s.Facts[i].Field == field {
				s.Facts[i].State, s.Facts[i].Reason = state, reason
			}
		}
	})
}

func input(r fact.Report) Input {
	return Input{
		Report: r, ReportAt: noon, Now: noon, Horizon: time.Minute,
		Person: api.Person{Subject: "alice-sub", Issuer: "https://login.example.com", Email: "alice@example.com", Groups: []string{"staff", "eng"}},
		Device: Device{ID: "dev-1", KeyAttested: api.AttestedEKChain, KeyProtection: api.KeyTPM, HardwareID: "hw-1"},
		Origin: netip.MustParseAddr("192.0.2.7"),
	}
}

// only gives the one check and the one app of a oneCheck file.
func only(t testing.TB, d Decision) (api.Check, AppDecision) {
	t.Helper()
	if len(d.Checks) != 1 || len(d.Apps) != 1 {
		t.Fatalf("%d checks and %d apps, want one of each", len(d.Checks), len(d.Apps))
	}
	return d.Checks[0], d.Apps[0]
}
