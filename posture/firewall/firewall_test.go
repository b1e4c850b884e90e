package firewall

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

var day = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	captures = "../../testfixtures/captures/linux/nft-json/"
	list     = "nft -j list ruleset"
)

func capture(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(captures + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func collect(t *testing.T, m evidence.Machine) fact.Signal {
	t.Helper()
	s := Collect(t.Context(), m)
	s.Collector = "test"
	if err := (fact.Report{Signals: []fact.Signal{s}}).Validate(); err != nil {
		t.Errorf("not valid: %v", err)
	}
	return s
}

// expect compares "state enabled default_inbound", or "state reason".
func expect(t *testing.T, s fact.Signal, want string) {
	t.Helper()
	enabled, _ := s.Find("", "enabled")
	inbound, _ := s.Find("", "default_inbound")
	got := string(s.State) + " " + enabled.Value.String() + " " + inbound.Value.String()
	if s.State == fact.Unknown {
		got = string(s.State) + " " + string(s.Reason)
	}
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRecordedRulesets(t *testing.T) {
	tests := map[string]string{
		"insights-1.json":                      "observed false accept", // IPv4 alone is filtered
		"insights-2chains.json":                "observed false accept",
		"insights-doc.json":                    "observed false accept",
		"insights-empty.json":                  "absent false accept",
		"local-empty.json":                     "absent false accept",
		"inspec-chain.json":                    "absent false accept", // one chain, not a list of all
		"local-input-accept-final-reject.json": "observed true reject",
		"local-input-drop.json":                "observed true drop",
		"local-ufw-active.json":                "observed true drop",
	}
	files, err := filepath.Glob(captures + "*.json")
	if err != nil || len(files) != len(tests) {
		t.Fatalf("%d recorded rulesets, %d expectations, %v", len(files), len(tests), err)
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetCommand(list, capture(t, name))
			expect(t, collect(t, m), want)
		})
	}
}

// rules writes a ruleset of one table: "chain NAME [HOOK POLICY]" and
// "rule CHAIN EXPR" lines.
func rules(family, flags string, lines ...string) string {
	table := `{"metainfo": {"json_schema_version": 1}}, {"table": {"family": "` + family + `", "name": "t", "handle": 1` + flags + `}}`
	for _, l := range lines {
		f := strings.SplitN(l, " ", 3)
		switch {
		case f[0] == "chain" && len(f) == 2:
			table += `, {"chain": {"family": "` + family + `", "table": "t", "name": "` + f[1] + `"}}`
		case f[0] == "chain":
			hook, policy, _ := strings.Cut(f[2], " ")
			kind := "filter"
			if policy, kind, _ = strings.Cut(policy, " "); kind == "" {
				kind = "filter"
			}
			table += `, {"chain": {"family": "` + family + `", "table": "t", "name": "` + f[1] + `", "type": "` + kind + `", "hook": "` + hook + `", "prio": 0, "policy": "` + policy + `"}}`
		default:
			table += `, {"rule": {"family": "` + family + `", "table": "t", "chain": "` + f[1] + `", "expr": [` + f[2] + `]}}`
		}
	}
	return `{"nftables": [` + table + `]}`
}

func TestRulesets(t *testing.T) {
	const (
		lo     = `{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": null}`
		allNew = `{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "new"]}}, {"accept": null}`
		oneNew = `{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": "new"}}, {"counter": {"packets": 0, "bytes": 0}}, {"accept": null}`
		setNew = `{"match": {"op": "==", "left": {"ct": {"key": "state"}}, "right": {"set": ["new", "established"]}}}, {"accept": null}`
		known  = `{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"accept": null}`
	)
	tests := []struct{ name, ruleset, want string }{
		{"policy drop", rules("inet", "", "chain in input drop", "rule in "+known, "rule in "+lo), "observed true drop"},
		{"policy accept", rules("inet", "", "chain in input accept", "rule in "+lo), "observed false accept"},
		{"drop at the end", rules("inet", "", "chain in input accept", "rule in "+lo, `rule in {"counter": {"packets": 1, "bytes": 2}}, {"log": null}, {"drop": null}`), "observed true drop"},
		{"limited drop at the end", rules("inet", "", "chain in input accept", `rule in {"limit": {"rate": 1, "per": "second"}}, {"drop": null}`), "observed false accept"},
		{"accept before the drop", rules("inet", "", "chain in input drop", `rule in {"accept": null}`, `rule in {"drop": null}`), "observed false accept"},
		{"every new connection accepted", rules("inet", "", "chain in input drop", "rule in "+allNew), "observed false accept"},
		{"every new connection accepted, one word", rules("inet", "", "chain in input drop", "rule in "+oneNew), "observed false accept"},
		{"every new connection accepted, a set", rules("inet", "", "chain in input drop", "rule in "+setNew), "observed false accept"},
		{"jump to a chain that rejects", rules("inet", "", "chain in input accept", "chain more", `rule in {"jump": {"target": "more"}}`, `rule more {"reject": null}`), "observed true reject"},
		{"jump to a chain that returns", rules("inet", "", "chain in input drop", "chain more", `rule in {"jump": {"target": "more"}}`, `rule more {"return": null}`, `rule more {"accept": null}`), "observed true drop"},
		{"goto a chain that accepts", rules("inet", "", "chain in input drop", "chain more", `rule in {"goto": {"target": "more"}}`, `rule more {"accept": null}`), "observed false accept"},
		{"goto does not come back", rules("inet", "", "chain in input accept", "chain more", `rule in {"goto": {"target": "more"}}`, `rule in {"drop": null}`), "observed false accept"},
		{"chains in a circle", rules("inet", "", "chain in input drop", "chain more", `rule in {"jump": {"target": "more"}}`, `rule more {"jump": {"target": "more"}}`), "observed false accept"},
		{"a second chain drops", rules("inet", "", "chain a input accept", "chain b input drop"), "observed true drop"},
		{"another hook", rules("inet", "", "chain out output drop", "chain fwd forward drop"), "observed false accept"},
		{"another type", rules("inet", "", "chain in input drop nat"), "observed false accept"},
		{"another family", rules("bridge", "", "chain in input drop"), "observed false accept"},
		{"IPv4 only", rules("ip", "", "chain in input drop"), "observed false accept"},
		{"IPv6 only", rules("ip6", "", "chain in input drop"), "observed false accept"},
		{"dormant table", rules("inet", `, "flags": "dormant"`, "chain in input drop"), "observed false accept"},
		{"dormant among others", rules("inet", `, "flags": ["owner", "dormant"]`, "chain in input drop"), "observed false accept"},
		{"not JSON", "table inet filter {", "unknown unreadable-output"},
		{"no list of rules", `{"nftables": []}`, "unknown unreadable-output"},
		{"nothing", "", "unknown unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			m.SetCommand(list, tt.ruleset)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestIPv6SwitchedOffNeedsNoFilter(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetCommand(list, rules("ip", "", "chain in input drop"))
	m.SetFile("/sys/module/ipv6/parameters/disable", "1\n")
	expect(t, collect(t, m), "observed true drop")
	m.SetFile("/sys/module/ipv6/parameters/disable", "0\n")
	expect(t, collect(t, m), "observed false accept")
}

func TestLegacyTablesLeaveTheQuestionOpen(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	m.SetCommand(list, capture(t, "local-empty.json"))
	m.SetFile("/proc/net/ip_tables_names", "filter\n")
	expect(t, collect(t, m), "unknown unsupported-system")
	m.Fail("/proc/net/ip_tables_names", fact.ReasonNeedsPrivilege)
	expect(t, collect(t, m), "unknown needs-privilege")
	m.SetCommand(list, capture(t, "local-input-drop.json")) // filtered whatever they say
	expect(t, collect(t, m), "observed true drop")
}

func TestToolFails(t *testing.T) {
	m := evidence.NewMemory(evidence.Linux, day)
	for _, why := range []fact.Reason{fact.ReasonNeedsPrivilege, fact.ReasonTimeout, fact.ReasonTruncated, fact.ReasonUnreadable} {
		m.Fail(list, why)
		expect(t, collect(t, m), "unknown "+string(why))
	}
}

func TestWithoutTool(t *testing.T) {
	const kernel, builtin = "/proc/sys/kernel/osrelease", "/lib/modules/6.1/modules.builtin"
	all := func(m *evidence.Memory) {
		m.SetFile("/proc/net/ip_tables_names", "")
		m.SetFile("/proc/modules", "ext4 1 2 - Live 0x0\n")
		m.SetFile(kernel, "6.1\n")
		m.SetFile(builtin, "kernel/fs/ext4/ext4.ko\n")
	}
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"nothing is known", func(*evidence.Memory) {}, "unknown tool-missing"},
		{"no nf_tables and no legacy table", all, "absent false accept"},
		{"a legacy table", func(m *evidence.Memory) { all(m); m.SetFile("/proc/net/ip_tables_names", "filter\n") }, "unknown tool-missing"},
		{"legacy tables may not be read", func(m *evidence.Memory) { all(m); m.Fail("/proc/net/ip_tables_names", fact.ReasonNeedsPrivilege) }, "unknown tool-missing"},
		{"nf_tables is loaded", func(m *evidence.Memory) { all(m); m.SetFile("/proc/modules", "nf_tables 300000 1 - Live 0x0\n") }, "unknown tool-missing"},
		{"nf_tables is built in", func(m *evidence.Memory) { all(m); m.SetFile(builtin, "kernel/net/netfilter/nf_tables.ko\n") }, "unknown tool-missing"},
		{"what is built in is not known", func(m *evidence.Memory) { all(m); m.Remove(builtin) }, "unknown tool-missing"},
		{"a kernel without modules", func(m *evidence.Memory) { all(m); m.Remove("/proc/modules") }, "unknown tool-missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := evidence.NewMemory(evidence.Linux, day)
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func TestMacOS(t *testing.T) {
	tests := map[string]string{
		"Firewall is disabled. (State = 0)\n":                                        "observed false accept",
		"Firewall is enabled. (State = 1) \n":                                        "observed true (none)",
		"Firewall is enabled. (State = 2) \n":                                        "observed true drop",
		"Firewall is blocking all non-essential incoming connections. (State = 2)\n": "observed true drop",
		"Firewall is enabled.\n":                                                     "unknown unreadable-output",
		"":                                                                           "unknown unreadable-output",
	}
	for out, want := range tests {
		m := evidence.NewMemory(evidence.MacOS, day)
		m.SetCommand("socketfilterfw --getglobalstate", out)
		expect(t, collect(t, m), want)
	}
}

func TestWindows(t *testing.T) {
	const local = `reg query HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\`
	const policy = `reg query HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall\`
	key := func(values ...string) string {
		return "\r\nHKEY_LOCAL_MACHINE\\X\r\n    " + strings.Join(values, "\r\n    ") + "\r\n"
	}
	const on, off = "EnableFirewall    REG_DWORD    0x1", "EnableFirewall    REG_DWORD    0x0"
	const block, allow = "DefaultInboundAction    REG_DWORD    0x1", "DefaultInboundAction    REG_DWORD    0x0"
	const running = "\r\nSERVICE_NAME: mpssvc\r\n        TYPE               : 30  WIN32\r\n        STATE              : 4  RUNNING\r\n        WIN32_EXIT_CODE    : 0  (0x0)\r\n"
	machine := func() *evidence.Memory {
		m := evidence.NewMemory(evidence.Windows, day)
		m.SetCommand("sc query mpssvc", running)
		for _, p := range []string{"DomainProfile", "StandardProfile", "PublicProfile"} {
			m.SetCommand(local+p, key(on))
			m.Fail(policy+p, fact.ReasonUnreadable) // as reg ends on a key that is not there
		}
		return m
	}
	set := func(m *evidence.Memory, line, out string) {
		m.Fail(line, "")
		m.SetCommand(line, out)
	}
	tests := []struct {
		name  string
		setup func(*evidence.Memory)
		want  string
	}{
		{"all on", func(*evidence.Memory) {}, "observed true drop"},
		{"one off", func(m *evidence.Memory) { set(m, local+"PublicProfile", key(off, block)) }, "observed false accept"},
		{"one lets all in", func(m *evidence.Memory) { set(m, local+"PublicProfile", key(on, allow)) }, "observed false accept"},
		{"policy switches off", func(m *evidence.Memory) { set(m, policy+"DomainProfile", key(off)) }, "observed false accept"},
		{"policy switches on", func(m *evidence.Memory) {
			set(m, local+"DomainProfile", key(off))
			set(m, policy+"DomainProfile", key(on))
		}, "observed true drop"},
		{"policy does not answer", func(m *evidence.Memory) { m.Fail(policy+"DomainProfile", fact.ReasonTimeout) }, "unknown timeout"},
		{"value is missing", func(m *evidence.Memory) { set(m, local+"DomainProfile", key(block)) }, "unknown unreadable-output"},
		{"service stopped", func(m *evidence.Memory) {
			set(m, "sc query mpssvc", strings.Replace(running, "4  RUNNING", "1  STOPPED", 1))
		}, "observed false accept"},
		{"service in another language", func(m *evidence.Memory) { set(m, "sc query mpssvc", strings.Replace(running, "STATE", "STATUS", 1)) }, "observed true drop"},
		{"service unknown", func(m *evidence.Memory) { set(m, "sc query mpssvc", "") }, "unknown unreadable-output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine()
			tt.setup(m)
			expect(t, collect(t, m), tt.want)
		})
	}
}

func FuzzRuleset(f *testing.F) {
	files, err := filepath.Glob(captures + "*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no captures, %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(rules("inet", "", "chain in input drop", "chain more", `rule in {"jump": {"target": "more"}}`, `rule more {"jump": {"target": "in"}}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRuleset(data)
		if err != nil {
			return
		}
		for _, family := range []string{"ip", "ip6"} {
			switch v := r.inbound(family); v {
			case fact.InboundAccept, fact.InboundReject, fact.InboundDrop:
			default:
				t.Errorf("%s: %q", family, v)
			}
		}
	})
}
